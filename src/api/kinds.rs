//! The closed sets of values in the JSON views that no type of the library has: kinds of actions, actors and changes, and what became of
//! a message. A client compares these values, so none changes its meaning.

use serde::Serialize;
use utoipa::ToSchema;

use crate::action::{
    Action, ActionKind, Actor, Change, DeleteMode, IrreversibleReason, Notified, Notify, Reversibility,
};

/// What was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ActionKind)]
pub(crate) enum ActionKindName {
    End,
    Delete,
    Extend,
    Book,
    Undo,
}

/// Kind of actor: a user of the command line, an API key or token, or a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ActorKind {
    User,
    Program,
    Sweep,
}

/// What was changed in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ChangeKind)]
pub(crate) enum ChangeName {
    Ended,
    Extended,
    Booked,
    Declined,
    Cancelled,
    Removed,
    EndRestored,
    MovedBack,
}

/// What became of Exchange's message about a change: `sent`; `none` (the change sends no message); `shown-as-declined` (no message was
/// sent, and the organizer's tracking shows the room as declined); `unknown` (Exchange did not confirm the message).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Notification {
    Sent,
    None,
    ShownAsDeclined,
    Unknown,
}

/// Why an action cannot be undone: `decline-was-sent`, `cancellation-was-sent` (a message was sent), `occurrence-leaves-nothing` (a
/// removed date of a series leaves no item), `series-removed`, `server-cannot-restore`, `is-an-undo` (the action is an undo itself),
/// `undone` (a later action has undone it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NotUndoable {
    DeclineWasSent,
    CancellationWasSent,
    OccurrenceLeavesNothing,
    SeriesRemoved,
    ServerCannotRestore,
    IsAnUndo,
    Undone,
}

impl NotUndoable {
    /// The reason, if the change cannot be undone.
    pub(super) fn of(reversibility: Reversibility) -> Option<Self> {
        let Reversibility::Irreversible { because } = reversibility else { return None };
        Some(match because {
            IrreversibleReason::DeclineWasSent => Self::DeclineWasSent,
            IrreversibleReason::CancellationWasSent => Self::CancellationWasSent,
            IrreversibleReason::OccurrenceLeavesNothing => Self::OccurrenceLeavesNothing,
            IrreversibleReason::SeriesWent => Self::SeriesRemoved,
            IrreversibleReason::ServerCannotRestore => Self::ServerCannotRestore,
            IrreversibleReason::IsAnUndo => Self::IsAnUndo,
        })
    }
}

impl From<ActionKind> for ActionKindName {
    fn from(kind: ActionKind) -> Self {
        match kind {
            ActionKind::End(Notify::Attendees | Notify::Nobody) => Self::End,
            ActionKind::Delete(DeleteMode::Notify | DeleteMode::Silent) => Self::Delete,
            ActionKind::Extend { .. } => Self::Extend,
            ActionKind::Book { .. } => Self::Book,
            ActionKind::Undo { .. } => Self::Undo,
        }
    }
}

impl ActorKind {
    pub(super) fn of(action: &Action) -> Self {
        match action.actor {
            Actor::User { .. } => Self::User,
            Actor::Program { .. } => Self::Program,
            Actor::Sweep { .. } => Self::Sweep,
        }
    }
}

impl From<&Change> for ChangeName {
    fn from(change: &Change) -> Self {
        match change {
            Change::Ended { .. } => Self::Ended,
            Change::Extended { .. } => Self::Extended,
            Change::Booked => Self::Booked,
            Change::Declined => Self::Declined,
            Change::Cancelled => Self::Cancelled,
            Change::Removed => Self::Removed,
            Change::EndRestored { .. } => Self::EndRestored,
            Change::MovedBack => Self::MovedBack,
        }
    }
}

impl From<Notified> for Notification {
    fn from(notified: Notified) -> Self {
        match notified {
            Notified::Nobody => Self::None,
            Notified::Organizer | Notified::Attendees => Self::Sent,
            Notified::OrganizerSeesDecline => Self::ShownAsDeclined,
            Notified::Unknown => Self::Unknown,
        }
    }
}
