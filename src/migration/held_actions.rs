//! The actions of a room that matter for its move: those that are not finished, and those that can still be undone. Pure; reads no
//! journal itself.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::difference::EventTimes;
use crate::action::{ActionId, Change, Done, EventSnapshot, Reversibility};
use crate::calendar::Event;
use crate::engine::Capabilities;
use crate::journal::{ActionRecord, ActionStage};

/// An action that the journal holds for a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldAction {
    pub(crate) id: ActionId,
    pub(crate) kind: &'static str,
    pub(crate) state: HeldState,
    pub(crate) accepted_at: DateTime<Utc>,
    /// The event before the action, if one was chosen.
    pub(crate) event: Option<EventTimes>,
    /// The move takes something away: an undo, or the way to the outcome.
    pub(crate) is_lost_by_move: bool,
    /// What the move means for the action.
    pub(crate) message: &'static str,
}

/// The state of an action that the journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HeldState {
    /// It is not finished, and nothing is known to be sent.
    Open,
    /// It is not finished, and may have changed the calendar.
    InDoubt,
    /// It was closed while the mailbox could not be read, and the mailbox is read again.
    Recheck,
    /// It is done, and can be undone.
    Undoable,
}

impl HeldAction {
    /// Whether the room must not move before this action is finished.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.state, HeldState::Open | HeldState::InDoubt)
    }

    /// The action as a sentence.
    pub(crate) fn sentence(&self) -> String {
        let event = self.event.as_ref().map_or_else(String::new, |event| format!(" of {event}"));
        format!("action {} ({}{event}): {}", self.id, self.kind, self.message)
    }
}

