//! The messages of outcomes and refusals: short sentences for people. The CLI, the API's `message`, the audit and the console
//! all show these texts and write none of their own. Pure.
//!
//! ```text
//! Meeting of 2026-05-06 13:30Z ended at 13:42Z (was 14:30Z). Nobody was notified. Undo is possible.
//! ```
//!
//! Times are UTC, as `2026-05-06 13:42Z` or `13:42Z`: the console finds them by this form and converts them to the room's zone.
//!
//! A caller may have no right to know of another caller's action. Its message then says "an earlier action" instead of the id
//! ([`Naming::Unnamed`]).

use std::fmt;

use super::refusal::CANDIDATES_MAX;
use super::{
    Change, Done, EventSnapshot, IrreversibleReason, NoChangeReason, Notified, Outcome, Refusal,
    RequestedBound, Reversibility, TimeRange,
};
use crate::calendar::{Copy, EventKind};

/// Whether a message may contain the id of another action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Naming {
    /// The reader may know of every action in the room.
    Named,
    /// The reader may not, or the reader's rights are not known.
    Unnamed,
}

impl Outcome {
    /// The outcome's message for this reader.
    pub fn message(&self, naming: Naming) -> String {
        match (self, naming) {
            (Self::AlreadyDone { why: NoChangeReason::ByAction { .. } }, Naming::Unnamed) => {
                "An earlier action has already done this. Nothing was changed now.".to_owned()
            }
            (Self::Refused { refusal }, naming) => format!("Refused. {}", refusal.message(naming)),
            _ => self.to_string(),
        }
    }
}

impl Refusal {
    /// The refusal's message for this reader. The action under an idempotency key may be in a room that the reader can no longer
    /// see, so no reader receives its id.
    pub fn message(&self, naming: Naming) -> String {
        match (self, naming) {
            (Self::KeyReused { .. }, _) => {
                "The idempotency key belongs to another request. Use a new key.".to_owned()
            }
            (Self::StillInDoubt { .. }, Naming::Unnamed) => {
                "Whether an earlier action was done is not known yet. Ask again in a minute.".to_owned()
            }
            (Self::NoSuchAction { .. } | Self::MaybeArchived { .. }, Naming::Unnamed) => {
                "The journal has no such action in this room.".to_owned()
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(done) => done.fmt(f),
            Self::AlreadyDone { why } => why.fmt(f),
            Self::Refused { refusal } => write!(f, "Refused. {refusal}"),
            Self::NeedsAttention { advice, .. } => write!(f, "Needs attention. {}", sentence(advice)),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run {
            f.write_str("Dry run, nothing was changed. The action would report: ")?;
        }
        write_effect(f, self)?;
        match self.reversibility {
            Reversibility::Reversible => f.write_str(" Undo is possible."),
            Reversibility::Irreversible { because } => write!(f, " Undo is not possible: {because}."),
        }
    }
}

impl Done {
    /// The message of a change that a later action has undone.
    pub fn undone_message(&self) -> String {
        format!("{} It was undone.", fmt::from_fn(|f| write_effect(f, self)))
    }
}

/// What was changed, and who was notified.
fn write_effect(f: &mut fmt::Formatter<'_>, done: &Done) -> fmt::Result {
    write_change(f, done)?;
    match done.change {
        Change::Booked => Ok(()),
        _ => write!(f, " {}", notified(done.notified)),
    }
}

fn write_change(f: &mut fmt::Formatter<'_>, done: &Done) -> fmt::Result {
    let start = done.event.start.format("%F %H:%MZ");
    if done.change == Change::Booked {
        return write!(f, "Room booked from {start} until {}.", done.event.end.format("%H:%MZ"));
    }
    write!(f, "{} of {start} ", noun(done))?;
    match done.change {
        Change::Ended { from, to } => {
            write!(f, "ended at {} (was {}).", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::Extended { from, to } => {
            write!(f, "extended to {} (was {}).", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::EndRestored { from, to } => {
            write!(f, "restored: ends at {} again (was {}).", to.format("%H:%MZ"), from.format("%H:%MZ"))
        }
        Change::Booked => f.write_str("booked."),
        Change::Declined => f.write_str("declined."),
        Change::Cancelled => f.write_str("cancelled."),
        Change::Removed => f.write_str("moved to Deleted Items."),
        Change::MovedBack => f.write_str("moved back from Deleted Items."),
    }
}

/// The noun shows whose copy was changed.
fn noun(done: &Done) -> &'static str {
    match (done.copy, done.event.kind) {
        (Copy::Attendee, EventKind::Series) => "Meeting series",
        (Copy::Attendee, _) => "Meeting",
        (Copy::Organizer, EventKind::Series) => "Meeting series organized by the room",
        (Copy::Organizer, _) => "Meeting organized by the room",
        (Copy::Plain, EventKind::Series) => "Event series",
        (Copy::Plain, _) => "Event",
    }
}

fn notified(notified: Notified) -> &'static str {
    match notified {
        Notified::Nobody => "Nobody was notified.",
        Notified::Organizer => "The organizer was notified.",
        Notified::Attendees => "The attendees were notified.",
        Notified::OrganizerSeesDecline => {
            "Nobody was notified; the organizer's tracking shows the room as declined."
        }
        Notified::Unknown => "Exchange did not confirm that a notification was sent.",
    }
}

impl fmt::Display for IrreversibleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OccurrenceLeavesNothing => "a deleted occurrence leaves no item in Deleted Items",
            Self::DeclineWasSent => "the decline was sent",
            Self::CancellationWasSent => "the cancellation was sent",
            Self::SeriesWent => "a whole series was removed, and other events may be at its times by now",
            Self::ServerCannotRestore => "the room's server cannot move a removed event back",
            Self::IsAnUndo => "the action is itself an undo; request the first action again",
        })
    }
}

