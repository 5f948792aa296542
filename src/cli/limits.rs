//! `adjourn limits`: prints the table of limits; docs/limits.md is its `--markdown` output.

use super::args::LimitsArgs;
use super::exit::{CommandError, Exit};
use super::limit_table::all;
use super::output::{Output, table};
use crate::limits::LimitRow;

pub(super) fn run(args: &LimitsArgs, output: &Output) -> Result<Exit, CommandError> {
    if args.markdown {
        output.line(markdown().trim_end())?;
        return Ok(Exit::Done);
    }
    let all = all();
    output.data(&all, || {
        let mut table = table(&["AREA", "WHAT", "LIMIT", "WHEN REACHED"]);
        for limit in &all {
            table.add_row([limit.area, limit.what, &limit.default.to_string(), limit.beyond]);
        }
        table.to_string()
    })?;
    Ok(Exit::Done)
}

/// The table as Markdown: docs/limits.md.
fn markdown() -> String {
    let mut text = HEAD.to_owned();
    let mut area = "";
    for limit in all() {
        if limit.area != area {
            area = limit.area;
            text += &format!("\n## {area}\n\n{COLUMNS}");
        }
        let LimitRow { what, default, key, reason, beyond, shown_by, .. } = limit;
        let key = key.map_or_else(String::new, |key| format!(" ({key})"));
        text += &format!("| {what} | {default}{key} | {reason} | {beyond} | {shown_by} |\n");
    }
    text
}

const HEAD: &str = "# Limits

Everything that grows has a limit. `adjourn limits --markdown` prints this page, and `adjourn limits --json` the same for programs. A
limit with a configuration key can be changed there; the others are fixed. If a limit costs Adjourn evidence or information about a
room, the meeting stays.
";
const COLUMNS: &str =
    "| what | limit | reason | when reached | shown by |\n| --- | --- | --- | --- | --- |\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// `ADJOURN_WRITE_LIMITS=1 cargo test --lib page_of_limits` writes the page anew.
    #[test]
    fn the_page_of_limits_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
        if std::env::var_os("ADJOURN_WRITE_LIMITS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), markdown());
    }

    #[test]
    fn every_limit_has_a_reason_and_says_what_happens_and_none_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for limit in all() {
            let texts = [limit.what, limit.reason, limit.beyond, limit.shown_by];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains('|')), "{limit:?}");
            assert!(seen.insert((limit.area, limit.what)), "{limit:?}");
        }
    }
}
