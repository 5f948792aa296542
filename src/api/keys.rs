//! Handlers of API keys: list, create, change and revoke them. A caller deals only with keys whose rights and rooms are within its own:
//! all others are to it like keys that do not exist, and it can create none. Never returns a hash, and a secret only once.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::caller::Caller;
use super::extract::{JsonBody, PathParams, QueryParams, first_page, page_size};
use super::idempotency::{self, IdempotencyHeader};
use super::kept_answers::KeptAnswer;
use super::key_views::{CreateKeyRequest, CreatedKey, KeyPage, KeyView, UpdateKeyRequest};
use super::problem::Problem;
use super::problem_type::ProblemType;
use super::responses::{BodyErrors, ClientErrors, KeyErrors, NotFound};
use super::state::Api;
use crate::access::{KeyChange, KeyId, NewKey, Right, StoredKey};
use crate::action::IdempotencyKey;
use crate::journal::JournalError;
use crate::store::{KEYS_MAX, KeyError, KeyRecord};

const PAGE_DEFAULT: usize = 100;
/// Keys per page.
pub(super) const PAGE_MAX: usize = 1_000;

/// Parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyListQuery {
    /// Keys per page. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// List the API keys whose rights and rooms are within those of this key.
#[utoipa::path(get, path = "/v1/keys", operation_id = "listKeys", tag = "keys", params(KeyListQuery),
    responses((status = 200, description = "A page of keys", body = KeyPage), ClientErrors),
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    QueryParams(query): QueryParams<KeyListQuery>,
) -> Result<Json<KeyPage>, Problem> {
    caller.require(Right::Keys)?;
    let limit = page_size(query.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let records = api.keys.store().key_records().await?;
    // Comparing rights with those of ten thousand keys would hold up other requests.
    let page = tokio::task::spawn_blocking(move || page_of(&records, after.as_ref(), limit, &caller));
    page.await.map(Json).map_err(|_| Problem::shutting_down())
}

/// The keys after the cursor that the caller can see. The cursor of the next page names the last of them, so it reveals no other key.
fn page_of(records: &[KeyRecord], after: Option<&Position>, limit: usize, caller: &Caller) -> KeyPage {
    let visible = records
        .iter()
        .filter(|record| after.is_none_or(|after| position_of(record) > *after))
        .filter(|record| can_manage(caller, &record.key));
    let (page, more) = first_page(visible, limit);
    let next_cursor = page.last().filter(|_| more).map(|last| {
        let (created_ms, id) = position_of(last);
        format!("{created_ms}-{id}")
    });
    KeyPage { keys: page.into_iter().map(|record| KeyView::of(record, caller.id())).collect(), next_cursor }
}

/// A key's place in the list: the time of its creation in milliseconds since 1970, and its id.
type Position = (i64, KeyId);

fn position_of(record: &KeyRecord) -> Position {
    (record.created.timestamp_millis(), record.key.holder.id.clone())
}

fn parse_cursor(cursor: &str) -> Result<Position, Problem> {
    let parsed = cursor.split_once('-').and_then(|(ms, id)| Some((ms.parse().ok()?, KeyId(id.to_owned()))));
    parsed.ok_or_else(Problem::unknown_cursor)
}

/// Create an API key.
///
/// The answer has the key, which is not stored and in no later answer. The rights and the rooms of the new key are within those of this
/// key, else the answer is `403`. A second request with the same `Idempotency-Key` creates nothing and is refused with
/// `secret-not-stored`. The key is accepted within two seconds.
#[utoipa::path(post, path = "/v1/keys", operation_id = "createKey", tag = "keys",
    params(IdempotencyHeader),
    request_body = CreateKeyRequest,
    responses(
        (status = 201, description = "The new key, with its secret", body = CreatedKey),
        (status = 409, description = "Another key has the name, or the request has created a key before", body = Problem, content_type = "application/problem+json"),
        ClientErrors,
        BodyErrors,
        KeyErrors,
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<CreateKeyRequest>,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    caller.require(Right::Keys)?;
    let (request, now) = (hash_of(&asked), api.service.now());
    let new = asked.check(now)?;
    let granter = Granter::new(&api, &caller);
    granter.check_rights(&new.stored)?;
    granter.check_expiry(new.stored.expires)?;
    let Some(key) = caller.idempotency_key(&headers)? else {
        return store(&api, &caller, new, now).await;
    };
    let _lock = api.kept_answers.lock(&key).await;
    refuse_repetition(&api, &key, request, now).await?;
    // The answer that is kept is the key's id: the secret is kept nowhere.
    let (id, until) = (new.stored.holder.id.to_string(), now + api.service.engine.key_ttl());
    let created = store(&api, &caller, new, now).await?;
    let answer = KeptAnswer { caller: caller.id().clone(), request, body: id.into(), until };
    api.kept_answers.keep(key, answer, now);
    Ok(created)
}

/// Distinguishes the request from evidence under the same idempotency key.
fn hash_of(request: &CreateKeyRequest) -> u64 {
    let mut hash = DefaultHasher::new();
    ("createKey", request).hash(&mut hash);
    hash.finish()
}

async fn refuse_repetition(
    api: &Api,
    key: &IdempotencyKey,
    request: u64,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    match api.kept_answers.get(key, now) {
        Some(kept) if kept.request == request => {
            Err(Problem::secret_not_stored(&String::from_utf8_lossy(&kept.body)))
        }
        Some(_) => Err(Problem::key_reused()),
        None if idempotency::is_used_by_action_or_check_in(api, key).await? => Err(Problem::key_reused()),
        None => Ok(()),
    }
}

async fn store(
    api: &Api,
    caller: &Caller,
    new: NewKey,
    now: DateTime<Utc>,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    api.keys.store().create_key(new.stored.clone(), caller.admin_actor(), now).await?;
    apply(api).await;
    Ok((StatusCode::CREATED, Json(CreatedKey::of(new, now, caller.id()))))
}

/// Change an API key: its name, rights, rooms, requests per minute or expiry.
///
/// The secret stays. The rights and the rooms, the old and the new ones, are within those of this key. The change holds within two
/// seconds.
#[utoipa::path(patch, path = "/v1/keys/{key}", operation_id = "updateKey", tag = "keys",
    params(("key" = String, Path, description = "The key's id")),
    request_body = UpdateKeyRequest,
    responses(
        (status = 200, description = "The changed key", body = KeyView),
        (status = 409, description = "Another key has the name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is the key of this request", body = Problem, content_type = "application/problem+json"),
        ClientErrors,
        NotFound,
        BodyErrors,
    ),
)]
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    PathParams(id): PathParams<String>,
    JsonBody(asked): JsonBody<UpdateKeyRequest>,
) -> Result<Json<KeyView>, Problem> {
    let id = require_other_key(&caller, id)?;
    let now = api.service.now();
    let change = asked.check(now)?;
    let granter = Granter::new(&api, &caller);
    let edit = move |key| granter.edit(key, change.clone());
    let edited = api.keys.store().edit_key(id, caller.admin_actor(), now, edit).await?;
    let record = edited.unwrap_or_else(|| Err(Problem::no_such_key()))?;
    apply(&api).await;
    Ok(Json(KeyView::of(&record, caller.id())))
}