/// What a move means for an action: its state, whether the move takes something away, and the sentence.
type Effect = (HeldState, bool, &'static str);

const UNFINISHED: Effect = (
    HeldState::Open,
    false,
    "is not finished; move the room when it is, since its event has another id over the other connection",
);
const IN_DOUBT: Effect = (
    HeldState::InDoubt,
    false,
    "may have changed the calendar, and its outcome is not known yet; move the room when it is",
);
const RECHECK: Effect = (
    HeldState::Recheck,
    false,
    "has no known outcome yet; after the move its event is found by its UID and its time",
);
const RECHECK_WITHOUT_UID: Effect = (
    HeldState::Recheck,
    true,
    "has no known outcome yet; its event has no UID, so after the move the outcome is never found",
);
const UNDOABLE: Effect = (
    HeldState::Undoable,
    false,
    "can be undone before the move and after it: its event is found by its UID and its time",
);
const UNDOABLE_WITHOUT_UID: Effect = (
    HeldState::Undoable,
    true,
    "can be undone before the move only: its event has no UID, by which it could be found after it",
);
const UNDO_ENDS: Effect = (
    HeldState::Undoable,
    true,
    "can be undone before the move only: the other server cannot move its event back from Deleted Items",
);

const UNDO_BOOKS: Effect = (
    HeldState::Undoable,
    false,
    "can be undone before the move and after it: the other server books its time again, as a new event",
);

/// The actions among these records of one room that matter for its move to a server with these capabilities.
pub(crate) fn held_actions(
    records: &[ActionRecord],
    now: DateTime<Utc>,
    target: Capabilities,
) -> Vec<HeldAction> {
    let held = |record: &ActionRecord| {
        let (state, is_lost_by_move, message) = effect(record, records, now, target)?;
        Some(HeldAction {
            id: record.action.id,
            kind: record.action.kind.verb(),
            state,
            accepted_at: record.accepted_at,
            event: record.intent.as_ref().map(|intent| EventTimes::from(&intent.before)),
            is_lost_by_move,
            message,
        })
    };
    records.iter().filter_map(held).collect()
}

fn effect(
    record: &ActionRecord,
    all: &[ActionRecord],
    now: DateTime<Utc>,
    target: Capabilities,
) -> Option<Effect> {
    match record.stage {
        ActionStage::Accepted | ActionStage::Intended => return Some(UNFINISHED),
        ActionStage::InDoubt => return Some(IN_DOUBT),
        ActionStage::Closed => {}
    }
    if record.needs_recheck() {
        return Some(if has_uid(record) { RECHECK } else { RECHECK_WITHOUT_UID });
    }
    let done = record.done()?;
    let is_undone = all.iter().any(|other| other.has_undone(record.action.id));
    if done.reversibility != Reversibility::Reversible || is_undone || last_instant(done) <= now {
        return None;
    }
    Some(match done.change {
        Change::Removed if !target.can_restore() => match record.intent.as_ref() {
            Some(intent) if target.can_bring_back(&intent.before) => UNDO_BOOKS,
            _ => UNDO_ENDS,
        },
        _ if !has_uid(record) => UNDOABLE_WITHOUT_UID,
        _ => UNDOABLE,
    })
}

/// The end of the event before or after the change, whichever is later. An undo after it restores nothing.
fn last_instant(Done { event: EventSnapshot { end, .. }, change, .. }: &Done) -> DateTime<Utc> {
    match change {
        Change::Ended { from, to } | Change::Extended { from, to } | Change::EndRestored { from, to } => {
            (*end).max(*from).max(*to)
        }
        Change::Declined | Change::Cancelled | Change::Removed | Change::Booked | Change::MovedBack => *end,
    }
}

fn has_uid(record: &ActionRecord) -> bool {
    record.intent.as_ref().is_some_and(|intent| Event::identity(&intent.before).is_some())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::action::{Action, Actor, Outcome, Step};
    use crate::calendar::{ChangeKey, Copy, EventId, RoomAddress, Uid};
    use crate::engine::ReadableTraces;
    use crate::journal::Intent;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    /// A done action on an event from minute 0 to 60.
    fn record(change: Change, uid: Option<&str>) -> ActionRecord {
        let room: RoomAddress = "aurora@example.com".parse().unwrap();
        let before = Event { uid: uid.map(Uid::new), ..Event::sample("AAMk=", at(0), at(60)) };
        let done = crate::action::Done {
            event: EventSnapshot::from(&before),
            copy: Copy::Attendee,
            change,
            notified: crate::action::Notified::Nobody,
            reversibility: Reversibility::Reversible,
            dry_run: false,
        };
        let step = Step::Remove { id: EventId::new("AAMk="), change_key: ChangeKey::new("1") };
        ActionRecord {
            action: Action::end(room, Actor::program("door")),
            accepted_at: at(10),
            stage: ActionStage::Closed,
            intent: Some(Intent { step, before, done: done.clone() }),
            requests: Vec::new(),
            last_at: at(10),
            outcome: Some(Outcome::Done(done)),
            was_in_doubt: false,
            late: None,
        }
    }

    fn ended(uid: Option<&str>) -> ActionRecord {
        record(Change::Ended { from: at(60), to: at(10) }, uid)
    }

    fn only(records: &[ActionRecord], now: i64, target: Capabilities) -> Option<(HeldState, bool)> {
        let held = held_actions(records, at(now), target);
        assert!(held.len() <= 1, "{held:?}");
        held.first().map(|one| (one.state, one.is_lost_by_move))
    }

    #[test]
    fn an_end_can_be_undone_until_the_event_would_have_ended() {
        let records = [ended(Some("uid"))];
        assert_eq!(only(&records, 59, Capabilities::ALL), Some((HeldState::Undoable, false)));
        assert_eq!(only(&records, 60, Capabilities::ALL), None);
        assert_eq!(only(&[ended(None)], 59, Capabilities::ALL), Some((HeldState::Undoable, true)));
    }

    #[test]
    fn what_was_undone_is_not_undone_again() {
        let done = ended(Some("uid"));
        let undo = Action::undo(done.action.room.clone(), done.action.id, Actor::program("door"));
        let mut undone = record(Change::EndRestored { from: at(10), to: at(60) }, Some("uid"));
        undone.action = undo;
        if let Some(Outcome::Done(done)) = &mut undone.outcome {
            done.reversibility =
                Reversibility::Irreversible { because: crate::action::IrreversibleReason::IsAnUndo };
        }
        assert_eq!(only(&[undone, done], 30, Capabilities::ALL), None);
    }

    #[test]
    fn a_removal_loses_its_undo_where_the_other_server_cannot_move_it_back() {
        let records = [record(Change::Removed, Some("uid"))];
        assert_eq!(only(&records, 30, Capabilities::ALL), Some((HeldState::Undoable, false)));
        for target in [
            Capabilities { can_move_back: false, ..Capabilities::ALL },
            Capabilities {
                traces: ReadableTraces { deleted_items: false, sent_items: true },
                ..Capabilities::ALL
            },
        ] {
            assert_eq!(only(&records, 30, target), Some((HeldState::Undoable, true)));
            let mut plain = record(Change::Removed, None);
            plain.intent.as_mut().unwrap().before.copy = Some(Copy::Plain);
            let held = held_actions(&[plain], at(30), target);
            assert_eq!(held[0].message, UNDO_BOOKS.2, "it is booked again");
        }
    }

    #[test]
    fn what_is_not_finished_is_held_however_old_it_is() {
        for (stage, state) in [
            (ActionStage::Accepted, HeldState::Open),
            (ActionStage::Intended, HeldState::Open),
            (ActionStage::InDoubt, HeldState::InDoubt),
        ] {
            let open = ActionRecord { stage, outcome: None, ..ended(Some("uid")) };
            assert_eq!(only(std::slice::from_ref(&open), 100_000, Capabilities::ALL), Some((state, false)));
            assert!(held_actions(&[open], at(0), Capabilities::ALL)[0].is_unfinished());
        }
    }
}
