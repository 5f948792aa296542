//! Whether everything is set up: real calls to each Exchange, one finding for each, and what to do about it. Changes nothing,
//! but for the event that it makes and removes itself when it is asked to prove that it may.
//!
//! The findings come in the order in which things depend on each other, and what depends on something broken is not tried: so
//! the first failure is the cause.

mod connectivity;
mod report;
mod rooms;
mod sign_in;
mod write;

use std::sync::Arc;

use crate::calendar::RoomAddress;
use crate::clock::Clock;
use crate::exchange::{Exchange, Settings};

pub use report::{DoctorFinding, DoctorReport, FindingStatus};

/// One Exchange to be examined.
pub struct DoctorTarget {
    /// How it is reached.
    pub settings: Settings,
    /// The same, ready to be asked.
    pub exchange: Arc<Exchange>,
    /// The configured rooms that live there.
    pub rooms: Vec<RoomAddress>,
    /// Mailboxes there that must be out of reach.
    pub out_of_scope: Vec<RoomAddress>,
    /// The room in which to prove that events can be changed.
    pub write_test_room: Option<RoomAddress>,
    /// Rules spare events that are marked private.
    pub spares_private: bool,
}

/// Examines one Exchange. `progress` hears of every room that was looked at.
pub async fn examine(
    patient: &DoctorTarget,
    clock: &dyn Clock,
    progress: &(dyn Fn() + Sync),
) -> Vec<DoctorFinding> {
    let mut findings = Findings { connection: patient.settings.name.clone(), all: Vec::new() };
    if connectivity::check_connectivity(patient, clock, &mut findings).await
        && sign_in::check_sign_in(patient, &mut findings).await
        && rooms::check_room_access(patient, progress, &mut findings).await
    {
        rooms::check_out_of_scope(patient, &mut findings).await;
        rooms::check_calendar_processing(patient, clock, &mut findings).await;
        write::check_write_access(patient, clock, &mut findings).await;
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
        says: impl Into<String>,
    ) -> &mut DoctorFinding {
        let at = self.all.len();
        self.all.push(DoctorFinding {
            connection: Some(self.connection.clone()),
            room: None,
            check,
            status,
            message: says.into(),
            remedy: None,
            code: None,
        });
        &mut self.all[at]
    }

    fn pass(&mut self, check: &'static str, says: impl Into<String>) {
        self.add(check, FindingStatus::Pass, says);
    }

    fn warn(
        &mut self,
        check: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut DoctorFinding {
        let finding = self.add(check, FindingStatus::Warn, says);
        finding.remedy = Some(remedy.into());
        finding
    }

    fn fail(
        &mut self,
        check: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut DoctorFinding {
        let finding = self.add(check, FindingStatus::Fail, says);
        finding.remedy = Some(remedy.into());
        finding
    }
}
