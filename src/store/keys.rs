//! Stores API keys (names, rights, expiry, last use) and the admin events about them that wait for the journal. Never holds a token:
//! only its hash.
//!
//! The command line changes keys while the service owns the journal. So one transaction stores the change and its admin event here, and
//! the journal's owner moves the event into the chain (`pending_events.rs`).

use chrono::{DateTime, TimeDelta, Utc};

use super::error::StoreError;
use super::pending_events;
use super::service_store::ServiceStore;
use super::sql::{SqlConnection, SqlRow, Subject, values};
use crate::access::{Fingerprint, Holder, KeyId, KeyName, KeyNameError, Right, Rights, StoredKey};
use crate::calendar::RoomPattern;
use crate::journal::{AdminActor, AdminEntry, AdminEvent, KeyFacts};

/// Keys in force: twice the displays of a site with five thousand rooms.
pub const KEYS_MAX: usize = 10_000;
/// Rows of revoked keys, kept so that the audit's list shows their names. The journal keeps all of them.
const REVOKED_KEPT: usize = 10_000;
/// Attempts of one edit. Each but the last lost to another writer, and people change keys seldom.
const EDIT_ATTEMPTS_MAX: u32 = 20;
/// Room patterns of one key.
pub const KEY_PATTERNS_MAX: usize = 1_000;

/// The columns of [`record`], of the keys in force.
const KEYS_IN_FORCE: &str =
    "SELECT id, name, rooms, rights, per_minute, hash, expires_ms, certificate, created_ms, last_used_ms
                             FROM keys WHERE revoked_ms IS NULL";

/// A stored key, and when it was created and used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub key: StoredKey,
    /// The time of its creation.
    pub created: DateTime<Utc>,
    /// Its last use, to the hour; `None`: never used.
    pub last_used: Option<DateTime<Utc>>,
}

