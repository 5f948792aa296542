//! Whether a room can move to the other connection. Pure.

use serde::Serialize;

use super::compare::Comparison;
use super::difference::Side;
use super::held_actions::HeldAction;
use crate::action::{ActionId, ResponsibleParty};
use crate::engine::CalendarError;

/// Whether a room can move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub(crate) enum Verdict {
    /// The room already has the other connection.
    Moved,
    /// Both connections return the same calendar, and the move affects no action.
    Ready,
    /// The room can move. A person has to look at the differences first, or at actions that the move affects.
    ReadyWithDifferences,
    /// The room cannot move now.
    NotReady { reason: Obstacle },
}

/// Why a room cannot move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub(crate) enum Obstacle {
    /// A connection does not return the calendar.
    CalendarUnread { over: Side, responsible: ResponsibleParty, message: String, code: String },
    /// The journal has an action that is not finished.
    ActionUnfinished { action: ActionId },
}

impl Obstacle {
    /// The obstacle that this connection failed.
    pub(crate) fn unread(over: Side, error: CalendarError) -> Self {
        let CalendarError { responsible, advice: message, code, .. } = error;
        Self::CalendarUnread { over, responsible, message, code }
    }
}

/// The verdict about one room.
pub(crate) fn verdict(compared: Result<&Comparison, Obstacle>, actions: &[HeldAction]) -> Verdict {
    let unfinished = actions.iter().find(|action| action.is_unfinished());
    match (compared, unfinished) {
        (Err(reason), _) => Verdict::NotReady { reason },
        (Ok(_), Some(action)) => {
            Verdict::NotReady { reason: Obstacle::ActionUnfinished { action: action.id } }
        }
        (Ok(compared), None)
            if compared.differences.is_empty() && !actions.iter().any(|action| action.is_lost_by_move) =>
        {
            Verdict::Ready
        }
        (Ok(_), None) => Verdict::ReadyWithDifferences,
    }
}
