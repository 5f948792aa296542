//! Whether a room can move to the other connection. Pure.

use super::compare::Comparison;
use super::difference::Side;
use super::held_actions::HeldAction;
use crate::action::{ActionId, ResponsibleParty};
use crate::engine::CalendarError;

/// Whether a room can move.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::difference::Difference;
    use super::super::held_actions::HeldState;
    use super::*;

    fn action(state: HeldState, is_lost_by_move: bool) -> HeldAction {
        HeldAction {
            id: ActionId::random(),
            kind: "end",
            state,
            accepted_at: DateTime::UNIX_EPOCH,
            event: None,
            is_lost_by_move,
            message: "",
        }
    }

    fn different() -> Comparison {
        let item = "calendar item 1 without End".to_owned();
        let difference = Difference::Unreadable { on: Side::Target, item, start: None, end: None };
        Comparison { differences: vec![difference], ..Comparison::default() }
    }

    #[test]
    fn only_equal_calendars_without_lost_actions_are_ready() {
        let same = Comparison::default();
        let undoable = action(HeldState::Undoable, false);
        assert_eq!(verdict(Ok(&same), std::slice::from_ref(&undoable)), Verdict::Ready);
        assert_eq!(verdict(Ok(&different()), &[undoable]), Verdict::ReadyWithDifferences);
        let lost = action(HeldState::Undoable, true);
        assert_eq!(verdict(Ok(&same), &[lost]), Verdict::ReadyWithDifferences);
    }

    #[test]
    fn an_unread_calendar_and_an_unfinished_action_hold_the_room_back() {
        let open = action(HeldState::InDoubt, false);
        let unfinished = Obstacle::ActionUnfinished { action: open.id };
        assert_eq!(
            verdict(Ok(&different()), std::slice::from_ref(&open)),
            Verdict::NotReady { reason: unfinished }
        );
        let unread = Obstacle::CalendarUnread {
            over: Side::Target,
            responsible: ResponsibleParty::Administrator,
            message: String::new(),
            code: String::new(),
        };
        assert_eq!(verdict(Err(unread.clone()), &[open]), Verdict::NotReady { reason: unread });
    }
}
