//! Writes pending admin events to the journal: key changes made on the command line, and failed sign-ins. It makes none itself,
//! except for configuration reloads.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Service;
use crate::journal::{AdminActor, AdminEntry, AdminEvent, JournalError};
use crate::store::PendingError;

/// How often pending events are written.
const WRITTEN_EVERY: Duration = Duration::from_secs(2);

/// Why pending events could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AdminEventsError {
    /// The events of the command line could not be moved from the service store.
    #[error(transparent)]
    Pending(#[from] PendingError),
    /// The journal did not take the failed sign-ins.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Service {
    /// Writes pending events at an interval until `stop`, and once more then.
    pub async fn keep_admin_events(self: Arc<Self>, stop: CancellationToken) {
        let mut fails = false;
        while tokio::time::timeout(WRITTEN_EVERY, stop.cancelled()).await.is_err() {
            let written = self.write_admin_events().await;
            // Logged once per outage: the journal's errors are also logged where actions fail.
            if let (Err(why), false) = (&written, fails) {
                tracing::error!(%why, "cannot write admin events to the journal; they are retried");
            }
            fails = written.is_err();
        }
        if let Err(why) = self.write_admin_events().await {
            tracing::error!(
                %why,
                "cannot write admin events to the journal before the stop; the next start writes them"
            );
        }
    }

    /// Writes the pending events now.
    ///
    /// # Errors
    /// When the service store or the journal cannot be used.
    pub async fn write_admin_events(&self) -> Result<(), AdminEventsError> {
        let journal = &**self.engine.journal();
        self.store.move_pending_events(journal).await?;
        for entry in self.refused_sign_ins.due(self.now()) {
            let shown = format!("{:?}", entry.event);
            if let Err(error) = journal.record_admin(entry).await {
                // The journal loses this count, so the log gets it.
                tracing::warn!(event = shown, "cannot record an admin event");
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Records that a signal loaded a configuration with this hash. A journal failure is only logged: the configuration is in
    /// force.
    pub async fn record_reload(&self, hash: String, signal: &str) {
        let (by, event) =
            (AdminActor::Signal { name: signal.to_owned() }, AdminEvent::ConfigurationReloaded { hash });
        let recorded = self.engine.journal().record_admin(AdminEntry { at: self.now(), by, event }).await;
        if let Err(error) = recorded {
            tracing::error!(%error, "cannot record the configuration reload in the journal");
        }
    }
}
