//! The doctor checks a set-up with real calls to each Exchange, over EWS ([`examine`]) or Microsoft Graph ([`examine_graph`]). Each
//! check yields a finding: its cause, and the remedy.
//!
//! Checks run in the order in which they depend on each other, and stop at a failure on which the rest depends, so the first
//! failure is the cause. The doctor never changes a calendar, except in the write test, which creates one event and removes it.

mod calendar_processing;
mod connectivity;
mod end_update;
mod exchange_online;
mod finding_id;
mod graph;
mod report;
mod room_probes;
mod rooms;
mod server;
mod sign_in;
mod test_event;
mod token;
mod write;

use std::sync::Arc;

use crate::calendar::RoomAddress;
use crate::clock::Clock;
use crate::exchange::{Exchange, Settings};
use crate::progress::ProgressListener;

use calendar_processing::check_calendar_processing;
pub use finding_id::{FINDINGS, FindingId};
pub use graph::{GraphDoctorTarget, examine_graph};
pub use report::{DoctorFinding, DoctorReport, FindingStatus};

/// One Exchange to check over EWS.
pub struct DoctorTarget {
    /// How to reach it.
    pub settings: Settings,
    /// A client with these settings.
    pub exchange: Arc<Exchange>,
    /// The configured rooms whose mailboxes are there.
    pub rooms: Vec<RoomAddress>,
    /// Mailboxes there that Exchange must refuse to the account.
    pub out_of_scope: Vec<RoomAddress>,
    /// The room of the write test.
    pub write_test_room: Option<RoomAddress>,
    /// The rules leave private events alone (`cleanup.exceptions.private`).
    pub spares_private: bool,
}

/// Checks one Exchange. Reports to `progress` after each room.
pub async fn examine(
    target: &DoctorTarget,
    clock: &dyn Clock,
    progress: Option<&ProgressListener>,
) -> Vec<DoctorFinding> {
    let mut findings = Findings { connection: target.settings.name.clone(), all: Vec::new() };
    if connectivity::check_connectivity(target, clock, &mut findings).await
        && sign_in::check_sign_in(target, &mut findings).await
        && rooms::check_room_access(target, progress, &mut findings).await
    {
        rooms::check_out_of_scope(target, &mut findings).await;
        let (exchange, rooms) = (&*target.exchange, target.rooms.as_slice());
        check_calendar_processing(exchange, rooms, target.spares_private, clock.now(), &mut findings).await;
        write::check_write_access(target, clock, &mut findings).await;
    }
    findings.all
}

/// The findings of one Exchange so far.
struct Findings {
    connection: String,
    all: Vec<DoctorFinding>,
}

impl Findings {
    fn add(
        &mut self,
        check: &'static str,
        status: FindingStatus,
        message: impl Into<String>,
    ) -> &mut DoctorFinding {
        let at = self.all.len();
        self.all.push(DoctorFinding {
            connection: Some(self.connection.clone()),
            room: None,
            check,
            id: None,
            status,
            message: message.into(),
            remedy: None,
            code: None,
        });
        &mut self.all[at]
    }

    /// The first of the connection's rooms. Without one there is nothing to check, which is a failure.
    fn first_room<'r>(&mut self, rooms: &'r [RoomAddress]) -> Option<&'r RoomAddress> {
        if rooms.is_empty() {
            self.fail(
                FindingId::NoRoomConfigured,
                "rooms",
                "no configured room belongs to this connection",
                "list its rooms in scope.rooms, or a room list and one room",
            );
        }
        rooms.first()
    }

    fn pass(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, FindingStatus::Pass, message);
    }

    fn warn(
        &mut self,
        id: FindingId,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut DoctorFinding {
        let finding = self.add(check, FindingStatus::Warn, message);
        finding.id = Some(id);
        finding.remedy = Some(remedy.into());
        finding
    }

    fn fail(
        &mut self,
        id: FindingId,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut DoctorFinding {
        let finding = self.add(check, FindingStatus::Fail, message);
        finding.id = Some(id);
        finding.remedy = Some(remedy.into());
        finding
    }
}
