//! Middleware that holds a share of [`super::request_shares`] while an expensive request runs, or refuses the request.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::caller::Caller;
use super::problem::Problem;
use super::state::Api;

/// How long a request waits for a share before it is refused. Its body is not read meanwhile.
const SHARE_TIMEOUT: Duration = Duration::from_secs(2);

/// Middleware after authentication: a request waits for its key's share, or is refused.
pub(super) async fn take_share(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let shares = route.as_ref().and_then(|route| api.shares.for_route(request.method(), route.as_str()));
    let Some((operations, shares)) = shares else { return Ok(next.run(request).await) };
    let share = shares.acquire_within(&caller.id().0, None, SHARE_TIMEOUT).await;
    let _share = share.map_err(|exhausted| Problem::share_exhausted(operations, exhausted))?;
    Ok(next.run(request).await)
}
