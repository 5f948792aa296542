//! `adjourn decisions`: prints decisions about meetings: attended, released, would be released (observe mode), and undecided.
//! Reads the service store; sends nothing to Exchange.

use chrono::TimeDelta;
use serde::Serialize;

use super::args::{ConnectionArgs, DecisionsArgs};
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::storage::Storage;
use crate::cleanup::{Decision, DecisionKind};
use crate::clock::{Clock as _, SystemClock};
use crate::timestamp::Timestamp;

/// The output of `--json`.
#[derive(Serialize)]
struct DecisionList {
    /// Every outcome, in this order.
    counts: Vec<DecisionCount>,
    decisions: Vec<PrintedDecision>,
}

#[derive(Serialize)]
struct DecisionCount {
    outcome: DecisionKind,
    count: usize,
}

#[derive(Serialize)]
struct PrintedDecision {
    room: String,
    /// The meeting's UID; its item id if it has none.
    uid: String,
    start: Timestamp,
    end: Timestamp,
    decided_at: Timestamp,
    outcome: DecisionKind,
    reason: String,
}

impl From<Decision> for PrintedDecision {
    fn from(decision: Decision) -> Self {
        let Decision { room, uid, start, end, decided_at, outcome, why } = decision;
        let (start, end, decided_at) = (start.into(), end.into(), decided_at.into());
        Self { room: room.to_string(), uid, start, end, decided_at, outcome, reason: why }
    }
}

impl DecisionList {
    fn of(decisions: Vec<Decision>) -> Self {
        let count = |outcome| decisions.iter().filter(|decision| decision.outcome == outcome).count();
        let counts = DecisionKind::ALL.map(|outcome| DecisionCount { outcome, count: count(outcome) });
        let counts = counts.into();
        Self { counts, decisions: decisions.into_iter().map(PrintedDecision::from).collect() }
    }
}

pub(super) async fn run(
    args: DecisionsArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let storage = Storage::of_connection(connection)?;
    let Some(store) = storage.service_store_if_any().await? else {
        let message = format!(
            "no decisions: no service has run with the state directory {}; check --state-dir",
            storage.directory().display()
        );
        return Err(CommandError::new(Exit::Usage, message));
    };
    let since = args.since.unwrap_or_else(|| SystemClock.now() - TimeDelta::days(7));
    let decisions = store.decisions(since).await?;
    let list = DecisionList::of(decisions);
    output.data(&list, || render(&list, args.all))?;
    Ok(Exit::Done)
}

fn render(list: &DecisionList, all: bool) -> String {
    let mut table = table(&["ROOM", "START", "END", "DECISION", "REASON"]);
    for one in list.decisions.iter().filter(|one| all || one.outcome != DecisionKind::Attended) {
        let (start, end) = (one.start.to_utc().format("%F %H:%MZ"), one.end.to_utc().format("%H:%MZ"));
        let cells = [one.room.clone(), start.to_string(), end.to_string(), one.outcome.to_string()];
        table.add_row(cells.into_iter().chain([one.reason.clone()]));
    }
    let counts = list.counts.iter().map(|one| format!("{} {}", one.count, one.outcome));
    let counts = counts.collect::<Vec<_>>().join(", ");
    if table.row_count() > 0 { format!("{table}\n\n{counts}") } else { counts }
}
