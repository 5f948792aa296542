//! Response messages: which message counts, and what its class and code mean for the whole request. Pure.

use super::classify::{RetryDecision, decide_by_code, printable_code};
use crate::engine::ErrorKind;
use crate::ews::op::Effect;
use crate::ews::types::{ResponseClass, ResponseMessage};

/// The one response message of a request about one thing.
pub(super) fn single_message<'m, 'a, T>(
    effect: Effect,
    messages: &'m [ResponseMessage<'a, T>],
) -> Result<&'m ResponseMessage<'a, T>, RetryDecision> {
    match messages {
        [message] => require_success(effect, message),
        _ => Err(unexpected_response(effect, format!("{} response messages instead of one", messages.len()))),
    }
}

/// Returns the message if both its class and its code report success. A warning does not: it "describes a request that
/// was not processed" (`ResponseClass`). Where class and code disagree, the code decides about a read, and a write is
/// in doubt.
pub(super) fn require_success<'m, 'a, T>(
    effect: Effect,
    message: &'m ResponseMessage<'a, T>,
) -> Result<&'m ResponseMessage<'a, T>, RetryDecision> {
    let verdict = decide_by_code(effect, &message.code.0, &message.message_xml);
    match (message.class, verdict) {
        (ResponseClass::Success, RetryDecision::Done) => Ok(message),
        (ResponseClass::Warning, RetryDecision::Done) => {
            Err(unexpected_response(effect, "a warning without a code".to_owned()))
        }
        (ResponseClass::Error, RetryDecision::Done) => {
            Err(unexpected_response(effect, "an error without a code".to_owned()))
        }
        (ResponseClass::Error, verdict) | (ResponseClass::Warning, verdict @ RetryDecision::Wait { .. }) => {
            Err(verdict)
        }
        (ResponseClass::Success | ResponseClass::Warning, verdict) => Err(match effect {
            Effect::Read => verdict,
            Effect::Write => RetryDecision::InDoubt { code: printable_code(&message.code.0) },
        }),
    }
}

/// A response that does not fit its request.
pub(super) fn unexpected_response(effect: Effect, code: String) -> RetryDecision {
    match effect {
        Effect::Read => RetryDecision::Refused(ErrorKind::Unknown, code),
        Effect::Write => RetryDecision::InDoubt { code },
    }
}
