//! `adjourn report`: prints figures about the actions of a period, from the journal. Reads the journal only; sends nothing to
//! Exchange and writes nothing.

use chrono::{DateTime, Utc};

use super::args::{ConnectionArgs, ReportArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::progress::progress_listener;
use super::spreadsheet::{cell, finish, write_failure, writer};
use super::storage::Storage;
use crate::calendar::{RoomAddress, RoomPattern, WindowError};
use crate::clock::{Clock as _, SystemClock};
use crate::report::{
    CountedTime, Dimension, Figures, Report, ReportRequest, ReportRow, Span, gather, period,
};

pub(super) async fn run(
    args: ReportArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut config = connect::load(connection)?;
    let names_organizers = config.service.report_organizers;
    if args.by == Dimension::Organizer && !names_organizers {
        let message = "reports name no organizers; set report.organizers = true in the configuration, or choose another --by";
        return Err(CommandError::new(Exit::Refused, message));
    }
    let journal = Storage::of(&mut config)?.journal_to_read().await?;
    let patterns: Vec<RoomPattern> = args.rooms.iter().flat_map(|pattern| pattern.parse()).collect();
    let includes = |room: &RoomAddress| patterns.iter().any(|pattern| pattern.matches(room));
    let request = ReportRequest {
        period: period(args.since, args.until, SystemClock.now()).map_err(invalid_period)?,
        by: args.by,
        names_organizers,
        rules: &config.service.rules,
        includes: &includes,
    };
    let report = gather(&*journal, &request, Some(&*progress_listener(output))).await?;
    if args.csv {
        report
            .not_known
            .iter()
            .for_each(|note| output.note(&format!("adjourn: not known: {}", note.message)));
        output.line(&csv(&report)?)?;
    } else {
        output.data(&report, || render(&report))?;
    }
    Ok(Exit::Done)
}

fn invalid_period(error: WindowError) -> CommandError {
    let message = "--since must be before --until, by at most 366 days";
    CommandError::new(Exit::Usage, message).caused_by(error)
}

/// The report for people: a table, the totals, and what is not known.
fn render(report: &Report) -> String {
    let time = |at: DateTime<Utc>| at.format("%F %H:%MZ");
    let mut text =
        format!("Actions from {} to {}\n\n", time(report.since.to_utc()), time(report.until.to_utc()));
    text += &format!("{}\n\n", rows_table(report));
    text += "In brackets and in the last column: hours and minutes. Released is what was not given back by an undo.\n";
    let count = |(name, count): (String, u64)| format!("{count} {name}");
    let actions = report.actions.iter().map(|one| (format!("{} {}", one.kind, one.state), one.count));
    text += &listed("Actions", actions.map(count));
    let refusals = report.refusals.iter().map(|one| (one.reason.to_owned(), one.count));
    text += &listed("Refused", refusals.map(count));
    text += &listed("Series with a no-show", std::iter::once(report.missed_series.to_string()));
    text += "\nNot known:";
    for note in &report.not_known {
        text += &format!("\n- {}", note.message);
    }
    text
}

/// A line with some counts; nothing without any.
fn listed(name: &str, counts: impl Iterator<Item = String>) -> String {
    let counts: Vec<_> = counts.collect();
    if counts.is_empty() { String::new() } else { format!("{name}: {}\n", counts.join(", ")) }
}

fn rows_table(report: &Report) -> super::output::Table {
    let by = report.by.as_str().to_uppercase();
    let mut table = table(&[
        by.as_str(),
        "NO-SHOWS",
        "ENDED EARLY",
        "REMOVED",
        "OTHER RULES",
        "EXTENDED",
        "BOOKED",
        "UNDONE",
        "RELEASED",
    ]);
    for row in &report.rows {
        table.add_row(table_cells(label(row), &row.figures));
    }
    if let Some(further) = &report.further {
        table.add_row(table_cells("further".to_owned(), further));
    }
    table.add_row(table_cells("TOTAL".to_owned(), &report.totals));
    table
}

/// The row's key; for a series with its organizer, where that may be named.
fn label(row: &ReportRow) -> String {
    let key = row.key.as_deref().unwrap_or("-");
    row.organizer.as_ref().map_or_else(|| key.to_owned(), |organizer| format!("{key}, {organizer}"))
}

fn table_cells(label: String, figures: &Figures) -> [String; 9] {
    let counted = |one: CountedTime| match one.count {
        0 => "-".to_owned(),
        count => format!("{count} ({})", hours(one.minutes)),
    };
    let undone = CountedTime { count: figures.undone.count, minutes: figures.undone.released_minutes };
    [
        label,
        counted(figures.no_shows),
        counted(figures.ended_early),
        counted(figures.removed),
        counted(figures.other_rules),
        counted(figures.extended),
        counted(figures.booked),
        counted(undone),
        hours(figures.released_minutes),
    ]
}

/// Hours and minutes: `12:05`.
fn hours(span: Span) -> String {
    let minutes = span.minutes();
    let sign = if minutes < 0 { "-" } else { "" };
    format!("{sign}{}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// The names of the CSV columns: those of the JSON members, with their object before them.
const COLUMNS: [&str; 26] = [
    "key",
    "name",
    "organizer",
    "actions",
    "released_minutes",
    "no_shows",
    "no_shows_minutes",
    "ended_early",
    "ended_early_minutes",
    "removed",
    "removed_minutes",
    "other_rules",
    "other_rules_minutes",
    "extended",
    "extended_minutes",
    "booked",
    "booked_minutes",
    "undone",
    "undone_no_shows",
    "undone_released_minutes",
    "undone_extended_minutes",
    "undone_booked_minutes",
    "without_time",
    "refused",
    "needs_attention",
    "open",
];

/// One line per row; minutes are whole numbers.
fn csv(report: &Report) -> Result<String, CommandError> {
    let mut writer = writer();
    writer.write_record(COLUMNS).map_err(write_failure)?;
    for row in &report.rows {
        let texts = [&row.key, &row.name, &row.organizer];
        let texts = texts.map(|text| cell(text.as_deref().unwrap_or_default()));
        writer.write_record(texts.into_iter().chain(numbers(&row.figures))).map_err(write_failure)?;
    }
    finish(writer)
}

/// The numeric cells, in the order of [`COLUMNS`].
fn numbers(figures: &Figures) -> Vec<String> {
    let Figures { no_shows, ended_early, removed, other_rules, extended, booked, undone, .. } = figures;
    let minutes = |span: Span| span.minutes().to_string();
    let mut numbers = vec![figures.actions.to_string(), minutes(figures.released_minutes)];
    for one in [no_shows, ended_early, removed, other_rules, extended, booked] {
        numbers.extend([one.count.to_string(), minutes(one.minutes)]);
    }
    numbers.extend([undone.count, undone.no_shows].map(|count| count.to_string()));
    numbers.extend([undone.released_minutes, undone.extended_minutes, undone.booked_minutes].map(minutes));
    let rest = [figures.without_time, figures.refused, figures.needs_attention, figures.open];
    numbers.extend(rest.map(|count| count.to_string()));
    numbers
}
