//! How a program makes an [`Action`]: one constructor for each kind, and one method for each other property. The types of their
//! arguments have the limits, so every action that can be made can be requested. Values only.

use super::{
    Action, ActionId, ActionKind, Actor, AllDay, BookingSubject, BookingTime, DeleteMode, IdempotencyKey,
    Notify, ReasonText, RequestedMinutes, Target, TimeRange,
};
use crate::calendar::{EventId, RoomAddress};

impl Action {
    /// An action on the current event, without a reason, that leaves all-day events alone.
    pub fn new(id: ActionId, room: RoomAddress, kind: ActionKind, actor: Actor) -> Self {
        let (target, all_day) = (Target::Current, AllDay::Spare);
        Self { id, room, target, kind, actor, reason: None, all_day, subject: None, key: None }
    }

    /// Ends the current event now, or with [`event`](Self::event) another one.
    pub fn end(room: RoomAddress, actor: Actor) -> Self {
        Self::new(ActionId::random(), room, ActionKind::End(Notify::default()), actor)
    }

    /// Removes the current event, or with [`event`](Self::event) another one, and sends the message that Exchange has for it.
    pub fn delete(room: RoomAddress, actor: Actor) -> Self {
        Self::new(ActionId::random(), room, ActionKind::Delete(DeleteMode::default()), actor)
    }

    /// Extends the current event, until the next one at most.
    pub fn extend(room: RoomAddress, minutes: RequestedMinutes, actor: Actor) -> Self {
        Self::new(ActionId::random(), room, ActionKind::extend(minutes), actor)
    }

    /// Books the room from now on, until the next event at most.
    pub fn book(room: RoomAddress, minutes: RequestedMinutes, actor: Actor) -> Self {
        Self::new(ActionId::random(), room, ActionKind::book(minutes), actor)
    }

    /// Books the room at another time, or to another end.
    pub fn book_at(room: RoomAddress, time: BookingTime, actor: Actor) -> Self {
        Self::new(ActionId::random(), room, ActionKind::Book(time), actor)
    }

    /// Undoes an earlier action in this room.
    pub fn undo(room: RoomAddress, of: ActionId, actor: Actor) -> Self {
        Self::new(ActionId::random(), room, ActionKind::Undo { of }, actor)
    }

    /// Sets an id that the caller chose. An id names one action for ever: the journal refuses a second one.
    #[must_use]
    pub fn id(self, id: ActionId) -> Self {
        Self { id, ..self }
    }

    /// Names the event, instead of the current one.
    #[must_use]
    pub fn event(self, id: EventId) -> Self {
        self.target(Target::Event { id, seen: None })
    }

    /// Names the event; the engine refuses the action if its times are not the ones that the caller saw.
    #[must_use]
    pub fn event_as_seen(self, id: EventId, seen: TimeRange) -> Self {
        self.target(Target::Event { id, seen: Some(seen) })
    }

    /// Sets the target.
    #[must_use]
    pub fn target(self, target: Target) -> Self {
        Self { target, ..self }
    }

    /// Whether Exchange sends a message about an end or a removal. Without effect on other kinds, which have no such choice.
    #[must_use]
    pub fn notify(self, notify: Notify) -> Self {
        let kind = match (self.kind, notify) {
            (ActionKind::End(_), notify) => ActionKind::End(notify),
            (ActionKind::Delete(_), Notify::Attendees) => ActionKind::Delete(DeleteMode::Notify),
            (ActionKind::Delete(_), Notify::Nobody) => ActionKind::Delete(DeleteMode::Silent),
            (other, _) => other,
        };
        Self { kind, ..self }
    }

    /// Sets the reason, for the audit and for the message if Exchange sends one.
    #[must_use]
    pub fn reason(self, reason: ReasonText) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Sets the subject of a booking. Without effect on other kinds.
    #[must_use]
    pub fn subject(self, subject: BookingSubject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Sets the idempotency key: a second request under it gets the answer of the first and changes nothing.
    #[must_use]
    pub fn key(self, key: IdempotencyKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Allows the action on an all-day event.
    #[must_use]
    pub fn including_all_day(self) -> Self {
        Self { all_day: AllDay::Include, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> RoomAddress {
        "room@example.com".parse().unwrap()
    }

    #[test]
    fn an_action_is_made_step_by_step() {
        let id = EventId::new("a");
        let action = Action::end(room(), Actor::program("door"))
            .event(id.clone())
            .notify(Notify::Nobody)
            .reason("Nobody came.".parse().unwrap())
            .key("press-1".parse().unwrap());
        assert_eq!(action.kind, ActionKind::End(Notify::Nobody));
        assert_eq!(action.target, Target::Event { id, seen: None });
        assert_eq!(action.reason.unwrap().as_str(), "Nobody came.");
        assert_eq!((action.key.unwrap().as_str(), action.all_day), ("press-1", AllDay::Spare));
    }

    #[test]
    fn the_choice_of_a_message_is_one_of_end_and_delete() {
        let silent = |action: Action| action.notify(Notify::Nobody).kind;
        let actor = || Actor::program("door");
        assert_eq!(silent(Action::delete(room(), actor())), ActionKind::Delete(DeleteMode::Silent));
        let minutes = RequestedMinutes::new(15).unwrap();
        assert_eq!(silent(Action::book(room(), minutes, actor())), ActionKind::book(minutes));
    }
}
