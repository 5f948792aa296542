//! Stores signs of presence, and the times at which signs of a room were refused. A row mirrors one sign of the sign log under the
//! sign's number; loading deletes rows that the log does not accept. Never decides whether a sign counts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, named_params};

use super::error::StoreError;
use super::presence::{parse_room, parse_time};
use super::service_store::ServiceStore;
use crate::calendar::{RoomAddress, Uid};
use crate::presence::{Interval, Sign, SignLog};

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
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            signs.iter().try_for_each(|sign| keep_sign(&transaction, sign))?;
            refused.iter().try_for_each(|(room, span)| keep_refused(&transaction, room, *span))?;
            transaction.execute("DELETE FROM evidence WHERE keep_until_ms < ?1", [now.timestamp_millis()])?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Loads unexpired signs into the log, newest first, as far as its bounds allow; deletes the others. Reads page by page, so a large
    /// file takes no more memory than the log.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn load_signs(&self, now: DateTime<Utc>, mut log: SignLog) -> Result<SignLog, StoreError> {
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM evidence WHERE keep_until_ms < ?1", [now.timestamp_millis()])?;
            load_refused(&transaction, &mut log)?;
            let mut below = i64::MAX;
            loop {
                let page = page(&transaction, below)?;
                let Some(last) = page.last() else { break };
                below = number(last);
                for sign in page {
                    let row = number(&sign);
                    if !log.restore(sign) {
                        transaction.execute("DELETE FROM evidence WHERE number = ?1", [row])?;
                    }
                }
            }
            log.finish_restore();
            let refused = log.refused();
            refused.iter().try_for_each(|(room, span)| keep_refused(&transaction, room, *span))?;
            transaction.commit()?;
            Ok(log)
        })
        .await
    }

    /// The number of stored signs, and the bytes of their texts.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn count_signs(&self) -> Result<(u64, u64), StoreError> {
        self.with_connection(|connection| {
            let sql = "SELECT count(*), coalesce(sum(length(CAST(coalesce(event, '') || source AS BLOB))), 0)
                       FROM evidence";
            let (signs, bytes): (i64, i64) =
                connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((signs.unsigned_abs(), bytes.unsigned_abs()))
        })
        .await
    }
}

fn number(sign: &Sign) -> i64 {
    i64::try_from(sign.number).unwrap_or(i64::MAX)
}

/// Two writes of one sign may arrive in either order: the row keeps what either of them knows.
fn keep_sign(connection: &Connection, sign: &Sign) -> Result<(), StoreError> {
    let sql = "INSERT INTO evidence (number, room, event, at_ms, received_ms, source, reporter, minutes, uid,
                                     original_ms, keep_until_ms)
               VALUES (:number, :room, :event, :at, :received, :source, :reporter, :minutes, :uid, :original,
                       :keep_until)
               ON CONFLICT (number) DO UPDATE SET
                   minutes       = minutes | excluded.minutes,
                   uid           = coalesce(excluded.uid, uid),
                   original_ms   = coalesce(excluded.original_ms, original_ms),
                   keep_until_ms = max(keep_until_ms, excluded.keep_until_ms)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":number": number(sign),
        ":room": sign.room.as_str(),
        ":event": sign.event,
        ":at": sign.at.timestamp_millis(),
        ":received": sign.received_at.timestamp_millis(),
        ":source": sign.source,
        ":reporter": sign.reporter,
        ":minutes": sign.minutes.cast_signed(),
        ":uid": sign.identity.as_ref().map(|(uid, _)| uid.as_str()),
        ":original": sign.identity.as_ref().map(|(_, start)| start.timestamp_millis()),
        ":keep_until": sign.keep_until.timestamp_millis(),
    })?;
    Ok(())
}

fn keep_refused(connection: &Connection, room: &RoomAddress, span: Interval) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO refused_evidence VALUES (?1, ?2, ?3)";
    let (from, to) = (span.from.timestamp_millis(), span.to.timestamp_millis());
    connection.prepare_cached(sql)?.execute((room.as_str(), from, to))?;
    Ok(())
}

fn load_refused(connection: &Connection, log: &mut SignLog) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT room, from_ms, to_ms FROM refused_evidence")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let room: String = row.get(0)?;
        if let Some(span) = Interval::new(parse_time(row.get(1)?)?, parse_time(row.get(2)?)?) {
            log.restore_refused(parse_room(&room)?, span);
        }
    }
    Ok(())
}

fn page(connection: &Connection, below: i64) -> Result<Vec<Sign>, StoreError> {
    let sql =
        "SELECT room, event, at_ms, received_ms, source, uid, original_ms, keep_until_ms, reporter, minutes,
                      number
               FROM evidence WHERE number < ?1 ORDER BY number DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((below, i64::try_from(PAGE).unwrap_or(i64::MAX)))?;
    let mut signs = Vec::new();
    while let Some(row) = rows.next()? {
        signs.push(sign(row)?);
    }
    Ok(signs)
}

fn sign(row: &Row<'_>) -> Result<Sign, StoreError> {
    let (room, uid, original): (String, Option<String>, Option<i64>) =
        (row.get(0)?, row.get(5)?, row.get(6)?);
    let original = original.map(parse_time).transpose()?;
    let identity = uid.map(Uid::new).zip(original);
    Ok(Sign {
        room: parse_room(&room)?,
        event: row.get(1)?,
        at: parse_time(row.get(2)?)?,
        received_at: parse_time(row.get(3)?)?,
        source: row.get(4)?,
        reporter: row.get(8)?,
        minutes: row.get::<_, i64>(9)?.cast_unsigned(),
        number: row.get::<_, i64>(10)?.unsigned_abs(),
        is_matched: identity.is_some(),
        identity,
        keep_until: parse_time(row.get(7)?)?,
    })
}
