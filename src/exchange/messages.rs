//! From response messages to values: which message counts, and what its code means for the whole request.

use super::classify::{Kind, Verdict, by_code, named};
use crate::ews::op::Effect;
use crate::ews::types::{ResponseClass, ResponseMessage};

/// The one message of a request about one thing.
pub(super) fn only<'m, 'a, T>(
    effect: Effect,
    messages: &'m [ResponseMessage<'a, T>],
) -> Result<&'m ResponseMessage<'a, T>, Verdict> {
    match messages {
        [message] => successful(effect, message),
        _ => Err(strange(effect, format!("{} response messages instead of one", messages.len()))),
    }
}

/// The message, if it is a success by its class and by its code. A warning is none: it "describes a request that was not
/// processed" (`ResponseClass`). Where class and code disagree, the code decides about a read, and a write is in doubt.
pub(super) fn successful<'m, 'a, T>(
    effect: Effect,
    message: &'m ResponseMessage<'a, T>,
) -> Result<&'m ResponseMessage<'a, T>, Verdict> {
    let verdict = by_code(effect, &message.code.0, &message.message_xml);
    match (message.class, verdict) {
        (ResponseClass::Success, Verdict::Done) => Ok(message),
        (ResponseClass::Warning, Verdict::Done) => {
            Err(strange(effect, "a warning without a code".to_owned()))
        }
        (ResponseClass::Error, Verdict::Done) => Err(strange(effect, "an error without a code".to_owned())),
        (ResponseClass::Error, verdict) | (ResponseClass::Warning, verdict @ Verdict::Wait { .. }) => {
            Err(verdict)
        }
        (ResponseClass::Success | ResponseClass::Warning, verdict) => Err(match effect {
            Effect::Read => verdict,
            Effect::Write => Verdict::InDoubt { code: named(&message.code.0) },
        }),
    }
}

/// An answer that does not fit the question.
pub(super) fn strange(effect: Effect, code: String) -> Verdict {
    match effect {
        Effect::Read => Verdict::Refused(Kind::Unknown, code),
        Effect::Write => Verdict::InDoubt { code },
    }
}
