//! Errors of commands as the problem object of the API (RFC 9457), for `--json`. Only translates; prints nothing.

use super::exit::{CommandError, Exit};
use crate::action::ResponsibleParty;
use crate::api::Problem;

/// The problem of an error that ends a command.
pub(super) fn of_error(error: &CommandError) -> Problem {
    let detail = error.one_line();
    match error.exit {
        Exit::Done | Exit::Refused => Problem::refused(detail),
        Exit::Usage => Problem::bad_request(detail).with_next(
            "correct the command line, the file or the configuration; the same command will fail again",
        ),
        Exit::NeedsAttention => Problem::needs_attention(detail),
        Exit::Unavailable | Exit::Partial => Problem::from_exchange(ResponsibleParty::Server, detail),
        Exit::Forbidden => Problem::from_exchange(ResponsibleParty::Administrator, detail),
        Exit::Stopped => Problem::sweep_stopped(detail),
        Exit::Journal => Problem::journal_unavailable(detail),
        Exit::Tampered => Problem::journal_unavailable(detail)
            .with_next("run adjourn audit verify, and restore a backup of the journal"),
    }
}
