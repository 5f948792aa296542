//! The report of `adjourn migrate` for `--json`. Values only: every member is always there, whatever the verdict, the obstacle or the
//! kind of difference. [`super::migration_report`] prints the same for people.

use serde::Serialize;

use super::migration_report::{EventCounts, MigrationReport, RoomReport, ServerReport};
use crate::action::{ActionId, ResponsibleParty};
use crate::calendar::{RoomAddress, Uid};
use crate::migration::{ChangedProperty, Difference, HeldAction, HeldState, Obstacle, Side, Verdict};
use crate::timestamp::Timestamp;

/// The rehearsal of a move.
#[derive(Serialize)]
pub(super) struct MigrationView<'a> {
    target: &'a str,
    from: Timestamp,
    to: Timestamp,
    rooms: Vec<RoomView<'a>>,
    servers: &'a [ServerReport],
}

#[derive(Serialize)]
struct RoomView<'a> {
    room: &'a RoomAddress,
    source: &'a str,
    verdict: &'static str,
    /// Why the room cannot move now.
    obstacle: Option<ObstacleView<'a>>,
    events: Option<&'a EventCounts>,
    differences: Vec<DifferenceView<'a>>,
    actions: Vec<HeldActionView<'a>>,
    more_actions: usize,
}

#[derive(Serialize)]
struct ObstacleView<'a> {
    kind: &'static str,
    /// The side whose calendar cannot be read.
    over: Option<Side>,
    fault: Option<ResponsibleParty>,
    message: Option<&'a str>,
    code: Option<&'a str>,
    /// The action that is not finished.
    action_id: Option<ActionId>,
}

#[derive(Serialize)]
struct DifferenceView<'a> {
    kind: &'static str,
    /// The side that lacks the event, or cannot read it.
    on: Option<Side>,
    uid: Option<&'a Uid>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    properties: &'a [ChangedProperty],
    /// The item that cannot be read.
    item: Option<&'a str>,
}

#[derive(Serialize)]
struct HeldActionView<'a> {
    id: ActionId,
    kind: &'static str,
    state: HeldState,
    accepted_at: Timestamp,
    event: Option<EventTimesView<'a>>,
    is_lost_by_move: bool,
    message: &'static str,
}

#[derive(Serialize)]
struct EventTimesView<'a> {
    uid: Option<&'a Uid>,
    start: Timestamp,
    end: Timestamp,
}

impl<'a> MigrationView<'a> {
    pub(super) fn of(report: &'a MigrationReport) -> Self {
        Self {
            target: &report.target,
            from: report.from.into(),
            to: report.to.into(),
            rooms: report.rooms.iter().map(RoomView::of).collect(),
            servers: &report.servers,
        }
    }
}

impl<'a> RoomView<'a> {
    fn of(report: &'a RoomReport) -> Self {
        let (verdict, obstacle) = match &report.verdict {
            Verdict::Moved => ("moved", None),
            Verdict::Ready => ("ready", None),
            Verdict::ReadyWithDifferences => ("ready-with-differences", None),
            Verdict::NotReady { reason } => ("not-ready", Some(ObstacleView::of(reason))),
        };
        Self {
            room: &report.room,
            source: &report.source,
            verdict,
            obstacle,
            events: report.events.as_ref(),
            differences: report.differences.iter().map(DifferenceView::of).collect(),
            actions: report.actions.iter().map(HeldActionView::of).collect(),
            more_actions: report.more_actions,
        }
    }
}

impl<'a> ObstacleView<'a> {
    fn of(obstacle: &'a Obstacle) -> Self {
        match obstacle {
            Obstacle::CalendarUnread { over, responsible, message, code } => Self {
                kind: "calendar-unread",
                over: Some(*over),
                fault: Some(*responsible),
                message: Some(message),
                code: Some(code),
                action_id: None,
            },
            Obstacle::ActionUnfinished { action } => Self {
                kind: "action-unfinished",
                over: None,
                fault: None,
                message: None,
                code: None,
                action_id: Some(*action),
            },
        }
    }
}

impl<'a> DifferenceView<'a> {
    fn of(difference: &'a Difference) -> Self {
        let (kind, on, event) = match difference {
            Difference::Missing { on, event } => ("missing", Some(*on), Some(event)),
            Difference::WithoutUid { on, event } => ("without-uid", Some(*on), Some(event)),
            Difference::Changed { event, .. } => ("changed", None, Some(event)),
            Difference::Unreadable { on, .. } => ("unreadable", Some(*on), None),
        };
        let (uid, start, end) = match (event, difference) {
            (Some(event), _) => (event.uid.as_ref(), Some(event.start), Some(event.end)),
            (None, Difference::Unreadable { start, end, .. }) => (None, *start, *end),
            (None, _) => (None, None, None),
        };
        let (start, end) = (start.map(Timestamp::from), end.map(Timestamp::from));
        let (properties, item): (&[_], _) = match difference {
            Difference::Changed { properties, .. } => (properties, None),
            Difference::Unreadable { item, .. } => (&[], Some(item.as_str())),
            Difference::Missing { .. } | Difference::WithoutUid { .. } => (&[], None),
        };
        Self { kind, on, uid, start, end, properties, item }
    }
}

impl<'a> HeldActionView<'a> {
    fn of(action: &'a HeldAction) -> Self {
        let event = action.event.as_ref().map(|event| EventTimesView {
            uid: event.uid.as_ref(),
            start: event.start.into(),
            end: event.end.into(),
        });
        Self {
            id: action.id,
            kind: action.kind,
            state: action.state,
            accepted_at: action.accepted_at.into(),
            event,
            is_lost_by_move: action.is_lost_by_move,
            message: action.message,
        }
    }
}
