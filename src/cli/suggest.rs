//! "Did you mean …?" for a mistyped room, event, key, right or name at the command line. It only adds to messages; a user of the
//! command line may see everything that the configuration names.

use chrono::TimeDelta;

use super::output::Output;
use crate::action::{Action, Outcome, Refusal, Target};
use crate::calendar::{RoomAddress, Scope, Window};
use crate::engine::Engine;
use crate::suggestion::{EDITS_MAX, closest_id, closest_within};

/// How far before and after now an event is looked for whose id was mistyped.
const EVENTS_WITHIN: TimeDelta = TimeDelta::hours(24);

/// The end of a message: `; did you mean …?`, or nothing.
pub(super) fn did_you_mean(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
}

/// The configured room with almost this address.
pub(super) fn closest_room<'s>(typed: &RoomAddress, scope: &'s Scope) -> Option<&'s str> {
    closest_within(typed.as_str(), scope.rooms().map(RoomAddress::as_str), EDITS_MAX)
}

/// Prints the room or event that a refused action most likely meant. A calendar that cannot be read is no further error.
pub(super) async fn print_meant(engine: &Engine, action: &Action, outcome: &Outcome, output: &Output) {
    let Outcome::Refused { refusal } = outcome else { return };
    let meant = match (refusal, &action.target) {
        (Refusal::OutOfScope { .. }, _) => closest_room(&action.room, &engine.scope()).map(str::to_owned),
        (Refusal::EventNotFound | Refusal::InvalidEventId { .. }, Target::Event { id, .. }) => {
            closest_event(engine, &action.room, id.as_str()).await
        }
        _ => None,
    };
    if let Some(meant) = meant {
        output.note(&format!("did you mean {meant}?"));
    }
}

/// The event with almost this id, as `--event ID (START)`.
async fn closest_event(engine: &Engine, room: &RoomAddress, typed: &str) -> Option<String> {
    let now = engine.clock().now();
    let window = Window::clamped(now - EVENTS_WITHIN, now + EVENTS_WITHIN)?;
    let events = engine.calendar().events(room, window).await.ok()?.events;
    let meant = closest_id(typed, events.iter().map(|event| event.id.as_str()))?;
    let event = events.iter().find(|event| event.id.as_str() == meant)?;
    Some(format!("--event {meant} (it starts at {})", event.start.format("%F %H:%MZ")))
}
