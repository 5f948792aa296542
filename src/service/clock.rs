//! Whether the service believes its clock. A change is logged once; while a doubt stands, the service keeps reading and carries out
//! what people ask for at the doors, and does nothing else.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::Service;
use crate::clock::ClockDoubt;
use crate::journal::{AdminActor, AdminEntry, AdminEvent};

/// Between two facts about the clock: one that flaps does not fill the journal.
const RECORDED_EVERY: Duration = Duration::from_secs(10 * 60);

/// When a doubt about the clock was recorded last, and whether it is recorded.
#[derive(Default)]
pub(super) struct RecordedDoubt {
    at: Option<Instant>,
    stands: bool,
}

impl Service {
    /// Why the clock is not believed now.
    pub fn clock_doubt(&self) -> Option<ClockDoubt> {
        self.engine.clock().doubt()
    }

    /// Takes note of pauses of the machine, in which no sign could arrive, and reports that a doubt about the clock began or ended.
    pub(super) fn watch_clock(&self) {
        if let Some(since) = self.engine.clock().running_since() {
            self.books.write().watch.run_since(since.max(self.started_at));
        }
        let doubt = self.clock_doubt();
        let mut known = self.known_doubt.lock().unwrap_or_else(PoisonError::into_inner);
        // The size of an offset changes by itself; its kind is what matters.
        if known.as_ref().map(ClockDoubt::as_str) != doubt.as_ref().map(ClockDoubt::as_str) {
            report(doubt.as_ref());
        }
        *known = doubt;
    }

    /// Records a doubt in the journal when it begins.
    pub(super) async fn record_doubt(&self, recorded: &mut RecordedDoubt) {
        let Some(doubt) = self.clock_doubt() else {
            recorded.stands = false;
            return;
        };
        let is_due = recorded.at.is_none_or(|at| at.elapsed() >= RECORDED_EVERY);
        if recorded.stands || !is_due {
            return;
        }
        let event =
            AdminEvent::ClockImplausible { from: doubt.as_str().to_owned(), reason: doubt.to_string() };
        let entry = AdminEntry { at: self.now(), by: AdminActor::Service, event };
        match self.engine.journal().record_admin(entry).await {
            Ok(()) => *recorded = RecordedDoubt { at: Some(Instant::now()), stands: true },
            Err(error) => tracing::error!(%error, "could not record that the clock is not believed"),
        }
    }
}

fn report(doubt: Option<&ClockDoubt>) {
    match doubt {
        Some(doubt) => tracing::error!(
            %doubt,
            "the clock is not believed: no meeting is judged, no schedule runs, no evidence is deleted; actions at doors go \
             on; set this machine's clock by NTP"
        ),
        None => tracing::info!("the clock is believed again: cleanup goes on"),
    }
}
