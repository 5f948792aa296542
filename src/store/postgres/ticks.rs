//! The interval of the tasks that work beside the appender. Never works itself, and never ends a process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::state::WriterState;

/// The ticks of a task, until its process may write no more or the other end of `stop` is dropped.
pub(super) struct Ticks {
    interval: Interval,
    state: Arc<WriterState>,
    stop: oneshot::Receiver<()>,
}

impl Ticks {
    /// The first tick is due at once.
    pub(super) fn new(every: Duration, state: Arc<WriterState>, stop: oneshot::Receiver<()>) -> Self {
        let mut interval = interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, state, stop }
    }

    /// Waits for the next tick; `false` when the task has to end.
    pub(super) async fn next(&mut self) -> bool {
        tokio::select! {
            _ = &mut self.stop => return false,
            _ = self.interval.tick() => {}
        }
        self.state.check().is_ok()
    }
}
