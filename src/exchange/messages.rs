//! From response messages to values: which message counts, and what its code means for the whole request.

use super::classify::{Kind, Verdict, by_code};
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

/// The message, if it says success. A warning is one, unless it says that the item was not reached.
pub(super) fn successful<'m, 'a, T>(
    effect: Effect,
    message: &'m ResponseMessage<'a, T>,
) -> Result<&'m ResponseMessage<'a, T>, Verdict> {
    let verdict = by_code(effect, &message.code.0, &message.message_xml);
    match (message.class, verdict) {
        (ResponseClass::Success, _) => Ok(message),
        (ResponseClass::Warning, Verdict::Wait { at_least, fewer, code }) => {
            Err(Verdict::Wait { at_least, fewer, code })
        }
        (ResponseClass::Warning, _) => Ok(message),
        (ResponseClass::Error, Verdict::Done) => Err(strange(effect, "an error without a code".to_owned())),
        (ResponseClass::Error, verdict) => Err(verdict),
    }
}

/// An answer that does not fit the question.
pub(super) fn strange(effect: Effect, code: String) -> Verdict {
    match effect {
        Effect::Read => Verdict::Refused(Kind::Unknown, code),
        Effect::Write => Verdict::InDoubt { code },
    }
}
