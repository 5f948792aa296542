//! An outcome in one sentence for a person. Times are UTC, in hours and minutes.

use std::fmt;

use super::{Change, Done, NoChangeReason, Notified, Outcome, Reversibility};
use crate::calendar::Copy;

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(self))
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(done) => describe_done(done),
        Outcome::AlreadyDone { why: NoChangeReason::Over } => "already over; nothing was changed".to_owned(),
        Outcome::AlreadyDone { why: NoChangeReason::ByAction { action } } => {
            format!("done already, by action {action}; nothing was changed now")
        }
        Outcome::AlreadyDone { why: NoChangeReason::Restored } => {
            "has its old end already; nothing was changed".to_owned()
        }
        Outcome::AlreadyDone { why: NoChangeReason::Declined } => {
            "already declined; nothing was changed".to_owned()
        }
        Outcome::AlreadyDone { why: NoChangeReason::Gone } => "already gone; nothing was changed".to_owned(),
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
        Change::Booked => "was booked".to_owned(),
        Change::Declined => "was declined".to_owned(),
        Change::Cancelled => "was cancelled".to_owned(),
        Change::Removed => "was moved to Deleted Items".to_owned(),
        Change::EndRestored { from, to } => {
            format!("ends {} again instead of {}", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::MovedBack => "was moved back from Deleted Items".to_owned(),
    };
    let told = match done.notified {
        Notified::Nobody => "nobody was told",
        Notified::Organizer => "the organizer was told",
        Notified::Attendees => "the attendees were told",
        Notified::Unknown => "Exchange did not confirm that a message was sent about it",
    };
    let undoable = match done.reversibility {
        Reversibility::Reversible => "can be undone".to_owned(),
        Reversibility::Irreversible { because } => format!("cannot be undone: {because}"),
    };
    if done.change == Change::Booked {
        let (from, until) = (done.event.start.format("%F %H:%MZ"), done.event.end.format("%H:%MZ"));
        let rehearsed = if done.dry_run { "rehearsal, nothing was changed: " } else { "" };
        return format!("{rehearsed}the room is booked from {from} until {until}; {undoable}");
    }
    let rehearsed = if done.dry_run { "rehearsal, nothing was changed: " } else { "" };
    format!(
        "{rehearsed}{copy} of the event at {} {change}; {told}; {undoable}",
        done.event.start.format("%F %H:%MZ")
    )
}
