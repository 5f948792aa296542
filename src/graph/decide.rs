//! Decides the next step after an attempt without a result: one pure table, with a row for each outcome. Reads no clock, sends nothing.
//!
//! | outcome | next |
//! | --- | --- |
//! | no token can be fetched | fail: an administrator has to remedy it |
//! | not sent, since it was decided too long ago | fail as busy: the engine reads and decides again |
//! | not sent | a few more attempts, each after a longer delay |
//! | the server is busy and did nothing | pause the room, then send again; an unguarded write fails: the engine reads and decides again |
//! | a read without a usable response | a few more attempts |
//! | refused | fail |
//! | the server may have executed it | fail as in doubt: the engine reads the mailbox |

use std::time::Duration;

use super::classify::RetryDecision;
use super::effect::Effect;
use super::request_error::RequestError;
use crate::engine::ErrorKind;
use crate::http::error::TransportError;

/// Retries of a read, or of a request that was not sent.
const RETRIES_MAX: u32 = 3;

/// An attempt without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfinished {
    Decision(RetryDecision),
    NotSent(TransportError),
}

/// What to do after an attempt without a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The request fails.
    Fail(RequestError),
    /// Send again after the delay of this attempt. `last` is the result if there is no time for that.
    Delay { last: Option<RequestError> },
    /// The server is busy: pause the room, at least as long as the server requested, and send again.
    Pause { at_least: Option<Duration>, last: RequestError },
    /// The server is busy: pause the room, and fail.
    PauseAndFail { at_least: Option<Duration>, error: RequestError },
}

/// The table.
pub(super) fn decide(effect: Effect, attempt: u32, outcome: Unfinished) -> Next {
    match outcome {
        Unfinished::NotSent(late @ TransportError::TooLate) => {
            Next::Fail(RequestError::Busy(late.to_string()))
        }
        Unfinished::NotSent(TransportError::SignIn { is_permanent: true, reason, .. }) => {
            Next::Fail(RequestError::Refused(ErrorKind::SignIn, reason))
        }
        Unfinished::NotSent(error) => {
            let error = RequestError::Unreachable(error);
            match attempt >= RETRIES_MAX {
                true => Next::Fail(error),
                false => Next::Delay { last: Some(error) },
            }
        }
        Unfinished::Decision(RetryDecision::Wait { at_least, code }) => match effect {
            Effect::UnguardedWrite => Next::PauseAndFail { at_least, error: RequestError::Busy(code) },
            Effect::Read | Effect::Write => Next::Pause { at_least, last: RequestError::Busy(code) },
        },
        Unfinished::Decision(RetryDecision::Retry { code }) if effect != Effect::Read => {
            Next::Fail(RequestError::InDoubt(code))
        }
        Unfinished::Decision(RetryDecision::Retry { code }) if attempt >= RETRIES_MAX => {
            Next::Fail(RequestError::InvalidResponse(code))
        }
        Unfinished::Decision(RetryDecision::Retry { .. }) => Next::Delay { last: None },
        Unfinished::Decision(RetryDecision::Refused(kind, code)) => {
            Next::Fail(RequestError::Refused(kind, code))
        }
        Unfinished::Decision(RetryDecision::InDoubt { code }) => Next::Fail(RequestError::InDoubt(code)),
        Unfinished::Decision(RetryDecision::Done) => Next::Fail(without_content(effect)),
    }
}

fn without_content(effect: Effect) -> RequestError {
    let code = "a success without its content".to_owned();
    match effect {
        Effect::Read => RequestError::Refused(ErrorKind::WrongProtocol, code),
        Effect::Write | Effect::UnguardedWrite => RequestError::InDoubt(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(decision: RetryDecision) -> Unfinished {
        Unfinished::Decision(decision)
    }

    #[test]
    fn a_write_that_may_have_been_executed_is_never_sent_again() {
        for attempt in 0..=RETRIES_MAX {
            for doubt in [
                RetryDecision::InDoubt { code: "HTTP 502".to_owned() },
                RetryDecision::Retry { code: "HTTP 502".to_owned() },
                RetryDecision::Done,
            ] {
                let next = decide(Effect::Write, attempt, decided(doubt));
                assert!(matches!(next, Next::Fail(RequestError::InDoubt(_))), "{next:?}");
            }
        }
    }

    #[test]
    fn what_was_not_sent_is_sent_again_a_few_times() {
        let lost = || Unfinished::NotSent(TransportError::Connect("refused".to_owned()));
        for attempt in 0..RETRIES_MAX {
            let next = decide(Effect::Write, attempt, lost());
            assert!(matches!(next, Next::Delay { last: Some(RequestError::Unreachable(_)) }), "{next:?}");
        }
        let last = decide(Effect::Write, RETRIES_MAX, lost());
        assert!(matches!(last, Next::Fail(RequestError::Unreachable(_))), "{last:?}");
    }

    #[test]
    fn a_token_that_cannot_be_fetched_needs_an_administrator() {
        let next =
            decide(Effect::Read, 0, Unfinished::NotSent(TransportError::sign_in("the secret is wrong")));
        assert!(matches!(next, Next::Fail(RequestError::Refused(ErrorKind::SignIn, _))), "{next:?}");
    }

    #[test]
    fn an_unguarded_write_is_not_sent_again_to_a_busy_server() {
        let at_least = Some(Duration::from_secs(1));
        let busy = RetryDecision::Wait { at_least, code: "TooManyRequests".to_owned() };
        let error = RequestError::Busy("TooManyRequests".to_owned());
        let next = decide(Effect::UnguardedWrite, 0, decided(busy));
        assert_eq!(next, Next::PauseAndFail { at_least, error });
    }

    #[test]
    fn a_busy_server_pauses_the_room_also_before_a_write() {
        let at_least = Some(Duration::from_secs(9));
        for effect in [Effect::Read, Effect::Write] {
            let busy = RetryDecision::Wait { at_least, code: "TooManyRequests".to_owned() };
            let last = RequestError::Busy("TooManyRequests".to_owned());
            assert_eq!(decide(effect, 7, decided(busy)), Next::Pause { at_least, last });
        }
    }

    #[test]
    fn a_read_is_sent_again_a_few_times_and_a_refusal_never() {
        let failed = || decided(RetryDecision::Retry { code: "HTTP 502".to_owned() });
        assert_eq!(decide(Effect::Read, 0, failed()), Next::Delay { last: None });
        let last = decide(Effect::Read, RETRIES_MAX, failed());
        assert!(matches!(last, Next::Fail(RequestError::InvalidResponse(_))), "{last:?}");
        let refused = RetryDecision::Refused(ErrorKind::Denied, "ErrorAccessDenied".to_owned());
        let next = decide(Effect::Read, 0, decided(refused));
        assert!(matches!(next, Next::Fail(RequestError::Refused(ErrorKind::Denied, _))), "{next:?}");
    }
}
