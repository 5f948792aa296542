//! Signs of presence in the journal: an action of a person on an event shows that people are there, or want it. Pure.

use chrono::{DateTime, Utc};

use crate::action::Actor;
use crate::calendar::RoomAddress;
use crate::journal::ActionRecord;
use crate::presence::Sign;

/// The first action of a person on the event (extend, end, book, undo) as a sign; actions of sweeps are none.
pub(super) fn first_sign_of_people(room: &RoomAddress, records: &[ActionRecord]) -> Option<Sign> {
    let mut signs = records.iter().filter(|record| shows_interest(record));
    signs.next_back().map(|record| {
        let source = format!("{} by {}", record.action.kind.verb(), record.action.actor.name());
        Sign::new(room.clone(), record.accepted_at, source)
    })
}

/// The latest date of a series that a person acted on.
pub(super) fn last_date_of_people(records: &[ActionRecord]) -> Option<DateTime<Utc>> {
    let dates =
        records.iter().filter(|record| shows_interest(record)).filter_map(|record| record.intent.as_ref());
    dates.map(|intent| intent.before.start).max()
}

/// Whether a person's action shows interest in the meeting. Removing it from the calendar does not.
fn shows_interest(record: &ActionRecord) -> bool {
    let by_people = !matches!(record.action.actor, Actor::Sweep { .. });
    by_people && record.done().is_some() && record.action.kind.implies_presence(record.accepted_at)
}
