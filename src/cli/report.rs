//! `adjourn report`: prints decisions about meetings: attended, released, would be released (observe mode), and undecided. Reads
//! the service store; sends nothing to Exchange.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::args::{ConnectionArgs, ReportArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use crate::cleanup::{Decision, DecisionKind};
use crate::clock::{Clock as _, SystemClock};
use crate::store::ServiceStore;

#[derive(Serialize)]
struct DecisionReport<'a> {
    counts: BTreeMap<DecisionKind, usize>,
    decisions: &'a [Decision],
}

pub(super) async fn run(
    args: ReportArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let directory = connect::state_directory(connection)?;
    if !ServiceStore::exists_in(&directory) {
        let message = format!(
            "no decisions: no service has run with the state directory {}; check --state-dir",
            directory.display()
        );
        return Err(CommandError::new(Exit::Usage, message));
    }
    let failed = |error| CommandError::from_error(Exit::of_store(&error), error);
    let since = args.since.unwrap_or_else(|| SystemClock.now() - TimeDelta::days(7));
    let decisions = ServiceStore::open(&directory).map_err(failed)?.decisions(since).await.map_err(failed)?;
    let mut counts: BTreeMap<_, _> = DecisionKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
    for decision in &decisions {
        *counts.entry(decision.outcome).or_default() += 1;
    }
    let report = DecisionReport { counts, decisions: &decisions };
    output.data(&report, || render(&report, args.all))?;
    Ok(Exit::Done)
}

fn render(report: &DecisionReport<'_>, all: bool) -> String {
    let mut table = table(&["ROOM", "START", "END", "DECISION", "REASON"]);
    for one in report.decisions.iter().filter(|one| all || one.outcome != DecisionKind::Attended) {
        let (start, end) = (one.start.format("%F %H:%MZ"), one.end.format("%H:%MZ"));
        let cells = [one.room.to_string(), start.to_string(), end.to_string(), one.outcome.to_string()];
        table.add_row(cells.into_iter().chain([one.why.clone()]));
    }
    let counts = report.counts.iter().map(|(kind, count)| format!("{count} {kind}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    if table.row_count() > 0 { format!("{table}\n\n{counts}") } else { counts }
}
