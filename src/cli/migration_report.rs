//! The report of `adjourn migrate` for people, and its exit code.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::exit::Exit;
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::migration::{Comparison, Difference, DifferenceCounts, HeldAction, Obstacle, SideNames, Verdict};

/// Differences of one room that the report lists. The counts have all of them.
const DIFFERENCES_SHOWN: usize = 20;
/// Actions of one room that the report lists.
const ACTIONS_SHOWN: usize = 20;

/// The rehearsal of a move.
pub(super) struct MigrationReport {
    /// The connection that the rooms move to.
    pub(super) target: String,
    /// First compared instant.
    pub(super) from: DateTime<Utc>,
    /// First instant that is not compared.
    pub(super) to: DateTime<Utc>,
    pub(super) rooms: Vec<RoomReport>,
    pub(super) servers: Vec<ServerReport>,
}

/// What the other server does otherwise.
#[derive(Serialize)]
pub(super) struct ServerReport {
    /// The connection that rooms have now.
    pub(super) source: String,
    pub(super) changes: Vec<&'static str>,
}

/// The rehearsal of one room.
pub(super) struct RoomReport {
    pub(super) room: RoomAddress,
    pub(super) source: String,
    pub(super) verdict: Verdict,
    /// `None` when a calendar could not be read, or the room has moved already.
    pub(super) events: Option<EventCounts>,
    /// The first differences.
    pub(super) differences: Vec<Difference>,
    /// The newest actions.
    pub(super) actions: Vec<HeldAction>,
    /// Actions that are not listed.
    pub(super) more_actions: usize,
}

#[derive(Serialize)]
pub(super) struct EventCounts {
    source: usize,
    target: usize,
    same: usize,
    different: usize,
    #[serde(flatten)]
    by_kind: DifferenceCounts,
}

impl RoomReport {
    pub(super) fn new(room: &RoomAddress, source: &str, verdict: Verdict) -> Self {
        let (room, source) = (room.clone(), source.to_owned());
        let (differences, actions) = (Vec::new(), Vec::new());
        Self { room, source, verdict, events: None, differences, actions, more_actions: 0 }
    }

    pub(super) fn with_comparison(self, compared: Option<Comparison>) -> Self {
        let Some(compared) = compared else { return self };
        let events = EventCounts {
            source: compared.source_events,
            target: compared.target_events,
            same: compared.same,
            different: compared.differences.len(),
            by_kind: DifferenceCounts::of(&compared.differences),
        };
        let mut differences = compared.differences;
        differences.truncate(DIFFERENCES_SHOWN);
        Self { events: Some(events), differences, ..self }
    }

    pub(super) fn with_actions(self, mut actions: Vec<HeldAction>) -> Self {
        let more_actions = actions.len().saturating_sub(ACTIONS_SHOWN);
        actions.truncate(ACTIONS_SHOWN);
        Self { actions, more_actions, ..self }
    }

    fn exit(&self) -> Exit {
        match &self.verdict {
            Verdict::Moved | Verdict::Ready => Exit::Done,
            Verdict::ReadyWithDifferences => Exit::NeedsAttention,
            Verdict::NotReady { reason: Obstacle::CalendarUnread { responsible, .. } } => {
                Exit::of_fault(*responsible)
            }
            Verdict::NotReady { reason: Obstacle::ActionUnfinished { .. } } => Exit::Unavailable,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, target: &str) -> fmt::Result {
        let names = SideNames { source: &self.source, target };
        writeln!(f, "{} ({} to {target}): {}", self.room, self.source, self.headline(names))?;
        for difference in &self.differences {
            writeln!(f, "  {}", difference.sentence(names))?;
        }
        let all = self.events.as_ref().map_or(0, |events| events.different);
        write_rest(f, all.saturating_sub(self.differences.len()), "differences")?;
        for action in &self.actions {
            writeln!(f, "  {}", action.sentence())?;
        }
        write_rest(f, self.more_actions, "actions")
    }

    fn headline(&self, names: SideNames<'_>) -> String {
        let counts = self.events.as_ref().map_or_else(String::new, |events| events.phrase(names));
        match &self.verdict {
            Verdict::Moved => "moved already".to_owned(),
            Verdict::Ready => format!("ready; {counts}"),
            Verdict::ReadyWithDifferences => format!("ready with differences; {counts}"),
            Verdict::NotReady { reason: Obstacle::ActionUnfinished { .. } } => {
                format!("not ready: an action is not finished; {counts}")
            }
            Verdict::NotReady { reason: Obstacle::CalendarUnread { over, responsible, message, code } } => {
                let (name, who) = (names.of(*over), who_acts(*responsible));
                format!("not ready: the calendar cannot be read over {name}: {message} ({code}); {who}")
            }
        }
    }
}

impl EventCounts {
    fn phrase(&self, names: SideNames<'_>) -> String {
        let Self { source, target, same, different, .. } = self;
        format!(
            "{source} events over {}, {target} over {}: {same} the same, {different} differences",
            names.source, names.target
        )
    }
}

/// Who can remove an obstacle.
fn who_acts(responsible: ResponsibleParty) -> &'static str {
    match responsible {
        ResponsibleParty::Administrator => "an administrator has to act",
        ResponsibleParty::Server => "the server's failure is temporary: try again later",
        ResponsibleParty::Network => "the network's failure is temporary: try again later",
        ResponsibleParty::Caller => "the request is wrong for this connection",
        ResponsibleParty::Nobody => "the calendar is the reason",
    }
}

fn write_rest(f: &mut fmt::Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    if count > 0 { writeln!(f, "  and {count} more {what}") } else { Ok(()) }
}

impl MigrationReport {
    /// The exit code of the worst room.
    pub(super) fn exit(&self) -> Exit {
        const WORST_FIRST: [Exit; 4] =
            [Exit::Forbidden, Exit::Unavailable, Exit::Refused, Exit::NeedsAttention];
        let any = |exit: &Exit| self.rooms.iter().any(|room| room.exit() == *exit);
        WORST_FIRST.into_iter().find(any).unwrap_or(Exit::Done)
    }

    fn count(&self, is_counted: impl Fn(&Verdict) -> bool) -> usize {
        self.rooms.iter().filter(|room| is_counted(&room.verdict)).count()
    }
}

impl fmt::Display for MigrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for room in &self.rooms {
            room.write(f, &self.target)?;
        }
        for server in self.servers.iter().filter(|server| !server.changes.is_empty()) {
            writeln!(f, "\nFor rooms that move from {} to {}:", server.source, self.target)?;
            for change in &server.changes {
                writeln!(f, "  - {change}")?;
            }
        }
        let ready = self.count(|verdict| *verdict == Verdict::Ready);
        let different = self.count(|verdict| *verdict == Verdict::ReadyWithDifferences);
        let not_ready = self.count(|verdict| matches!(verdict, Verdict::NotReady { .. }));
        let moved = self.count(|verdict| *verdict == Verdict::Moved);
        write!(
            f,
            "\n{} rooms: {ready} ready, {different} ready with differences, {not_ready} not ready, {moved} moved already. \
             Nothing was changed.",
            self.rooms.len()
        )
    }
}
