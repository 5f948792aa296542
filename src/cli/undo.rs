//! `adjourn undo`: restores what an action changed.

use super::args::{ConnectionArgs, UndoArgs};
use super::connect::{self, JournalAccess};
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::perform::{print_answer, user_name};
use crate::action::{Action, ActionId, Actor};
use crate::engine::{Mode, unknown_action};

pub(super) async fn run(
    args: UndoArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let of = ActionId(args.action);
    let journalled = if args.request.dry_run { JournalAccess::ReadOnly } else { JournalAccess::ReadWrite };
    let opened = connect::open(connection, journalled, output).await?;
    let record = opened.engine.journal().action_record(of).await;
    let record = record.map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    let Some(record) = record else {
        let refusal = unknown_action(&**opened.engine.journal(), of).await;
        let refusal = refusal.map_err(|error| CommandError::from_error(Exit::of_journal(&error), error))?;
        return Err(CommandError::new(Exit::Refused, refusal.to_string()));
    };
    let (room, target) = (record.action.room, record.action.target);
    let mut action = Action::undo(room, of, Actor::User { name: user_name() }).target(target);
    action.reason = args.request.reason;
    action.key = args.request.idempotency_key;
    let room = action.room.clone();
    let mode = if args.request.dry_run { Mode::DryRun } else { Mode::Perform };
    if mode == Mode::Perform {
        connect::recover_room(&opened.engine, &room, output).await?;
    }
    let answer = opened.engine.perform(action, mode).await;
    print_answer(&room, &answer.map_err(|error| CommandError::from_error(Exit::Journal, error))?, output)
}
