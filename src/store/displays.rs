//! Stores the paired door displays: room, pairing, last contact and version. A display has the id and the name of its key, and leaves the
//! table when that key is revoked. Never decides whether a display is lost.

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::keys::{self, KeyError};
use super::service_store::ServiceStore;
use super::sql::{SqlRow, Subject, Value, values};
use crate::access::{KeyId, StoredKey};
use crate::calendar::RoomAddress;
use crate::journal::AdminActor;

/// Paired displays: one for each room of a site with five thousand rooms. Half of the keys stay for other callers.
pub const DISPLAYS_MAX: usize = 5_000;

/// A display that is paired now.
#[derive(Debug, Clone)]
pub struct NewDisplay {
    /// Its key.
    pub key: StoredKey,
    /// Its room.
    pub room: RoomAddress,
    /// The name of the operator's key or of the token's holder.
    pub paired_by: String,
}

/// A paired display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayRecord {
    /// The id of its key, and its own.
    pub id: KeyId,
    /// The name of its key, and its own.
    pub name: String,
    /// The address of its room.
    pub room: String,
    /// The time of its pairing.
    pub paired: DateTime<Utc>,
    /// The name of the operator's key or of the token's holder.
    pub paired_by: String,
    /// The stored last contact; `None`: none yet.
    pub last_contact: Option<DateTime<Utc>>,
    /// The build of the page that it last ran.
    pub version: Option<String>,
    /// Since when it counts as lost.
    pub lost_since: Option<DateTime<Utc>>,
}

impl DisplayRecord {
    /// Its place in lists, which no other display has.
    pub fn order(&self) -> (&str, &str) {
        (&self.room, &self.id.0)
    }
}

/// The contact of a display, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayContact {
    /// The display.
    pub id: KeyId,
    /// Its last contact; `None`: none yet.
    pub at: Option<DateTime<Utc>>,
    /// The build of its page.
    pub version: Option<String>,
    /// Since when it counts as lost.
    pub lost_since: Option<DateTime<Utc>>,
}

impl ServiceStore {
    /// Stores a display with its new key, and the admin event that `by` created the key. `false`: [`DISPLAYS_MAX`] are paired, and
    /// nothing was stored.
    ///
    /// # Errors
    /// The name is taken, the maximum number of keys is in force, or the store cannot be written.
    pub async fn pair_display(
        &self,
        display: NewDisplay,
        by: AdminActor,
        now: DateTime<Utc>,
    ) -> Result<bool, KeyError> {
        self.write(Subject::Keys, move |connection| {
            if connection.count("SELECT count(*) FROM displays", &[])? >= DISPLAYS_MAX {
                return Ok(false);
            }
            keys::create(connection, &display.key, by, now)?;
            let sql = "INSERT INTO displays (key_id, room, paired_ms, paired_by) VALUES (?1, ?2, ?3, ?4)";
            let id = &display.key.holder.id.0;
            connection.execute(sql, &values![id, display.room.as_str(), now, &display.paired_by])?;
            Ok(true)
        })
        .await
    }

    /// The paired displays, by room and id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn displays(&self) -> Result<Vec<DisplayRecord>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT id, name, displays.room, paired_ms, paired_by, contact_ms, version, lost_ms
                       FROM displays JOIN keys ON keys.id = displays.key_id
                       WHERE revoked_ms IS NULL ORDER BY displays.room, id";
            connection.query(sql, &[])?.iter().map(record).collect()
        })
        .await
    }

    /// Stores contacts. An older contact than the stored one changes nothing but the version and the loss.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn record_display_contacts(&self, contacts: Vec<DisplayContact>) -> Result<(), StoreError> {
        self.write(Subject::Keys, move |connection| {
            let sql = "UPDATE displays SET
                           contact_ms = CASE WHEN contact_ms IS NULL OR contact_ms < ?2 THEN ?2 ELSE contact_ms END,
                           version = coalesce(?3, version), lost_ms = ?4
                       WHERE key_id = ?1";
            let rows: Vec<_> = contacts.into_iter().map(contact_values).collect();
            connection.execute_all(sql, &rows)
        })
        .await
    }
}

fn contact_values(DisplayContact { id, at, version, lost_since }: DisplayContact) -> Vec<Value> {
    values![id.0, at, version, lost_since]
}

fn record(row: &SqlRow) -> Result<DisplayRecord, StoreError> {
    Ok(DisplayRecord {
        id: KeyId(row.get(0)?),
        name: row.get(1)?,
        room: row.get(2)?,
        paired: row.get(3)?,
        paired_by: row.get(4)?,
        last_contact: row.get(5)?,
        version: row.get(6)?,
        lost_since: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Right, Rights};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + second, 0).unwrap()
    }

    fn display(name: &str) -> NewDisplay {
        let room: RoomAddress = "one@x.y".parse().unwrap();
        let rights = Rights::new("one@x.y".parse(), Right::DISPLAY);
        let key = StoredKey::generate(name, rights, 600).stored;
        NewDisplay { key, room, paired_by: "operator".to_owned() }
    }

    #[tokio::test]
    async fn a_display_has_its_keys_name_and_leaves_with_its_key() {
        let store = ServiceStore::in_memory().unwrap();
        let new = display("door");
        let id = new.key.holder.id.clone();
        assert!(store.pair_display(new, AdminActor::Service, at(0)).await.unwrap());
        let taken = store.pair_display(display("door"), AdminActor::Service, at(1)).await;
        assert!(matches!(taken, Err(KeyError::NameTaken(..))));
        let paired = store.displays().await.unwrap();
        let expected = DisplayRecord {
            id: id.clone(),
            name: "door".to_owned(),
            room: "one@x.y".to_owned(),
            paired: at(0),
            paired_by: "operator".to_owned(),
            last_contact: None,
            version: None,
            lost_since: None,
        };
        assert_eq!(paired, [expected], "the refused one left nothing behind");
        assert!(store.revoke_key_by(id, AdminActor::Service, at(2)).await.unwrap());
        assert_eq!(store.displays().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_contact_is_stored_and_an_older_one_does_not_replace_it() {
        let store = ServiceStore::in_memory().unwrap();
        let new = display("door");
        let id = new.key.holder.id.clone();
        store.pair_display(new, AdminActor::Service, at(0)).await.unwrap();
        let contact = |seconds: Option<i64>, version: Option<&str>, lost: Option<i64>| DisplayContact {
            id: id.clone(),
            at: seconds.map(at),
            version: version.map(str::to_owned),
            lost_since: lost.map(at),
        };
        let stored = async || {
            let display = store.displays().await.unwrap().remove(0);
            (display.last_contact, display.version, display.lost_since)
        };
        let version = Some("b1".to_owned());
        for (sent, expected) in [
            (contact(None, None, None), (None, None, None)),
            (contact(Some(60), Some("b1"), None), (Some(at(60)), version.clone(), None)),
            (contact(Some(30), None, Some(90)), (Some(at(60)), version.clone(), Some(at(90)))),
            (contact(None, None, None), (Some(at(60)), version.clone(), None)),
        ] {
            store.record_display_contacts(vec![sent]).await.unwrap();
            assert_eq!(stored().await, expected);
        }
    }
}
