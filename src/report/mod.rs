//! The report: figures about the actions of a period, made of the journal's action records. It never reads a calendar and never
//! estimates: a figure that the journal does not have is named as not known.
//!
//! ```text
//! journal ──pages──► gather ──ActionRecord──► effect (pure) ──► Totals, Rows (pure, bounded) ──► Report
//! ```
//!
//! | file | has |
//! | --- | --- |
//! | `dimension.rs` | the ways to break the figures down |
//! | `effect.rs` | what one action did to the time of its room |
//! | `figures.rs` | the figures of some actions |
//! | `gather.rs` | reads the journal page by page |
//! | `not_known.rs` | what the figures do not cover |
//! | `period.rs` | the period and its default |
//! | `refusal_name.rs` | the names of refusals |
//! | `room_facts.rs` | groups and time zone of a room |
//! | `rows.rs` | the figures by room, group, weekday, series or organizer |
//! | `totals.rs` | the figures of all actions: by kind, state and reason |
//! | `view.rs` | the report as the API and the command line return it |

mod dimension;
mod effect;
mod figures;
mod gather;
mod not_known;
mod period;
mod refusal_name;
mod room_facts;
mod rows;
#[cfg(test)]
mod tests;
mod totals;
mod view;

pub use dimension::Dimension;
pub(crate) use dimension::ROWS_MAX;
pub(crate) use figures::{CountedTime, Figures, Span};
pub(crate) use gather::{ReportRequest, gather};
pub(crate) use period::period;
pub(crate) use refusal_name::refusal_name;
pub(crate) use view::{Report, ReportRow};
