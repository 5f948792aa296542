//! What is said to the person who has to look at a calendar. Pure.

use super::CalendarError;
use super::select::times;
use crate::action::{Done, EventSnapshot, Outcome, ResponsibleParty, Step, TimeRange};
use crate::calendar::Event;

/// The answer was lost, and what the mailbox shows was made by somebody else since.
pub(super) fn indeterminate(event: &Event, step: &Step) -> Outcome {
    let trouble = CalendarError {
        responsible: ResponsibleParty::Nobody,
        advice: "The answer to the change was lost, and somebody else changed the event since".to_owned(),
        code: "in doubt".to_owned(),
    };
    needs_attention(event, step, &trouble)
}

/// The account reads the item, and the server does not let it write there.
pub(super) fn not_writable() -> CalendarError {
    CalendarError {
        responsible: ResponsibleParty::Administrator,
        advice: "Exchange reports the event as not found when it is to be changed, although it is on the room's calendar: the \
                 account may read it but not change it; check the account's rights"
            .to_owned(),
        code: "not found".to_owned(),
    }
}

/// The replies were lost, and the mailbox shows that nothing was done.
pub(super) fn reply_lost(trouble: CalendarError) -> CalendarError {
    let advice =
        "Exchange did not confirm the change, and the calendar shows that nothing was done; try again";
    CalendarError { advice: advice.to_owned(), ..trouble }
}

/// Nobody but a person can tell what became of it.
pub(super) fn needs_attention(event: &Event, step: &Step, trouble: &CalendarError) -> Outcome {
    let what = match step {
        Step::SetEnd { end, .. } => format!("whether the event ends at {} now", end.format("%F %H:%MZ")),
        Step::Decline { .. } => "whether the event was declined (look in the room's Sent Items)".to_owned(),
        Step::Cancel { .. } => "whether the event was cancelled (look in the room's Sent Items)".to_owned(),
        Step::Remove { .. } => "whether the event is in the room's Deleted Items".to_owned(),
        Step::Book { .. } => "whether the room shows the booking".to_owned(),
        Step::MoveBack { .. } => "whether the event is back on the room's calendar".to_owned(),
    };
    let TimeRange { start, .. } = times(event);
    let advice = format!("check {what}; it started at {}. {trouble}", start.format("%F %H:%MZ"));
    Outcome::NeedsAttention { event: EventSnapshot::from(event), advice, recheck: trouble.is_transient() }
}

/// What was to be taken back stands there beside what it collides with.
pub(super) fn overlap_remains(event: &Event) -> Outcome {
    let start = times(event).start.format("%F %H:%MZ");
    let advice = format!(
        "two events stand at one time: look at the room's calendar at {start}, and remove one of them"
    );
    Outcome::NeedsAttention { event: EventSnapshot::from(event), advice, recheck: false }
}

/// It was done, but whether somebody else was there at the same time could not be looked up.
pub(super) fn overlap_unchecked(done: &Done, trouble: &CalendarError) -> Outcome {
    let advice = format!(
        "it was done, but whether another event stands at the same time could not be checked: look at the room's \
         calendar. {trouble}"
    );
    Outcome::NeedsAttention { event: done.event.clone(), advice, recheck: trouble.is_transient() }
}
