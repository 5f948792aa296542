//! Private events before a delegate who was not given to see them: time that is taken, and nothing else.

use super::RequestContext;
use crate::sim::event::{Details, Event, Person};
use crate::sim::ids::ItemLocator;
use crate::sim::views::EventInstance;

impl RequestContext<'_> {
    /// Whether an item is one of those that this delegate may not open.
    pub(super) fn is_hidden(&self, at: ItemLocator) -> bool {
        self.world.get(at).is_some_and(|event| self.hides(event))
    }

    fn hides(&self, event: &Event) -> bool {
        self.rights.is_some_and(|rights| rights.hides(event))
    }
}

/// What is left of an event of which the caller may see no more than that time is taken.
pub(super) fn mask_for(desk: &RequestContext<'_>, view: &EventInstance<'_>) -> Option<Event> {
    if !desk.hides(view.event) {
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

/// A view as its mask shows it, if there is one.
pub(super) fn apply_mask<'a>(view: EventInstance<'a>, mask: Option<&'a Event>) -> EventInstance<'a> {
    match mask {
        Some(event) => EventInstance { event, details: &event.details, ..view },
        None => view,
    }
}