impl fmt::Display for NoChangeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("The event is already over. Nothing was changed."),
            Self::Gone => f.write_str("The event is already gone. Nothing was changed."),
            Self::Declined => f.write_str("The meeting is already declined. Nothing was changed."),
            Self::Restored => {
                f.write_str("The event already has its earlier end again. Nothing was changed.")
            }
            Self::ByAction { action } => {
                write!(f, "Action {action} has already done this. Nothing was changed now.")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfScope { room } => {
                write!(f, "{room} is not in the configured scope. Add it to [scope] if Adjourn may act there.")
            }
            Self::NoCurrentEvent => f.write_str("No event is on in the room now."),
            Self::Ambiguous { events } => write_ambiguous(f, events),
            Self::NotStarted { times } => write!(
                f,
                "The event has not started: it begins at {}. Delete it instead.",
                times.start.format("%F %H:%MZ")
            ),
            Self::NotCurrent { times } => {
                write!(f, "The event ({times}) is not on now. Only the current event can be extended.")
            }
            Self::Over { times } => write!(
                f,
                "The event was over at {}. Past events are not deleted.",
                times.end.format("%F %H:%MZ")
            ),
            Self::AllDay => f.write_str("This is an all-day event. Include all-day events to change it (CLI: --all-day, API: all_day)."),
            Self::Cancelled => {
                f.write_str("The organizer has already cancelled the meeting. Remove it silently instead.")
            }
            Self::Declined => {
                f.write_str("The room has already declined the meeting. Remove it silently instead.")
            }
            Self::UnknownCopy => f.write_str(
                "Exchange did not return whether the room organizes or attends the event, so it was left alone.",
            ),
            Self::ServerAlwaysNotifies => f.write_str(
                "The room's server notifies the other participants of this change in any case, so it cannot be made silently. \
                 Request it with a message instead.",
            ),
            Self::WholeSeries => f.write_str(
                "The request and the event do not agree: one means a whole series, the other a single date. Name one of its dates; \
                 only a deletion accepts a series.",
            ),
            Self::EventNotFound => f.write_str(
                "The room's calendar has no event with this id. List the room's events, and name one of them.",
            ),
            Self::InvalidEventId { code } => write!(
                f,
                "Exchange does not accept this event id ({code}). Take the id from `adjourn list` or from the API."
            ),
            Self::NotAsSeen { seen, is } => write!(
                f,
                "The event is not as you saw it: {seen} then, {is} now. Look at it again, and decide again."
            ),
            Self::ChangedMeanwhile { was, is: Some(is) } => {
                write!(f, "The event was changed in the meantime: {was} before, {is} now. Nothing was done.")
            }
            Self::ChangedMeanwhile { was, is: None } => {
                write!(f, "The event was removed in the meantime (it was {was}). Nothing was done.")
            }
            Self::KeepsChanging => {
                f.write_str("The event keeps changing. Nothing was done; try again in a minute.")
            }
            Self::NoLongerApplies { why } => f.write_str(&sentence(&format!("the plan no longer applies: {why}"))),
            Self::IrreversibleForbidden => f.write_str(
                "The action cannot be undone, and the configuration forbids such actions (engine.forbid_irreversible).",
            ),
            Self::KeyReused { action } => {
                write!(f, "The idempotency key belongs to another request (action {action}). Use a new key.")
            }
            Self::Interrupted => {
                f.write_str("The action was not done in time, and nothing was changed. Try again.")
            }
            Self::StillInDoubt { action } => {
                write!(f, "Whether action {action} was done is not known yet. Ask again in a minute.")
            }
            Self::NoSuchAction { action } => write!(f, "The journal has no action {action} in this room."),
            Self::MaybeArchived { action, last, file } => write!(
                f,
                "The journal has no action {action} in this room. Entries 1 to {last} are archived ({file}); archived actions \
                 cannot be undone."
            ),
            Self::NothingToUndo => f.write_str("That action changed nothing, so there is nothing to undo."),
            Self::NotUndoable { because } => write!(f, "That action cannot be undone: {because}."),
            Self::Collides { events } => write_collision(f, events),
            Self::TimeOutOfRange { bound, earliest, latest } => {
                let bound = match bound {
                    RequestedBound::Start => "start",
                    RequestedBound::End => "end",
                };
                let (earliest, latest) = (earliest.format("%F %H:%MZ"), latest.format("%F %H:%MZ"));
                write!(f, "The {bound} must be between {earliest} and {latest}.")
            }
            Self::LeftDeletedItems => f.write_str(
                "The event is no longer in the room's Deleted Items. Only a mailbox restore can bring it back.",
            ),
            Self::Exchange { advice, code, .. } => f.write_str(&sentence(&format!("{advice} ({code})"))),
        }
    }
}

