//! The checks of a connection over Microsoft Graph: its root, the token, the rooms, the scope, the optional rights, and writing.
//!
//! A right is proven by a request that needs it. A token is never read: with a role of Exchange Online alone it does not name the
//! right, and Graph accepts it all the same.

mod native_release;
mod optional_rights;
mod rooms;
mod root;
mod scope;
mod sign_in;
mod write;

use std::sync::Arc;

use super::calendar_processing::check_calendar_processing;
use super::{DoctorFinding, Findings};
use crate::calendar::RoomAddress;
use crate::clock::Clock;
use crate::graph::{Graph, GraphSettings};
use crate::progress::ProgressListener;

/// The name of the server in sentences about connections.
const SERVER: &str = "Microsoft Graph";
/// How a right in mailboxes is granted.
const GRANT: &str = "grant the role Application Calendars.ReadWrite with a management scope that holds the rooms (adjourn setup \
                     --deployment online --protocol graph prints the commands); a change takes 30 minutes to 2 hours";

/// One connection over Microsoft Graph to check.
pub struct GraphDoctorTarget {
    /// How to reach it.
    pub settings: GraphSettings,
    /// A client with these settings.
    pub graph: Arc<Graph>,
    /// The configured rooms of the connection.
    pub rooms: Vec<RoomAddress>,
    /// Mailboxes that Graph must refuse to the application.
    pub out_of_scope: Vec<RoomAddress>,
    /// The room of the write test.
    pub write_test_room: Option<RoomAddress>,
    /// The rules leave private events alone (`cleanup.exceptions.private`).
    pub spares_private: bool,
}

/// Checks one connection over Microsoft Graph. Reports to `progress` after each room.
pub async fn examine_graph(
    target: &GraphDoctorTarget,
    clock: &dyn Clock,
    progress: Option<&ProgressListener>,
) -> Vec<DoctorFinding> {
    let mut findings = Findings { connection: target.settings.name.clone(), all: Vec::new() };
    if root::check_root(target, clock.now(), &mut findings).await
        && sign_in::check_sign_in(target, &mut findings).await
        && let Some(room) = rooms::check_rooms(target, progress, &mut findings).await
    {
        scope::check_out_of_scope(target, &mut findings).await;
        optional_rights::check_optional_rights(target, &room, &mut findings).await;
        native_release::report_native_release(&mut findings);
        let (graph, rooms) = (&*target.graph, target.rooms.as_slice());
        check_calendar_processing(graph, rooms, target.spares_private, clock.now(), &mut findings).await;
        write::check_write_access(target, clock.now(), &mut findings).await;
    }
    findings.all
}
