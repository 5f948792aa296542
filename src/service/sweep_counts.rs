//! One log line and a counter for each sweep that ended. It names ids, rules' schedules and numbers, never a room or a caller.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{SweepId, SweepState};

/// What began a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SweepOrigin<'a> {
    /// A caller of the API.
    Request(SweepId),
    /// The schedule of this name.
    Schedule(&'a str),
}

/// Sweeps that ended since the start, by state.
#[derive(Debug, Default)]
pub struct SweepCounts {
    applied: AtomicU64,
    stopped: AtomicU64,
    failed: AtomicU64,
}

impl SweepCounts {
    /// Logs and counts a sweep, if this state is an end. `actions` is the number of actions that it performed, or planned where it
    /// was stopped.
    pub(super) fn add(&self, origin: SweepOrigin<'_>, state: SweepState, rooms: usize, actions: usize) {
        let Some(count) = self.of(state) else { return };
        count.fetch_add(1, Ordering::Relaxed);
        let (sweep, schedule) = match origin {
            SweepOrigin::Request(id) => (Some(id.to_string()), None),
            SweepOrigin::Schedule(name) => (None, Some(name)),
        };
        let shown = state.as_str();
        match state {
            SweepState::Applied => {
                tracing::info!(target: "adjourn::sweep", sweep, schedule, state = shown, rooms, actions, "sweep ended");
            }
            _ => {
                tracing::warn!(target: "adjourn::sweep", sweep, schedule, state = shown, rooms, actions, "sweep ended");
            }
        }
    }

    fn of(&self, state: SweepState) -> Option<&AtomicU64> {
        match state {
            SweepState::Applied => Some(&self.applied),
            SweepState::Stopped => Some(&self.stopped),
            SweepState::Failed => Some(&self.failed),
            SweepState::Planning | SweepState::Planned | SweepState::Applying => None,
        }
    }

    /// The states in which a sweep has ended, with the number of such sweeps.
    pub fn all(&self) -> [(SweepState, u64); 3] {
        [
            (SweepState::Applied, &self.applied),
            (SweepState::Stopped, &self.stopped),
            (SweepState::Failed, &self.failed),
        ]
        .map(|(state, count)| (state, count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_counts_when_it_ends() {
        let counts = SweepCounts::default();
        for state in [SweepState::Planning, SweepState::Planned, SweepState::Applying, SweepState::Applied] {
            counts.add(SweepOrigin::Request(SweepId::nil()), state, 3, 2);
        }
        counts.add(SweepOrigin::Schedule("nightly"), SweepState::Failed, 3, 2);
        assert_eq!(counts.all().map(|(_, count)| count), [1, 0, 1]);
    }
}
