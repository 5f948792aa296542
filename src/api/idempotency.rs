//! Idempotency keys over all kinds of requests: a key that was used for one kind is refused for another. Keeps no answer.

use utoipa::IntoParams;

use super::problem::Problem;
use super::state::Api;
use crate::action::IdempotencyKey;
use crate::journal::Query;

/// The header of a request that is carried out once, whatever its number of copies.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header, which `Caller` reads")]
pub(super) struct IdempotencyHeader {
    /// The caller's own key for this request, 1 to 180 printable ASCII characters without blanks. A second request with the same
    /// key returns the first response and changes nothing.
    #[param(rename = "Idempotency-Key", value_type = Option<String>, min_length = 1, max_length = 180, example = "door-17-press-4711")]
    idempotency_key: Option<String>,
}

/// Whether the idempotency key was used for an action.
pub(super) async fn is_used_by_action(api: &Api, key: &IdempotencyKey) -> Result<bool, Problem> {
    let engine = &api.service.engine;
    let since = Some(api.service.now() - engine.key_ttl());
    let query = Query { key: Some(key.clone()), since, limit: Some(1), ..Query::default() };
    Ok(!engine.journal().find(&query).await?.is_empty())
}

/// Whether the idempotency key was used for a check-in.
pub(super) fn is_used_by_check_in(api: &Api, key: &IdempotencyKey) -> bool {
    api.service.check_ins.has(key, api.service.now())
}

/// Whether the idempotency key was used for evidence or for a new API key.
pub(super) fn has_kept_answer(api: &Api, key: &IdempotencyKey) -> bool {
    api.kept_answers.get(key, api.service.now()).is_some()
}

/// Whether the idempotency key was used for an action or a check-in, which keep their own answers.
pub(super) async fn is_used_by_action_or_check_in(api: &Api, key: &IdempotencyKey) -> Result<bool, Problem> {
    Ok(is_used_by_check_in(api, key) || is_used_by_action(api, key).await?)
}
