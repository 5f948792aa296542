//! Output of all commands: results to stdout, as tables or JSON; messages to stderr. Everything passes [`crate::printable`], so
//! that text from Exchange or callers cannot control the terminal.

use std::fmt;
use std::io::{self, Write};

use comfy_table::presets;
use serde::Serialize;

use super::exit::{CommandError, Exit};
use crate::printable::{escape, escape_json, escape_lines};

/// Prints results and messages of a command.
pub(super) struct Output {
    json: bool,
    terminal: bool,
}

impl Output {
    pub(super) fn new(json: bool, terminal: bool) -> Self {
        Self { json, terminal }
    }

    /// Whether results are printed as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether stderr is a terminal.
    pub(super) fn is_watched(&self) -> bool {
        self.terminal
    }

    /// Prints a result: as JSON, or as the text for people.
    pub(super) fn data<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        if !self.json {
            return self.line(&text());
        }
        let json = serde_json::to_string_pretty(value).map_err(|error| {
            CommandError::new(Exit::Usage, "cannot serialize the result as JSON").caused_by(error)
        })?;
        self.json(&json)
    }

    /// Prints a JSON document to stdout.
    pub(super) fn json(&self, document: &str) -> Result<(), CommandError> {
        self.print(&escape_json(document))
    }

    /// Prints a line, or a text of several lines, to stdout.
    pub(super) fn line(&self, text: &str) -> Result<(), CommandError> {
        self.print(&escape_lines(text))
    }

    /// Prints to stdout. A closed pipe is no error.
    fn print(&self, text: &str) -> Result<(), CommandError> {
        match writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n')) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::new(Exit::Usage, "cannot write to standard output").caused_by(error))
            }
            _ => Ok(()),
        }
    }

    /// Prints a message to stderr.
    pub(super) fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{}", message(text));
    }

    /// Prints a warning to stderr.
    pub(super) fn warn(&self, text: &str) {
        self.note(&format!("adjourn: warning: {text}"));
    }

    /// Prints an error with its causes, and returns its exit code.
    pub(super) fn fail(&self, failure: &CommandError) -> Exit {
        self.note(&format!("adjourn: {}", failure.message));
        failure.causes.iter().for_each(|cause| self.note(&format!("  because: {cause}")));
        failure.exit
    }
}

/// Formats a message. Further lines are indented, so that none looks like a message of its own.
fn message(text: &str) -> String {
    escape_lines(text).replace('\n', "\n  ")
}

/// A table without borders. Each cell is one line.
pub(super) struct Table(comfy_table::Table);

/// An empty table.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    Table(table)
}

impl Table {
    /// Adds a row of cells.
    pub(super) fn add_row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.0.add_row(cells.into_iter().map(|cell| escape(cell.as_ref()).into_owned()));
    }

    /// The number of rows, without the header.
    pub(super) fn row_count(&self) -> usize {
        self.0.row_count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_line_and_controls_nothing() {
        let mut table = table(&["ROOM", "SUBJECT"]);
        table.add_row(["room1", "a\nroom2  \u{1b}[31mb\u{202e}c"]);
        let shown = table.to_string();
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(shown.contains("a\\nroom2  \\u{1b}[31mb\\u{202e}c"), "{shown}");
    }

    #[test]
    fn a_message_of_a_server_makes_no_message_of_its_own() {
        let shown = message("adjourn: Exchange answered: busy\nadjourn: warning: call +1 555\u{9b}2J");
        assert_eq!(shown, "adjourn: Exchange answered: busy\n  adjourn: warning: call +1 555\\u{9b}2J");
    }
}