/// Why a key was not stored or changed. The store is unchanged then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// Another key in force has the name.
    #[error("key {id} already has the name `{name}`; revoke it first, or choose another name", id = .0.0, name = .1)]
    NameTaken(KeyId, String),
    /// The maximum number of keys is in force.
    #[error(
        "{KEYS_MAX} keys are in force, the maximum; revoke the keys that `adjourn key list` shows as unused"
    )]
    TooMany,
    /// The key has too many room patterns.
    #[error("a key has at most {KEY_PATTERNS_MAX} room patterns")]
    TooManyPatterns,
    /// Too many admin events wait for the journal.
    #[error(
        "{max} key changes wait for the journal, the maximum, and no process writes it; run `adjourn audit verify`",
        max = pending_events::PENDING_MAX
    )]
    TooManyPending,
    /// Other writers changed the key again and again.
    #[error("other processes changed the key {EDIT_ATTEMPTS_MAX} times meanwhile; try again")]
    Contended,
    /// The service store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceStore {
    /// Stores a new key without an admin event: for demos and tests.
    ///
    /// # Errors
    /// The name is taken, the maximum number of keys is in force, or the store cannot be written.
    pub async fn add_key(&self, key: StoredKey, now: DateTime<Utc>) -> Result<(), KeyError> {
        self.write(Subject::Keys, move |connection| insert(connection, &key, now)).await
    }

    /// Stores a new key and the admin event that `by` created it.
    ///
    /// # Errors
    /// The name is taken, the maximum number of keys is in force, or the store cannot be written.
    pub async fn create_key(
        &self,
        key: StoredKey,
        by: AdminActor,
        now: DateTime<Utc>,
    ) -> Result<(), KeyError> {
        self.write(Subject::Keys, move |connection| create(connection, &key, by, now)).await
    }

    /// Replaces the key with this id and stores the admin event that `by` changed it; `false` when no key in force has the id.
    ///
    /// # Errors
    /// The new name is taken, or the store cannot be written.
    pub async fn change_key(
        &self,
        key: StoredKey,
        by: AdminActor,
        now: DateTime<Utc>,
    ) -> Result<bool, KeyError> {
        self.write(Subject::Keys, move |connection| change(connection, &key, by, now)).await
    }

    /// Reads the key in force with this id and stores what `edit` makes of it, with the admin event that `by` changed it. `edit` gets the
    /// key once more if another writer changed it meanwhile, so no change is lost. `None` when no key in force has the id; an error of
    /// `edit` leaves the key as it is.
    ///
    /// # Errors
    /// The new name is taken, other writers change the key all the time, or the store cannot be used.
    pub async fn edit_key<E>(
        &self,
        id: KeyId,
        by: AdminActor,
        now: DateTime<Utc>,
        edit: impl Fn(StoredKey) -> Result<StoredKey, E>,
    ) -> Result<Option<Result<KeyRecord, E>>, KeyError> {
        for _ in 0..EDIT_ATTEMPTS_MAX {
            let Some(record) = self.key_record(id.clone()).await? else { return Ok(None) };
            let key = match edit(record.key.clone()) {
                Ok(key) => key,
                Err(error) => return Ok(Some(Err(error))),
            };
            if self.replace_key(record.key.clone(), key.clone(), by.clone(), now).await? {
                return Ok(Some(Ok(KeyRecord { key, ..record })));
            }
        }
        Err(KeyError::Contended)
    }

    /// Replaces the key `before` and stores the admin event that `by` changed it; `false` when the stored key is another one by now.
    ///
    /// # Errors
    /// The new name is taken, or the store cannot be used.
    pub async fn replace_key(
        &self,
        before: StoredKey,
        key: StoredKey,
        by: AdminActor,
        now: DateTime<Utc>,
    ) -> Result<bool, KeyError> {
        self.write(Subject::Keys, move |connection| match find(connection, &before.holder.id)? {
            Some(record) if record.key == before => change(connection, &key, by, now),
            _ => Ok(false),
        })
        .await
    }

    /// Revokes a key, without an admin event: for tests.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn revoke_key(&self, id: KeyId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.write(Subject::Keys, move |connection| revoke(connection, &id, now)).await
    }

    /// Revokes a key and stores the admin event that `by` revoked it; `false` when no key in force has the id.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn revoke_key_by(
        &self,
        id: KeyId,
        by: AdminActor,
        now: DateTime<Utc>,
    ) -> Result<bool, KeyError> {
        self.write(Subject::Keys, move |connection| {
            let name = find(connection, &id)?.map(|record| record.key.holder.name);
            let is_there = revoke(connection, &id, now)?;
            if is_there {
                queue_admin_event(connection, AdminEvent::KeyRevoked { key_id: id.0, name }, by, now)?;
            }
            Ok(is_there)
        })
        .await
    }

    /// The keys in force, oldest first. Expired keys are included, so that a request with one gets an answer that names the expiry.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.key_records().await?.into_iter().map(|record| record.key).collect())
    }

    /// As [`Self::keys`], with the times of creation and last use.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn key_records(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.read(|connection| {
            let sql = format!("{KEYS_IN_FORCE} ORDER BY created_ms, id");
            connection.query(&sql, &[])?.iter().map(record).collect()
        })
        .await
    }

    /// The key in force with this id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn key_record(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.read(move |connection| find(connection, &id)).await
    }

    /// The number of keys in force; readiness checks use it to see whether the store answers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn count_keys(&self) -> Result<u64, StoreError> {
        self.read(|connection| Ok(count_in_force(connection)? as u64)).await
    }

    /// Records the last use of these keys.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn record_key_use(&self, used: Vec<(KeyId, DateTime<Utc>)>) -> Result<(), StoreError> {
        self.write(Subject::Keys, move |connection| {
            let sql = "UPDATE keys SET last_used_ms = ?2
                       WHERE id = ?1 AND (last_used_ms IS NULL OR last_used_ms < ?2)";
            let rows: Vec<_> = used.into_iter().map(|(id, at)| values![id.0, at]).collect();
            connection.execute_all(sql, &rows)
        })
        .await
    }
}

fn find(connection: &dyn SqlConnection, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
    let sql = format!("{KEYS_IN_FORCE} AND id = ?1");
    connection.query_first(&sql, &values![&id.0])?.as_ref().map(record).transpose()
}

fn count_in_force(connection: &dyn SqlConnection) -> Result<usize, StoreError> {
    connection.count("SELECT count(*) FROM keys WHERE revoked_ms IS NULL", &[])
}

/// Replaces the key with this id; `false` when no key in force has the id.
fn change(
    connection: &dyn SqlConnection,
    key: &StoredKey,
    by: AdminActor,
    now: DateTime<Utc>,
) -> Result<bool, KeyError> {
    check(connection, key)?;
    let is_there = update(connection, key)?;
    if is_there {
        queue_admin_event(connection, AdminEvent::KeyChanged(key_facts(key)), by, now)?;
    }
    Ok(is_there)
}

/// Checks the name, that no other key in force has it, and the number of patterns.
fn check(connection: &dyn SqlConnection, key: &StoredKey) -> Result<(), KeyError> {
    let name: KeyName = key.holder.name.parse()?;
    if key.holder.rights.rooms().len() > KEY_PATTERNS_MAX {
        return Err(KeyError::TooManyPatterns);
    }
    let sql = "SELECT id FROM keys WHERE revoked_ms IS NULL AND name = ?1 AND id <> ?2";
    match connection.query_first(sql, &values![name.as_str(), &key.holder.id.0])? {
        Some(row) => Err(KeyError::NameTaken(KeyId(row.get(0)?), name.to_string())),
        None => Ok(()),
    }
}

