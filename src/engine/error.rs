//! The error of a calendar operation. It names who can resolve it, and becomes a refusal of the action. Values only.

use crate::action::{Refusal, ResponsibleParty};
use crate::journal::JournalError;

/// A failed operation: advice for the caller, and a code for diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{advice} ({code})")]
pub struct CalendarError {
    /// Who can resolve it.
    pub responsible: ResponsibleParty,
    /// What to do next, for the caller.
    pub advice: String,
    /// Response code, HTTP status or kind of failure, for diagnosis.
    pub code: String,
}

impl CalendarError {
    /// An error that only the configuration can cause.
    pub(crate) fn configuration(what: &str) -> Self {
        Self {
            responsible: ResponsibleParty::Administrator,
            advice: what.to_owned(),
            code: "configuration".to_owned(),
        }
    }

    /// Whether the failure is temporary: the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.responsible, ResponsibleParty::Server | ResponsibleParty::Network)
    }
}

impl From<JournalError> for CalendarError {
    fn from(error: JournalError) -> Self {
        Self {
            responsible: ResponsibleParty::Administrator,
            advice: error.to_string(),
            code: "journal".to_owned(),
        }
    }
}

impl From<CalendarError> for Refusal {
    fn from(error: CalendarError) -> Self {
        Self::Exchange { responsible: error.responsible, advice: error.advice, code: error.code }
    }
}
