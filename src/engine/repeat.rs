//! Asking twice: which earlier action a wish repeats. Pure.

use chrono::{DateTime, Utc};

use crate::action::{Action, ActionId, Answer, Change, Done, Outcome, Refusal, Target, Times};
use crate::journal::Life;

/// What an earlier wish under the same key means for this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Before {
    /// It is answered already.
    Answered(Answer),
    /// It is not over yet, and cannot be brought to its end now.
    Open(ActionId),
    /// Nothing was done, and this is another try.
    Nothing,
}

/// Of the newest life under the key.
pub(super) fn under_key(action: &Action, newest: Option<Life>) -> Before {
    let Some(life) = newest else { return Before::Nothing };
    let earlier = life.action.id;
    let answered = |outcome, repeated| Before::Answered(Answer { action: earlier, outcome, repeated });
    if !action.same_wish(&life.action) {
        return answered(Outcome::Refused { refusal: Refusal::KeyReused { action: earlier } }, false);
    }
    match life.outcome {
        None => Before::Open(earlier),
        Some(Outcome::Refused { refusal }) if refusal.may_be_tried_again() => Before::Nothing,
        Some(outcome) => answered(outcome, true),
    }
}

/// The action that did to the event what is asked for again, while the event would still be on or ahead. `done` are
/// the lives in the room that changed something, the newest first. Where it is known how the event `is`, only an action
/// that left it so is meant.
pub(super) fn already_by(
    action: &Action,
    done: &[Life],
    is: Option<Times>,
    now: DateTime<Utc>,
) -> Option<ActionId> {
    let undone = |id: ActionId| done.iter().any(|life| life.has_undone(id));
    done.iter()
        .filter(|life| life.action.ask == action.ask && !undone(life.action.id))
        .filter(|life| life.done().is_some_and(|done| is_about(action, done, now)))
        .find(|life| is.is_none_or(|is| life.done().and_then(left_it) == Some(is)))
        .map(|life| life.action.id)
}

/// The times an event has since.
fn left_it(done: &Done) -> Option<Times> {
    match done.change {
        Change::Ended { to, .. } | Change::Extended { to, .. } => {
            Some(Times { start: done.event.start, end: to })
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
        Target::Event { id, .. } => *id == done.event.id,
        // Its end is not known: what is gone is gone.
        Target::Series { .. } => false,
    }
}
