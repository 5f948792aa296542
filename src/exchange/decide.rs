//! Decides the next step after an attempt without a result: one pure table, with a row for each outcome. Reads no clock, sends nothing.
//!
//! | outcome | next |
//! | --- | --- |
//! | sign-in impossible | fail: an administrator has to remedy it |
//! | not sent, since it was decided too long ago | fail as busy: the engine reads and decides again |
//! | not sent | a few more attempts, each after a longer delay |
//! | the server is busy | pause the room, then send again; an item that would be created is left to the engine |
//! | the server's version is older | send again in an older version |
//! | a read without a usable response | a few more attempts; after a mailbox move its server is found anew |
//! | a refusal that can be momentary | one more attempt |
//! | the mailbox is on another server | its server is found anew, once |
//! | refused | fail |
//! | the server may have executed it | fail as in doubt: the engine reads the mailbox |

use std::time::Duration;

use super::classify::RetryDecision;
use super::request_error::RequestError;
use crate::engine::ErrorKind;
use crate::ews::op::Effect;
use crate::http::error::TransportError;

/// Retries of a read, or of a request that was not sent.
const RETRIES_MAX: u32 = 3;
/// Response code of a server that does not support the request's schema version.
const UNKNOWN_VERSION: &str = "ErrorInvalidServerVersion";
/// Response code while a mailbox is moved to another server.
const MOVING: &str = "ErrorMailboxMoveInProgress";

/// What one operation's attempts have been so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RetryState {
    /// Attempts that counted. One that only found a newer server or an older version does not count.
    pub(super) attempt: u32,
    /// The room's server was found anew.
    pub(super) was_rediscovered: bool,
    pub(super) effect: Effect,
    /// A second request would create a second item.
    pub(super) creates_item: bool,
}

/// An attempt without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfinished {
    Decision(RetryDecision),
    NotSent(TransportError),
}

/// What to do after an attempt without a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The operation fails.
    Fail(RequestError),
    /// Send again after the delay of this attempt. `last` is the result if there is no time for that.
    Delay { last: Option<RequestError>, rediscover: bool },
    /// The server is busy: pause the room, at least as long as the server requested, and send again.
    Pause { at_least: Option<Duration>, reduce_concurrency: bool, last: RequestError },
    /// The same, and the operation fails: the engine reads the calendar before a second item is created.
    PauseAndFail { at_least: Option<Duration>, reduce_concurrency: bool, error: RequestError },
    /// Send again in an older schema version; without one, the operation fails.
    Downgrade { or_fail: RequestError },
    /// Find the room's server anew and send again; if its server was not found by Autodiscover, the operation fails.
    Rediscover { or_fail: RequestError },
}

/// The table.
pub(super) fn decide(state: RetryState, outcome: Unfinished) -> Next {
    match outcome {
        Unfinished::NotSent(late @ TransportError::TooLate) => {
            Next::Fail(RequestError::Busy(late.to_string()))
        }
        Unfinished::NotSent(TransportError::SignIn { is_permanent: true, reason, .. }) => {
            Next::Fail(RequestError::Refused(ErrorKind::SignIn, reason))
        }
        Unfinished::NotSent(error) => retry_limited(state, RequestError::Unreachable(error)),
        Unfinished::Decision(RetryDecision::Wait { at_least, reduce_concurrency, code }) => {
            let busy = RequestError::Busy(code);
            match state.creates_item {
                true => Next::PauseAndFail { at_least, reduce_concurrency, error: busy },
                false => Next::Pause { at_least, reduce_concurrency, last: busy },
            }
        }
        Unfinished::Decision(RetryDecision::Refused(kind @ ErrorKind::Version, code))
            if code == UNKNOWN_VERSION =>
        {
            // The server rejected the request before executing it, so a write is sent again too.
            Next::Downgrade { or_fail: RequestError::Refused(kind, code) }
        }
        Unfinished::Decision(RetryDecision::Retry { code }) if state.attempt >= RETRIES_MAX => {
            Next::Fail(RequestError::InvalidResponse(code))
        }
        Unfinished::Decision(RetryDecision::RetryOnce(kind, code)) if state.attempt >= 1 => {
            Next::Fail(RequestError::Refused(kind, code))
        }
        Unfinished::Decision(RetryDecision::Retry { code } | RetryDecision::RetryOnce(_, code)) => {
            Next::Delay { last: None, rediscover: code == MOVING }
        }
        Unfinished::Decision(RetryDecision::Refused(kind, code)) => {
            let refused = RequestError::Refused(kind, code);
            match may_have_moved(state, kind) {
                true => Next::Rediscover { or_fail: refused },
                false => Next::Fail(refused),
            }
        }
        Unfinished::Decision(RetryDecision::InDoubt { code }) => Next::Fail(RequestError::InDoubt(code)),
        Unfinished::Decision(RetryDecision::Done) => Next::Fail(unexpected_body(state.effect)),
    }
}

fn retry_limited(state: RetryState, error: RequestError) -> Next {
    match state.attempt >= RETRIES_MAX {
        true => Next::Fail(error),
        false => Next::Delay { last: Some(error), rediscover: false },
    }
}

