//! What a report does not cover: time in use, time before the journal, archived entries, actions without a known outcome. Pure.

use chrono::{DateTime, Utc};

use super::dimension::Dimension;
use super::totals::Totals;
use super::view::{NotKnown, ReportRow};
use crate::journal::Archived;

/// What is known about the journal besides its actions.
#[derive(Debug, Clone, Default)]
pub(super) struct JournalExtent {
    /// The time of its first entry; `None` if it is empty.
    pub(super) begins: Option<DateTime<Utc>>,
    /// The entries that were moved to archive files.
    pub(super) archived: Option<Archived>,
}

/// The parts of a report that decide what is not known.
pub(super) struct Covered<'a> {
    pub(super) since: DateTime<Utc>,
    pub(super) by: Dimension,
    pub(super) totals: &'a Totals,
    pub(super) rows: &'a [ReportRow],
    /// Some weekdays are those of UTC.
    pub(super) uses_utc: bool,
}

/// Everything that the report does not cover.
pub(super) fn not_known(report: &Covered<'_>, journal: &JournalExtent) -> Vec<NotKnown> {
    let mut all = vec![NotKnown {
        id: "hours-used",
        message: "Hours in which rooms were used are not known: the journal has the actions of Adjourn only, and no meeting that \
                  nobody touched."
            .to_owned(),
    }];
    all.extend(before_journal(report.since, journal));
    all.extend(uncounted_actions(report.totals));
    all.extend(uncertain_rows(report));
    all
}

fn before_journal(since: DateTime<Utc>, journal: &JournalExtent) -> Option<NotKnown> {
    let begins = journal.begins.filter(|begins| since < *begins);
    let time = |at: DateTime<Utc>| at.format("%F %H:%MZ").to_string();
    match (begins, &journal.archived) {
        (None, _) if journal.begins.is_some() => None,
        (begins, Some(archived)) => {
            let before = begins.map_or_else(String::new, |at| format!(" before {}", time(at)));
            let (last, file) = (archived.last, &archived.file);
            let message = format!(
                "Actions{before} are not counted: entries 1 to {last} of the journal are in archive files ({file})."
            );
            Some(NotKnown { id: "archived", message })
        }
        (Some(begins), None) => {
            let message = format!("Actions before {} are not known: the journal begins then.", time(begins));
            Some(NotKnown { id: "before-journal", message })
        }
        (None, None) => {
            Some(NotKnown { id: "before-journal", message: "The journal has no entry.".to_owned() })
        }
    }
}

fn uncounted_actions(totals: &Totals) -> Vec<NotKnown> {
    let figures = &totals.figures;
    let without_time = figures.without_time.saturating_sub(totals.undone_unknown);
    let notes = [
        (
            "open",
            figures.open,
            format!("are not finished ({} of them in doubt); their time is in no figure", totals.in_doubt),
        ),
        (
            "needs-attention",
            figures.needs_attention,
            "have an outcome that a person has to check; their time is in no figure".to_owned(),
        ),
        (
            "without-time",
            without_time,
            "are counted without hours: whole series, all-day events, events that take no time".to_owned(),
        ),
        (
            "undone-action",
            totals.undone_unknown,
            "undid an action that the journal no longer has; the time given back is not known".to_owned(),
        ),
    ];
    let notes = notes.into_iter().filter(|(_, count, _)| *count > 0);
    notes.map(|(id, count, text)| NotKnown { id, message: format!("{count} actions {text}.") }).collect()
}

fn uncertain_rows(report: &Covered<'_>) -> Vec<NotKnown> {
    let mut all = Vec::new();
    if report.uses_utc {
        let message = "Weekdays of rooms without a time zone (room_groups.time_zone) are those of UTC.";
        all.push(NotKnown { id: "time-zone", message: message.to_owned() });
    }
    if report.by == Dimension::Organizer && report.rows.iter().any(|row| row.key.is_none()) {
        let message = "The row without an organizer has events without one, bookings at a door, and actions whose names \
                       were erased.";
        all.push(NotKnown { id: "organizer", message: message.to_owned() });
    }
    all
}
