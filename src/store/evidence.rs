//! Stores signs of presence, and the times at which signs of a room were refused. A row mirrors one sign of the sign log under the
//! sign's number; loading deletes rows that the log does not accept. Never decides whether a sign counts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::presence::parse_room;
use super::service_store::ServiceStore;
use super::sql::{SqlConnection, SqlRow, Subject, Value, values};
use crate::calendar::{RoomAddress, Uid};
use crate::presence::{Interval, Sign, SignLog};

/// Numbers for the signs that one process adds; none adds so many.
const NUMBER_RANGE: u64 = 1 << 32;
/// Signs in one read at the start.
const PAGE: usize = 1_000;

impl ServiceStore {
    /// Stores signs as the log has them, all or none, and the times of refused signs. Deletes expired signs.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn keep_signs(
        &self,
        signs: Vec<Sign>,
        refused: HashMap<RoomAddress, Interval>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(Subject::Signs, move |connection| {
            connection.execute_all(KEEP_SIGN, &signs.iter().map(sign_values).collect::<Vec<_>>())?;
            keep_refused(connection, &refused)?;
            delete_expired(connection, now)
        })
        .await
    }

    /// Loads unexpired signs into the log, newest first, as far as its bounds allow; deletes the others. Reads page by page, so a large
    /// file takes no more memory than the log. Where processes share the store, the log numbers its signs as no other process does.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn load_signs(&self, now: DateTime<Utc>, mut log: SignLog) -> Result<SignLog, StoreError> {
        let is_shared = self.is_shared();
        self.write(Subject::Signs, move |connection| {
            delete_expired(connection, now)?;
            load_refused(connection, &mut log)?;
            let mut below = i64::MAX;
            loop {
                let page = page(connection, below)?;
                let Some(last) = page.last() else { break };
                below = number(last);
                let numbers = page.into_iter().map(|sign| (number(&sign), sign));
                let refused = numbers
                    .filter_map(|(number, sign)| (!log.restore(sign)).then(|| values![number].to_vec()));
                connection
                    .execute_all("DELETE FROM evidence WHERE number = ?1", &refused.collect::<Vec<_>>())?;
            }
            log.finish_restore();
            if is_shared {
                log.continue_after(take_number_range(connection)?);
            }
            keep_refused(connection, log.refused())?;
            Ok(log)
        })
        .await
    }

    /// The number of stored signs, and the bytes of their texts.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn count_signs(&self) -> Result<(u64, u64), StoreError> {
        self.read(|connection| {
            let sql = "SELECT count(*), CAST(coalesce(sum(octet_length(coalesce(event, '') || source)), 0) AS BIGINT)
                       FROM evidence";
            let row = connection.query_first(sql, &[])?;
            row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .await
    }
}

fn number(sign: &Sign) -> i64 {
    i64::try_from(sign.number).unwrap_or(i64::MAX)
}

/// Takes a range of numbers that is above all others; returns the number before its first.
fn take_number_range(connection: &dyn SqlConnection) -> Result<u64, StoreError> {
    let sql = "INSERT INTO sign_number_ranges VALUES (1, 1)
               ON CONFLICT (number) DO UPDATE SET last = sign_number_ranges.last + 1 RETURNING last";
    let range = connection.query_first(sql, &[])?.map_or(Ok(0), |row| row.get::<u64>(0))?;
    Ok(range.saturating_mul(NUMBER_RANGE))
}

/// Continues after signs of a state directory, which have numbers but no ranges.
#[cfg(feature = "postgres")]
pub(super) fn continue_number_ranges(connection: &dyn SqlConnection) -> Result<(), StoreError> {
    let sql = "INSERT INTO sign_number_ranges
               SELECT 1, CAST(max(number) / ?1 AS BIGINT) FROM evidence HAVING max(number) IS NOT NULL
               ON CONFLICT (number) DO UPDATE SET last = excluded.last";
    connection.execute(sql, &values![NUMBER_RANGE])?;
    Ok(())
}

fn delete_expired(connection: &dyn SqlConnection, now: DateTime<Utc>) -> Result<(), StoreError> {
    connection.execute("DELETE FROM evidence WHERE keep_until_ms < ?1", &values![now])?;
    Ok(())
}

/// Two writes of one sign may arrive in either order: the row keeps what either of them knows.
const KEEP_SIGN: &str = "
    INSERT INTO evidence (number, room, event, at_ms, received_ms, source, reporter, minutes, uid, original_ms, keep_until_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (number) DO UPDATE SET
        minutes       = evidence.minutes | excluded.minutes,
        uid           = coalesce(excluded.uid, evidence.uid),
        original_ms   = coalesce(excluded.original_ms, evidence.original_ms),
        keep_until_ms = CASE WHEN evidence.keep_until_ms > excluded.keep_until_ms
                             THEN evidence.keep_until_ms ELSE excluded.keep_until_ms END";

fn sign_values(sign: &Sign) -> Vec<Value> {
    let (uid, original) = sign.identity.as_ref().map(|(uid, start)| (uid.as_str(), *start)).unzip();
    values![
        number(sign),
        sign.room.as_str(),
        sign.event.clone(),
        sign.at,
        sign.received_at,
        &sign.source,
        &sign.reporter,
        sign.minutes.cast_signed(),
        uid,
        original,
        sign.keep_until,
    ]
    .to_vec()
}

fn keep_refused(
    connection: &dyn SqlConnection,
    refused: &HashMap<RoomAddress, Interval>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO refused_evidence VALUES (?1, ?2, ?3)
               ON CONFLICT (room) DO UPDATE SET from_ms = excluded.from_ms, to_ms = excluded.to_ms";
    let rows: Vec<_> =
        refused.iter().map(|(room, span)| values![room.as_str(), span.from, span.to].to_vec()).collect();
    connection.execute_all(sql, &rows)
}

fn load_refused(connection: &dyn SqlConnection, log: &mut SignLog) -> Result<(), StoreError> {
    for row in connection.query("SELECT room, from_ms, to_ms FROM refused_evidence", &[])? {
        if let Some(span) = Interval::new(row.get(1)?, row.get(2)?) {
            log.restore_refused(parse_room(&row.get::<String>(0)?)?, span);
        }
    }
    Ok(())
}

fn page(connection: &dyn SqlConnection, below: i64) -> Result<Vec<Sign>, StoreError> {
    let sql =
        "SELECT room, event, at_ms, received_ms, source, uid, original_ms, keep_until_ms, reporter, minutes,
                      number
               FROM evidence WHERE number < ?1 ORDER BY number DESC LIMIT ?2";
    connection.query(sql, &values![below, PAGE])?.iter().map(sign).collect()
}

fn sign(row: &SqlRow) -> Result<Sign, StoreError> {
    let uid: Option<String> = row.get(5)?;
    let identity = uid.map(Uid::new).zip(row.get(6)?);
    Ok(Sign {
        room: parse_room(&row.get::<String>(0)?)?,
        event: row.get(1)?,
        at: row.get(2)?,
        received_at: row.get(3)?,
        source: row.get(4)?,
        reporter: row.get(8)?,
        minutes: row.get::<i64>(9)?.cast_unsigned(),
        number: row.get::<i64>(10)?.unsigned_abs(),
        is_matched: identity.is_some(),
        identity,
        keep_until: row.get(7)?,
    })
}
