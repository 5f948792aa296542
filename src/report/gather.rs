//! Reads the action records of a period from the journal, page by page and newest first, and adds them up. Keeps no record, and
//! decides nothing about figures.

use chrono::{DateTime, Utc};

use super::dimension::Dimension;
use super::effect::{Effect, Reverted, effect};
use super::not_known::{Covered, JournalExtent, not_known};
use super::room_facts::RoomDirectory;
use super::rows::{Organizers, Rows};
use super::totals::Totals;
use super::view::Report;
use crate::action::ActionKind;
use crate::calendar::{RoomAddress, Window};
use crate::cleanup::Rules;
use crate::journal::{ActionRecord, Journal, JournalEntry, JournalError, Query};
use crate::progress::{PhaseProgress, ProgressListener};

/// Actions that one query of the journal examines, so that audit queries at the same time interleave.
const EXAMINED_PER_QUERY: usize = 500;

/// What to report.
pub(crate) struct ReportRequest<'a> {
    /// The period in which the actions were accepted.
    pub(crate) period: Window,
    /// How the rows are grouped.
    pub(crate) by: Dimension,
    /// Whether the configuration allows to name organizers.
    pub(crate) names_organizers: bool,
    /// Names, groups and time zones of the rooms.
    pub(crate) rules: &'a Rules,
    /// Whether a room belongs to the report.
    pub(crate) includes: &'a (dyn Fn(&RoomAddress) -> bool + Send + Sync),
}

/// Makes the report. Dropping the future ends the reading after the present page.
///
/// # Errors
/// The journal cannot be read, or is damaged.
pub(crate) async fn gather(
    journal: &dyn Journal,
    request: &ReportRequest<'_>,
    listener: Option<&ProgressListener>,
) -> Result<Report, JournalError> {
    let mut sums = Sums::new(request);
    let mut days = DaysRead::begin(request.period, listener);
    let (since, until) = (request.period.start(), request.period.end());
    let query = Query { since: Some(since), until: Some(until), ..Query::default() };
    let mut after = None;
    loop {
        let page = journal.page(&query, after, EXAMINED_PER_QUERY).await?;
        for (_, record) in &page.records {
            if (request.includes)(&record.action.room) {
                sums.add(record, undone_by(journal, record).await?.as_ref());
            }
        }
        days.advance(page.records.last().map(|(_, record)| record.accepted_at));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    days.advance(Some(since));
    Ok(sums.finish(request, &extent(journal).await?))
}

/// The action that this one has undone, if the journal has it.
async fn undone_by(
    journal: &dyn Journal,
    record: &ActionRecord,
) -> Result<Option<ActionRecord>, JournalError> {
    match record.action.kind {
        ActionKind::Undo { of } if record.done().is_some() => journal.action_record(of).await,
        _ => Ok(None),
    }
}

/// Where the journal begins.
async fn extent(journal: &dyn Journal) -> Result<JournalExtent, JournalError> {
    let first = journal.first_entry().await?;
    let damaged = |number: u64, error| JournalError::Damaged(format!("entry {number}: {error}"));
    let begins = first.map(|entry| {
        let parsed = JournalEntry::parse(&entry.body, &entry.personal);
        parsed.map(|parsed| parsed.at()).map_err(|error| damaged(entry.number, error))
    });
    Ok(JournalExtent { begins: begins.transpose()?, archived: journal.archived().await? })
}

/// The sums while the journal is read.
struct Sums<'a> {
    totals: Totals,
    rows: Rows,
    rooms: RoomDirectory<'a>,
}

impl<'a> Sums<'a> {
    fn new(request: &ReportRequest<'a>) -> Self {
        let organizers = if request.names_organizers { Organizers::Named } else { Organizers::Unnamed };
        Self {
            totals: Totals::default(),
            rows: Rows::new(request.by, organizers),
            rooms: RoomDirectory::new(request.rules),
        }
    }

    fn add(&mut self, record: &ActionRecord, undone: Option<&ActionRecord>) {
        if record.done().is_some_and(|done| done.dry_run) {
            return;
        }
        let effect = effect(record, undone);
        let is_unknown =
            undone.is_none() && matches!(effect, Some(Effect::Undone(Reverted::Release { time: None, .. })));
        self.totals.undone_unknown += u64::from(is_unknown);
        self.totals.add(record, effect.as_ref());
        self.rows.add(record, effect.as_ref(), self.rooms.facts(&record.action.room));
    }

    fn finish(self, request: &ReportRequest<'_>, extent: &JournalExtent) -> Report {
        let (by, since, until) = (request.by, request.period.start(), request.period.end());
        let uses_utc = self.rows.uses_utc();
        let (rows, further) = self.rows.finish();
        let totals = &self.totals;
        let not_known = not_known(&Covered { since, by, totals, rows: &rows, uses_utc }, extent);
        Report {
            since: since.into(),
            until: until.into(),
            by,
            totals: totals.figures,
            missed_series: totals.missed_series(),
            in_doubt: totals.in_doubt,
            actions: totals.actions(),
            refusals: totals.refusals(),
            rows,
            further,
            not_known,
        }
    }
}

/// The progress: days of the period, from the newest back.
struct DaysRead<'a> {
    progress: PhaseProgress<'a>,
    until: DateTime<Utc>,
    done: i64,
}

impl<'a> DaysRead<'a> {
    fn begin(period: Window, listener: Option<&'a ProgressListener>) -> Self {
        let days = days_between(period.start(), period.end());
        let total = usize::try_from(days).unwrap_or_default();
        let progress = PhaseProgress::begin(listener, "days of the journal read", total);
        Self { progress, until: period.end(), done: 0 }
    }

    /// Everything since this instant was read.
    fn advance(&mut self, oldest: Option<DateTime<Utc>>) {
        let Some(oldest) = oldest else { return };
        while self.done < days_between(oldest, self.until) {
            self.progress.step();
            self.done += 1;
        }
    }
}

fn days_between(from: DateTime<Utc>, until: DateTime<Utc>) -> i64 {
    (until - from).num_days()
}
