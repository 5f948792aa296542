//! What is said to the person who has to look at a calendar. Pure.

use super::Trouble;
use super::select::times;
use crate::action::{Done, Fault, Outcome, Seen, Step, Times};
use crate::calendar::Event;

/// The answer was lost, and what the mailbox shows was made by somebody else since.
pub(super) fn untold(event: &Event, step: &Step) -> Outcome {
    let trouble = Trouble {
        fault: Fault::Nobody,
        advice: "The answer to the change was lost, and somebody else changed the event since".to_owned(),
        code: "in doubt".to_owned(),
    };
    needs_attention(event, step, &trouble)
}

/// Nobody but a person can tell what became of it.
pub(super) fn needs_attention(event: &Event, step: &Step, trouble: &Trouble) -> Outcome {
    let what = match step {
        Step::SetEnd { end, .. } => format!("whether the event ends at {} now", end.format("%F %H:%MZ")),
        Step::Decline { .. } => "whether the event was declined (look in the room's Sent Items)".to_owned(),
        Step::Cancel { .. } => "whether the event was cancelled (look in the room's Sent Items)".to_owned(),
        Step::Remove { .. } => "whether the event is in the room's Deleted Items".to_owned(),
        Step::Book { .. } => "whether the room shows the booking".to_owned(),
        Step::MoveBack { .. } => "whether the event is back on the room's calendar".to_owned(),
    };
    let Times { start, .. } = times(event);
    let advice = format!("check {what}; it started at {}. {trouble}", start.format("%F %H:%MZ"));
    Outcome::NeedsAttention { event: Seen::from(event), advice }
}

/// It was done, but whether somebody else was there at the same time could not be looked up.
pub(super) fn unchecked(done: &Done, trouble: &Trouble) -> Outcome {
    let advice = format!(
        "it was done, but whether another event stands at the same time could not be checked: look at the room's \
         calendar. {trouble}"
    );
    Outcome::NeedsAttention { event: done.event.clone(), advice }
}
