//! The capabilities of a room's server, and what follows from them for a step. The engine decides by these values alone and knows
//! no server by its name. Pure.
//!
//! A backend that does not know a value states the weaker one: the engine then refuses, waits longer or leaves the event for a
//! person, and never changes an event on a guess.

use super::replacement::can_be_replaced;
use crate::action::{Notify, Step};
use crate::calendar::{Copy, Event};

/// The operations and guarantees of a room's server. The type has no defaults, so that every backend decides about a new field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The server can update an organizer copy without sending updates to the attendees.
    pub can_mute_updates: bool,
    /// The steps that the server refuses when the event has another version than the step names.
    pub guarded: GuardedSteps,
    /// Who notices a removal without a message, by copy.
    pub silent_removal: SilentRemovals,
    /// The server can move a removed single event from Deleted Items back to the calendar, as the same event.
    pub can_move_back: bool,
    /// The folders in which the account can find what a step leaves.
    pub traces: ReadableTraces,
    /// A repeated [`Step::Book`] with the same UID creates no second event, and the server returns the first one.
    pub has_idempotent_booking: bool,
    /// The server reports changes of calendars, so that a cached calendar can be current.
    pub reports_changes: bool,
    /// The server can set the end of an all-day event to any time.
    pub can_end_all_day: bool,
}

/// The steps of which the server itself compares the `ChangeKey`, however late the request arrives. Before any other step the
/// backend reads the event and compares the version; that request can still arrive after another change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedSteps {
    /// [`Step::SetEnd`].
    pub set_end: bool,
    /// [`Step::Decline`].
    pub decline: bool,
    /// [`Step::Cancel`].
    pub cancel: bool,
    /// [`Step::Remove`].
    pub remove: bool,
    /// [`Step::MoveBack`].
    pub move_back: bool,
}

/// Who notices a removal without a message, by copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilentRemovals {
    /// Of an attendee copy.
    pub attendee: SilentRemoval,
    /// Of an organizer copy.
    pub organizer: SilentRemoval,
    /// Of a plain event.
    pub plain: SilentRemoval,
}

/// Who notices the removal of an event ([`Step::Remove`]). The later value is the weaker one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilentRemoval {
    /// Nobody: the other calendars are unchanged.
    Unnoticed,
    /// The server sends no message, but the organizer's tracking shows the room as declined.
    ShownAsDeclined,
    /// The server sends messages whatever the request says: a silent removal is impossible.
    Impossible,
}

/// The folders in which the account can find what a step leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadableTraces {
    /// Sent Items, with the message of a decline or a cancellation.
    pub sent_items: bool,
    /// Deleted Items, with the event that was removed.
    pub deleted_items: bool,
}

impl Capabilities {
    /// Nothing is possible or guaranteed: the capabilities of a room without a server.
    pub const NONE: Self = Self {
        can_mute_updates: false,
        guarded: GuardedSteps {
            set_end: false,
            decline: false,
            cancel: false,
            remove: false,
            move_back: false,
        },
        silent_removal: SilentRemovals {
            attendee: SilentRemoval::Impossible,
            organizer: SilentRemoval::Impossible,
            plain: SilentRemoval::Impossible,
        },
        can_move_back: false,
        traces: ReadableTraces { sent_items: false, deleted_items: false },
        has_idempotent_booking: false,
        reports_changes: false,
        can_end_all_day: false,
    };

    /// Everything is possible and guaranteed: tests take away what matters to them.
    #[cfg(test)]
    pub(crate) const ALL: Self = Self {
        can_mute_updates: true,
        guarded: GuardedSteps { set_end: true, decline: true, cancel: true, remove: true, move_back: true },
        silent_removal: SilentRemovals {
            attendee: SilentRemoval::Unnoticed,
            organizer: SilentRemoval::Unnoticed,
            plain: SilentRemoval::Unnoticed,
        },
        can_move_back: true,
        traces: ReadableTraces { sent_items: true, deleted_items: true },
        has_idempotent_booking: true,
        reports_changes: true,
        can_end_all_day: true,
    };

    /// Whether the server refuses the step when the event has another version. A new event has no version yet.
    pub fn guards(&self, step: &Step) -> bool {
        match step {
            Step::SetEnd { .. } => self.guarded.set_end,
            Step::Decline { .. } => self.guarded.decline,
            Step::Cancel { .. } => self.guarded.cancel,
            Step::Remove { .. } => self.guarded.remove,
            Step::MoveBack { .. } => self.guarded.move_back,
            Step::Book { .. } => false,
        }
    }

    /// Whether the step may be sent again while the first request may still arrive: the second one then has no effect of its own.
    pub(super) fn may_send_again_at_once(&self, step: &Step) -> bool {
        match step {
            // The request that is applied first changes the version, so the server refuses the other.
            Step::SetEnd { .. } => self.guarded.set_end,
            // The request that is applied first takes the item away from its id.
            Step::Remove { .. } | Step::MoveBack { .. } => true,
            // A second message cannot be taken back.
            Step::Decline { .. } | Step::Cancel { .. } => false,
            Step::Book { .. } => self.has_idempotent_booking,
        }
    }

    /// Whether a request of this step that is still on its way could change a newer version of the event, or send mail about it.
    /// Before such a step is sent again, the first request must be unable to arrive. A removal is not among them: it ends as the
    /// step that is sent again.
    pub(super) fn may_change_newer_version(&self, step: &Step) -> bool {
        match step {
            Step::SetEnd { .. } | Step::Decline { .. } | Step::Cancel { .. } => !self.guards(step),
            Step::Remove { .. } | Step::MoveBack { .. } | Step::Book { .. } => false,
        }
    }

