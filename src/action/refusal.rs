//! Refusals: why an action changed nothing, who can resolve that, and what to do next. Values only; `display.rs` has the
//! sentences.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ActionId, EventSnapshot, IrreversibleReason, TimeRange};
use crate::calendar::RoomAddress;

/// Who can resolve a refusal or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ResponsibleParty {
    /// The caller, with another request.
    Caller,
    /// The administrator of Adjourn or Exchange.
    Administrator,
    /// Exchange: the failure is temporary; try again later.
    Server,
    /// The network between Adjourn and Exchange: the failure is temporary; try again later.
    Network,
    /// Nobody: the state of the calendar is the reason.
    Nobody,
}

/// A time that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestedBound {
    /// The start of a booking.
    Start,
    /// The end of a booking, or the new end of an event.
    End,
}

/// Limit on the candidates of an ambiguous request, in its answer and in the journal.
pub const CANDIDATES_MAX: usize = 50;

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
#[non_exhaustive]
pub enum Refusal {
    /// The room is not in the configured scope.
    OutOfScope {
        /// The room.
        room: RoomAddress,
    },
    /// No event is on in the room.
    #[serde(rename = "nothing-on")]
    NoCurrentEvent,
    /// Several events are on, and the request names none of them.
    Ambiguous {
        /// The first [`CANDIDATES_MAX`] of them.
        events: Vec<EventSnapshot>,
    },
    /// The event has not started: it can be deleted, not ended.
    NotStarted {
        /// Its times.
        times: TimeRange,
    },
    /// The event is not on now, and only the current event can be extended.
    #[serde(rename = "not-on")]
    NotCurrent {
        /// Its times.
        times: TimeRange,
    },
    /// The event is over. Past events stay on the calendar as a record of what happened.
    Over {
        /// Its times.
        times: TimeRange,
    },
    /// The event is an all-day event, and the request does not include those.
    AllDay,
    /// The organizer has cancelled the event: it can be removed, not ended or declined.
    Cancelled,
    /// The room has declined the meeting: it can be removed, not extended.
    Declined,
    /// The server did not return whose copy the event is.
    UnknownCopy,
    /// Silence was requested, and the room's server notifies people of this change in any case.
    ServerAlwaysNotifies,
    /// The request names a whole series where it needs one of its dates, or the other way round.
    WholeSeries,
    /// The room's calendar has no event with this id, and neither journal nor cache remember one.
    EventNotFound,
    /// Exchange does not accept the id: it is mistyped, cut off, or from another API.
    InvalidEventId {
        /// The response code.
        code: String,
    },
    /// The event no longer has the times that the caller saw.
    NotAsSeen {
        /// The times that the caller saw.
        seen: TimeRange,
        /// The times now.
        is: TimeRange,
    },
    /// The event was changed by someone else while the action was in progress.
    ChangedMeanwhile {
        /// The times when the action was planned.
        was: TimeRange,
        /// The times now; `None` when the event is gone.
        is: Option<TimeRange>,
    },
    /// The event was changed by someone else at every attempt.
    KeepsChanging,
    /// The reason for the planned action no longer holds.
    NoLongerApplies {
        /// What has changed.
        why: String,
    },
    /// The action could not be undone, and the configuration forbids such actions.
    #[serde(rename = "cannot-be-undone")]
    IrreversibleForbidden,
    /// The idempotency key belongs to another request.
    KeyReused {
        /// The action it belongs to.
        action: ActionId,
    },
    /// The action was not done in time (the process ended, or Exchange did not respond), so the caller has given up waiting.
    Interrupted,
    /// An earlier action is in doubt: Exchange cannot be reached now to find out whether it was done.
    StillInDoubt {
        /// That action.
        action: ActionId,
    },
    /// The journal has no such action in this room.
    NoSuchAction {
        /// The id in the request.
        action: ActionId,
    },
    /// The journal has no such action in this room, and its older entries are archived.
    MaybeArchived {
        /// The id in the request.
        action: ActionId,
        /// The number of the last archived entry.
        last: u64,
        /// The name of the newest archive file.
        file: String,
    },
    /// The action to undo changed nothing.
    NothingToUndo,
    /// The action to undo is irreversible.
    NotUndoable {
        /// The reason.
        because: IrreversibleReason,
    },
    /// Other events are at that time now.
    Collides {
        /// Those events.
        events: Vec<EventSnapshot>,
    },
    /// The request names a time that is too early or too late.
    TimeOutOfRange {
        /// Which of its times.
        bound: RequestedBound,
        /// The earliest possible time.
        earliest: DateTime<Utc>,
        /// The latest possible time.
        latest: DateTime<Utc>,
    },
    /// The event is no longer in the room's Deleted Items.
    LeftDeletedItems,
    /// Exchange could not be reached, or refused.
    Exchange {
        /// Who can resolve it.
        #[serde(rename = "fault")]
        responsible: ResponsibleParty,
        /// What to do next, for the caller.
        advice: String,
        /// The response code or HTTP status, for diagnosis.
        code: String,
    },
}

impl Refusal {
    /// Whether the same request may succeed when it is repeated: nothing was changed, and the calendar is not the reason.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Interrupted)
            || matches!(self.responsible(), ResponsibleParty::Server | ResponsibleParty::Network)
    }

    /// Whether the same request cannot succeed while event and configuration are unchanged, so that a loop must not repeat it.
    /// Failures that pass or that an administrator can fix (rights, outages) are not final.
    pub fn is_final(&self) -> bool {
        match self {
            Self::OutOfScope { .. }
            | Self::IrreversibleForbidden
            | Self::AllDay
            | Self::Cancelled
            | Self::UnknownCopy
            | Self::ServerAlwaysNotifies
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

    /// Who can resolve it.
    pub fn responsible(&self) -> ResponsibleParty {
        match self {
            Self::OutOfScope { .. } | Self::IrreversibleForbidden => ResponsibleParty::Administrator,
            Self::Ambiguous { .. }
            | Self::NotStarted { .. }
            | Self::NotCurrent { .. }
            | Self::AllDay
            | Self::Cancelled
            | Self::Declined
            | Self::ServerAlwaysNotifies
            | Self::WholeSeries
            | Self::KeyReused { .. }
            | Self::NoSuchAction { .. }
            | Self::MaybeArchived { .. }
            | Self::EventNotFound
            | Self::InvalidEventId { .. }
            | Self::TimeOutOfRange { .. }
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
            | Self::ServerAlwaysNotifies
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
            | Self::TimeOutOfRange { .. }
            | Self::LeftDeletedItems
            | Self::Exchange { .. } => None,
        }
    }
}
