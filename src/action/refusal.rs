//! Why an action was not done, whose fault that is, and what to do next.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ActionId, EventSnapshot, IrreversibleReason, TimeRange};
use crate::calendar::RoomAddress;

/// Who has to change something before the action can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponsibleParty {
    /// Whoever asked.
    Caller,
    /// Whoever runs Adjourn or Exchange.
    Administrator,
    /// Exchange, for now: ask again later.
    Server,
    /// The way to Exchange, for now: ask again later.
    Network,
    /// Nobody: the calendar is as it is.
    Nobody,
}

/// Events that an ambiguous request may have meant, in its answer and in the journal.
pub const CANDIDATES_MAX: usize = 50;

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
#[non_exhaustive]
pub enum Refusal {
    /// The room is not in the configured scope.
    OutOfScope {
        /// Which room.
        room: RoomAddress,
    },
    /// Nothing is on in the room.
    #[serde(rename = "nothing-on")]
    NoCurrentEvent,
    /// Several events are on and the caller named none.
    Ambiguous {
        /// The first [`CANDIDATES_MAX`] of them.
        events: Vec<EventSnapshot>,
    },
    /// An event that has not started cannot be ended: it is deleted.
    NotStarted {
        /// When it is.
        times: TimeRange,
    },
    /// Only what is on is extended.
    #[serde(rename = "not-on")]
    NotCurrent {
        /// When it is.
        times: TimeRange,
    },
    /// An event that is over is not deleted: it happened.
    Over {
        /// When it was.
        times: TimeRange,
    },
    /// Whole-day events are spared unless the caller insists.
    AllDay,
    /// The organizer has cancelled the event already: it can be removed, not ended or declined.
    Cancelled,
    /// The room has declined the meeting already: it can be removed, not extended.
    Declined,
    /// The server did not say whose copy this is.
    UnknownCopy,
    /// A whole series was named where one of its dates is meant, or the other way round.
    WholeSeries,
    /// The room's calendar has no event of this id, and nothing shows that it ever had one.
    EventNotFound,
    /// Exchange does not accept the id that was given: mistyped, cut off, or made by another API.
    InvalidEventId {
        /// The response code.
        code: String,
    },
    /// It is not the event the caller saw.
    NotAsSeen {
        /// What the caller saw.
        seen: TimeRange,
        /// What it is.
        is: TimeRange,
    },
    /// Somebody changed the event while the action was under way.
    ChangedMeanwhile {
        /// What it was when the action was planned.
        was: TimeRange,
        /// What it is, unless it is gone.
        is: Option<TimeRange>,
    },
    /// Somebody keeps changing the event.
    KeepsChanging,
    /// What the sweep decided on no longer holds.
    NoLongerApplies {
        /// What is so now.
        why: String,
    },
    /// The configuration forbids what cannot be undone.
    #[serde(rename = "cannot-be-undone")]
    IrreversibleForbidden,
    /// The idempotency key belongs to another wish.
    KeyReused {
        /// The action it belongs to.
        action: ActionId,
    },
    /// Nothing was done in time (the process ended, or Exchange hung), and nobody waits for it any more.
    Interrupted,
    /// Whether the earlier wish under this key was done is not known yet: Exchange cannot be asked now.
    StillInDoubt {
        /// That wish.
        action: ActionId,
    },
    /// There is no such action in this room's journal.
    NoSuchAction {
        /// The name that was given.
        action: ActionId,
    },
    /// There is no such action in the journal, and older entries of it are archived.
    MaybeArchived {
        /// The name that was given.
        action: ActionId,
        /// The number of the last archived entry.
        last: u64,
        /// The name of the newest archive file.
        file: String,
    },
    /// The action to undo changed nothing.
    NothingToUndo,
    /// The action to undo has no way back.
    NotUndoable {
        /// Because of this.
        because: IrreversibleReason,
    },
    /// Something else stands in the room at that time now.
    Collides {
        /// All of it.
        events: Vec<EventSnapshot>,
    },
    /// It is in the room's Deleted Items no more.
    LeftDeletedItems,
    /// Exchange could not be asked, or refused.
    Exchange {
        /// Who has to do something.
        #[serde(rename = "fault")]
        responsible: ResponsibleParty,
        /// What to do next, for whoever asked.
        advice: String,
        /// The response code or HTTP status, for whoever looks into it.
        code: String,
    },
}

