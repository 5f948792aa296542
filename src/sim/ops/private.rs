//! Private events before a delegate without the right to see them: masked as busy time.

use super::request_context::RequestContext;
use crate::sim::details::{Details, Person};
use crate::sim::event::Event;
use crate::sim::ids::ItemLocator;
use crate::sim::views::EventInstance;

impl RequestContext<'_> {
    /// Whether this delegate may not open an item.
    pub(super) fn is_hidden(&self, at: ItemLocator) -> bool {
        self.world.get(at).is_some_and(|event| self.hides(event))
    }

    fn hides(&self, event: &Event) -> bool {
        self.rights.is_some_and(|rights| rights.hides(event))
    }
}

/// The mask of a private event: its time and status, nothing else.
pub(super) fn mask_for(context: &RequestContext<'_>, view: &EventInstance<'_>) -> Option<Event> {
    if !context.hides(view.event) {
        return None;
    }
    let bare = Details::between(view.start, view.end);
    let details = Details {
        subject: "Private Appointment".to_owned(),
        busy: view.details.busy,
        sensitivity: view.details.sensitivity,
        all_day: view.details.all_day,
        my_response: view.details.my_response,
        cancelled: view.details.cancelled,
        cancelled_state: view.details.cancelled_state,
        ..bare
    };
    Some(Event { details, organizer: Person::default(), ..view.event.clone() })
}

/// An event with its mask applied, if there is one.
pub(super) fn apply_mask<'a>(view: EventInstance<'a>, mask: Option<&'a Event>) -> EventInstance<'a> {
    match mask {
        Some(event) => EventInstance { event, details: &event.details, ..view },
        None => view,
    }
}
