//! The last run of each schedule. Never decides when a schedule is due.

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::service_store::ServiceStore;
use super::sql::{Subject, values};

impl ServiceStore {
    /// The last run of this schedule.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn last_run(&self, schedule: String) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT last_ms FROM runs WHERE schedule = ?1";
            connection.query_first(sql, &values![schedule])?.map(|row| row.get(0)).transpose()
        })
        .await
    }

    /// Records that a run of this schedule begins, if `last` still is its last run; `false`: another process has begun one.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn claim_run(
        &self,
        schedule: String,
        last: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.write(Subject::Schedules, move |connection| {
            let insert = "INSERT INTO runs VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let update = "UPDATE runs SET last_ms = ?3 WHERE schedule = ?1 AND last_ms = ?2";
            let claimed = match last {
                None => connection.execute(insert, &values![schedule, at])?,
                Some(last) => connection.execute(update, &values![schedule, last, at])?,
            };
            Ok(claimed == 1)
        })
        .await
    }

    /// Records a run of this schedule, whatever its last run was: for tests.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn record_run(&self, schedule: String, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(Subject::Schedules, move |connection| {
            let sql = "INSERT INTO runs VALUES (?1, ?2) ON CONFLICT (schedule) DO UPDATE SET last_ms = ?2";
            connection.execute(sql, &values![schedule, at])?;
            Ok(())
        })
        .await
    }
}
