//! `adjourn migrate`: rehearses the move of rooms to a connection over Microsoft Graph. It reads each room over both connections and
//! prints what differs ([`crate::migration`] compares). It changes nothing: no calendar, no journal, no configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;

use super::args::{ConnectionArgs, MigrateArgs};
use super::connect::{self, JournalAccess, OpenedEngine};
use super::exit::{CommandError, Exit};
use super::migration_report::{MigrationReport, RoomReport, ServerReport};
use super::migration_view::MigrationView;
use super::output::Output;
use super::progress::progress_listener;
use super::suggest::{closest_room, did_you_mean};
use crate::calendar::{RoomAddress, Window};
use crate::config::{Config, ConnectionSource, GraphSource};
use crate::engine::{Calendar, Capabilities};
use crate::journal::{ActionRecord, ActionStatus, JournalError, Query};
use crate::migration::{
    Comparison, HeldAction, Obstacle, Side, Verdict, compare, held_actions, server_changes, verdict,
};
use crate::progress::{PhaseProgress, ProgressListener};
use crate::suggestion::{EDITS_MAX, closest_within};

/// `--to graph` names the only connection over Graph, whatever its name.
const ANY_GRAPH: &str = "graph";
/// The part of the past that is compared: an action of the last day can still be open or be undone.
const PAST: TimeDelta = TimeDelta::days(1);
/// How many of a room's latest actions are searched for undoable ones, as many as the engine remembers.
const RECENT_ACTIONS_MAX: usize = 100;
/// The source of a room without a connection.
const NO_CONNECTION: &str = "no connection";

pub(super) async fn run(
    args: MigrateArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let opened = connect::open(connection, JournalAccess::ReadOnly, output).await?;
    let to = target(&opened.config, &args.to)?;
    let rooms = rooms(&args, &opened, output)?;
    let now = opened.engine.clock().now();
    let window = Window::new(now - PAST, now + TimeDelta::days(i64::from(args.days)))
        .map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    let target = Arc::new(connect::open_graph(to, &opened.config)?);
    let rehearsal = Rehearsal { target, target_name: &to.name, opened: &opened, window, now };
    let report = rehearsal.run(&rooms, &*progress_listener(output)).await?;
    output.data(&MigrationView::of(&report), || report.to_string())?;
    Ok(report.exit())
}

/// The connection over Graph with this name.
fn target<'c>(config: &'c Config, name: &str) -> Result<&'c GraphSource, CommandError> {
    let graphs = config.exchanges().filter_map(|connection| match connection {
        ConnectionSource::Graph(graph) => Some(graph),
        ConnectionSource::Ews(_) => None,
    });
    let graphs: Vec<_> = graphs.collect();
    if let Some(graph) = graphs.iter().find(|graph| graph.name == name) {
        return Ok(graph);
    }
    if config.exchanges().any(|connection| connection.name() == name) {
        let message = format!("the connection {name} is over EWS; --to needs one with protocol = \"graph\"");
        return Err(CommandError::new(Exit::Usage, message));
    }
    match &graphs[..] {
        [graph] if name == ANY_GRAPH => Ok(graph),
        [] => Err(CommandError::new(
            Exit::Usage,
            "the configuration has no connection with protocol = \"graph\"; add one to [[connections]], with rooms = [] \
             for the rehearsal",
        )),
        _ => {
            let names: Vec<_> = graphs.iter().map(|graph| graph.name.as_str()).collect();
            let meant = did_you_mean(closest_within(name, names.iter().copied(), EDITS_MAX));
            let message =
                format!("no connection is named {name}; over Graph there are: {}{meant}", names.join(", "));
            Err(CommandError::new(Exit::Usage, message))
        }
    }
}

/// The rooms to rehearse, all of them in scope.
fn rooms(
    args: &MigrateArgs,
    opened: &OpenedEngine,
    output: &Output,
) -> Result<Vec<RoomAddress>, CommandError> {
    let scope = opened.engine.scope();
    if args.all {
        if scope.has_domains() {
            output.warn("--all has the rooms that the configuration lists; name the others of scope.domains");
        }
        let all: Vec<_> = scope.rooms().cloned().collect();
        let none = || CommandError::new(Exit::Usage, "no rooms: list rooms under [scope] in adjourn.toml");
        return if all.is_empty() { Err(none()) } else { Ok(all) };
    }
    let mut rooms = Vec::new();
    for text in &args.rooms {
        let room = connect::parse_address("ROOM", text)?;
        if !scope.contains(&room) {
            let meant = did_you_mean(closest_room(&room, &scope));
            let message = format!("{room} is not in the configured scope: add it to [scope]{meant}");
            return Err(CommandError::new(Exit::Refused, message));
        }
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }
    Ok(rooms)
}