fn write_ambiguous(f: &mut fmt::Formatter<'_>, events: &[EventSnapshot]) -> fmt::Result {
    let least = if events.len() < CANDIDATES_MAX { "" } else { "At least " };
    write!(f, "{least}{} events are on at the same time. Name one of them:", events.len())?;
    events.iter().take(SHOWN_MAX).try_for_each(|event| write!(f, " {}", event.id))?;
    write_rest(f, events)
}

fn write_collision(f: &mut fmt::Formatter<'_>, events: &[EventSnapshot]) -> fmt::Result {
    f.write_str("The room is taken at that time")?;
    f.write_str(if events.is_empty() { "" } else { ":" })?;
    events.iter().take(SHOWN_MAX).try_for_each(|event| {
        write!(f, " {} ({})", TimeRange { start: event.start, end: event.end }, event.id)
    })?;
    write_rest(f, events)
}

/// The most events that one message names: a room may have any number of them at one time.
const SHOWN_MAX: usize = 5;

fn write_rest(f: &mut fmt::Formatter<'_>, events: &[EventSnapshot]) -> fmt::Result {
    match events.len().saturating_sub(SHOWN_MAX) {
        0 => f.write_str("."),
        more => write!(f, " and {more} more."),
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start.format("%F %H:%MZ"), self.end.format("%F %H:%MZ"))
    }
}

