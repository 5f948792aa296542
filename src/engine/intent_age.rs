//! The age of an intent. A step leaves the process only while the journal's record of it is fresh: a process that was stopped, or a
//! machine that was suspended, sends nothing of what it decided before, and a recovery knows how late a step can have been sent.
//! Pure.

use std::time::Duration;

use crate::journal::Intent;

/// A step is sent within this time after its intent was handed to the journal. Later the intent is stored anew first.
pub(super) const INTENT_FRESH_FOR: Duration = Duration::from_secs(2);
/// An intent is stored anew within this time after the first. Later the event is read and the action is planned again. A slow
/// mailbox takes some seconds for the read that comes before a step that the server does not guard.
pub(super) const INTENT_RENEWED_WITHIN: Duration = Duration::from_secs(30);

/// A stored intent whose step was not sent.
pub(super) struct StoredIntent {
    pub(super) intent: Intent,
    /// When it was handed to the journal, as [`Clock::since_boot`](crate::clock::Clock::since_boot).
    pub(super) stored_at: Duration,
}

/// What may become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntentAge {
    /// It may be sent.
    Fresh,
    /// It may be sent after its intent was stored anew.
    Stale,
    /// It is not sent.
    Expired,
}

impl IntentAge {
    /// The age at `now` of an intent that was stored first and last at these times. A clock that went back makes no intent fresh.
    pub(super) fn of(first: Duration, last: Duration, now: Duration) -> Self {
        match (now.checked_sub(first), now.checked_sub(last)) {
            (_, Some(age)) if age <= INTENT_FRESH_FOR => Self::Fresh,
            (Some(age), _) if age <= INTENT_RENEWED_WITHIN => Self::Stale,
            _ => Self::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_fresh_then_stored_anew_and_then_given_up() {
        let s = Duration::from_secs;
        let cases = [
            (s(100), IntentAge::Fresh),
            (s(102), IntentAge::Fresh),
            (s(103), IntentAge::Stale),
            (s(130), IntentAge::Stale),
            (s(131), IntentAge::Expired),
            (s(99), IntentAge::Expired),
        ];
        for (now, age) in cases {
            assert_eq!(IntentAge::of(s(100), s(100), now), age, "{now:?}");
        }
        assert_eq!(IntentAge::of(s(100), s(129), s(131)), IntentAge::Fresh);
        assert_eq!(IntentAge::of(s(100), s(129), s(132)), IntentAge::Expired);
    }
}