/// The rehearsal of a move to one connection.
struct Rehearsal<'o> {
    target: Arc<dyn Calendar>,
    target_name: &'o str,
    opened: &'o OpenedEngine,
    window: Window,
    now: DateTime<Utc>,
}

impl Rehearsal<'_> {
    async fn run(
        &self,
        rooms: &[RoomAddress],
        listener: &ProgressListener,
    ) -> Result<MigrationReport, JournalError> {
        let mut progress = PhaseProgress::begin(Some(listener), "comparing rooms", rooms.len());
        let at_once = self.opened.config.service.max_concurrent_rooms.max(1);
        let rehearsals =
            rooms.iter().enumerate().map(|(index, room)| async move { (index, self.room(room).await) });
        let mut finished = futures_util::stream::iter(rehearsals).buffer_unordered(at_once);
        let mut reports = BTreeMap::new();
        while let Some((index, report)) = finished.next().await {
            reports.insert(index, report?);
            progress.step();
        }
        Ok(MigrationReport {
            target: self.target_name.to_owned(),
            from: self.window.start(),
            to: self.window.end(),
            rooms: reports.into_values().collect(),
            servers: self.servers(rooms),
        })
    }

    async fn room(&self, room: &RoomAddress) -> Result<RoomReport, JournalError> {
        let source = self.source_name(room);
        if source == self.target_name {
            return Ok(RoomReport::new(room, source, Verdict::Moved));
        }
        let actions = self.actions(room).await?;
        let compared = self.compared(room).await;
        let verdict = verdict(compared.as_ref().map_err(Clone::clone), &actions);
        Ok(RoomReport::new(room, source, verdict).with_comparison(compared.ok()).with_actions(actions))
    }

    /// Compares the room's calendars. An event can change between the two reads, so a difference counts when it is there in a
    /// second comparison.
    async fn compared(&self, room: &RoomAddress) -> Result<Comparison, Obstacle> {
        let first = self.read_and_compare(room).await?;
        if first.differences.is_empty() { Ok(first) } else { self.read_and_compare(room).await }
    }

    async fn read_and_compare(&self, room: &RoomAddress) -> Result<Comparison, Obstacle> {
        let source = self.opened.engine.calendar().events(room, self.window).await;
        let source = source.map_err(|error| Obstacle::unread(Side::Source, error))?;
        let target = self.target.events(room, self.window).await;
        let target = target.map_err(|error| Obstacle::unread(Side::Target, error))?;
        Ok(compare(&source, &target, &self.window))
    }

    /// The room's actions that matter for the move. Unfinished ones are searched apart: refused requests may be newer.
    async fn actions(&self, room: &RoomAddress) -> Result<Vec<HeldAction>, JournalError> {
        let journal = self.opened.engine.journal();
        let mut records = journal.find(&Query::room(room).with_status(ActionStatus::Open)).await?;
        let recent = Query { limit: Some(RECENT_ACTIONS_MAX), ..Query::room(room) };
        let closed = |record: &ActionRecord| !record.is_open();
        records.extend(journal.find(&recent).await?.into_iter().filter(closed));
        Ok(held_actions(&records, self.now, self.target.capabilities(room)))
    }

    /// What the other server does otherwise, for each connection that rooms leave.
    fn servers(&self, rooms: &[RoomAddress]) -> Vec<ServerReport> {
        let mut by_source = BTreeMap::new();
        for room in rooms {
            let source = self.source_name(room);
            if source != self.target_name && source != NO_CONNECTION {
                by_source.entry(source).or_insert(room);
            }
        }
        let changes = |room: &RoomAddress| {
            let source: Capabilities = self.opened.engine.calendar().capabilities(room);
            server_changes(source, self.target.capabilities(room))
        };
        let report = |(source, room): (&str, &RoomAddress)| ServerReport {
            source: source.to_owned(),
            changes: changes(room),
        };
        by_source.into_iter().map(report).collect()
    }

    fn source_name(&self, room: &RoomAddress) -> &str {
        self.opened.config.connection_name(room).unwrap_or(NO_CONNECTION)
    }
}
