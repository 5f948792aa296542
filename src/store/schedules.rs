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

    /// Records a run of this schedule.
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
