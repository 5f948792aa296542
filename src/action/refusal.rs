//! Why an action was not done, whose fault that is, and what to do next.

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

    /// The action that the refusal names.
    pub fn named_action(&self) -> Option<ActionId> {
        match self {
            Self::KeyReused { action }
            | Self::StillInDoubt { action }
            | Self::NoSuchAction { action }
            | Self::MaybeArchived { action, .. } => Some(*action),
            Self::OutOfScope { .. }
            | Self::NoCurrentEvent
            | Self::Ambiguous { .. }
            | Self::NotStarted { .. }
            | Self::NotCurrent { .. }
            | Self::Over { .. }
            | Self::AllDay
            | Self::Cancelled
            | Self::Declined
            | Self::UnknownCopy
            | Self::WholeSeries
            | Self::EventNotFound
            | Self::InvalidEventId { .. }
            | Self::NotAsSeen { .. }
            | Self::ChangedMeanwhile { .. }
            | Self::KeepsChanging
            | Self::NoLongerApplies { .. }
            | Self::IrreversibleForbidden
            | Self::Interrupted
            | Self::NothingToUndo
            | Self::NotUndoable { .. }
            | Self::Collides { .. }
            | Self::LeftDeletedItems
            | Self::Exchange { .. } => None,
        }
    }
}
