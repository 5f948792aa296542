//! Care for the journal beside writing to it: the service lets the chain's head leave the machine at an interval, and erases
//! personal values when they are due.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{Notice, Service};
use crate::journal::{AdminActor, Chain, ErasureRequest, ErasureResult, ErasureTarget};

/// Between two looks for personal values that are due, and before the first one: by then Exchange has spoken about the time.
const ERASE_INTERVAL: Duration = Duration::from_secs(3600);

/// How the service looks after the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalMaintenance {
    /// Between two announcements of the head.
    pub head_interval: Duration,
    /// How long personal values stay; `None`: until they are erased by hand.
    pub erase_personal_after: Option<TimeDelta>,
    /// How long an idempotency key is valid.
    pub key_ttl: TimeDelta,
}

impl Service {
    /// Announces the head and erases what is due, until it is told to stop.
    pub async fn maintain_journal(self: Arc<Self>, care: JournalMaintenance, stop: CancellationToken) {
        let begun = Instant::now();
        let mut heads = interval_at(begun, care.head_interval);
        let mut erasures = interval_at(begun + ERASE_INTERVAL, ERASE_INTERVAL);
        heads.set_missed_tick_behavior(MissedTickBehavior::Delay);
        erasures.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = heads.tick() => self.announce_journal_head(),
                _ = erasures.tick() => self.erase_due_values(&care).await,
            }
        }
    }

    /// Writes the number and hash of the last entry to the log, and sends them to the webhook. A copy elsewhere proves later
    /// that nothing was cut off (`adjourn audit verify --head`).
    pub fn announce_journal_head(&self) {
        let Some(Chain { length, head }) = self.engine.journal().chain() else { return };
        let hash = head.to_string();
        tracing::info!(number = length, hash, "journal head");
        self.notices.publish(Notice::JournalHead { number: length, hash });
    }

    /// Erases the personal values that are older than configured. Erased is erased: a clock in doubt erases nothing.
    pub async fn erase_due_values(&self, care: &JournalMaintenance) {
        if let Some(doubt) = self.clock_doubt().filter(|_| care.erase_personal_after.is_some()) {
            tracing::warn!(%doubt, "personal values are not erased while the clock is in doubt");
            return;
        }
        let now = self.now();
        let Some(before) = care.erase_personal_after.and_then(|after| now.checked_sub_signed(after)) else {
            return;
        };
        let (whose, by) = (ErasureTarget::Before(before), AdminActor::Service);
        let erasure = ErasureRequest { target: whose, by, now, key_ttl: care.key_ttl };
        match self.engine.journal().erase(erasure).await {
            Ok(erased) if erased.values > 0 => {
                let ErasureResult { values, spared, in_clear, log_remains } = erased;
                tracing::info!(values, spared, in_clear, log_remains, "personal values erased");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "cannot erase personal values; the next try is in an hour"),
        }
    }
}
