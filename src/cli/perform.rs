//! `adjourn end`, `delete`, `extend` and `book`: request one action and print its outcome.

use std::sync::Arc;

use serde::Serialize;

use super::args::{BookArgs, ConnectionArgs, DeleteArgs, EndArgs, ExtendArgs, TargetArgs, UntilArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::recoverable_items::way_back;
use super::service_action::{ActionOrder, Handling, perform_or_open};
use super::suggest;
use crate::action::{
    Action, ActionId, ActionKind, Actor, AllDay, Answer, BookingSubject, BookingTime, DeleteMode,
    IrreversibleReason, Naming, Notify, Outcome, RequestedEnd, Reversibility, Target, TimeRange,
};
use crate::api::{ActionView, Problem};
use crate::calendar::RoomAddress;
use crate::engine::{Engine, Mode};
use crate::os_user::OsUser;
use crate::printable::escape;

pub(super) async fn end(
    args: EndArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let notify = if args.silent { Notify::Nobody } else { Notify::Attendees };
    let request = Request::on_event(args.target, "end")?.with("silent", args.silent);
    perform(request, |_| ActionKind::End(notify), connection, output).await
}

pub(super) async fn delete(
    args: DeleteArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let how = if args.silent { DeleteMode::Silent } else { DeleteMode::Notify };
    let request = Request::on_event(args.target, "delete")?.with("silent", args.silent);
    perform(request, |_| ActionKind::Delete(how), connection, output).await
}

pub(super) async fn extend(
    args: ExtendArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let ExtendArgs { until, target } = args;
    let request = Request::on_event(target, "extend")?.until(&until);
    let kind = |engine: &Engine| ActionKind::Extend(requested_end(&until, engine));
    perform(request, kind, connection, output).await
}

pub(super) async fn book(
    args: BookArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let BookArgs { room, start, until, subject, request: wish } = args;
    let target =
        TargetArgs { room, event: None, if_start: None, if_end: None, all_day: false, request: wish };
    let request = Request::on_event(target, "book")?.until(&until).with("start", start).subject(subject);
    let kind = |engine: &Engine| {
        ActionKind::Book(match (start, until.minutes) {
            (Some(start), Some(minutes)) => BookingTime::exactly(start, minutes),
            _ => BookingTime { start, end: requested_end(&until, engine) },
        })
    };
    perform(request, kind, connection, output).await
}

/// A request for an action in a room: as this process performs it, and as a service does.
struct Request {
    args: TargetArgs,
    room: RoomAddress,
    subject: Option<BookingSubject>,
    order: ActionOrder,
}

impl Request {
    fn on_event(args: TargetArgs, verb: &str) -> Result<Self, CommandError> {
        let room = connect::parse_address("ROOM", &args.room)?;
        let order = ActionOrder::on_event(&room, verb, &args);
        Ok(Self { args, room, subject: None, order })
    }

    fn with(self, member: &str, value: impl Serialize) -> Self {
        Self { order: self.order.with(member, value), ..self }
    }

    fn until(self, until: &UntilArgs) -> Self {
        Self { order: self.order.until(until), ..self }
    }

    fn subject(self, subject: Option<BookingSubject>) -> Self {
        let text = subject.as_ref().map(ToString::to_string);
        Self { subject, ..self.with("subject", text) }
    }
}

/// One of the options is set: the command line demands it.
fn requested_end(until: &UntilArgs, engine: &Engine) -> RequestedEnd {
    match (until.minutes, until.end) {
        (Some(minutes), _) => RequestedEnd::AtMost(minutes),
        (None, Some(end)) => RequestedEnd::At(end),
        (None, None) => RequestedEnd::AtMost(engine.until_next_event()),
    }
}

/// Performs an action whose kind may depend on the engine's options: through the running service, else here.
async fn perform(
    request: Request,
    kind: impl FnOnce(&Engine) -> ActionKind,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut request = request;
    let engine = match perform_or_open(&request.order, &mut request.args.request, connection, output).await? {
        Handling::Answered(exit) => return Ok(exit),
        Handling::Here(opened) => opened.engine,
    };
    let kind = kind(&engine);
    connect::closing(&**engine.journal(), perform_here(request, kind, &engine, output)).await
}

/// Performs an action in this process.
async fn perform_here(
    request: Request,
    kind: ActionKind,
    engine: &Arc<Engine>,
    output: &Output,
) -> Result<Exit, CommandError> {
    let Request { args, room, subject, .. } = request;
    let mode = if args.request.dry_run { Mode::DryRun } else { Mode::Perform };
    let action = Action { subject, ..build_action(args, room, kind) };
    if mode == Mode::Perform {
        connect::recover_room(engine, &action.room, output).await?;
    }
    let answer = engine
        .perform(action.clone(), mode)
        .await
        .map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    let exit = print_answer(&action, &answer, output)?;
    suggest::print_meant(engine, &action, &answer.outcome, output).await;
    Ok(exit)
}

/// Prints an outcome and returns its exit code.
pub(super) fn print_answer(action: &Action, answer: &Answer, output: &Output) -> Result<Exit, CommandError> {
    let (room, Answer { action: id, outcome, repeated }) = (&action.room, answer);
    let again = if *repeated { "Same answer as before: " } else { "" };
    let text = || format!("{room}: {}\naction {id}", escape(&format!("{again}{outcome}")));
    match Problem::for_operator(answer) {
        Some(problem) => output.data(&problem, text)?,
        None => {
            let action = Action { id: *id, ..action.clone() };
            output.success(&ActionView::answered(&action, outcome, *repeated, Naming::Named), text)?;
        }
    }
    if let Outcome::Done(done) = outcome
        && !done.dry_run
        && done.reversibility
            == (Reversibility::Irreversible { because: IrreversibleReason::ServerCannotRestore })
    {
        output.note(&way_back(room.as_str()));
    }
    Ok(Exit::of(outcome))
}

fn build_action(args: TargetArgs, room: RoomAddress, kind: ActionKind) -> Action {
    let seen = args.if_start.zip(args.if_end).map(|(start, end)| TimeRange { start, end });
    Action {
        id: ActionId::random(),
        room,
        target: args.event.map_or(Target::Current, |id| Target::Event { id, seen }),
        kind,
        actor: actor(),
        reason: args.request.reason,
        all_day: if args.all_day { AllDay::Include } else { AllDay::Spare },
        subject: None,
        key: args.request.idempotency_key,
    }
}

/// The person at the command line, as the operating system knows it.
pub(super) fn actor() -> Actor {
    let user = OsUser::current();
    Actor::User { name: user.name(), origin: user.origin() }
}
