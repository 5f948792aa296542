//! Private events before a delegate who was not given to see them: time that is taken, and nothing else.

use super::Desk;
use super::shape::{self, Shape, Where};
use crate::sim::event::{Details, Event, Person};
use crate::sim::ids::ItemRef;
use crate::sim::views::View;

impl Desk<'_> {
    /// Whether an item is one of those that this delegate may not open.
    pub(super) fn is_hidden(&self, at: ItemRef) -> bool {
        self.world.get(at).is_some_and(|event| self.hides(event))
    }

    fn hides(&self, event: &Event) -> bool {
        self.rights.is_some_and(|rights| rights.hides(event))
    }
}

/// An event in a list, as much of it as the caller may see.
pub(super) fn listed(desk: &Desk<'_>, view: View<'_>, shape: &Shape) -> String {
    if !desk.hides(view.event) {
        return shape::calendar_item(desk.world, view, shape, Where::Find);
    }
    let bare = Details::between(view.start, view.end);
    let details = Details {
        subject: "Private Appointment".to_owned(),
        busy: view.details.busy,
        sensitivity: view.details.sensitivity,
        all_day: view.details.all_day,
        my_answer: view.details.my_answer,
        cancelled: view.details.cancelled,
        cancelled_state: view.details.cancelled_state,
        ..bare
    };
    let event = Event { details: details.clone(), organizer: Person::default(), ..view.event.clone() };
    let view = View { event: &event, details: &details, ..view };
    shape::calendar_item(desk.world, view, shape, Where::Find)
}
