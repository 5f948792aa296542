//! Limits the log lines that callers without a valid key can cause: some in a minute, then a count of those left out. Pure: time is an
//! argument.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines in a minute: enough to see what a misconfigured client does wrong, and at most 10 MB a day.
pub(super) const LINES_PER_MINUTE_MAX: u32 = 20;

const MINUTE: Duration = Duration::from_secs(60);

/// The lines of the present minute.
#[derive(Debug, Default)]
pub(super) struct LineLimit(Mutex<Option<LineMinute>>);

#[derive(Debug)]
struct LineMinute {
    began: Instant,
    lines: u32,
    left_out: u64,
}

/// What to log about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineDecision {
    /// Its line. Before it, the number of lines that were left out in the minute before, if there were any.
    Write { left_out: u64 },
    /// Nothing.
    LeaveOut,
}

impl LineLimit {
    /// Decides about one line.
    pub(super) fn decide(&self, now: Instant) -> LineDecision {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = LineMinute { began: now, lines: 0, left_out: 0 };
        let minute = match &mut *minute {
            Some(minute) if now.saturating_duration_since(minute.began) < MINUTE => minute,
            other => {
                let left_out = other.replace(fresh).map_or(0, |before| before.left_out);
                other.iter_mut().for_each(|minute| minute.lines = 1);
                return LineDecision::Write { left_out };
            }
        };
        if minute.lines < LINES_PER_MINUTE_MAX {
            minute.lines += 1;
            return LineDecision::Write { left_out: 0 };
        }
        minute.left_out = minute.left_out.saturating_add(1);
        LineDecision::LeaveOut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_writes_some_lines_a_minute_and_then_how_many_it_left_out() {
        let limit = LineLimit::default();
        let flood = |lines: u32| (0..lines).map(|_| limit.decide(Instant::now())).collect::<Vec<_>>();
        let written = |decisions: &[LineDecision]| {
            decisions.iter().filter(|decision| matches!(decision, LineDecision::Write { .. })).count()
        };
        assert_eq!(written(&flood(1_000)), LINES_PER_MINUTE_MAX as usize);
        tokio::time::advance(MINUTE).await;
        let next = flood(2);
        assert_eq!(next[0], LineDecision::Write { left_out: 1_000 - u64::from(LINES_PER_MINUTE_MAX) });
        assert_eq!(next[1], LineDecision::Write { left_out: 0 });
        tokio::time::advance(MINUTE).await;
        assert_eq!(limit.decide(Instant::now()), LineDecision::Write { left_out: 0 });
    }
}
