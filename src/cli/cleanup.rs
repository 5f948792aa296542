//! `adjourn cleanup`: plans a sweep, and applies it with --apply. Without --apply it changes nothing.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::{CleanupArgs, ConnectionArgs};
use super::connect::{self, JournalAccess, OpenedEngine};
use super::evidence::Evidence;
use super::exit::{CommandError, Exit};
use super::explain;
use super::output::{Output, table};
use super::progress::progress_listener;
use super::service_sweep;
use super::sweep_rooms::{SweepRooms, rooms_of_file, unreadable};
use crate::action::{ActionId, Naming, Outcome, Refusal};
use crate::api::{AppliedView, EventSnapshotView};
use crate::calendar::Window;
use crate::cleanup::{
    AppliedAction, Attendance, NoAttendance, ReadOnlyAttendance, Rule, SignsRead, Sweep, SweepError,
    SweepPlan, SweepResult, UnfinishedAction, Verdict,
};
use crate::engine::Mode;
use crate::presence::SignLog;
use crate::printable::escape;
use crate::text_file;

pub(super) async fn run(
    args: CleanupArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let acts = args.apply && !args.dry_run;
    if acts && let Some(exit) = service_sweep::apply(&args, connection, output).await? {
        return Ok(exit);
    }
    let journalled = if acts { JournalAccess::ReadWrite } else { JournalAccess::ReadOnly };
    let opened = connect::open(connection, journalled, output).await?;
    let journal = opened.engine.journal().clone();
    connect::closing(&*journal, sweep(args, opened, connection, output)).await
}

async fn sweep(
    args: CleanupArgs,
    opened: OpenedEngine,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let acts = args.apply && !args.dry_run;
    if acts {
        connect::recover(&opened.engine, output).await?;
    }
    explain::print_warnings(&opened.config, output);
    require_evidence(&args, &opened)?;
    let mut left_out = 0;
    let old = args.from_plan.as_deref().map(read_plan).transpose()?;
    let rooms = match &old {
        Some(plan) => plan.rooms.iter().map(|room| room.room.clone()).collect(),
        None => {
            let rooms = rooms(&args, &opened, output)?;
            left_out = rooms.left_out;
            let mut rooms = rooms.usable;
            rooms.retain(|room| args.shard.is_none_or(|shard| shard.holds(room)));
            rooms
        }
    };
    let stored = stored_signs(connection, opened.engine.clock().now()).await?;
    let evidence = Evidence::read(&args, &rooms, &opened.engine, stored).await?;
    let books = evidence.books.clone();
    let sweep = Sweep::new(
        opened.engine.clone(),
        opened.config.service.rules.clone(),
        books,
        opened.config.service.max_concurrent_rooms,
    );
    let sweep =
        sweep.with_attendance(attendance(connection, acts).await?).with_progress(progress_listener(output));
    let plan = match old {
        Some(plan) => plan,
        None => {
            let mut plan = sweep.plan(&rooms, window(&args, &opened)?).await;
            evidence.add_to(&mut plan)?;
            plan
        }
    };
    for line in plan.signs.iter().flat_map(|signs| &signs.unmatched) {
        output.note(line);
    }
    if !args.apply {
        output.data(&plan, || render_plan(&plan, args.all))?;
        return Ok(exit_of_plan(&plan).or_partial(left_out));
    }
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Perform };
    match sweep.apply(&plan, mode).await {
        Ok(swept) => print_report(&plan, &swept, output).map(|exit| exit.or_partial(left_out)),
        Err(error) => Err(CommandError::from_error(exit_of(&error), error)),
    }
}

/// Loads the signs of the service that uses this state directory, if any: they protect meetings too.
async fn stored_signs(connection: &ConnectionArgs, now: DateTime<Utc>) -> Result<SignLog, CommandError> {
    match connect::storage(connection)?.service_store_if_any().await? {
        Some(store) => Ok(store.load_signs(now, SignLog::default()).await?),
        None => Ok(SignLog::default()),
    }
}

/// The record of attendance of series. Only an applying run creates the file and adds to it.
async fn attendance(connection: &ConnectionArgs, acts: bool) -> Result<Arc<dyn Attendance>, CommandError> {
    let storage = connect::storage(connection)?;
    if acts {
        return Ok(Arc::new(storage.service_store().await?));
    }
    Ok(match storage.service_store_if_any().await? {
        Some(store) => Arc::new(ReadOnlyAttendance(store)),
        None => Arc::new(NoAttendance),
    })
}

