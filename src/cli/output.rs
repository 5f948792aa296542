//! Printing: data to stdout, talk to stderr, tables for people, JSON for machines.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::exit::{Exit, Failure};

/// Where a command's data and talk go.
pub(super) struct Output {
    json: bool,
    terminal: bool,
}

impl Output {
    pub(super) fn new(json: bool, terminal: bool) -> Self {
        Self { json, terminal }
    }

    /// True when data is wanted as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// True when a person watches stderr.
    pub(super) fn is_watched(&self) -> bool {
        self.terminal
    }

    /// Prints data: as JSON, or as the text that is made for people.
    pub(super) fn data<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let printed = if self.json {
            serde_json::to_string_pretty(value).map_err(|error| {
                Failure::new(Exit::Usage, "cannot write the answer as JSON").because(error)
            })?
        } else {
            text()
        };
        self.line(&printed)
    }

    /// Prints a line to stdout. A reader that hung up has read enough.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        match writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n')) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Exit::Usage, "cannot write to standard output").because(error))
            }
            _ => Ok(()),
        }
    }

    /// Says something to the person, apart from the data.
    pub(super) fn say(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Warns the person of something that is not as it seems.
    pub(super) fn warn(&self, text: &str) {
        self.say(&format!("adjourn: warning: {text}"));
    }

    /// Reports a failure and gives back its exit code.
    pub(super) fn fail(&self, failure: &Failure) -> Exit {
        self.say(&format!("adjourn: {}", failure.message));
        failure.causes.iter().for_each(|cause| self.say(&format!("  because: {cause}")));
        failure.exit
    }
}

/// A table without lines: columns stay apart, nothing else is drawn.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
}