/// Stores a new key and the admin event that `by` created it.
pub(super) fn create(
    connection: &dyn SqlConnection,
    key: &StoredKey,
    by: AdminActor,
    now: DateTime<Utc>,
) -> Result<(), KeyError> {
    insert(connection, key, now)?;
    queue_admin_event(connection, AdminEvent::KeyCreated(key_facts(key)), by, now)
}

fn insert(connection: &dyn SqlConnection, key: &StoredKey, now: DateTime<Utc>) -> Result<(), KeyError> {
    check(connection, key)?;
    if count_in_force(connection)? >= KEYS_MAX {
        return Err(KeyError::TooMany);
    }
    let sql =
        "INSERT INTO keys (id, name, hash, rooms, rights, per_minute, created_ms, expires_ms, certificate)
               VALUES (?1, '', ?2, '[]', '[]', 1, ?3, NULL, NULL)";
    connection.execute(sql, &values![&key.holder.id.0, key.hash, now])?;
    update(connection, key)?;
    Ok(())
}

/// Writes the changeable columns of a key; `false` when no key in force has the id.
fn update(connection: &dyn SqlConnection, key: &StoredKey) -> Result<bool, StoreError> {
    let StoredKey { holder: Holder { id, name, rights, per_minute }, expires, certificate, .. } = key;
    let sql = "UPDATE keys SET name = ?2, rooms = ?3, rights = ?4, per_minute = ?5, expires_ms = ?6, certificate = ?7
               WHERE id = ?1 AND revoked_ms IS NULL";
    let rooms = list(rights.rooms().iter().map(ToString::to_string))?;
    let rights = list(rights.all().map(|right| right.as_str().to_owned()))?;
    let certificate = certificate.map(|certificate| certificate.0);
    let row = values![&id.0, name.trim(), rooms, rights, *per_minute, *expires, certificate];
    Ok(connection.execute(sql, &row)? == 1)
}

fn revoke(connection: &dyn SqlConnection, id: &KeyId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let sql = "UPDATE keys SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
    let revoked = connection.execute(sql, &values![&id.0, now])? == 1;
    let sql = "DELETE FROM keys WHERE revoked_ms IS NOT NULL AND id NOT IN
               (SELECT id FROM keys WHERE revoked_ms IS NOT NULL ORDER BY revoked_ms DESC LIMIT ?1)";
    connection.execute(sql, &values![REVOKED_KEPT])?;
    connection.execute("DELETE FROM displays WHERE key_id = ?1", &values![&id.0])?;
    Ok(revoked)
}

fn queue_admin_event(
    connection: &dyn SqlConnection,
    event: AdminEvent,
    by: AdminActor,
    now: DateTime<Utc>,
) -> Result<(), KeyError> {
    // The store keeps milliseconds, so the entry is cut to them; otherwise `record_once` would not find it in the chain.
    let at = now - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos() % 1_000_000));
    if pending_events::push(connection, &AdminEntry { at, by, event })? {
        Ok(())
    } else {
        Err(KeyError::TooManyPending)
    }
}

/// The facts about a key that the journal stores.
fn key_facts(key: &StoredKey) -> KeyFacts {
    let holder = &key.holder;
    KeyFacts {
        key_id: holder.id.0.clone(),
        name: Some(holder.name.clone()),
        rights: holder.rights.all().map(|right| right.as_str().to_owned()).collect(),
        rooms: holder.rights.rooms().iter().map(ToString::to_string).collect(),
        expires: key.expires,
    }
}

fn record(row: &SqlRow) -> Result<KeyRecord, StoreError> {
    let id: String = row.get(0)?;
    let rights = rights_of(&id, &row.get::<String>(2)?, &row.get::<String>(3)?);
    let holder = Holder { id: KeyId(id), name: row.get(1)?, rights, per_minute: row.get(4)? };
    let expires: Option<i64> = row.get(6)?;
    // An invalid expiry counts as expired.
    let expires = expires.map(|ms| DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH));
    let certificate: Option<[u8; 32]> = row.get(7)?;
    let key = StoredKey { holder, hash: row.get(5)?, expires, certificate: certificate.map(Fingerprint) };
    Ok(KeyRecord { key, created: row.get(8)?, last_used: row.get(9)? })
}