/// Requires --evidence for the rule cleanup.no_check_in: without check-ins the rule would release every meeting.
fn require_evidence(args: &CleanupArgs, opened: &OpenedEngine) -> Result<(), CommandError> {
    let needed = opened.config.service.rules.check_in_anywhere() && !args.accept_no_evidence;
    match (needed, &args.evidence) {
        (true, None) => Err(CommandError::new(
            Exit::Usage,
            "cleanup.no_check_in needs evidence, or every meeting would look abandoned: give --evidence FILE",
        )),
        _ => Ok(()),
    }
}

fn rooms(args: &CleanupArgs, opened: &OpenedEngine, output: &Output) -> Result<SweepRooms, CommandError> {
    let Some(path) = &args.rooms else {
        let rooms: Vec<_> = opened.engine.scope().rooms().cloned().collect();
        return if rooms.is_empty() {
            Err(CommandError::new(
                Exit::Usage,
                "no rooms: list rooms under [scope] in adjourn.toml, or give --rooms FILE",
            ))
        } else {
            Ok(SweepRooms { usable: rooms, left_out: 0 })
        };
    };
    rooms_of_file(path, output)
}

fn window(args: &CleanupArgs, opened: &OpenedEngine) -> Result<Window, CommandError> {
    let from = args.from.unwrap_or_else(|| opened.engine.clock().now());
    let to = args.to.unwrap_or(from + opened.config.service.horizon);
    Window::new(from, to).map_err(|error| CommandError::from_error(Exit::Usage, error))
}

/// Bytes of a plan: ten thousand rooms are a few megabytes.
const PLAN_BYTES_MAX: u64 = 256 << 20;

fn read_plan(path: &Path) -> Result<SweepPlan, CommandError> {
    let text = text_file::read(path, PLAN_BYTES_MAX).map_err(|error| unreadable(path).caused_by(error))?;
    serde_json::from_str(&text).map_err(|error| {
        CommandError::new(
            Exit::Usage,
            format!("{} is not a plan: make one with adjourn cleanup --plan --json", path.display()),
        )
        .caused_by(error)
    })
}

fn render_plan(plan: &SweepPlan, all: bool) -> String {
    let mut table = table(&["ROOM", "START", "END", "DECISION", "REASON"]);
    for room in &plan.rooms {
        for judged in &room.events {
            let (verdict, why) = match &judged.verdict {
                Verdict::Act { how, why, .. } => (how.to_string(), why.clone()),
                Verdict::Keep { why } if all || why.needs_review() => ("keep".to_owned(), why.to_string()),
                Verdict::Keep { .. } => continue,
            };
            let (start, end) = (judged.event.start.format("%F %H:%MZ"), judged.event.end.format("%H:%MZ"));
            table.add_row([room.room.to_string(), start.to_string(), end.to_string(), verdict, why]);
        }
        if let Some(trouble) = &room.trouble {
            table.add_row([room.room.as_str(), "", "", "not read", trouble]);
        }
    }
    let mut text = String::new();
    if table.row_count() > 0 {
        text = format!("{table}\n\n");
    }
    let (rooms, events, actions) = (plan.rooms.len(), plan.events(), plan.actions().count());
    if let Some(SignsRead { read, matched, newest, .. }) = &plan.signs {
        let newest =
            newest.map_or_else(String::new, |newest| format!(", newest at {}", newest.format("%FT%TZ")));
        text += &format!("{read} signs read, {matched} matched{newest}\n");
    }
    text += &format!(
        "{rooms} rooms, {events} events, {actions} to act on, {} rooms not read",
        plan.unreadable_rooms()
    );
    if let Some(stop) = &plan.stop {
        text += &format!("\nThis plan cannot be applied: {stop}");
    }
    text
}

/// The output of `--apply --json`.
#[derive(Serialize)]
struct AppliedReport {
    rooms: usize,
    events: usize,
    unread_rooms: usize,
    applied: Vec<PrintedApplied>,
    /// Actions whose outcome is not known, because the journal failed.
    unfinished: Vec<PrintedUnfinished>,
    not_started: usize,
    /// Actions that were left out because their room is in observe mode.
    observe_only: usize,
}

