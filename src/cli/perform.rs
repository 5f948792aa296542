//! `adjourn end` and `adjourn delete`: one action.

use serde::Serialize;

use super::args::{Connection, DeleteArgs, EndArgs, TargetArgs};
use super::connect::{self, Journalled};
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::action::{
    Action, ActionId, Actor, AllDay, Already, Answer, Ask, Change, DeleteHow, Done, Notify, Outcome, Target,
    Times, Told, Undoable,
};
use crate::calendar::{Copy, EventId, RoomAddress};
use crate::engine::Mode;

pub(super) async fn end(args: EndArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let notify = if args.silent { Notify::Nobody } else { Notify::Attendees };
    perform(args.target, Ask::End(notify), connection, output).await
}

pub(super) async fn delete(
    args: DeleteArgs,
    connection: &Connection,
    output: &Output,
) -> Result<Exit, Failure> {
    let how = if args.silent { DeleteHow::Silent } else { DeleteHow::Tell };
    perform(args.target, Ask::Delete(how), connection, output).await
}

/// The answer as `--json` prints it.
#[derive(Serialize)]
struct Printed<'a> {
    action: ActionId,
    repeated: bool,
    room: &'a RoomAddress,
    #[serde(flatten)]
    outcome: &'a Outcome,
    message: &'a str,
}

async fn perform(
    args: TargetArgs,
    ask: Ask,
    connection: &Connection,
    output: &Output,
) -> Result<Exit, Failure> {
    let rehearsal = args.wish.dry_run;
    let mode = if rehearsal { Mode::Rehearse } else { Mode::Perform };
    let action = action(args, ask)?;
    let room = action.room.clone();
    let journalled = if rehearsal { Journalled::Looks } else { Journalled::Acts };
    let engine = connect::open(connection, journalled, output).await?.engine;
    let answer =
        engine.perform(action, mode).await.map_err(|error| Failure::from_error(Exit::Journal, error))?;
    print(&room, &answer, output)
}

/// Prints an answer; the exit code says how it ended.
pub(super) fn print(room: &RoomAddress, answer: &Answer, output: &Output) -> Result<Exit, Failure> {
    let Answer { action, outcome, repeated } = answer;
    let again = if *repeated { "as answered before: " } else { "" };
    let message = format!("{again}{}", describe(outcome));
    let printed = Printed { action: *action, repeated: *repeated, room, outcome, message: &message };
    output.data(&printed, || format!("{room}: {message}\naction {action}"))?;
    Ok(Exit::of(outcome))
}

fn action(args: TargetArgs, ask: Ask) -> Result<Action, Failure> {
    let room =
        args.room.parse().map_err(|error| Failure::new(Exit::Usage, "ROOM is no address").because(error))?;
    let seen = args.seen_start.zip(args.seen_end).map(|(start, end)| Times { start, end });
    Ok(Action {
        id: ActionId::random(),
        room,
        target: args.event.map_or(Target::Current, |id| Target::Event { id: EventId::new(id), seen }),
        ask,
        actor: Actor::User { name: user_name() },
        reason: args.wish.reason,
        all_day: if args.all_day { AllDay::Include } else { AllDay::Spare },
        key: args.wish.idempotency_key,
    })
}

pub(super) fn user_name() -> String {
    ["USER", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// An outcome in one sentence for a person.
pub(super) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(done) => describe_done(done),
        Outcome::AlreadyDone { why: Already::Over } => "already over; nothing was changed".to_owned(),
        Outcome::AlreadyDone { why: Already::ByAction { action } } => {
            format!("done already, by action {action}; nothing was changed now")
        }
        Outcome::AlreadyDone { why: Already::Restored } => {
            "has its old end already; nothing was changed".to_owned()
        }
        Outcome::AlreadyDone { why: Already::Gone } => "already gone; nothing was changed".to_owned(),
        Outcome::Refused { refusal } => format!("refused: {refusal}"),
        Outcome::NeedsAttention { advice, .. } => format!("needs attention: {advice}"),
    }
}

fn describe_done(done: &Done) -> String {
    let copy = match done.copy {
        Copy::Attendee => "the room's attendee copy",
        Copy::Organizer => "the room's organizer copy",
        Copy::Plain => "the room's own event",
    };
    let change = match done.change {
        Change::Ended { from, to } => {
            format!("now ends {} instead of {}", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::Extended { from, to } => {
            format!("ends {} now instead of {}", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::Booked => format!("was booked until {}", done.event.end.format("%H:%MZ")),
        Change::Declined => "was declined".to_owned(),
        Change::Cancelled => "was cancelled".to_owned(),
        Change::Removed => "was moved to Deleted Items".to_owned(),
        Change::EndRestored { from, to } => {
            format!("ends {} again instead of {}", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::MovedBack => "was moved back from Deleted Items".to_owned(),
    };
    let told = match done.told {
        Told::Nobody => "nobody was told",
        Told::Organizer => "the organizer was told",
        Told::Attendees => "the attendees were told",
    };
    let undoable = match done.undoable {
        Undoable::Yes => "can be undone".to_owned(),
        Undoable::No { because } => format!("cannot be undone: {because}"),
    };
    let rehearsed = if done.rehearsed { "rehearsal, nothing was changed: " } else { "" };
    format!(
        "{rehearsed}{copy} of the event at {} {change}; {told}; {undoable}",
        done.event.start.format("%F %H:%MZ")
    )
}
