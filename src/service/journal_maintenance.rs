//! Journal maintenance: publishes the chain's head at an interval, and erases personal values when their retention ends. It never
//! changes a journal entry.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{Notice, Service};
use crate::engine::EngineOptions;
use crate::journal::{AdminActor, Chain, ErasureRequest, ErasureResult, ErasureTarget};

/// The interval of erasure, and the delay before the first one: by then Exchange's `Date` headers have confirmed the clock.
const ERASE_INTERVAL: Duration = Duration::from_secs(3600);

/// The options of journal maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalMaintenance {
    /// The interval of publishing the head.
    pub head_interval: Duration,
    /// The retention of personal values; `None`: they are erased only by hand.
    pub erase_personal_after: Option<TimeDelta>,
    /// How long an idempotency key is valid.
    pub key_ttl: TimeDelta,
}

impl Default for JournalMaintenance {
    /// Reports the head every hour. The operator decides how long personal values stay.
    fn default() -> Self {
        Self {
            head_interval: Duration::from_secs(3600),
            erase_personal_after: None,
            key_ttl: EngineOptions::default().key_ttl,
        }
    }
}

impl Service {
    /// Publishes the head and erases due values at their intervals, until `stop`.
    pub async fn maintain_journal(self: Arc<Self>, care: JournalMaintenance, stop: CancellationToken) {
        let maintained = async {
            tokio::join!(self.announce_heads(care.head_interval), self.erase_at_intervals(&care));
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = maintained => {}
        }
    }

    async fn announce_heads(&self, interval: Duration) {
        let mut heads = interval_at(Instant::now(), interval);
        heads.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            heads.tick().await;
            self.announce_journal_head().await;
        }
    }

    /// An erasure waits while `adjourn audit archive` works on the same database.
    async fn erase_at_intervals(&self, care: &JournalMaintenance) {
        let mut erasures = interval_at(Instant::now() + ERASE_INTERVAL, ERASE_INTERVAL);
        erasures.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            erasures.tick().await;
            self.erase_due_values(care).await;
        }
    }

    /// Writes the number and hash of the last entry, or of the last anchor where several processes write, to the log and to the webhooks. A
    /// copy elsewhere proves later that the journal was not truncated (`adjourn audit verify --head`).
    pub async fn announce_journal_head(&self) {
        let Chain { length, head } = match self.engine.journal().head().await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "cannot report the journal's head"),
        };
        let hash = head.to_string();
        tracing::info!(number = length, hash, "journal head");
        self.notices.publish(Notice::JournalHead { number: length, hash });
    }

    /// Erases personal values that are older than configured. Erasure is irreversible, so an untrusted clock erases nothing.
    pub async fn erase_due_values(&self, care: &JournalMaintenance) {
        if let Some(doubt) = self.clock_doubt().filter(|_| care.erase_personal_after.is_some()) {
            tracing::warn!(%doubt, "not erasing personal values: the clock is not trusted");
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
            Err(error) => tracing::error!(%error, "cannot erase personal values; retrying in an hour"),
        }
    }
}