/// The result of one action: as the API returns it, and what only the command line shows.
#[derive(Serialize)]
pub(super) struct PrintedApplied {
    #[serde(flatten)]
    pub(super) view: AppliedView,
    event: EventSnapshotView,
    rule: Rule,
    /// Unattended dates of the series in a row, including this one; 0 when they are not counted.
    missed: u32,
}

#[derive(Serialize)]
struct PrintedUnfinished {
    room: String,
    event: EventSnapshotView,
    action_id: ActionId,
}

impl PrintedApplied {
    pub(super) fn new(one: &AppliedAction) -> Self {
        Self {
            view: AppliedView::of(one, Naming::Named),
            event: EventSnapshotView::from(&one.event),
            rule: one.rule,
            missed: one.missed,
        }
    }
}

impl PrintedUnfinished {
    fn new(one: &UnfinishedAction) -> Self {
        Self { room: one.room.to_string(), event: EventSnapshotView::from(&one.event), action_id: one.action }
    }
}

fn print_report(plan: &SweepPlan, swept: &SweepResult, output: &Output) -> Result<Exit, CommandError> {
    let SweepResult { applied, unfinished, not_started, journal_error: broken_off, observe_only } = swept;
    let report = AppliedReport {
        rooms: plan.rooms.len(),
        events: plan.events(),
        unread_rooms: plan.unreadable_rooms(),
        applied: applied.iter().map(PrintedApplied::new).collect(),
        unfinished: unfinished.iter().map(PrintedUnfinished::new).collect(),
        not_started: *not_started,
        observe_only: *observe_only,
    };
    let printed = output.data(&report, || render_applied(plan, swept));
    if let Some(error) = broken_off {
        let message = format!(
            "the sweep stopped because the journal is unavailable: {} actions in progress, {not_started} not started; run it \
             again when the journal is available",
            unfinished.len()
        );
        return Err(CommandError::new(Exit::Journal, message).caused_by(error));
    }
    // What was requested and not done counts as refused.
    printed.map(|()| if *observe_only > 0 { Exit::Refused } else { exit_of_applied(plan, applied) })
}

fn render_applied(plan: &SweepPlan, swept: &SweepResult) -> String {
    let SweepResult { applied, unfinished: open, not_started: unbegun, observe_only: observed, .. } = swept;
    let lines = applied.iter().map(|one| format!("{}: {}\n", one.room, escape(&one.outcome.to_string())));
    let open_lines = open.iter().map(|one| {
        let start = one.event.start.format("%F %H:%MZ");
        format!("{}: outcome unknown so far: event at {start}, action {}\n", one.room, one.action)
    });
    let done = applied.iter().filter(|one| matches!(one.outcome, Outcome::Done(_))).count();
    let mut summary = format!("{} rooms, {} actions, {done} done", plan.rooms.len(), applied.len());
    if open.len() + unbegun > 0 {
        summary += &format!(", {} unknown, {unbegun} not started", open.len());
    }
    if *observed > 0 {
        summary +=
            &format!("; {observed} refused: cleanup.mode is \"observe\" in their rooms; set it to \"act\"");
    }
    lines.chain(open_lines).chain([summary]).collect()
}

fn exit_of_plan(plan: &SweepPlan) -> Exit {
    match (plan.stop, plan.unreadable_rooms()) {
        (Some(_), _) => Exit::Stopped,
        (None, 0) => Exit::Done,
        (None, _) => Exit::Partial,
    }
}

fn exit_of_applied(plan: &SweepPlan, applied: &[AppliedAction]) -> Exit {
    if applied.iter().any(|one| matches!(one.outcome, Outcome::NeedsAttention { .. })) {
        return Exit::NeedsAttention;
    }
    let failed = applied.iter().any(|one| is_failure(&one.outcome));
    if failed || plan.unreadable_rooms() > 0 { Exit::Partial } else { Exit::Done }
}

/// Whether an outcome is a failure. A refusal because somebody checked in or changed the event is normal; a refusal by Exchange
/// is not.
fn is_failure(outcome: &Outcome) -> bool {
    let by_exchange = matches!(outcome, Outcome::Refused { refusal: Refusal::Exchange { .. } });
    by_exchange || !matches!(Exit::of(outcome), Exit::Done | Exit::Refused)
}

fn exit_of(error: &SweepError) -> Exit {
    match error {
        SweepError::OverLimit(_) => Exit::Stopped,
        SweepError::UnknownFormat(_) => Exit::Usage,
    }
}
