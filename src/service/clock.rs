//! Reports whether the system clock is trusted. Each change is logged once. While the clock is not trusted, the service reads
//! calendars and carries out requested actions, and does nothing by itself.

use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use crate::clock::ClockDoubt;
use crate::journal::{AdminActor, AdminEntry, AdminEvent};

/// The shortest time between two journal entries about the clock, so that a flapping clock does not fill the journal.
const RECORDED_EVERY: Duration = Duration::from_secs(10 * 60);

/// The clock's state that was logged last, and the last journal entry.
#[derive(Default)]
pub(super) struct ReportedDoubt {
    /// The kind of doubt; the size of an offset varies by itself.
    logged: Option<&'static str>,
    is_recorded: bool,
    recorded_at: Option<Instant>,
}

impl Service {
    /// Why the clock is not trusted now; `None` when it is.
    pub fn clock_doubt(&self) -> Option<ClockDoubt> {
        self.engine.clock().doubt()
    }

    /// Records pauses of the machine, in which no sign could arrive.
    pub(super) fn note_pauses(&self) {
        if let Some(since) = self.engine.clock().running_since() {
            self.presence.write().watch.start_intake(since.max(self.receiving_since));
        }
    }

    /// Logs when doubt about the clock starts or ends, and records a start in the journal.
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
            Err(error) => {
                tracing::error!(%error, "cannot record in the journal that the clock is not trusted")
            }
        }
    }
}

fn log(doubt: Option<&ClockDoubt>) {
    match doubt {
        Some(doubt) => tracing::error!(
            %doubt,
            "the system clock is not trusted: cleanup, schedules and deletion of evidence are suspended; requested actions \
             still run; synchronise the clock by NTP"
        ),
        None => tracing::info!("the system clock is trusted again; cleanup resumes"),
    }
}