/// Revoke an API key permanently.
///
/// Its requests are refused within two seconds, and its event streams end.
#[utoipa::path(delete, path = "/v1/keys/{key}", operation_id = "revokeKey", tag = "keys",
    params(("key" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "The key is revoked"),
        (status = 422, description = "It is the key of this request", body = Problem, content_type = "application/problem+json"),
        ClientErrors,
        NotFound,
    ),
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    PathParams(id): PathParams<String>,
) -> Result<Response, Problem> {
    let id = require_other_key(&caller, id)?;
    let found = api.keys.store().key_record(id.clone()).await?;
    let is_visible = found.is_some_and(|record| can_manage(&caller, &record.key));
    let now = api.service.now();
    if !is_visible || !api.keys.store().revoke_key_by(id, caller.admin_actor(), now).await? {
        return Err(Problem::no_such_key());
    }
    apply(&api).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The id of a key to change or revoke, which is not the caller's own.
fn require_other_key(caller: &Caller, id: String) -> Result<KeyId, Problem> {
    caller.require(Right::Keys)?;
    if id == caller.id().0 { Err(Problem::own_key()) } else { Ok(KeyId(id)) }
}

fn can_manage(caller: &Caller, key: &StoredKey) -> bool {
    caller.rights().covers(&key.holder.rights).is_ok()
}

/// A caller that gives rights to keys: no more rights, rooms and time than it has itself.
struct Granter {
    caller: Caller,
    /// When the caller's own key expires.
    expires: Option<DateTime<Utc>>,
}

impl Granter {
    fn new(api: &Api, caller: &Caller) -> Self {
        Self { caller: caller.clone(), expires: api.keys.expiry_of(caller.id()) }
    }

    fn check_rights(&self, key: &StoredKey) -> Result<(), Problem> {
        self.caller.rights().covers(&key.holder.rights).map_err(Problem::beyond_own_rights)
    }

    fn check_expiry(&self, expires: Option<DateTime<Utc>>) -> Result<(), Problem> {
        match self.expires {
            Some(own) if expires.is_none_or(|expires| expires > own) => Err(Problem::beyond_own_expiry(own)),
            _ => Ok(()),
        }
    }

    /// The changed key. A key beyond the caller's rights looks like one that does not exist.
    fn edit(&self, key: StoredKey, change: KeyChange) -> Result<StoredKey, Problem> {
        if !can_manage(&self.caller, &key) {
            return Err(Problem::no_such_key());
        }
        change.expires.map_or(Ok(()), |expires| self.check_expiry(expires))?;
        let changed = change.apply(key);
        self.check_rights(&changed)?;
        Ok(changed)
    }
}

/// Reads the keys again, so that the change holds at once. If that fails, the next reading within a second applies it.
async fn apply(api: &Api) {
    if let Err(error) = api.keys.refresh().await {
        tracing::error!(%error, "cannot refresh the API keys after a change; it is retried within a second");
    }
}

impl Problem {
    /// No such key, or one beyond the caller's rights.
    fn no_such_key() -> Self {
        Self {
            next: "check the id; GET /v1/keys lists the keys that this key can see",
            ..Self::not_found("key")
        }
    }

    /// The request would give a key more than the caller has.
    fn beyond_own_rights(excess: impl ToString) -> Self {
        let detail = format!("This key cannot give {}: it does not have that itself.", excess.to_string());
        Self {
            next: "leave that out, or ask the administrator for a key that has it",
            ..Self::new(StatusCode::FORBIDDEN, ProblemType::Forbidden, "Not allowed", detail)
        }
    }

    /// The request would give a key more time than the caller's own key has.
    fn beyond_own_expiry(expires: DateTime<Utc>) -> Self {
        let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        let detail = format!("This key expires at {expires}, and gives no key more time.");
        Self {
            next: "send an `expires_at` that is not later, or use a key without expiry",
            ..Self::new(StatusCode::FORBIDDEN, ProblemType::Forbidden, "Not allowed", detail)
        }
    }

    /// A caller that changed or revoked its own key would lock itself out.
    fn own_key() -> Self {
        let detail = "A key cannot change or revoke itself: its holder would be locked out.";
        Self {
            next: "use another key, or `adjourn key` on the server",
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                ProblemType::OwnKey,
                "A key cannot change itself",
                detail,
            )
        }
    }

    /// Another key in force has the name. The answer does not name that key.
    fn key_name_taken(name: &str) -> Self {
        let detail = format!("Another key in force has the name `{name}`.");
        Self {
            next: "choose another name, or revoke the other key first",
            ..Self::new(StatusCode::CONFLICT, ProblemType::KeyNameTaken, "Name taken", detail)
        }
    }

    /// The repetition of a request that created a key, whose secret was in the first answer only.
    fn secret_not_stored(id: &str) -> Self {
        let detail = format!(
            "This request has created the key {id}. Its secret is not stored, so it cannot be sent again."
        );
        Self {
            next: "if the first answer was lost, revoke the key and create another one with a new Idempotency-Key",
            ..Self::new(StatusCode::CONFLICT, ProblemType::SecretNotStored, "The key was created", detail)
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Name(error) => Self::invalid_member("/name", error),
            KeyError::TooManyPatterns => Self::invalid_member("/rooms", error),
            KeyError::NameTaken(_, name) => Self::key_name_taken(&name),
            KeyError::TooMany => Self {
                next: "revoke keys that are not used any more",
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    ProblemType::TooManyKeys,
                    "Too many keys",
                    format!("{KEYS_MAX} keys are in force, the maximum."),
                )
            },
            KeyError::Contended => Self::unavailable(error),
            KeyError::TooManyPending => JournalError::Unusable(error.to_string()).into(),
            KeyError::Store(error) => error.into(),
        }
    }
}
