//! Claims: of several processes that share the service store, one sends a notice or records an admin event. A claim ends by the
//! database's clock, so a process that was killed holds up nothing for long. Never sends or records anything.
//!
//! A state directory belongs to one process. There, everything is claimed already, and nothing is stored.

use super::error::StoreError;
use super::service_store::ServiceStore;
use super::sql::{Subject, values};

/// How long a claim holds: longer than a delivery and its recording take together.
pub(super) const CLAIM_MS: i64 = 60_000;

/// The time of the database, in the only dialect that has claims.
macro_rules! database_now {
    () => {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

/// A notice is claimed for one attempt, so the record of a failed attempt ends the claim.
const CLAIM_NOTICE: &str = concat!(
    "UPDATE webhook_notices SET claimed_attempt = ?3, claimed_until_ms = ?4 + ",
    database_now!(),
    " WHERE webhook = ?1 AND number = ?2 AND attempts = ?3 AND dropped_ms IS NULL AND
         (claimed_until_ms IS NULL OR claimed_attempt <> ?3 OR claimed_until_ms <= ",
    database_now!(),
    ")"
);

/// Events are moved in order, so only the first can be claimed.
const CLAIM_EVENT: &str = concat!(
    "UPDATE pending_admin_events SET claimed_until_ms = ?2 + ",
    database_now!(),
    " WHERE number = ?1 AND number = (SELECT min(number) FROM pending_admin_events) AND
         (claimed_until_ms IS NULL OR claimed_until_ms <= ",
    database_now!(),
    ")"
);

impl ServiceStore {
    /// Claims a notice for the attempt after this many failed ones. `false`: another process sends it, has sent it, or has failed to.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn claim_notice(
        &self,
        webhook: String,
        number: u64,
        attempts: u32,
    ) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let claim = values![webhook, number, attempts, CLAIM_MS];
        self.write(Subject::Outbox, move |connection| Ok(connection.execute(CLAIM_NOTICE, &claim)? == 1))
            .await
    }

    /// Claims a waiting admin event. `false`: another process moves it, or has moved it.
    pub(super) async fn claim_pending_event(&self, number: i64) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let claim = values![number, CLAIM_MS];
        self.write(Subject::Keys, move |connection| Ok(connection.execute(CLAIM_EVENT, &claim)? == 1)).await
    }
}