/// Whether the refusal can mean that the mailbox moved, and proves that nothing was done there. A page that is not from Exchange
/// proves nothing about a new item.
fn may_have_moved(state: RetryState, kind: ErrorKind) -> bool {
    let elsewhere = match kind {
        ErrorKind::NoMailbox | ErrorKind::WrongServer => true,
        ErrorKind::WrongProtocol => !state.creates_item,
        _ => false,
    };
    elsewhere && !state.was_rediscovered
}

/// The response belongs to another operation.
pub(super) fn unexpected_body(effect: Effect) -> RequestError {
    let code = "a response to another operation".to_owned();
    match effect {
        Effect::Read => RequestError::Refused(ErrorKind::WrongProtocol, code),
        Effect::Write => RequestError::InDoubt(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: RetryState =
        RetryState { attempt: 0, was_rediscovered: false, effect: Effect::Write, creates_item: false };

    fn refused(kind: ErrorKind) -> Unfinished {
        Unfinished::Decision(RetryDecision::Refused(kind, "code".to_owned()))
    }

    fn failure(next: Next) -> RequestError {
        match next {
            Next::Fail(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_not_sent_is_sent_again_a_few_times() {
        let lost = || Unfinished::NotSent(TransportError::Connect("refused".to_owned()));
        for attempt in 0..RETRIES_MAX {
            let next = decide(RetryState { attempt, ..FIRST }, lost());
            assert!(
                matches!(next, Next::Delay { last: Some(RequestError::Unreachable(_)), rediscover: false }),
                "{next:?}"
            );
        }
        let last = failure(decide(RetryState { attempt: RETRIES_MAX, ..FIRST }, lost()));
        assert!(matches!(last, RequestError::Unreachable(_)), "{last:?}");
        let sign_in = Unfinished::NotSent(TransportError::sign_in("the password was rejected"));
        assert!(matches!(failure(decide(FIRST, sign_in)), RequestError::Refused(ErrorKind::SignIn, _)));
    }

    #[test]
    fn a_write_that_may_have_been_executed_is_never_sent_again() {
        for attempt in 0..=RETRIES_MAX {
            let doubt = Unfinished::Decision(RetryDecision::InDoubt { code: "reset".to_owned() });
            let state = RetryState { attempt, ..FIRST };
            assert_eq!(failure(decide(state, doubt)), RequestError::InDoubt("reset".to_owned()));
            let other = Unfinished::Decision(RetryDecision::Done);
            assert!(matches!(failure(decide(state, other)), RequestError::InDoubt(_)));
        }
    }

    #[test]
    fn a_busy_server_pauses_the_room_and_a_second_item_is_not_created() {
        let busy = || {
            let at_least = Some(Duration::from_secs(9));
            Unfinished::Decision(RetryDecision::Wait {
                at_least,
                reduce_concurrency: true,
                code: "busy".to_owned(),
            })
        };
        assert!(matches!(decide(FIRST, busy()), Next::Pause { reduce_concurrency: true, .. }));
        let creates = RetryState { creates_item: true, ..FIRST };
        assert!(matches!(
            decide(creates, busy()),
            Next::PauseAndFail { at_least: Some(_), error: RequestError::Busy(_), .. }
        ));
    }

    #[test]
    fn a_refusal_that_can_be_momentary_gets_one_more_attempt() {
        let once =
            || Unfinished::Decision(RetryDecision::RetryOnce(ErrorKind::Credentials, "401".to_owned()));
        assert_eq!(decide(FIRST, once()), Next::Delay { last: None, rediscover: false });
        let second = failure(decide(RetryState { attempt: 1, ..FIRST }, once()));
        assert!(matches!(second, RequestError::Refused(ErrorKind::Credentials, _)));
        let moving = Unfinished::Decision(RetryDecision::Retry { code: MOVING.to_owned() });
        assert_eq!(decide(FIRST, moving), Next::Delay { last: None, rediscover: true });
    }

    #[test]
    fn a_mailbox_that_moved_is_looked_for_once_and_never_twice_for_a_new_item() {
        for kind in [ErrorKind::WrongServer, ErrorKind::NoMailbox, ErrorKind::WrongProtocol] {
            assert!(matches!(decide(FIRST, refused(kind)), Next::Rediscover { .. }), "{kind:?}");
            let again = RetryState { was_rediscovered: true, ..FIRST };
            assert!(
                matches!(decide(again, refused(kind)), Next::Fail(RequestError::Refused(..))),
                "{kind:?}"
            );
        }
        let creates = RetryState { creates_item: true, ..FIRST };
        assert!(matches!(decide(creates, refused(ErrorKind::WrongProtocol)), Next::Fail(_)));
        assert!(matches!(decide(creates, refused(ErrorKind::WrongServer)), Next::Rediscover { .. }));
    }

    #[test]
    fn only_a_server_that_knows_another_version_is_asked_in_an_older_one() {
        let code = UNKNOWN_VERSION.to_owned();
        let version = Unfinished::Decision(RetryDecision::Refused(ErrorKind::Version, code));
        assert!(matches!(decide(FIRST, version), Next::Downgrade { .. }));
        assert!(matches!(decide(FIRST, refused(ErrorKind::Version)), Next::Fail(_)));
        assert!(matches!(decide(FIRST, refused(ErrorKind::Denied)), Next::Fail(_)));
    }
}
