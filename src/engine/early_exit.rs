//! The early exit from a part of an action: its outcome is decided, or the journal failed. Values only.

use crate::action::{Outcome, Refusal};
use crate::journal::JournalError;

/// Why a part of an action returns before its last line. An error of the calendar has no conversion: what it means depends on
/// whether a write was sent.
#[derive(Debug)]
pub(super) enum EarlyExit {
    /// The action has this outcome, and sends no further step.
    Decided(Outcome),
    /// The journal failed: nothing may be sent any more.
    Journal(JournalError),
}

impl From<JournalError> for EarlyExit {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<Refusal> for EarlyExit {
    fn from(refusal: Refusal) -> Self {
        Self::Decided(refused(refusal))
    }
}

impl From<Outcome> for EarlyExit {
    fn from(outcome: Outcome) -> Self {
        Self::Decided(outcome)
    }
}

/// The outcome of a refused action.
pub(super) fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal }
}
