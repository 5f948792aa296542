//! `adjourn undo`: restores what an action changed.

use std::sync::Arc;

use super::args::{ConnectionArgs, RequestArgs, UndoArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::perform::{actor, print_answer};
use super::service_action::{ActionOrder, Handling, perform_or_open};
use crate::action::{Action, ActionId};
use crate::engine::{Engine, Mode, unknown_action};

pub(super) async fn run(
    mut args: UndoArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let of = ActionId(args.action);
    let order = ActionOrder::undo(args.action, &args.request);
    let engine = match perform_or_open(&order, &mut args.request, connection, output).await? {
        Handling::Answered(exit) => return Ok(exit),
        Handling::Here(opened) => opened.engine,
    };
    connect::closing(&**engine.journal(), undo_here(of, args.request, &engine, output)).await
}

/// Undoes an action in this process.
async fn undo_here(
    of: ActionId,
    request: RequestArgs,
    engine: &Arc<Engine>,
    output: &Output,
) -> Result<Exit, CommandError> {
    let record = engine.journal().action_record(of).await;
    let record = record.map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    let Some(record) = record else {
        let refusal = unknown_action(&**engine.journal(), of).await?;
        return Err(CommandError::new(Exit::Refused, refusal.to_string()));
    };
    let (room, target) = (record.action.room, record.action.target);
    let mut action = Action::undo(room, of, actor()).target(target);
    action.reason = request.reason;
    action.key = request.idempotency_key;
    let mode = if request.dry_run { Mode::DryRun } else { Mode::Perform };
    if mode == Mode::Perform {
        connect::recover_room(engine, &action.room, output).await?;
    }
    let answer = engine.perform(action.clone(), mode).await;
    print_answer(&action, &answer.map_err(|error| CommandError::from_error(Exit::Journal, error))?, output)
}
