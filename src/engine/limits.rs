//! The rows of the table of limits (`crate::limits`) for the engine.

use super::intent_age::{INTENT_FRESH_FOR, INTENT_RENEWED_WITHIN};
use super::second_look::{LOOKS_WAITING_MAX, SECOND_LOOKS};
use super::sends::{WAITS_MAX, WITHHELD_MAX};
use crate::limits::{Amount, LimitRow};

/// The limits on the sends of an action.
pub(crate) fn limits() -> Vec<LimitRow> {
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("Actions", what, default, reason, beyond, "the action's answer, `adjourn audit`")
    };
    vec![
        row(
            "age of a stored intent when its step is sent",
            Amount::time(INTENT_FRESH_FOR),
            "a process that was stopped sends nothing of what it decided before",
            "the intent is stored anew, if the action is still permitted",
        ),
        row(
            "time in which an intent is stored anew",
            Amount::time(INTENT_RENEWED_WITHIN),
            "a slow mailbox takes some seconds for the read before a step that the server does not guard",
            "nothing is sent; the event is read again",
        ),
        row(
            "steps of an action that were decided too long ago",
            Amount::Count(WITHHELD_MAX as usize),
            "each takes half a minute, and the room waits",
            "the action is refused; nothing was changed",
        ),
        row(
            "waits of an action for a busy server",
            Amount::Count(WAITS_MAX as usize),
            "each is as long as the server requests",
            "the action is refused; nothing was changed",
        ),
        row(
            "time in which the calendar is looked at again after an action was closed as one that changed nothing",
            Amount::time(SECOND_LOOKS[SECOND_LOOKS.len() - 1]),
            "a machine or proxy that froze with the request in hand may deliver it later; the first look is after a minute",
            "a request that arrives still later is not noticed",
        ),
        row(
            "second looks that wait",
            Amount::Count(LOOKS_WAITING_MAX),
            "memory, and reads of calendars, while all replies are lost",
            "no second look at further actions; a warning in the log",
        ),
    ]
}
