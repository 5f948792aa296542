//! Signs that the journal holds: what people did to an event shows that they were there, or want it. Pure.

use chrono::{DateTime, Utc};

use crate::action::Actor;
use crate::calendar::RoomAddress;
use crate::journal::ActionRecord;
use crate::presence::Sign;

/// The first sign among what was done to one event: extended, ended, booked, or put back, by anyone but a sweep.
pub(super) fn first_sign_of_people(room: &RoomAddress, lives: &[ActionRecord]) -> Option<Sign> {
    let mut signs = lives.iter().filter(|life| shows_interest(life));
    signs.next_back().map(|life| {
        let source = format!("{} by {}", life.action.kind.verb(), life.action.actor.name());
        Sign::new(room.clone(), life.accepted_at, source)
    })
}

/// The latest date of a series that people acted on, among what was done in its room.
pub(super) fn last_date_of_people(lives: &[ActionRecord]) -> Option<DateTime<Utc>> {
    let dates = lives.iter().filter(|life| shows_interest(life)).filter_map(|life| life.intent.as_ref());
    dates.map(|intent| intent.before.start).max()
}

/// People did something at the door that shows interest in the meeting. Taking it off the calendar does not.
fn shows_interest(life: &ActionRecord) -> bool {
    let by_people = !matches!(life.action.actor, Actor::Sweep { .. });
    by_people && life.done().is_some() && life.action.kind.implies_presence()
}
