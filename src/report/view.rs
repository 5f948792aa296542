//! The report as the API and the command line return it. Values only; `gather.rs` makes them.

use serde::Serialize;
use utoipa::ToSchema;

use super::dimension::Dimension;
use super::figures::Figures;
use crate::timestamp::Timestamp;

/// Figures about the actions of a period, from the journal.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Report {
    /// Actions accepted at this time or later …
    pub(crate) since: Timestamp,
    /// … and before this one.
    pub(crate) until: Timestamp,
    /// How the rows are grouped.
    pub(crate) by: Dimension,
    /// The figures of all actions.
    pub(crate) totals: Figures,
    /// Series of which the check-in rule released a date.
    pub(crate) missed_series: usize,
    /// Actions in doubt; a part of `totals.open`.
    pub(crate) in_doubt: u64,
    /// Number of actions by kind and state.
    pub(crate) actions: Vec<ActionCount>,
    /// Number of refused actions by reason.
    pub(crate) refusals: Vec<RefusalCount>,
    /// The figures by room, group, weekday, series or organizer. Rows of groups overlap where a room is in several groups; rows of
    /// series have dates of series only.
    pub(crate) rows: Vec<ReportRow>,
    /// The sum of further rows that are not listed; null if all are.
    pub(crate) further: Option<Figures>,
    /// What the figures do not cover, and why.
    pub(crate) not_known: Vec<NotKnown>,
}

/// Number of actions of one kind in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ActionCount {
    /// `end`, `delete`, `extend`, `book` or `undo`.
    pub(crate) kind: &'static str,
    /// `open`, `done`, `already-done`, `refused` or `needs-attention`.
    pub(crate) state: &'static str,
    /// Number of actions.
    pub(crate) count: u64,
}

/// Number of actions that were refused for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RefusalCount {
    /// The reason, named like the problem type of the API.
    pub(crate) reason: &'static str,
    /// Number of actions.
    pub(crate) count: u64,
}

/// The figures of one room, group, weekday, series or organizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ReportRow {
    /// The room's address, the group's name, the weekday (`monday` …), the address of the series' room, or the organizer's address.
    /// Null: rooms without a group, or events whose organizer is not known.
    pub(crate) key: Option<String>,
    /// The room's display name, if it is configured.
    pub(crate) name: Option<String>,
    /// The organizer of a series, with `report.organizers = true` only.
    pub(crate) organizer: Option<String>,
    /// The figures.
    pub(crate) figures: Figures,
}

/// Something that the figures do not cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NotKnown {
    /// A stable name: `hours-used`, `before-journal`, `archived`, `open`, `needs-attention`, `without-time`, `undone-action`,
    /// `time-zone` or `organizer`.
    pub(crate) id: &'static str,
    /// An explanation in a sentence.
    pub(crate) message: String,
}

impl Report {
    /// Keeps this many rows, and sums the others up. Groups overlap, and so does their sum.
    #[must_use]
    pub(crate) fn with_rows_max(mut self, max: usize) -> Self {
        for row in self.rows.drain(max.min(self.rows.len())..) {
            self.further.get_or_insert_default().merge(&row.figures);
        }
        self
    }
}
