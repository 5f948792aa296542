//! A booking before the server has created its event: a draft without an id or a version. Pure.

use chrono::{DateTime, Utc};

use super::capabilities::Capabilities;
use super::plan::Plan;
use super::undo::conflict_with;
use crate::action::{ActionId, Change, Done, EventSnapshot, Notified, Refusal, Reversibility, Step};
use crate::calendar::occupancy::booking_window;
use crate::calendar::{ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, Uid};
use crate::journal::Intent;

/// An event that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BookingDraft {
    /// The UID by which the event is found once it was created.
    pub(super) uid: Uid,
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
    pub(super) subject: String,
    /// When the draft was made; `None` where the journal does not show it.
    pub(super) created: Option<DateTime<Utc>>,
}

impl BookingDraft {
    /// The booking for an action, where `around` holds all events within
    /// [`booking_read_window`](crate::calendar::occupancy::booking_read_window).
    pub(super) fn new(
        action: ActionId,
        subject: &str,
        (minutes, around): (u16, &[Event]),
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let window = booking_window(around, now, minutes).map_err(conflict_with)?;
        Ok(Self {
            uid: Uid::new(format!("adjourn-{action}")),
            start: window.start(),
            end: window.end(),
            subject: subject.to_owned(),
            created: Some(now),
        })
    }

    /// The draft of a recorded intent; `None` when its step creates no event.
    pub(super) fn of_intent(intent: &Intent) -> Option<Self> {
        let Step::Book { uid, start, end, subject } = &intent.step else { return None };
        let (uid, subject) = (uid.clone(), subject.clone());
        Some(Self { uid, start: *start, end: *end, subject, created: intent.before.created })
    }

    /// The booking that is sent again after a doubtful request, where `self` is the booking by the room's calendar as it is now. A
    /// server that creates no second event returns the first one, with the times of the first request.
    pub(super) fn repeating(self, first: &Self, server: Capabilities) -> Self {
        match server.has_idempotent_booking {
            true => Self { start: first.start, end: first.end, ..self },
            false => self,
        }
    }

    /// Plans the creation of the event.
    pub(super) fn plan(&self) -> Plan {
        let Self { uid, start, end, subject, .. } = self.clone();
        let done = Done {
            event: EventSnapshot::from(&self.stored()),
            copy: Copy::Plain,
            change: Change::Booked,
            notified: Notified::Nobody,
            reversibility: Reversibility::Reversible,
            dry_run: false,
        };
        Plan { step: Step::Book { uid, start, end, subject }, done }
    }

    /// The draft as the journal stores it: an event with an empty id.
    pub(super) fn stored(&self) -> Event {
        Event {
            id: EventId::new(""),
            change_key: ChangeKey::new(""),
            uid: Some(self.uid.clone()),
            original_start: None,
            start: self.start,
            end: self.end,
            subject: Some(self.subject.clone()),
            organizer: None,
            kind: EventKind::Single,
            copy: Some(Copy::Plain),
            is_all_day: false,
            is_cancelled: false,
            is_declined: false,
            free_busy: FreeBusy::Busy,
            is_private: false,
            created: self.created,
            modified: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_booking_is_repeated_as_it_was_only_where_the_server_returns_the_first_one() {
        let draft = |minute| {
            let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
            BookingDraft::new(ActionId(Uuid::nil()), "Booked", (30, &[]), now).unwrap()
        };
        let (first, second) = (draft(0), draft(1));
        let expected = BookingDraft { start: first.start, end: first.end, ..second.clone() };
        assert_eq!(second.clone().repeating(&first, Capabilities::ALL), expected);
        assert_eq!(second.clone().repeating(&first, Capabilities::NONE), second);
    }

    #[test]
    fn a_draft_survives_the_journal_without_an_id_of_its_own() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(90);
        let draft = BookingDraft::new(ActionId(Uuid::nil()), "Booked", (30, &[]), now).unwrap();
        let plan = draft.plan();
        let before = Event { subject: None, ..draft.stored() };
        let intent = Intent { step: plan.step, before, done: plan.done };
        assert_eq!(BookingDraft::of_intent(&intent), Some(draft));
        let end = Step::Remove { id: EventId::new("a"), change_key: ChangeKey::new("1") };
        assert_eq!(BookingDraft::of_intent(&Intent { step: end, ..intent }), None);
    }
}
