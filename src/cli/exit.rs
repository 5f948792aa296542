//! Exit codes of all commands, and the error that ends a command.

use std::error::Error;
use std::process::ExitCode;

use crate::action::{Outcome, Refusal, ResponsibleParty};
use crate::journal::JournalError;
use crate::store::StoreError;

/// How a command ended. The numbers are a stable interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// The request is fulfilled: now, or already before.
    Done = 0,
    /// Refused; nothing was changed: the calendar, the request or the policy forbids it.
    Refused = 1,
    /// The command line, a file or the configuration is invalid.
    Usage = 2,
    /// A person has to check a calendar.
    NeedsAttention = 3,
    /// Exchange is unavailable or too busy, or the outcome is not known yet.
    Unavailable = 4,
    /// Exchange refused: an administrator has to change rights or credentials.
    Forbidden = 5,
    /// A sweep was partly successful: some rooms or events failed.
    Partial = 6,
    /// A sweep exceeded its limits and changed nothing.
    Stopped = 7,
    /// The journal is unavailable, so nothing was started that it does not record.
    Journal = 8,
    /// The journal was modified or is damaged.
    Tampered = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Turns [`Exit::Done`] into [`Exit::Partial`] if something was left out.
    pub(super) fn or_partial(self, left_out: usize) -> Self {
        if self == Self::Done && left_out > 0 { Self::Partial } else { self }
    }

    /// The exit code of an action's outcome.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => Self::Done,
            Outcome::NeedsAttention { .. } => Self::NeedsAttention,
            Outcome::Refused { refusal } => Self::of_refusal(refusal),
        }
    }

    fn of_refusal(refusal: &Refusal) -> Self {
        match (refusal, refusal.responsible()) {
            (Refusal::Exchange { .. }, fault) => Self::of_fault(fault),
            // Neither done nor refused; a later request settles it.
            (Refusal::StillInDoubt { .. }, _) => Self::Unavailable,
            _ => Self::Refused,
        }
    }

    /// The exit code of an error of the open journal.
    pub fn of_journal(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged(_) => Self::Tampered,
            JournalError::Unusable(_)
            | JournalError::MayLose(_)
            | JournalError::InvalidTransition(_)
            | JournalError::OtherProcess(_)
            | JournalError::Fenced => Self::Journal,
        }
    }

    /// The exit code of an error when opening a journal for reading.
    pub fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Absent { .. } | StoreError::NotAJournal | StoreError::NewerSchema(_) => Self::Usage,
            error => Self::of_opening(error),
        }
    }

    /// The exit code of an error when opening a journal for writing. A damaged journal is never reported as just unavailable.
    pub fn of_opening(error: &StoreError) -> Self {
        if error.is_damage() { Self::Tampered } else { Self::Journal }
    }

    /// The exit code of an error of Exchange.
    pub fn of_fault(fault: ResponsibleParty) -> Self {
        match fault {
            ResponsibleParty::Administrator => Self::Forbidden,
            ResponsibleParty::Server | ResponsibleParty::Network => Self::Unavailable,
            ResponsibleParty::Caller | ResponsibleParty::Nobody => Self::Refused,
        }
    }
}

/// An error that ends a command.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What failed and what to do.
    pub message: String,
    /// The chain of causes, outermost first.
    pub causes: Vec<String>,
    /// The problem object with which the service answered, if it did: `--json` prints this one.
    problem: Option<String>,
}

impl CommandError {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), problem: None }
    }

    /// Adds the problem object with which the service answered.
    pub(super) fn with_problem(mut self, problem: String) -> Self {
        self.problem = Some(problem);
        self
    }

    /// The problem object with which the service answered.
    pub(super) fn service_problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Adds an error and its chain of sources as causes.
    pub(super) fn caused_by(mut self, error: impl Error) -> Self {
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }

    /// The message and its causes in one line, for the log.
    pub(super) fn one_line(&self) -> String {
        let said = std::iter::once(&self.message).chain(&self.causes);
        said.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// An error whose message is that of another error.
    pub(super) fn from_error(exit: Exit, error: impl Error) -> Self {
        let mut failure = Self::new(exit, String::new()).caused_by(error);
        failure.message = failure.causes.remove(0);
        failure
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::from_error(Exit::of_store(&error), error)
    }
}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> Self {
        Self::from_error(Exit::of_journal(&error), error)
    }
}

/// The exit codes as `--help` shows them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done now, or already done before
  1  refused; nothing was changed (calendar, request or policy)
  2  invalid command line, file or configuration
  3  a person has to check a calendar
  4  Exchange is unavailable or too busy, or the outcome is not known yet; retry later
  5  Exchange refused: an administrator has to change rights or credentials
  6  a sweep was partly successful: some rooms or events failed
  7  a sweep exceeded its limits and changed nothing
  8  the journal is unavailable (disk, permissions, another process); nothing was started that it does not record.
     Once it is available, the next command that acts in a room recovers the action in progress there
  9  the journal was cut, modified or damaged";