/// The text as a sentence of its own: with a capital letter, and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.trim_end().chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let mut sentence: String = first.chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::action::{ActionId, ResponsibleParty};
    use crate::calendar::EventId;

    fn at(clock: &str) -> DateTime<Utc> {
        format!("2026-05-06T{clock}:00Z").parse().unwrap()
    }

    fn ended() -> Done {
        let event = EventSnapshot {
            id: EventId::new("AAMk="),
            start: at("13:30"),
            end: at("14:30"),
            kind: EventKind::Single,
            organizer: None,
            uid: None,
        };
        Done {
            event,
            copy: Copy::Attendee,
            change: Change::Ended { from: at("14:30"), to: at("13:42") },
            notified: Notified::Nobody,
            reversibility: Reversibility::Reversible,
            dry_run: false,
        }
    }

    #[test]
    fn a_change_is_a_sentence_each_for_what_was_done_who_was_notified_and_the_undo() {
        let text = "Meeting of 2026-05-06 13:30Z ended at 13:42Z (was 14:30Z). Nobody was notified. Undo is possible.";
        assert_eq!(Outcome::Done(ended()).to_string(), text);
        let text =
            "Meeting of 2026-05-06 13:30Z ended at 13:42Z (was 14:30Z). Nobody was notified. It was undone.";
        assert_eq!(ended().undone_message(), text);
        let declined = Done {
            change: Change::Declined,
            notified: Notified::Organizer,
            reversibility: Reversibility::Irreversible { because: IrreversibleReason::DeclineWasSent },
            ..ended()
        };
        let text = "Meeting of 2026-05-06 13:30Z declined. The organizer was notified. Undo is not possible: the decline was sent.";
        assert_eq!(declined.to_string(), text);
        let booked = Done { change: Change::Booked, copy: Copy::Plain, dry_run: true, ..ended() };
        let text = "Dry run, nothing was changed. The action would report: Room booked from 2026-05-06 13:30Z until 14:30Z. \
                    Undo is possible.";
        assert_eq!(booked.to_string(), text);
    }

    #[test]
    fn advice_of_others_becomes_a_sentence() {
        assert_eq!(sentence("try again (HTTP 503)"), "Try again (HTTP 503).");
        assert_eq!(sentence("Look there. "), "Look there.");
    }

    /// One of each kind that could carry an id in its words.
    fn outcomes(action: ActionId) -> Vec<Outcome> {
        let refusals = [
            Refusal::KeyReused { action },
            Refusal::StillInDoubt { action },
            Refusal::NoSuchAction { action },
            Refusal::NoCurrentEvent,
            Refusal::NoLongerApplies { why: "somebody checked in".to_owned() },
            Refusal::Exchange {
                responsible: ResponsibleParty::Server,
                advice: "try again".to_owned(),
                code: "ErrorServerBusy".to_owned(),
            },
        ];
        let refused = refusals.into_iter().map(|refusal| Outcome::Refused { refusal });
        let already = [NoChangeReason::ByAction { action }, NoChangeReason::Over, NoChangeReason::Gone];
        refused.chain(already.map(|why| Outcome::AlreadyDone { why })).collect()
    }

    #[test]
    fn an_unnamed_sentence_has_no_id_and_a_named_one_has_it_where_the_reader_may_know() {
        let action = ActionId::random();
        let id = action.to_string();
        for outcome in outcomes(action) {
            assert!(!outcome.message(Naming::Unnamed).contains(&id), "{outcome:?}");
            let stored = serde_json::to_string(&outcome).unwrap();
            assert_eq!(outcome.named_action().is_some(), stored.contains(&id), "{stored}");
            let is_key = matches!(outcome, Outcome::Refused { refusal: Refusal::KeyReused { .. } });
            let is_named = outcome.message(Naming::Named).contains(&id);
            assert_eq!(is_named, outcome.named_action().is_some() && !is_key, "{outcome:?}");
        }
    }
}
