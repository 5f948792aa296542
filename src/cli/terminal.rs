//! What the terminal can show: its width, and colour (`--color`, `NO_COLOR`, `CLICOLOR_FORCE`). A file or a pipe has no width and, unless
//! it is demanded, no colour.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use clap::builder::styling::Style;

/// When output has colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Columns of a terminal that are enough for any table; wider ones are not filled.
const COLUMNS_MAX: u16 = 1_000;
/// Columns below which a table would be unreadable.
const COLUMNS_MIN: u16 = 20;

/// The width that tables and help have to fit in; `None`: any, since no terminal shows it.
pub(super) fn width() -> Option<u16> {
    let columns = std::env::var("COLUMNS").ok();
    io::stdout()
        .is_terminal()
        .then(|| fitting(columns.as_deref(), comfy_table::Table::new().width()))
        .flatten()
}

/// COLUMNS, else the width that the terminal reports.
fn fitting(columns: Option<&str>, reported: Option<u16>) -> Option<u16> {
    let columns = columns.and_then(|columns| columns.trim().parse().ok()).filter(|columns| *columns > 0);
    columns.or(reported).map(|width: u16| width.clamp(COLUMNS_MIN, COLUMNS_MAX))
}

/// Applies `--color` for the whole process, before the arguments are parsed: their errors have colours too. A wrong value is left to the
/// parser.
pub(super) fn apply_color(args: &[OsString]) {
    let color = match color_argument(args) {
        Some(ColorWhen::Always) => ColorChoice::Always,
        Some(ColorWhen::Never) => ColorChoice::Never,
        Some(ColorWhen::Auto) | None => ColorChoice::Auto,
    };
    color.write_global();
}

/// The last `--color WHEN` or `--color=WHEN`.
fn color_argument(args: &[OsString]) -> Option<ColorWhen> {
    let mut words = args.iter().map(|arg| arg.to_str().unwrap_or_default()).take_while(|word| *word != "--");
    let mut last = None;
    while let Some(word) = words.next() {
        let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
        last = value.and_then(|value| ColorWhen::from_str(value, false).ok()).or(last);
    }
    last
}

/// Whether stdout shows colour.
pub(super) fn stdout_has_color() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Whether stderr shows colour.
pub(super) fn stderr_has_color() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// The text in this style, or as it is where there is no colour.
pub(super) fn styled(text: &str, style: Style, has_color: bool) -> String {
    if has_color && !style.is_plain() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Prints a text with styles to stdout.
pub(super) fn print_line(text: &str) -> io::Result<()> {
    match stdout_has_color() {
        true => writeln!(AutoStream::auto(io::stdout().lock()), "{text}"),
        false => writeln!(io::stdout().lock(), "{text}"),
    }
}

/// Prints a message with styles to stderr.
pub(super) fn print_message(text: &str) {
    // An error of stderr has nowhere to go.
    let _ = match stderr_has_color() {
        true => writeln!(AutoStream::auto(io::stderr().lock()), "{text}"),
        false => writeln!(io::stderr().lock(), "{text}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_win_over_the_terminal_within_reason() {
        assert_eq!(fitting(None, Some(80)), Some(80));
        assert_eq!(fitting(Some("120"), Some(80)), Some(120));
        assert_eq!(fitting(Some("3"), Some(80)), Some(COLUMNS_MIN));
        assert_eq!(fitting(Some("60000"), None), Some(COLUMNS_MAX));
        for nothing in ["", "0", "-5", "wide", "99999999"] {
            assert_eq!(fitting(Some(nothing), Some(80)), Some(80), "{nothing}");
        }
        assert_eq!(fitting(None, None), None);
    }

    #[test]
    fn the_last_color_counts() {
        let asked = |words: &[&str]| color_argument(&words.iter().map(Into::into).collect::<Vec<OsString>>());
        assert_eq!(asked(&["adjourn", "limits"]), None);
        assert_eq!(asked(&["adjourn", "--color", "always", "limits"]), Some(ColorWhen::Always));
        assert_eq!(asked(&["adjourn", "limits", "--color=never"]), Some(ColorWhen::Never));
        assert_eq!(asked(&["adjourn", "--color=always", "limits", "--color=auto"]), Some(ColorWhen::Auto));
        assert_eq!(asked(&["adjourn", "--color", "mauve"]), None);
        assert_eq!(asked(&["adjourn", "--", "--color=always"]), None);
    }
}
