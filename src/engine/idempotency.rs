//! Repeated requests: which earlier action a request repeats, by its idempotency key or by its effect. Pure.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::action::{Action, ActionId, Answer, Change, Done, Outcome, Refusal, Target, TimeRange};
use crate::calendar::Event;
use crate::journal::ActionRecord;

/// The earlier request under the same idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PriorRequest {
    /// It was answered.
    Answered(Answer),
    /// It is still open, and cannot be settled now.
    Open(ActionId),
    /// There was none, or it changed nothing and may be retried.
    None,
}

/// Interprets the newest action under the key; one that is older than `ttl` is forgotten.
pub(super) fn prior_request(
    action: &Action,
    newest: Option<ActionRecord>,
    now: DateTime<Utc>,
    ttl: TimeDelta,
) -> PriorRequest {
    let Some(record) = newest.filter(|record| now - record.accepted_at < ttl || record.is_open()) else {
        return PriorRequest::None;
    };
    let earlier = record.action.id;
    let answered = |outcome, repeated| PriorRequest::Answered(Answer { action: earlier, outcome, repeated });
    if !action.same_request(&record.action) {
        return answered(Outcome::Refused { refusal: Refusal::KeyReused { action: earlier } }, false);
    }
    match record.reported_outcome().map(Cow::into_owned) {
        None => PriorRequest::Open(earlier),
        Some(Outcome::Refused { refusal }) if refusal.is_retryable() => PriorRequest::None,
        Some(outcome) => answered(outcome, true),
    }
}

/// The earlier action that already made the requested change, while the event would still be on or ahead. `done`: the room's
/// actions that changed something, newest first. If the event was `read`, only actions on that event count; if its times are
/// known (`is`), only an action that left it with those times.
pub(super) fn earlier_same_action<'l>(
    action: &Action,
    done: &'l [ActionRecord],
    read: Option<&Event>,
    is: Option<TimeRange>,
    now: DateTime<Utc>,
) -> Option<&'l ActionRecord> {
    let undone = |id: ActionId| done.iter().any(|record| record.has_undone(id));
    done.iter()
        .filter(|record| record.action.kind == action.kind && !undone(record.action.id))
        .filter(|record| record.done().is_some_and(|done| is_about(action, done, now)))
        .filter(|record| read.is_none_or(|event| is_of(record, event)))
        .find(|record| is.is_none_or(|is| record.done().and_then(times_after) == Some(is)))
}

/// Whether the action was on this event: by its id, or by its UID and place in its series.
fn is_of(record: &ActionRecord, event: &Event) -> bool {
    let by_id = record.done().is_some_and(|done| done.event.id.is_same(&event.id));
    let before = record.intent.as_ref().and_then(|intent| intent.before.identity());
    by_id || before.is_some() && before == event.identity()
}

/// The times that the change left the event with.
fn times_after(done: &Done) -> Option<TimeRange> {
    match done.change {
        Change::Ended { to, .. } | Change::Extended { to, .. } => {
            Some(TimeRange { start: done.event.start, end: to })
        }
        _ => None,
    }
}

fn is_about(action: &Action, done: &Done, now: DateTime<Utc>) -> bool {
    if now >= done.event.end {
        return false;
    }
    match &action.target {
        Target::Current => done.event.start <= now && matches!(done.change, Change::Ended { .. }),
        Target::Event { id, .. } => id.is_same(&done.event.id),
        // The end of a series is not known.
        Target::Series { .. } => false,
    }
}
