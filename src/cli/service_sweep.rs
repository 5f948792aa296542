//! `adjourn cleanup --apply` while the service runs: the service plans the sweep, with its own evidence, and applies it, since it owns
//! the journal. Waits for the result and prints it; decides nothing about an event.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::args::{CleanupArgs, ConnectionArgs};
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::service_action::{local_service, refuse_own_connection};
use super::service_client::{ServiceClient, ServiceReply};
use super::sweep_rooms::{SweepRooms, rooms_of_file};
use crate::printable::escape;

/// Pause between two requests for the state of the sweep.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long the command waits for a plan, and again for its application. Ten thousand rooms take minutes, unless Exchange hangs.
const SWEEP_WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Requests for the state of the sweep that may fail one after another; the next one ends the command.
const LOSSES_MAX: usize = 3;

/// The parts of a sweep that the command uses.
#[derive(Deserialize)]
struct SweepReply {
    id: Uuid,
    state: String,
    message: Option<String>,
    unread_rooms: usize,
    applied: Vec<AppliedReply>,
}

#[derive(Deserialize)]
struct AppliedReply {
    room: String,
    message: String,
    state: String,
    problem_type: Option<String>,
}

/// Has the running service apply a sweep. `None`: no service runs with this state directory.
pub(super) async fn apply(
    args: &CleanupArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Option<Exit>, CommandError> {
    let Some(service) = local_service(connection, output).await? else { return Ok(None) };
    refuse_own_connection(connection)?;
    refuse_own_evidence(args)?;
    let named = args.rooms.as_deref().map(|path| rooms_of_file(path, output)).transpose()?;
    let left_out = named.as_ref().map_or(0, |rooms| rooms.left_out);
    let rooms =
        |SweepRooms { usable, .. }: SweepRooms| usable.iter().map(ToString::to_string).collect::<Vec<_>>();
    let body = serde_json::json!({ "rooms": named.map(rooms) });
    let begun: SweepReply = successful(service.post("/v1/sweeps", &[], &body).await?)?.parse()?;
    let ended = apply_planned(&service, begun.id).await;
    let (reply, sweep, is_applied) = ended.map_err(|error| of_sweep(begun.id, error))?;
    let exit = print(&reply, &sweep, output)?;
    Ok(Some(if is_applied { exit.or_partial(left_out) } else { exit }))
}

/// Waits for the plan, and has it applied if the service allows it.
async fn apply_planned(
    service: &ServiceClient,
    id: Uuid,
) -> Result<(ServiceReply, SweepReply, bool), CommandError> {
    let path = format!("/v1/sweeps/{id}");
    let (reply, planned) = wait(service, &path, &["planning"]).await?;
    if planned.state != "planned" || planned.message.is_some() {
        return Ok((reply, planned, false));
    }
    successful(service.post(&format!("{path}/apply"), &[], &serde_json::json!({})).await?)?;
    let (reply, applied) = wait(service, &path, &["planned", "applying"]).await?;
    Ok((reply, applied, true))
}

/// Adds the sweep to an error: the service may go on with it.
fn of_sweep(id: Uuid, mut error: CommandError) -> CommandError {
    error.causes.push(format!("the sweep's id is {id}: GET /v1/sweeps/{id} shows its state"));
    error
}

/// The service has signs, plans and a horizon of its own.
fn refuse_own_evidence(args: &CleanupArgs) -> Result<(), CommandError> {
    let given = [
        ("--evidence", args.evidence.is_some()),
        ("--accept-no-evidence", args.accept_no_evidence),
        ("--from-plan", args.from_plan.is_some()),
        ("--shard", args.shard.is_some()),
        ("--from", args.from.is_some()),
        ("--to", args.to.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => Err(CommandError::new(
            Exit::Usage,
            format!(
                "leave {flag} out: the running service applies a sweep with its own evidence; send it check-ins with POST \
                 /v1/evidence, or stop it first"
            ),
        )),
    }
}

fn successful(reply: ServiceReply) -> Result<ServiceReply, CommandError> {
    if reply.is_success() { Ok(reply) } else { Err(reply.failure()) }
}

/// Waits until the sweep has another state than these. A request that is lost is sent again: it changes nothing.
async fn wait(
    service: &ServiceClient,
    path: &str,
    states: &[&str],
) -> Result<(ServiceReply, SweepReply), CommandError> {
    let (begun, mut losses) = (Instant::now(), 0);
    while begun.elapsed() < SWEEP_WAIT_MAX {
        match service.get(path).await {
            Ok(reply) => {
                losses = 0;
                let reply = successful(reply)?;
                let sweep: SweepReply = reply.parse()?;
                if !states.contains(&sweep.state.as_str()) {
                    return Ok((reply, sweep));
                }
            }
            Err(lost) => {
                losses += 1;
                if losses > LOSSES_MAX {
                    return Err(lost.into());
                }
            }
        }
        sleep(POLL_INTERVAL).await;
    }
    let minutes = SWEEP_WAIT_MAX.as_secs() / 60;
    Err(CommandError::new(Exit::Unavailable, format!("the sweep did not end within {minutes} minutes")))
}

fn print(reply: &ServiceReply, sweep: &SweepReply, output: &Output) -> Result<Exit, CommandError> {
    let text = || {
        let lines = sweep.applied.iter().map(|one| format!("{}: {}\n", one.room, escape(&one.message)));
        let why = sweep.message.iter().map(|why| format!("This plan was not applied: {}\n", escape(why)));
        let done = sweep.applied.iter().filter(|one| one.state == "done").count();
        let summary =
            format!("{} actions, {done} done, {} rooms not read", sweep.applied.len(), sweep.unread_rooms);
        lines.chain(why).chain([summary]).collect()
    };
    output.document(&reply.body, text)?;
    Ok(exit_of(sweep))
}

fn exit_of(sweep: &SweepReply) -> Exit {
    let is_failure = |one: &AppliedReply| {
        let kind = one.problem_type.as_deref().unwrap_or_default();
        one.state == "open" || kind.contains(":exchange-") || kind.ends_with(":still-in-doubt")
    };
    match sweep.state.as_str() {
        "failed" => Exit::Journal,
        "stopped" | "planned" => Exit::Stopped,
        _ if sweep.applied.iter().any(|one| one.state == "needs-attention") => Exit::NeedsAttention,
        _ if sweep.unread_rooms > 0 || sweep.applied.iter().any(is_failure) => Exit::Partial,
        _ => Exit::Done,
    }
}
