//! `adjourn undo`: put back what an action changed.

use super::args::{Connection, UndoArgs};
use super::connect::{self, Journalled};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::perform::{print, user_name};
use crate::action::{Action, ActionId, ActionKind, Actor};
use crate::engine::{Mode, unknown_action};

pub(super) async fn run(args: UndoArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let of = ActionId(args.action);
    let journalled = if args.wish.dry_run { Journalled::Looks } else { Journalled::Acts };
    let opened = connect::open(connection, journalled, output).await?;
    let life = opened.engine.journal().action_record(of).await;
    let life = life.map_err(|error| Failure::from_error(Exit::Journal, error))?;
    let Some(life) = life else {
        let refusal = unknown_action(&**opened.engine.journal(), of).await;
        let refusal = refusal.map_err(|error| Failure::from_error(Exit::of_journal(&error), error))?;
        return Err(Failure::new(Exit::Refused, refusal.to_string()));
    };
    let mut action = Action::new(
        ActionId::random(),
        life.action.room,
        ActionKind::Undo { of },
        Actor::User { name: user_name() },
    );
    action.target = life.action.target;
    action.reason = args.wish.reason;
    action.key = args.wish.idempotency_key;
    let room = action.room.clone();
    let mode = if args.wish.dry_run { Mode::DryRun } else { Mode::Perform };
    let answer = opened.engine.perform(action, mode).await;
    print(&room, &answer.map_err(|error| Failure::from_error(Exit::Journal, error))?, output)
}
