//! Whether everything is set up: real calls to each Exchange, one finding for each, and what to do about it. Changes nothing,
//! but for the event that it makes and removes itself when it is asked to prove that it may.
//!
//! The findings come in the order in which things depend on each other, and what depends on something broken is not tried: so
//! the first failure is the cause.

mod first;
mod report;
mod rooms;
mod sign_in;
mod write;

use std::sync::Arc;

use crate::calendar::RoomAddress;
use crate::clock::Clock;
use crate::exchange::{Exchange, Settings};

pub use report::{Finding, Report, Status};

/// One Exchange to be examined.
pub struct Patient {
    /// How it is reached.
    pub settings: Settings,
    /// The same, ready to be asked.
    pub exchange: Arc<Exchange>,
    /// The configured rooms that live there.
    pub rooms: Vec<RoomAddress>,
    /// Mailboxes there that must be out of reach.
    pub outsiders: Vec<RoomAddress>,
    /// The room in which to prove that events can be changed.
    pub write_in: Option<RoomAddress>,
    /// Rules spare events that are marked private.
    pub spares_private: bool,
}

/// Examines one Exchange. `progress` hears of every room that was looked at.
pub async fn examine(patient: &Patient, clock: &dyn Clock, progress: &(dyn Fn() + Sync)) -> Vec<Finding> {
    let mut findings = Findings { connection: patient.settings.name.clone(), all: Vec::new() };
    if first::meeting(patient, clock, &mut findings).await
        && sign_in::known(patient, &mut findings).await
        && rooms::reach(patient, progress, &mut findings).await
    {
        rooms::outsiders(patient, &mut findings).await;
        rooms::what_is_erased(patient, clock, &mut findings).await;
        write::rights(patient, clock, &mut findings).await;
    }
    findings.all
}

/// The findings of one Exchange so far.
struct Findings {
    connection: String,
    all: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, check: &'static str, status: Status, says: impl Into<String>) -> &mut Finding {
        let at = self.all.len();
        self.all.push(Finding {
            connection: Some(self.connection.clone()),
            room: None,
            check,
            status,
            says: says.into(),
            remedy: None,
            code: None,
        });
        &mut self.all[at]
    }

    fn pass(&mut self, check: &'static str, says: impl Into<String>) {
        self.add(check, Status::Pass, says);
    }

    fn warn(
        &mut self,
        check: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut Finding {
        let finding = self.add(check, Status::Warn, says);
        finding.remedy = Some(remedy.into());
        finding
    }

    fn fail(
        &mut self,
        check: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> &mut Finding {
        let finding = self.add(check, Status::Fail, says);
        finding.remedy = Some(remedy.into());
        finding
    }
}
