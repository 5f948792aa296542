//! Writes text as CSV cells that are safe to open in a spreadsheet program, whatever separator its locale uses: no cell becomes a
//! formula, a new row or another cell.

use std::borrow::Cow;

use super::exit::{CommandError, Exit};
use crate::printable::escape;

/// Characters that start a formula in Excel, LibreOffice and Google Sheets (OWASP, "CSV Injection"), full-width forms included.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A CSV writer in memory that quotes every text cell.
pub(super) fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().quote_style(csv::QuoteStyle::NonNumeric).from_writer(Vec::new())
}

/// The text that was written.
pub(super) fn finish(writer: csv::Writer<Vec<u8>>) -> Result<String, CommandError> {
    let bytes =
        writer.into_inner().map_err(|_| CommandError::new(Exit::Usage, "cannot write CSV: out of memory"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The failure of a row.
pub(super) fn write_failure(error: csv::Error) -> CommandError {
    CommandError::new(Exit::Usage, "cannot write CSV").caused_by(error)
}

/// Puts an apostrophe before everything that a spreadsheet would take for a formula: at the start, and after each semicolon or
/// vertical bar, since programs of many locales open a CSV file with those as separators and then ignore the quotation marks.
/// Line breaks and tabs become escapes.
pub(super) fn cell(text: &str) -> String {
    let text = escape(text);
    let mut safe = String::with_capacity(text.len() + 1);
    for part in text.split_inclusive([';', '|']) {
        safe.push_str(&guarded(part));
    }
    safe
}

/// A formula may follow spaces, and quotation marks that the separator made part of the cell.
fn guarded(part: &str) -> Cow<'_, str> {
    let start = part.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    if start.starts_with(FORMULA_STARTS) { format!("'{part}").into() } else { part.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_becomes_a_formula_with_any_separator() {
        for (text, shown) in [
            ("=cmd|' /C calc'!A1", "'=cmd|' /C calc'!A1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\u{ff1d}1+1", "'\u{ff1d}1+1"),
            ("  =1+1", "'  =1+1"),
            ("\"=1+1", "'\"=1+1"),
            ("weekly;=HYPERLINK(A1)", "weekly;'=HYPERLINK(A1)"),
            ("a;b; @x;c", "a;b;' @x;c"),
            ("a;\"\"=1", "a;'\"\"=1"),
            ("a|=1", "a|'=1"),
            ("a\t=1", "a\\t=1"),
            ("a\r\n=1", "a\\r\\n=1"),
            ("\t=1", "\\t=1"),
        ] {
            assert_eq!(cell(text), shown);
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["Jour fixe – 3. Stock", "a; b; c", "ada@example.com", "2 - 1 = 1", "O'Brien", ""] {
            assert_eq!(cell(text), text);
        }
    }
}
