//! `adjourn doctor`: checks every configured Exchange. It reads the configuration; [`crate::doctor`] runs the checks. The
//! service's doctor is the same, without the write test.

use std::sync::Arc;

use clap::builder::styling::Style;

use super::args::{ConnectionArgs, DoctorArgs};
use super::connect;
#[cfg(feature = "postgres")]
use super::database_check;
use super::exit::{CommandError, Exit};
use super::exposure;
use super::output::{ERROR, Output, SUCCESS, WARNING};
use super::progress::progress_listener;
use crate::api::Doctor;
use crate::calendar::RoomAddress;
use crate::clock::SystemClock;
use crate::config::{Config, ConnectionSource, GraphSource, UnreadSettings};
use crate::doctor::{
    DoctorFinding, DoctorReport, DoctorTarget, FindingId, FindingStatus, GraphDoctorTarget, examine,
    examine_graph,
};
use crate::engine::{CalendarError, Directory, ErrorKind};
use crate::exchange::Exchange;
use crate::graph::Graph;
use crate::progress::ProgressListener;

pub(super) async fn run(
    args: DoctorArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut config = connect::load(connection)?;
    let write_in =
        args.write_test.as_deref().map(|room| connect::parse_address("--write-test", room)).transpose()?;
    for outsider in &args.out_of_scope {
        config.out_of_scope.push(connect::parse_address("--out-of-scope", outsider)?);
    }
    config.require_exchange().map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    let report = report(&config, write_in.as_ref(), Some(&*progress_listener(output))).await;
    output.data_with_styles(&report, || report.to_string(), style_of)?;
    Ok(match report.status {
        FindingStatus::Fail => Exit::Forbidden,
        FindingStatus::Pass | FindingStatus::Skip | FindingStatus::Warn => Exit::Done,
    })
}

/// The style of a finding's first word.
fn style_of(word: &str) -> Option<Style> {
    let status = [FindingStatus::Pass, FindingStatus::Warn, FindingStatus::Fail];
    match status.into_iter().find(|status| status.as_str() == word)? {
        FindingStatus::Fail => Some(ERROR),
        FindingStatus::Warn => Some(WARNING),
        FindingStatus::Pass | FindingStatus::Skip => Some(SUCCESS),
    }
}

/// Checks every Exchange of the configuration.
async fn report(
    config: &Config,
    write_in: Option<&RoomAddress>,
    progress: Option<&ProgressListener>,
) -> DoctorReport {
    let mut findings = rooms_without_connection(config, write_in);
    findings.extend(exposure::findings(config));
    #[cfg(feature = "postgres")]
    findings.extend(database_check::findings(config).await);
    for unread in config.exchanges() {
        match examined(unread, config, write_in, progress).await {
            Err(finding) => findings.push(finding),
            Ok(found) => findings.extend(found),
        }
    }
    DoctorReport::new(findings)
}

/// The doctor of a running service. It reads the configuration again, as the command does.
pub(super) struct ConfigDoctor(pub(super) ConnectionArgs);

#[async_trait::async_trait]
impl Doctor for ConfigDoctor {
    async fn examine(&self) -> DoctorReport {
        match connect::load(&self.0) {
            Ok(config) => report(&config, None, None).await,
            Err(failure) => DoctorReport::new(vec![misconfigured(None, &failure)]),
        }
    }
}

/// The findings of one connection, or the error in its configuration.
async fn examined(
    source: &ConnectionSource,
    config: &Config,
    write_in: Option<&RoomAddress>,
    progress: Option<&ProgressListener>,
) -> Result<Vec<DoctorFinding>, DoctorFinding> {
    match source {
        ConnectionSource::Ews(unread) => {
            let target = exchange_target(unread, config, write_in).await?;
            let found = examine(&target.0, &SystemClock, progress).await;
            Ok([target.1, found].concat())
        }
        ConnectionSource::Graph(unread) => {
            let target = graph_target(unread, config, write_in).await?;
            let found = examine_graph(&target.0, &SystemClock, progress).await;
            Ok([target.1, found].concat())
        }
    }
}

/// Prepares the checks of a connection over EWS, with the findings about its rooms.
async fn exchange_target(
    unread: &UnreadSettings,
    config: &Config,
    write_in: Option<&RoomAddress>,
) -> Result<(DoctorTarget, Vec<DoctorFinding>), DoctorFinding> {
    let name = unread.name.as_str();
    let settings = connect::read_secrets(unread).map_err(|failure| misconfigured(Some(name), &failure))?;
    let exchange = Exchange::new(&settings)
        .map_err(|error| misconfigured(Some(name), &connect::unusable(name, error)))?;
    let reach = ConnectionRooms::read(name, config, &exchange, write_in).await;
    let target = DoctorTarget {
        exchange: Arc::new(exchange),
        rooms: reach.rooms,
        out_of_scope: reach.out_of_scope,
        write_test_room: reach.write_test_room,
        spares_private: config.service.rules.exceptions.private,
        settings,
    };
    Ok((target, reach.findings))
}

