//! `adjourn undo`: restores what an action changed.

use super::args::{ConnectionArgs, UndoArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::perform::{actor, print_answer};
use super::service_action::{ActionOrder, Handling, perform_or_open};
use crate::action::{Action, ActionId};
use crate::engine::{Mode, unknown_action};

pub(super) async fn run(
    mut args: UndoArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let of = ActionId(args.action);
    let order = ActionOrder::undo(args.action, &args.request);
    let opened = match perform_or_open(&order, &mut args.request, connection, output).await? {
        Handling::Answered(exit) => return Ok(exit),
        Handling::Here(opened) => opened,
    };
    let record = opened.engine.journal().action_record(of).await;
    let record = record.map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    let Some(record) = record else {
        let refusal = unknown_action(&**opened.engine.journal(), of).await?;
        return Err(CommandError::new(Exit::Refused, refusal.to_string()));
    };
    let (room, target) = (record.action.room, record.action.target);
    let mut action = Action::undo(room, of, actor()).target(target);
    action.reason = args.request.reason;
    action.key = args.request.idempotency_key;
    let mode = if args.request.dry_run { Mode::DryRun } else { Mode::Perform };
    if mode == Mode::Perform {
        connect::recover_room(&opened.engine, &action.room, output).await?;
    }
    let answer = opened.engine.perform(action.clone(), mode).await;
    print_answer(&action, &answer.map_err(|error| CommandError::from_error(Exit::Journal, error))?, output)
}
