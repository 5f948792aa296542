//! `adjourn end`, `delete`, `extend` and `book`: request one action and print its outcome.

use serde::Serialize;

use super::args::{BookArgs, ConnectionArgs, DeleteArgs, EndArgs, ExtendArgs, TargetArgs};
use super::connect::{self, JournalAccess};
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::suggest;
use crate::action::{
    Action, ActionId, ActionKind, Actor, AllDay, Answer, DeleteMode, IrreversibleReason, Notify, Outcome,
    Reversibility, Target, TimeRange,
};
use crate::calendar::RoomAddress;
use crate::engine::Mode;
use crate::printable::escape;

pub(super) async fn end(
    args: EndArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let notify = if args.silent { Notify::Nobody } else { Notify::Attendees };
    perform(args.target, ActionKind::End(notify), connection, output).await
}

pub(super) async fn delete(
    args: DeleteArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let how = if args.silent { DeleteMode::Silent } else { DeleteMode::Notify };
    perform(args.target, ActionKind::Delete(how), connection, output).await
}

pub(super) async fn extend(
    args: ExtendArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    perform(args.target, ActionKind::Extend { minutes: args.minutes }, connection, output).await
}

pub(super) async fn book(
    args: BookArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let BookArgs { room, minutes, request: wish } = args;
    let target =
        TargetArgs { room, event: None, if_start: None, if_end: None, all_day: false, request: wish };
    perform(target, ActionKind::Book { minutes }, connection, output).await
}

/// The output of `--json`.
#[derive(Serialize)]
struct PrintedAnswer<'a> {
    id: ActionId,
    repeated: bool,
    room: &'a RoomAddress,
    #[serde(flatten)]
    outcome: &'a Outcome,
    message: &'a str,
}

async fn perform(
    args: TargetArgs,
    ask: ActionKind,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let rehearsal = args.request.dry_run;
    let mode = if rehearsal { Mode::DryRun } else { Mode::Perform };
    let action = build_action(args, ask)?;
    let journalled = if rehearsal { JournalAccess::ReadOnly } else { JournalAccess::ReadWrite };
    let engine = connect::open(connection, journalled, output).await?.engine;
    if mode == Mode::Perform {
        connect::recover_room(&engine, &action.room, output).await?;
    }
    let answer = engine
        .perform(action.clone(), mode)
        .await
        .map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    let exit = print_answer(&action.room, &answer, output)?;
    suggest::print_meant(&engine, &action, &answer.outcome, output).await;
    Ok(exit)
}

/// Prints an outcome and returns its exit code.
pub(super) fn print_answer(
    room: &RoomAddress,
    answer: &Answer,
    output: &Output,
) -> Result<Exit, CommandError> {
    let Answer { action, outcome, repeated } = answer;
    let again = if *repeated { "Same answer as before: " } else { "" };
    let message = format!("{again}{}", outcome);
    let printed = PrintedAnswer { id: *action, repeated: *repeated, room, outcome, message: &message };
    output.data(&printed, || format!("{room}: {}\naction {action}", escape(&message)))?;
    if let Outcome::Done(done) = outcome
        && !done.dry_run
        && done.reversibility
            == (Reversibility::Irreversible { because: IrreversibleReason::ServerCannotRestore })
    {
        output.note(&way_back(room));
    }
    Ok(Exit::of(outcome))
}

/// How an administrator brings a removed event back where the server has no operation for it. The restored item is shown as
/// declined, and takes its time again once the room has accepted it.
fn way_back(room: &RoomAddress) -> String {
    format!(
        "adjourn: an administrator can bring the event back for 14 days, in Exchange Online PowerShell:\n  \
         Get-RecoverableItems -Identity {room} -SourceFolder DeletedItems -FilterItemType IPM.Appointment\n  \
         Restore-RecoverableItems -Identity {room} -SourceFolder DeletedItems -EntryID <EntryID>"
    )
}

fn build_action(args: TargetArgs, ask: ActionKind) -> Result<Action, CommandError> {
    let room = connect::parse_address("ROOM", &args.room)?;
    let seen = args.if_start.zip(args.if_end).map(|(start, end)| TimeRange { start, end });
    Ok(Action {
        id: ActionId::random(),
        room,
        target: args.event.map_or(Target::Current, |id| Target::Event { id, seen }),
        kind: ask,
        actor: Actor::User { name: user_name() },
        reason: args.request.reason,
        all_day: if args.all_day { AllDay::Include } else { AllDay::Spare },
        key: args.request.idempotency_key,
    })
}

pub(super) fn user_name() -> String {
    ["USER", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
