//! How a program learns what became of each action, whichever part of it asked for the action: for its log and its counters. An
//! observer changes nothing, and the engine does not wait for it.

use std::time::Duration;

use crate::action::{Action, Outcome};

/// Receives every action at its end.
pub trait ActionObserver: Send + Sync {
    /// The journal has stored how the action ended, or that it stays open. Called on the task of the action, so it must not block.
    fn action_ended(&self, ended: &EndedAction<'_>);
}

/// How an action ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndedAction<'a> {
    /// The request.
    pub action: &'a Action,
    /// The outcome; `None` while it is not known: the action stays open, and is checked again.
    pub outcome: Option<&'a Outcome>,
    /// The requests to change the calendar that were sent for the action.
    pub writes: usize,
    /// The time since the request, or since the re-check began.
    pub took: Duration,
    /// An earlier process, or an earlier attempt, had left the action open or in doubt.
    pub is_recheck: bool,
}
