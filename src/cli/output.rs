//! Output of all commands: results to stdout, as tables or JSON; messages to stderr. Everything passes [`crate::printable`], so
//! that text from Exchange or callers cannot control the terminal. Colour (`terminal`) is added after that, to words of Adjourn alone.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, presets};
use serde::Serialize;

use super::exit::{CommandError, Exit};
use super::indented_json::indented;
use super::{problem, terminal};
use crate::printable::{escape, escape_json, escape_lines};

/// Style of the word before an error.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Style of the word before a warning.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Style of the word for what is in order.
pub(super) const SUCCESS: Style = AnsiColor::Green.on_default();
/// Style of the first line of a table.
const HEADER: Style = Style::new().bold();
/// Stands before the header of a table in a text that is printed with colour.
const HEADER_MARK: char = '\u{1}';

/// Prints results and messages of a command.
pub(super) struct Output {
    json: bool,
    terminal: bool,
    quiet: bool,
    /// A result was printed, so a later error is no longer the one JSON document of the command.
    has_printed: AtomicBool,
}

impl Output {
    pub(super) fn new(json: bool, terminal: bool) -> Self {
        Self { json, terminal, quiet: false, has_printed: AtomicBool::new(false) }
    }

    /// With `--quiet`: results that were asked for, and errors; nothing else.
    pub(super) fn quiet(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// Whether results are printed as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether stderr is a terminal.
    pub(super) fn is_watched(&self) -> bool {
        self.terminal
    }

    /// Whether `--quiet` is set.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints that an action succeeded: nothing with `--quiet`, unless JSON was asked for.
    pub(super) fn success<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        if self.quiet && !self.json { Ok(()) } else { self.data(value, text) }
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

    /// Prints a result as [`Output::data`] does; the first word of each line has the style that is given for it.
    pub(super) fn data_with_styles<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
        style_of: impl Fn(&str) -> Option<Style>,
    ) -> Result<(), CommandError> {
        if self.json || !terminal::stdout_has_color() {
            return self.data(value, text);
        }
        let text = text();
        let lines = text.lines().map(|line| {
            let (word, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
            let style = style_of(word).unwrap_or_default();
            format!("{}{}", terminal::styled(&escape(word), style, true), escape(rest))
        });
        self.print(&lines.collect::<Vec<_>>().join("\n"))
    }

    /// Prints that a service has done what was requested: nothing with `--quiet`, unless JSON was asked for.
    pub(super) fn success_document(
        &self,
        json: &str,
        text: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        if self.quiet && !self.json { Ok(()) } else { self.document(json, text) }
    }

    /// Prints a result that a service returned as JSON: indented like a result of this process, or as the text for people.
    pub(super) fn document(&self, json: &str, text: impl FnOnce() -> String) -> Result<(), CommandError> {
        if self.json { self.json(&indented(json)) } else { self.line(&text()) }
    }

    /// Prints a JSON document to stdout.
    pub(super) fn json(&self, document: &str) -> Result<(), CommandError> {
        self.print(&escape_json(document))
    }

    /// Prints a line, or a text of several lines, to stdout.
    pub(super) fn line(&self, text: &str) -> Result<(), CommandError> {
        let mut parts = text.split(HEADER_MARK);
        let mut shown = parts.next().map(escape_lines).unwrap_or_default().into_owned();
        for table in parts {
            let (header, rows) = table.split_once('\n').unwrap_or((table, ""));
            let header = terminal::styled(&escape(header), HEADER, terminal::stdout_has_color());
            shown += &format!("{header}\n{}", escape_lines(rows));
        }
        self.print(&shown)
    }

    /// Prints a text of the program itself, every byte as it is.
    pub(super) fn program_text(&self, text: &str) -> Result<(), CommandError> {
        self.print(text)
    }

    /// Prints to stdout. A closed pipe is no error.
    fn print(&self, text: &str) -> Result<(), CommandError> {
        self.has_printed.store(true, Ordering::Relaxed);
        match terminal::print_line(text.trim_end_matches('\n')) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::new(Exit::Usage, "cannot write to standard output").caused_by(error))
            }
            _ => Ok(()),
        }
    }

    /// Prints a message to stderr; none with `--quiet`.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            terminal::print_message(&message(text));
        }
    }

    /// Prints a warning to stderr; none with `--quiet`.
    pub(super) fn warn(&self, text: &str) {
        if !self.quiet {
            let warning = terminal::styled("warning:", WARNING, terminal::stderr_has_color());
            terminal::print_message(&format!("adjourn: {warning} {}", message(text)));
        }
    }

    /// With `--json`, prints an error as the API's problem object in one line to stdout, unless a result was printed before.
    pub(super) fn problem(&self, failure: &CommandError) {
        if !self.json || self.has_printed.load(Ordering::Relaxed) {
            return;
        }
        let text = match failure.service_problem() {
            Some(problem) => Ok(problem.to_owned()),
            None => serde_json::to_string(&problem::of_error(failure)),
        };
        if let Ok(text) = text {
            // An error ends the command already; a second one about stdout would hide it.
            let _ = self.json(&text);
        }
    }

    /// Prints an error with its causes to stderr, also with `--quiet`.
    pub(super) fn error(&self, failure: &CommandError) {
        let name = terminal::styled("adjourn:", ERROR, terminal::stderr_has_color());
        terminal::print_message(&format!("{name} {}", message(&failure.message)));
        for cause in &failure.causes {
            terminal::print_message(&message(&format!("  because: {cause}")));
        }
    }

    /// Prints an error with its causes, and returns its exit code.
    pub(super) fn fail(&self, failure: &CommandError) -> Exit {
        self.error(failure);
        self.problem(failure);
        failure.exit
    }
}

/// Formats a message. Further lines are indented, so that none looks like a message of its own.
fn message(text: &str) -> String {
    escape_lines(text).replace('\n', "\n  ")
}

/// A table without borders, as wide as the terminal at most. Each cell is one line where no terminal limits it.
pub(super) struct Table(comfy_table::Table);

/// An empty table.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    if let Some(width) = terminal::width() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
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
        if terminal::stdout_has_color() {
            write!(f, "{HEADER_MARK}")?;
        }
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
