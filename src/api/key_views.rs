//! The JSON of API keys: the requests that create and change them, their checks, and the view of a key. Never has a hash, and has a
//! secret only in the answer to the creation of its key.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::access::{
    DEFAULT_PER_MINUTE, KeyChange, KeyId, KeyName, NewKey, Right, Rights, StoredKey, future_expiry,
    room_patterns,
};
use crate::calendar::RoomPattern;
use crate::store::{KEY_PATTERNS_MAX, KeyRecord};
use crate::timestamp::Timestamp;

/// Creates an API key.
#[derive(Debug, Hash, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateKeyRequest {
    /// Name of the key's holder, for lists and the audit. No other key in force has it.
    #[schema(min_length = 1, max_length = 64, example = "door-17")]
    name: String,
    /// What the key may request: rights that this key has too.
    #[schema(min_items = 1)]
    rights: Vec<Right>,
    /// The rooms in which the key has its rights: addresses, or patterns with `*` (any text) and `?` (any character), within the
    /// patterns of this key.
    #[schema(min_items = 1, max_items = 1000, example = json!(["berlin-*@example.com"]))]
    rooms: Vec<String>,
    /// Requests per minute. Default: 600.
    #[schema(minimum = 1)]
    per_minute: Option<u32>,
    /// When the key expires. Default: never; the keys of a key that expires need a time that is not later.
    expires_at: Option<DateTime<Utc>>,
}

/// Changes an API key. Has at least one member; the others stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateKeyRequest {
    /// The new name. Earlier actions keep the old name in the audit, under the same id.
    #[schema(min_length = 1, max_length = 64, example = "door-17")]
    name: Option<String>,
    /// The new rights, instead of all present ones.
    #[schema(min_items = 1)]
    rights: Option<Vec<Right>>,
    /// The new rooms, instead of all present ones.
    #[schema(min_items = 1, max_items = 1000, example = json!(["berlin-*@example.com"]))]
    rooms: Option<Vec<String>>,
    /// Requests per minute.
    #[schema(minimum = 1)]
    per_minute: Option<u32>,
    /// When the key expires. Not with `no_expiry`.
    expires_at: Option<DateTime<Utc>>,
    /// The key does not expire any more.
    no_expiry: Option<bool>,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyView {
    /// The key's id, as in the audit and in the key itself.
    #[schema(example = "1f0c9a27be")]
    id: String,
    /// Name of the key's holder.
    #[schema(example = "door-17")]
    name: String,
    /// What the key may request.
    rights: Vec<Right>,
    /// The rooms in which it has these rights, as patterns.
    rooms: Vec<String>,
    /// Requests per minute.
    #[schema(example = 600)]
    per_minute: u32,
    /// When the key was created.
    created_at: Timestamp,
    /// The last use, accurate to the hour; null: never used.
    last_used_at: Option<Timestamp>,
    /// When the key expires, or has expired; null: it does not expire.
    expires_at: Option<Timestamp>,
    /// Whether the key opens only over TLS with one client certificate.
    certificate_bound: bool,
    /// Whether this is the key of the request, which cannot change or revoke itself.
    own: bool,
}

/// A new API key with its secret, which no later answer has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedKey {
    /// The key as a caller sends it. Adjourn stores only a hash of it.
    #[schema(example = "adj_1f0c9a27be_…")]
    key: String,
    #[serde(flatten)]
    view: KeyView,
}

/// A page of API keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyPage {
    /// The keys in force, oldest first, expired ones included.
    pub(super) keys: Vec<KeyView>,
    /// Cursor of the next page; null on the last page.
    pub(super) next_cursor: Option<String>,
}

impl CreateKeyRequest {
    /// The new key, if the request is valid.
    pub(super) fn check(self, now: DateTime<Utc>) -> Result<NewKey, Problem> {
        let (name, rooms) = (check_name(&self.name)?, check_rooms(&self.rooms)?);
        let rights = Rights::new(rooms, check_rights(self.rights)?);
        let per_minute = check_per_minute(self.per_minute)?.unwrap_or(DEFAULT_PER_MINUTE);
        let mut new = StoredKey::generate(name.as_str(), rights, per_minute);
        new.stored.expires = check_expiry(self.expires_at, now)?;
        Ok(new)
    }
}

impl UpdateKeyRequest {
    /// The change, if the request is valid.
    pub(super) fn check(self, now: DateTime<Utc>) -> Result<KeyChange, Problem> {
        let expires = check_expiry(self.expires_at, now)?;
        let no_expiry = self.no_expiry.unwrap_or(false);
        if no_expiry && expires.is_some() {
            let detail = "`expires_at` and `no_expiry` exclude each other: send one of them.";
            return Err(Problem::invalid_member("/no_expiry", detail));
        }
        let change = KeyChange {
            name: self.name.as_deref().map(check_name).transpose()?,
            rooms: self.rooms.as_deref().map(check_rooms).transpose()?,
            rights: self.rights.map(check_rights).transpose()?,
            per_minute: check_per_minute(self.per_minute)?,
            expires: if no_expiry { Some(None) } else { expires.map(Some) },
            certificate: None,
        };
        if change == KeyChange::default() {
            return Err(Problem::invalid_member("", "The body names nothing to change."));
        }
        Ok(change)
    }
}

fn check_name(name: &str) -> Result<KeyName, Problem> {
    name.parse().map_err(|error| Problem::invalid_member("/name", error))
}

fn check_rights(rights: Vec<Right>) -> Result<Vec<Right>, Problem> {
    if rights.is_empty() {
        return Err(Problem::invalid_member("/rights", "A key has at least one right."));
    }
    Ok(rights)
}

fn check_rooms(rooms: &[String]) -> Result<Vec<RoomPattern>, Problem> {
    if !(1..=KEY_PATTERNS_MAX).contains(&rooms.len()) {
        let detail = format!("A key has 1 to {KEY_PATTERNS_MAX} room patterns.");
        return Err(Problem::invalid_member("/rooms", detail));
    }
    room_patterns(rooms).map_err(|error| Problem::invalid_member(format!("/rooms/{}", error.index), error))
}

fn check_per_minute(per_minute: Option<u32>) -> Result<Option<u32>, Problem> {
    if per_minute == Some(0) {
        return Err(Problem::invalid_member("/per_minute", "`per_minute` must be at least 1."));
    }
    Ok(per_minute)
}

fn check_expiry(
    expires: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Problem> {
    let checked = expires.map(|expires| future_expiry(expires, now)).transpose();
    checked.map_err(|error| Problem::invalid_member("/expires_at", error))
}

impl KeyView {
    /// The view of a key for this caller.
    pub(super) fn of(record: &KeyRecord, caller: &KeyId) -> Self {
        let StoredKey { holder, expires, certificate, .. } = &record.key;
        Self {
            id: holder.id.to_string(),
            name: holder.name.clone(),
            rights: holder.rights.all().collect(),
            rooms: holder.rights.rooms().iter().map(ToString::to_string).collect(),
            per_minute: holder.per_minute,
            created_at: record.created.into(),
            last_used_at: record.last_used.map(Timestamp::from),
            expires_at: expires.map(Timestamp::from),
            certificate_bound: certificate.is_some(),
            own: holder.id == *caller,
        }
    }
}

impl CreatedKey {
    /// The view of a key that this caller has just created.
    pub(super) fn of(new: NewKey, created: DateTime<Utc>, caller: &KeyId) -> Self {
        let record = KeyRecord { key: new.stored, created, last_used: None };
        Self { view: KeyView::of(&record, caller), key: new.token }
    }
}