impl Refusal {
    /// Nothing was done and nothing about the calendar speaks against doing it: the same wish may be tried again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Interrupted)
            || matches!(self.responsible(), ResponsibleParty::Server | ResponsibleParty::Network)
    }

    /// The same request cannot succeed as long as the event and the configuration are as they are: a loop must not repeat it.
    /// What an administrator or time can mend (rights, outages) is not final.
    pub fn is_final(&self) -> bool {
        match self {
            Self::OutOfScope { .. }
            | Self::IrreversibleForbidden
            | Self::AllDay
            | Self::Cancelled
            | Self::UnknownCopy
            | Self::WholeSeries
            | Self::EventNotFound
            | Self::InvalidEventId { .. }
            | Self::NotUndoable { .. }
            | Self::NothingToUndo
            | Self::NoSuchAction { .. }
            | Self::MaybeArchived { .. }
            | Self::LeftDeletedItems => true,
            Self::Exchange { responsible: fault, .. } => {
                matches!(fault, ResponsibleParty::Nobody | ResponsibleParty::Caller)
            }
            _ => false,
        }
    }

    /// Who has to change something.
    pub fn responsible(&self) -> ResponsibleParty {
        match self {
            Self::OutOfScope { .. } | Self::IrreversibleForbidden => ResponsibleParty::Administrator,
            Self::Ambiguous { .. }
            | Self::NotStarted { .. }
            | Self::NotCurrent { .. }
            | Self::AllDay
            | Self::Cancelled
            | Self::Declined
            | Self::WholeSeries
            | Self::KeyReused { .. }
            | Self::NoSuchAction { .. }
            | Self::MaybeArchived { .. }
            | Self::EventNotFound
            | Self::InvalidEventId { .. }
            | Self::NotAsSeen { .. } => ResponsibleParty::Caller,
            Self::NoCurrentEvent
            | Self::Interrupted
            | Self::NothingToUndo
            | Self::NotUndoable { .. }
            | Self::Collides { .. }
            | Self::LeftDeletedItems
            | Self::NoLongerApplies { .. }
            | Self::Over { .. }
            | Self::ChangedMeanwhile { .. }
            | Self::KeepsChanging => ResponsibleParty::Nobody,
            Self::UnknownCopy | Self::StillInDoubt { .. } => ResponsibleParty::Server,
            Self::Exchange { responsible: fault, .. } => *fault,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfScope { room } => {
                write!(
                    f,
                    "{room} is not among the configured rooms; add it to [scope] if Adjourn may act there"
                )
            }
            Self::NoCurrentEvent => f.write_str("nothing is on in the room"),
            Self::Ambiguous { events } => {
                let least = if events.len() < CANDIDATES_MAX { "" } else { "at least " };
                write!(f, "{least}{} events are on at once; name one of them:", events.len())?;
                events.iter().take(SHOWN_MAX).try_for_each(|event| write!(f, " {}", event.id))?;
                write_rest(f, events)
            }
            Self::NotStarted { times } => write!(f, "it starts only at {}; delete it instead", times.start),
            Self::NotCurrent { times } => {
                write!(f, "it is not on now ({times}), and only what is on is extended")
            }
            Self::Over { times } => write!(f, "it was over at {}", times.end),
            Self::AllDay => f.write_str("it is an all-day event; insist on it (--all-day) if that is meant"),
            Self::Cancelled => {
                f.write_str("its organizer has cancelled it already; remove it silently instead")
            }
            Self::Declined => f.write_str("the room has declined it already; remove it silently instead"),
            Self::UnknownCopy => {
                f.write_str("Exchange did not say whose copy it is, so nothing may be done to it")
            }
            Self::WholeSeries => f.write_str("it is a whole series; name one of its dates"),
            Self::EventNotFound => f.write_str(
                "the room's calendar has no event of this id; list its events and name one of them",
            ),
            Self::InvalidEventId { code } => write!(
                f,
                "Exchange does not accept this event id; take the id from `adjourn list` or from the API ({code})"
            ),
            Self::NotAsSeen { seen, is } => {
                write!(f, "it is not as you saw it: {seen} then, {is} now; look again and decide again")
            }
            Self::ChangedMeanwhile { was, is: Some(is) } => {
                write!(f, "somebody changed it meanwhile: {was} before, {is} now; nothing was done")
            }
            Self::ChangedMeanwhile { was, is: None } => {
                write!(f, "somebody took it away meanwhile (it was {was}); nothing was done")
            }
            Self::KeepsChanging => {
                f.write_str("somebody keeps changing it; nothing was done, ask again in a minute")
            }
            Self::NoLongerApplies { why } => write!(f, "the plan no longer applies: {why}"),
            Self::IrreversibleForbidden => {
                f.write_str("it could not be undone, and the configuration forbids such actions")
            }
            Self::KeyReused { action } => {
                write!(f, "the idempotency key belongs to another wish (action {action}); use a new one")
            }
            Self::Interrupted => f.write_str("it could not be done in time, and nothing was done; ask again"),
            Self::StillInDoubt { action } => {
                write!(f, "whether action {action} was done is not known yet; ask again in a minute")
            }
            Self::NoSuchAction { action } => write!(f, "the journal knows no action {action} in this room"),
            Self::MaybeArchived { action, last, file } => write!(
                f,
                "the journal holds no action {action} in this room; entries 1 to {last} are archived ({file}), and \
                 archived actions are not undone"
            ),
            Self::NothingToUndo => f.write_str("that action changed nothing, so there is nothing to undo"),
            Self::NotUndoable { because } => write!(f, "it cannot be undone: {because}"),
            Self::Collides { events } => {
                f.write_str("the room is taken at that time now")?;
                f.write_str(if events.is_empty() { "" } else { ":" })?;
                events.iter().take(SHOWN_MAX).try_for_each(|event| {
                    write!(f, " {} ({})", TimeRange { start: event.start, end: event.end }, event.id)
                })?;
                write_rest(f, events)
            }
            Self::LeftDeletedItems => f.write_str(
                "it is not in the room's Deleted Items any more; only a mailbox restore brings it back",
            ),
            Self::Exchange { advice, code, .. } => write!(f, "{advice} ({code})"),
        }
    }
}

/// The most events that one sentence names: a room holds any number of them at one time.
const SHOWN_MAX: usize = 5;

fn write_rest(f: &mut fmt::Formatter<'_>, events: &[EventSnapshot]) -> fmt::Result {
    match events.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start.format("%F %H:%MZ"), self.end.format("%F %H:%MZ"))
    }
}
