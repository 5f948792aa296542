//! Whether the service believes its clock. A change is logged once; while a doubt stands, the service keeps reading and carries out
//! what people ask for at the doors, and does nothing else.

use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use crate::clock::ClockDoubt;
use crate::journal::{AdminActor, AdminEntry, AdminEvent};

/// Between two facts about the clock: one that flaps does not fill the journal.
const RECORDED_EVERY: Duration = Duration::from_secs(10 * 60);

/// The doubt that was reported last, and when one was recorded last.
#[derive(Default)]
pub(super) struct ReportedDoubt {
    /// Its kind: the size of an offset changes by itself.
    logged: Option<&'static str>,
    is_recorded: bool,
    recorded_at: Option<Instant>,
}

impl Service {
    /// Why the clock is not believed now.
    pub fn clock_doubt(&self) -> Option<ClockDoubt> {
        self.engine.clock().doubt()
    }

    /// Takes note of pauses of the machine, in which no sign could arrive.
    pub(super) fn note_pauses(&self) {
        if let Some(since) = self.engine.clock().running_since() {
            self.presence.write().watch.start_intake(since.max(self.started_at));
        }
    }

    /// Logs that a doubt about the clock began or ended, and records one that begins.
    pub(super) async fn report_clock(&self, reported: &mut ReportedDoubt) {
        let doubt = self.clock_doubt();
        let kind = doubt.as_ref().map(ClockDoubt::as_str);
        if reported.logged != kind {
            log(doubt.as_ref());
            reported.logged = kind;
        }
        match doubt {
            None => reported.is_recorded = false,
            Some(doubt) if !reported.is_recorded => self.record_doubt(doubt, reported).await,
            Some(_) => {}
        }
    }

    async fn record_doubt(&self, doubt: ClockDoubt, reported: &mut ReportedDoubt) {
        if reported.recorded_at.is_some_and(|at| at.elapsed() < RECORDED_EVERY) {
            return;
        }
        let event =
            AdminEvent::ClockImplausible { from: doubt.as_str().to_owned(), reason: doubt.to_string() };
        let entry = AdminEntry { at: self.now(), by: AdminActor::Service, event };
        match self.engine.journal().record_admin(entry).await {
            Ok(()) => (reported.is_recorded, reported.recorded_at) = (true, Some(Instant::now())),
            Err(error) => tracing::error!(%error, "could not record that the clock is not believed"),
        }
    }
}

fn log(doubt: Option<&ClockDoubt>) {
    match doubt {
        Some(doubt) => tracing::error!(
            %doubt,
            "the clock is not believed: no meeting is judged, no schedule runs, no evidence is deleted; actions at doors go \
             on; set this machine's clock by NTP"
        ),
        None => tracing::info!("the clock is believed again: cleanup goes on"),
    }
}
