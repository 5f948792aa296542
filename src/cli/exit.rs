//! Exit codes, and failures that end a command.

use std::error::Error;
use std::process::ExitCode;

use crate::action::{Outcome, Refusal, ResponsibleParty};
use crate::journal::JournalError;
use crate::store::StoreError;

/// How a command ended. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// It is as was asked: done now, or so already.
    Done = 0,
    /// Nothing was changed, because of the calendar, the caller's wish or the rules.
    Refused = 1,
    /// The command line, a file or the configuration is wrong.
    Usage = 2,
    /// A person has to look at a calendar.
    NeedsAttention = 3,
    /// Exchange could not be reached or was too busy; try again later.
    Unavailable = 4,
    /// Exchange refused: rights, credentials or switches need an administrator.
    Forbidden = 5,
    /// A sweep did part of its work: some rooms or events could not be handled.
    Partial = 6,
    /// A sweep would have touched more than its limits allow and touched nothing.
    Stopped = 7,
    /// The journal cannot be used, so nothing was begun that it does not know of.
    Journal = 8,
    /// The journal is not as it was written.
    Tampered = 9,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The same, or [`Exit::Partial`] where all went well with less than was named.
    pub(super) fn or_partial(self, left_out: usize) -> Self {
        if self == Self::Done && left_out > 0 { Self::Partial } else { self }
    }

    /// The code that says how an action ended.
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
            // Neither done nor refused: asking again settles it.
            (Refusal::StillInDoubt { .. }, _) => Self::Unavailable,
            _ => Self::Refused,
        }
    }

    /// The code for trouble with an open journal.
    pub fn of_journal(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged(_) => Self::Tampered,
            JournalError::Unusable(_) | JournalError::InvalidTransition(_) => Self::Journal,
        }
    }

    /// The code for a journal that cannot be opened to be read.
    pub fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Absent { .. } | StoreError::NotAJournal | StoreError::NewerSchema(_) => Self::Usage,
            error => Self::of_opening(error),
        }
    }

    /// The code for a journal that cannot be opened to be written. One that was cut or damaged is never just unusable.
    pub fn of_opening(error: &StoreError) -> Self {
        if error.is_damage() { Self::Tampered } else { Self::Journal }
    }

    /// The code for trouble with Exchange.
    pub fn of_fault(fault: ResponsibleParty) -> Self {
        match fault {
            ResponsibleParty::Administrator => Self::Forbidden,
            ResponsibleParty::Server | ResponsibleParty::Network => Self::Unavailable,
            ResponsibleParty::Caller | ResponsibleParty::Nobody => Self::Refused,
        }
    }
}

/// Why a command could not be carried out at all.
#[derive(Debug)]
pub struct CommandError {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong and what to do.
    pub message: String,
    /// What lies beneath, outermost first.
    pub causes: Vec<String>,
}

impl CommandError {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new() }
    }

    /// Adds an error and everything beneath it.
    pub(super) fn caused_by(mut self, error: impl Error) -> Self {
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }

    /// The message and what lies beneath, for a log.
    pub(super) fn one_line(&self) -> String {
        let said = std::iter::once(&self.message).chain(&self.causes);
        said.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// A failure whose message is the error itself.
    pub(super) fn from_error(exit: Exit, error: impl Error) -> Self {
        let mut failure = Self::new(exit, String::new()).caused_by(error);
        failure.message = failure.causes.remove(0);
        failure
    }
}

/// The table of exit codes as `--help` shows it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  as asked: done now, or so already
  1  nothing changed: the calendar, the wish or the rules are against it
  2  the command line, a file or the configuration is wrong
  3  a person has to look at a calendar
  4  Exchange could not be reached or was too busy, or it is not known yet whether it was done; try again later
  5  Exchange refused: an administrator has to change rights or credentials
  6  a sweep did part of its work, or Exchange refused some of it
  7  a sweep would have touched more than its limits allow; it touched nothing
  8  the journal cannot be used (disk, rights, another process); nothing was begun that it does not know of:
     once it can be used again, the next command that acts finds out what became of what was under way
  9  the journal is not as it was written: it was cut, changed or damaged";
