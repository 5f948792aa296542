//! A booking before the server has created its event: a draft without an id or a version. Pure.
//!
//! A draft is made for a request to book, and for the undo of a removal on a server that cannot move the event back.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::capabilities::Capabilities;
use super::plan::Plan;
use crate::action::{
    ActionId, Change, Done, EventSnapshot, IrreversibleReason, Notified, Reversibility, Step,
};
use crate::calendar::{ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, Uid, Window};
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
    /// The booking of a free window for an action.
    pub(super) fn new(action: ActionId, subject: &str, window: Window, now: DateTime<Utc>) -> Self {
        Self {
            uid: Uid::own(action),
            start: window.start(),
            end: window.end(),
            subject: subject.to_owned(),
            created: Some(now),
        }
    }

    /// The booking that replaces a removed event. The journal has the event's subject only if the configuration says so.
    pub(super) fn replacing(
        action: ActionId,
        removed: &Event,
        default_subject: &str,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            uid: Uid::own(action),
            start: removed.start.trunc_subsecs(0),
            end: removed.end.trunc_subsecs(0),
            subject: removed.subject.clone().unwrap_or_else(|| default_subject.to_owned()),
            created: Some(now),
        }
    }

    /// The draft of a recorded intent; `None` when its step creates no event.
    pub(super) fn of_intent(intent: &Intent) -> Option<Self> {
        let Step::Book { uid, start, end, subject } = &intent.step else { return None };
        let (uid, subject) = (uid.clone(), subject.clone());
        Some(Self { uid, start: *start, end: *end, subject, created: intent.before.created })
    }

    /// Whether this event may be the booking under another UID: a room that moved to another server in the meantime shows a booking
    /// under that server's UID (Microsoft Graph chooses the UID itself). Never true for another booking of Adjourn's that is shown
    /// under its own UID.
    pub(super) fn resembles(&self, event: &Event) -> bool {
        let is_other = event.uid.as_ref().is_some_and(|uid| Uid::is_own(uid.as_str()));
        let is_since = match (self.created, event.created) {
            (Some(draft), Some(event)) => draft - CLOCK_DIFFERENCE_MAX <= event,
            (None, _) | (_, None) => true,
        };
        let is_alike =
            (event.start, event.end, event.subject.as_ref()) == (self.start, self.end, Some(&self.subject));
        is_alike && is_since && !is_other && !matches!(event.copy, Some(Copy::Attendee | Copy::Organizer))
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

    /// The same as an undo, which cannot itself be undone.
    pub(super) fn plan_as_undo(&self) -> Plan {
        let Plan { step, done } = self.plan();
        let reversibility = Reversibility::Irreversible { because: IrreversibleReason::IsAnUndo };
        Plan { step, done: Done { reversibility, ..done } }
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

/// How far the server's clock may be behind this machine's.
const CLOCK_DIFFERENCE_MAX: TimeDelta = TimeDelta::minutes(5);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn draft(minute: i64) -> BookingDraft {
        let window = Window::new(at(minute), at(minute + 30)).unwrap();
        BookingDraft::new(ActionId(Uuid::nil()), "Booked", window, at(minute))
    }

    #[test]
    fn a_booking_is_repeated_as_it_was_only_where_the_server_returns_the_first_one() {
        let (first, second) = (draft(0), draft(1));
        let expected = BookingDraft { start: first.start, end: first.end, ..second.clone() };
        assert_eq!(second.clone().repeating(&first, Capabilities::ALL), expected);
        assert_eq!(second.clone().repeating(&first, Capabilities::NONE), second);
    }

    #[test]
    fn a_replacement_has_the_subject_that_the_journal_has() {
        let plain = Event::sample("A", at(0), at(60));
        let subject = |removed: &Event| {
            BookingDraft::replacing(ActionId(Uuid::nil()), removed, "Booked", at(0)).subject
        };
        assert_eq!(subject(&Event { subject: Some("Interview".to_owned()), ..plain.clone() }), "Interview");
        assert_eq!(subject(&Event { subject: None, ..plain }), "Booked");
    }

    #[test]
    fn an_event_resembles_a_booking_by_its_times_its_subject_and_its_age() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(90);
        let draft = draft(90);
        let twin = Event { uid: Some(Uid::new("other")), ..draft.stored() };
        let late = Some(now - TimeDelta::hours(1));
        assert!(draft.resembles(&twin));
        assert!(draft.resembles(&Event { created: None, copy: None, ..twin.clone() }));
        for other in [
            Event { created: late, ..twin.clone() },
            Event { end: twin.end + TimeDelta::minutes(1), ..twin.clone() },
            Event { subject: Some("Interview".to_owned()), ..twin.clone() },
            Event { copy: Some(Copy::Attendee), ..twin.clone() },
            Event { uid: Some(Uid::own(ActionId(Uuid::from_u128(1)))), ..twin },
        ] {
            assert!(!draft.resembles(&other), "{other:?}");
        }
    }

    #[test]
    fn a_draft_survives_the_journal_without_an_id_of_its_own() {
        let draft = draft(90);
        let plan = draft.plan();
        let before = Event { subject: None, ..draft.stored() };
        let intent = Intent { step: plan.step, before, done: plan.done };
        assert_eq!(BookingDraft::of_intent(&intent), Some(draft));
        let end = Step::Remove { id: EventId::new("a"), change_key: ChangeKey::new("1") };
        assert_eq!(BookingDraft::of_intent(&Intent { step: end, ..intent }), None);
    }
}
