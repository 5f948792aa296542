//! Writes admin events into the journal beside everything else: changes of keys by the command line, and refused sign-ins.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Service;
use crate::journal::{AdminActor, AdminEntry, AdminEvent};

/// How soon what the command line changed stands in the journal.
const WRITTEN_EVERY: Duration = Duration::from_secs(2);

impl Service {
    /// Writes what waits again and again until it is told to stop, and once more then.
    pub async fn keep_admin_events(self: Arc<Self>, stop: CancellationToken) {
        let mut fails = false;
        while tokio::time::timeout(WRITTEN_EVERY, stop.cancelled()).await.is_err() {
            let written = self.write_admin_events().await;
            // Once per outage: the journal's own errors are logged where actions fail.
            if let (Err(why), false) = (&written, fails) {
                tracing::error!(why, "cannot write admin events to the journal; they wait");
            }
            fails = written.is_err();
        }
        if let Err(why) = self.write_admin_events().await {
            tracing::error!(why, "admin events wait for the next start");
        }
    }

    /// Writes what waits now.
    ///
    /// # Errors
    /// When the service store or the journal cannot be used.
    pub async fn write_admin_events(&self) -> Result<(), String> {
        let journal = &**self.engine.journal();
        self.store.move_pending_events(journal).await.map_err(|error| error.to_string())?;
        for entry in self.refused_sign_ins.due(self.now()) {
            let shown = format!("{:?}", entry.event);
            if let Err(error) = journal.record_admin(entry).await {
                // The count is lost for the journal, so it goes to the log.
                tracing::warn!(event = shown, "an admin event could not be recorded");
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    /// Records that a configuration with this hash is in force since a signal. A journal that fails is for the log: the
    /// configuration is in force all the same.
    pub async fn record_reload(&self, hash: String, signal: &str) {
        let (by, event) =
            (AdminActor::Signal { name: signal.to_owned() }, AdminEvent::ConfigurationReloaded { hash });
        let recorded = self.engine.journal().record_admin(AdminEntry { at: self.now(), by, event }).await;
        if let Err(error) = recorded {
            tracing::error!(%error, "the journal does not know that the configuration was read again");
        }
    }
}