/// Prepares the checks of a connection over Graph, with the findings about its rooms.
async fn graph_target(
    unread: &GraphSource,
    config: &Config,
    write_in: Option<&RoomAddress>,
) -> Result<(GraphDoctorTarget, Vec<DoctorFinding>), DoctorFinding> {
    let name = unread.name.as_str();
    let settings =
        connect::read_graph_secrets(unread, config).map_err(|failure| misconfigured(Some(name), &failure))?;
    let graph =
        Graph::new(&settings).map_err(|error| misconfigured(Some(name), &connect::unusable(name, error)))?;
    let reach = ConnectionRooms::read(name, config, &graph, write_in).await;
    let target = GraphDoctorTarget {
        graph: Arc::new(graph),
        rooms: reach.rooms,
        out_of_scope: reach.out_of_scope,
        write_test_room: reach.write_test_room,
        spares_private: config.service.rules.exceptions.private,
        settings,
    };
    Ok((target, reach.findings))
}

/// The mailboxes of one connection, by the configuration and its room lists.
struct ConnectionRooms {
    rooms: Vec<RoomAddress>,
    out_of_scope: Vec<RoomAddress>,
    write_test_room: Option<RoomAddress>,
    findings: Vec<DoctorFinding>,
}

impl ConnectionRooms {
    async fn read(
        name: &str,
        config: &Config,
        directory: &dyn Directory,
        write_in: Option<&RoomAddress>,
    ) -> Self {
        let lives_here = |room: &RoomAddress| config.connection_name(room) == Some(name);
        let mut rooms: Vec<RoomAddress> =
            config.scope.rooms().filter(|room| lives_here(room)).cloned().collect();
        let mut findings = Vec::new();
        if let Some(asking) = rooms.first().cloned() {
            for list in &config.room_lists {
                match directory.room_list_members(list, &asking).await {
                    Ok(members) => rooms.extend(members.into_iter().filter(|room| lives_here(room))),
                    Err(trouble) => findings.push(unreadable_list(name, list, trouble)),
                }
            }
        }
        rooms.sort();
        rooms.dedup();
        let write_in = write_in.filter(|room| lives_here(room));
        let is_in_scope = |room: &RoomAddress| config.scope.contains(room) || rooms.contains(room);
        findings.extend(write_in.filter(|room| !is_in_scope(room)).map(|room| outside_scope(name, room)));
        Self {
            write_test_room: write_in.filter(|room| is_in_scope(room)).cloned(),
            out_of_scope: config.out_of_scope.iter().filter(|room| lives_here(room)).cloned().collect(),
            rooms,
            findings,
        }
    }
}

/// The finding that the write test's room is outside the configured scope. The scope limits the write test as it limits the
/// engine, even where Exchange would permit the write.
fn outside_scope(name: &str, room: &RoomAddress) -> DoctorFinding {
    DoctorFinding {
        connection: Some(name.to_owned()),
        room: Some(room.to_string()),
        check: "write",
        id: Some(FindingId::WriteTestOutOfScope),
        status: FindingStatus::Fail,
        message: "the room is outside the configured scope, so the write test did not run".to_owned(),
        remedy: Some("give --write-test a room in scope, or add this one to scope.rooms".to_owned()),
        code: None,
    }
}

/// The finding that a room list cannot be read. It is a warning: if nothing can be read there, other findings say why. Other
/// commands stop at such a list.
fn unreadable_list(name: &str, list: &str, trouble: CalendarError) -> DoctorFinding {
    let remedy = match trouble.kind {
        ErrorKind::Permission => "grant the right, or name the rooms themselves in scope.rooms",
        _ => "check the list's address in scope.room_lists",
    };
    DoctorFinding {
        connection: Some(name.to_owned()),
        room: None,
        check: "room list",
        id: Some(FindingId::RoomListUnreadable),
        status: FindingStatus::Warn,
        message: format!("cannot read room list {list}: {}", trouble.advice),
        remedy: Some(remedy.to_owned()),
        code: Some(trouble.code),
    }
}

/// The finding for rooms that no connection covers.
fn rooms_without_connection(config: &Config, write_in: Option<&RoomAddress>) -> Vec<DoctorFinding> {
    let rooms = config.scope.rooms().chain(&config.out_of_scope).chain(write_in);
    let nowhere = rooms.filter(|room| config.connection_name(room).is_none());
    let finding = |room: &RoomAddress| DoctorFinding {
        connection: None,
        room: Some(room.to_string()),
        check: "configuration",
        id: Some(FindingId::RoomWithoutConnection),
        status: FindingStatus::Fail,
        message: "no connection covers this room".to_owned(),
        remedy: Some("add the room to a connection's rooms, or set [server]".to_owned()),
        code: None,
    };
    nowhere.map(finding).collect()
}

fn misconfigured(name: Option<&str>, failure: &CommandError) -> DoctorFinding {
    DoctorFinding {
        connection: name.map(str::to_owned),
        room: None,
        check: "configuration",
        id: Some(FindingId::ConfigurationUnusable),
        status: FindingStatus::Fail,
        message: failure.message.clone(),
        remedy: Some("fix adjourn.toml, or the file it refers to".to_owned()),
        code: Some(failure.causes.join(": ")).filter(|causes| !causes.is_empty()),
    }
}