fn list(items: impl Iterator<Item = String>) -> Result<String, StoreError> {
    let items: Vec<_> = items.collect();
    serde_json::to_string(&items).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Ignores rights that only a later version knows. A key whose lists are unreadable grants nothing, and the log reports it.
fn rights_of(id: &str, rooms: &str, rights: &str) -> Rights {
    let read = |text: &str| serde_json::from_str::<Vec<String>>(text);
    match (read(rooms), read(rights)) {
        (Ok(rooms), Ok(rights)) => {
            let rooms: Vec<RoomPattern> = rooms.iter().flat_map(|room| room.parse()).collect();
            Rights::new(rooms, rights.iter().flat_map(|right| right.parse::<Right>()))
        }
        _ => {
            tracing::error!(
                key = id,
                "the stored rooms or rights of this key are unreadable; the key grants nothing"
            );
            Rights::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{AdminQuery, Journal as _, MemoryJournal};

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_767_225_600_123).unwrap()
    }

    fn key(name: &str, rooms: &[&str]) -> StoredKey {
        let rooms: Vec<RoomPattern> = rooms.iter().flat_map(|room| room.parse()).collect();
        StoredKey::generate(name, Rights::new(rooms, [Right::Read, Right::CheckIn]), 60).stored
    }

    fn by() -> AdminActor {
        AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) }
    }

    #[tokio::test]
    async fn a_pattern_with_a_blank_inside_stays_one_pattern() {
        let store = ServiceStore::in_memory().unwrap();
        let narrow = key("narrow", &["none of * these@example.com", "a\"b\\c@example.com"]);
        store.add_key(narrow.clone(), now()).await.unwrap();
        assert_eq!(store.keys().await.unwrap(), std::slice::from_ref(&narrow));
        assert!(!narrow.holder.rights.can_see(&"any@example.com".parse().unwrap()));
    }

    #[tokio::test]
    async fn patterns_that_were_joined_by_blanks_become_a_list() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL, rooms TEXT NOT NULL,
                     rights TEXT NOT NULL, per_minute INTEGER NOT NULL, created_ms INTEGER NOT NULL, revoked_ms INTEGER) STRICT";
        connection.execute_batch(table).unwrap();
        for (id, rooms, rights) in [
            ("a", "one@x.y two-*@x.y", "read check-in later"),
            ("b", "*", ""),
            ("c", "", "read"),
            ("d", "q\"\\@x.y", "read"),
        ] {
            let sql = "INSERT INTO keys VALUES (?1, ?1, zeroblob(32), ?2, ?3, 60, 0, NULL)";
            connection.execute(sql, (id, rooms, rights)).unwrap();
        }
        connection.execute_batch(crate::store::service_schema::KEYS).unwrap();
        let sql = "SELECT id, name, rooms, rights, per_minute, hash, expires_ms, certificate, created_ms, last_used_ms
                   FROM keys ORDER BY id";
        let rows = connection.query(sql, &[]).unwrap();
        let read: Vec<_> = rows.iter().map(|row| record(row).unwrap().key).collect();
        let lists = read.iter().map(|key| {
            let rights = &key.holder.rights;
            let rooms: Vec<_> = rights.rooms().iter().map(ToString::to_string).collect();
            (rooms.join("|"), rights.all().map(Right::as_str).collect::<Vec<_>>().join("|"))
        });
        let lists: Vec<_> = lists.collect();
        let expected =
            [("one@x.y|two-*@x.y", "read|check-in"), ("*", ""), ("", "read"), ("q\"\\@x.y", "read")];
        assert_eq!(lists, expected.map(|(rooms, rights)| (rooms.to_owned(), rights.to_owned())));
        assert!(read.iter().all(|key| key.expires.is_none() && key.certificate.is_none()));
    }

    #[tokio::test]
    async fn a_name_belongs_to_one_key_in_force() {
        let store = ServiceStore::in_memory().unwrap();
        let (first, mut second) = (key("door", &["*"]), key("other", &["*"]));
        store.create_key(first.clone(), by(), now()).await.unwrap();
        store.create_key(second.clone(), by(), now()).await.unwrap();
        let taken = store.create_key(key(" door ", &["*"]), by(), now()).await.unwrap_err();
        assert!(matches!(&taken, KeyError::NameTaken(id, _) if *id == first.holder.id), "{taken}");
        second.holder.name = "door".to_owned();
        assert!(matches!(store.change_key(second.clone(), by(), now()).await, Err(KeyError::NameTaken(..))));
        assert!(matches!(
            store.create_key(key("a\u{202e}b", &["*"]), by(), now()).await,
            Err(KeyError::Name(_))
        ));
        assert!(store.revoke_key_by(first.holder.id.clone(), by(), now()).await.unwrap());
        assert!(store.change_key(second, by(), now()).await.unwrap(), "a revoked key gives its name back");
        let many = vec!["*"; KEY_PATTERNS_MAX + 1];
        assert!(matches!(store.add_key(key("many", &many), now()).await, Err(KeyError::TooManyPatterns)));
    }

    #[tokio::test]
    async fn keys_in_force_are_bounded_and_revoked_rows_too() {
        let store = ServiceStore::in_memory().unwrap();
        store
            .write(Subject::Keys, |connection| {
                let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                        INSERT INTO keys (id, name, hash, rooms, rights, per_minute, created_ms, revoked_ms)
                        SELECT ?2 || i, ?2 || i, zeroblob(32), '[]', '[]', 60, i, ?3 FROM n";
                connection.execute(rows, &values![KEYS_MAX, "k", None::<i64>])?;
                connection.execute(rows, &values![REVOKED_KEPT + 50, "r", Some(5_i64)])
            })
            .await
            .unwrap();
        assert!(matches!(store.add_key(key("one more", &["*"]), now()).await, Err(KeyError::TooMany)));
        assert!(store.revoke_key(KeyId("k1".to_owned()), now()).await.unwrap());
        store.add_key(key("one more", &["*"]), now()).await.unwrap();
        let revoked = store
            .read(|connection| {
                let sql = "SELECT count(*), sum(id = 'k1') FROM keys WHERE revoked_ms IS NOT NULL";
                let row = connection.query_first(sql, &[])?.unwrap();
                Ok((row.get(0)?, row.get(1)?))
            })
            .await
            .unwrap();
        assert_eq!(revoked, (REVOKED_KEPT, 1_usize), "the oldest rows went, not the newest");
    }

    #[tokio::test]
    async fn edits_at_the_same_time_lose_nothing() {
        let store = ServiceStore::in_memory().unwrap();
        let door = key("door", &["*"]);
        store.add_key(door.clone(), now()).await.unwrap();
        let edit = async || {
            let longer = |mut key: StoredKey| {
                key.holder.per_minute += 1;
                Ok::<_, ()>(key)
            };
            store.edit_key(door.holder.id.clone(), by(), now(), longer).await.unwrap().unwrap().unwrap()
        };
        tokio::join!(edit(), edit(), edit(), edit());
        assert_eq!(edit().await.key.holder.per_minute, door.holder.per_minute + 5);
        let nobody = KeyId("nobody".to_owned());
        assert_eq!(store.edit_key(nobody, by(), now(), Ok::<_, ()>).await.unwrap(), None);
    }

    #[tokio::test]
    async fn each_change_of_a_key_is_an_admin_event_and_a_failed_one_is_none() {
        let (store, journal) = (ServiceStore::in_memory().unwrap(), MemoryJournal::default());
        let mut door = key("door", &["*"]);
        store.create_key(door.clone(), by(), now()).await.unwrap();
        store.create_key(key("door", &["*"]), by(), now()).await.unwrap_err();
        door.expires = Some(now() + TimeDelta::days(1));
        assert!(store.change_key(door.clone(), by(), now()).await.unwrap());
        assert!(!store.change_key(key("nobody", &["*"]), by(), now()).await.unwrap());
        let refused =
            store.edit_key(door.holder.id.clone(), by(), now(), |_| Err::<StoredKey, _>("no")).await;
        assert_eq!(refused.unwrap(), Some(Err("no")));
        let stored = store.key_record(door.holder.id.clone()).await.unwrap().unwrap();
        assert_eq!((&stored.key, stored.created, stored.last_used), (&door, now(), None));
        assert!(store.revoke_key_by(door.holder.id.clone(), by(), now()).await.unwrap());
        assert_eq!(store.key_record(door.holder.id.clone()).await.unwrap(), None);
        assert!(!store.revoke_key_by(door.holder.id.clone(), by(), now()).await.unwrap());
        assert_eq!(store.move_pending_events(&journal).await.unwrap(), 3);
        let page = journal.admin_events(&AdminQuery::default()).await.unwrap();
        let events: Vec<_> = page.events.iter().rev().map(|(_, entry)| &entry.event).collect();
        let before = KeyFacts { expires: None, ..key_facts(&door) };
        let name = Some("door".to_owned());
        let revoked = AdminEvent::KeyRevoked { key_id: door.holder.id.0.clone(), name };
        let expected = [&AdminEvent::KeyCreated(before), &AdminEvent::KeyChanged(key_facts(&door)), &revoked];
        assert_eq!(events, expected);
    }
}