    /// Who receives an update of this copy, if the caller wants `notify`.
    pub(super) fn effective_notify(&self, copy: Option<Copy>, notify: Notify) -> Notify {
        match copy {
            Some(Copy::Organizer) if !self.can_mute_updates => Notify::Attendees,
            _ => notify,
        }
    }

    /// Who notices a silent removal. If the copy is not known, the weakest value of all copies counts.
    pub(super) fn silent_removal_of(&self, copy: Option<Copy>) -> SilentRemoval {
        let SilentRemovals { attendee, organizer, plain } = self.silent_removal;
        match copy {
            Some(Copy::Attendee) => attendee,
            Some(Copy::Organizer) => organizer,
            Some(Copy::Plain) => plain,
            None => attendee.max(organizer).max(plain),
        }
    }

    /// Whether a removed single event can be found again and moved back.
    pub(crate) fn can_restore(&self) -> bool {
        self.can_move_back && self.traces.deleted_items
    }

    /// Whether an undo can bring this event back after its removal: moved back, or booked again.
    pub(crate) fn can_bring_back(&self, event: &Event) -> bool {
        self.can_restore() || can_be_replaced(event)
    }

    /// Whether the account can read the folder in which this step leaves a message or an item.
    pub(super) fn can_trace(&self, step: &Step) -> bool {
        match step.sends_meeting_message() {
            true => self.traces.sent_items,
            false => self.traces.deleted_items,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::calendar::{ChangeKey, EventId, Uid};

    /// One of each step.
    fn steps() -> [Step; 7] {
        let (id, change_key) = (EventId::new("A"), ChangeKey::new("1"));
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let set_end =
            |notify| Step::SetEnd { id: id.clone(), change_key: change_key.clone(), end: at, notify };
        [
            set_end(Notify::Nobody),
            set_end(Notify::Attendees),
            Step::Decline { id: id.clone(), change_key: change_key.clone(), text: None },
            Step::Cancel { id: id.clone(), change_key: change_key.clone(), text: None },
            Step::Remove { id: id.clone(), change_key: change_key.clone() },
            Step::MoveBack { id, change_key },
            Step::Book { uid: Uid::new("U"), start: at, end: at, subject: String::new() },
        ]
    }

    #[test]
    fn a_server_without_guarantees_guards_nothing_and_late_requests_change_newer_versions() {
        assert_eq!(
            steps().map(|step| Capabilities::ALL.guards(&step)),
            [true, true, true, true, true, true, false]
        );
        assert_eq!(steps().map(|step| Capabilities::NONE.guards(&step)), [false; 7]);
        assert_eq!(steps().map(|step| Capabilities::ALL.may_change_newer_version(&step)), [false; 7]);
        let late = [true, true, true, true, false, false, false];
        assert_eq!(steps().map(|step| Capabilities::NONE.may_change_newer_version(&step)), late);
    }

    #[test]
    fn a_step_is_sent_again_at_once_only_where_the_second_request_has_no_effect() {
        let all = steps().map(|step| Capabilities::ALL.may_send_again_at_once(&step));
        assert_eq!(all, [true, true, false, false, true, true, true]);
        let none = steps().map(|step| Capabilities::NONE.may_send_again_at_once(&step));
        assert_eq!(none, [false, false, false, false, true, true, false]);
    }

    #[test]
    fn only_an_organizer_copy_is_updated_with_messages_where_they_cannot_be_muted() {
        let organizer = Some(Copy::Organizer);
        assert_eq!(Capabilities::ALL.effective_notify(organizer, Notify::Nobody), Notify::Nobody);
        assert_eq!(Capabilities::NONE.effective_notify(organizer, Notify::Nobody), Notify::Attendees);
        for copy in [Some(Copy::Attendee), Some(Copy::Plain), None] {
            assert_eq!(Capabilities::NONE.effective_notify(copy, Notify::Nobody), Notify::Nobody, "{copy:?}");
        }
    }

    #[test]
    fn an_unknown_copy_is_removed_as_the_copy_whose_removal_is_noticed_most() {
        let silent_removal = SilentRemovals {
            attendee: SilentRemoval::ShownAsDeclined,
            organizer: SilentRemoval::Impossible,
            plain: SilentRemoval::Unnoticed,
        };
        let server = Capabilities { silent_removal, ..Capabilities::ALL };
        for (copy, expected) in [
            (Some(Copy::Attendee), SilentRemoval::ShownAsDeclined),
            (Some(Copy::Organizer), SilentRemoval::Impossible),
            (Some(Copy::Plain), SilentRemoval::Unnoticed),
            (None, SilentRemoval::Impossible),
        ] {
            assert_eq!(server.silent_removal_of(copy), expected, "{copy:?}");
        }
        assert_eq!(Capabilities::ALL.silent_removal_of(None), SilentRemoval::Unnoticed);
    }

    #[test]
    fn an_event_that_cannot_be_found_again_cannot_be_restored() {
        let blind = Capabilities {
            traces: ReadableTraces { sent_items: true, deleted_items: false },
            ..Capabilities::ALL
        };
        assert!(Capabilities::ALL.can_restore());
        assert!(!blind.can_restore());
        assert!(!Capabilities { can_move_back: false, ..Capabilities::ALL }.can_restore());
        let traced = steps().map(|step| blind.can_trace(&step));
        assert_eq!(traced, [false, false, true, true, false, false, false]);
    }
}
