//! The web console: static pages for a browser, embedded here, which ask API v1 for everything they show. Knows nothing of
//! calendars, keys or rights, and serves nothing that a stranger may not have: the pages are empty until somebody signs in.
//!
//! There are no cookies. The browser's script sends the key as a header that no other site's page can send, so that a
//! request forged elsewhere (CSRF) comes without it.

mod files;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use files::StaticFile;

/// The console as an OpenID provider knows it: a public client, which has no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleClient {
    /// Its client id.
    pub id: String,
    /// What it asks for.
    pub scope: String,
}

/// How a browser signs in at an OpenID provider (authorization code with PKCE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInConfig {
    /// The console's id there.
    pub client_id: String,
    /// What it asks for.
    pub scope: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where the code is exchanged for a token.
    pub token_endpoint: String,
}

/// Who knows how browsers sign in, besides with an API key.
#[async_trait::async_trait]
pub trait SignInConfigSource: Send + Sync + 'static {
    /// The way, if there is one now.
    async fn sign_in_config(&self) -> Option<SignInConfig>;
}

/// What the browser asks first.
#[derive(Serialize)]
struct ConsoleConfig {
    /// Another one when any of the files is another one.
    build: &'static str,
    oidc: Option<SignInConfig>,
}

/// The pages, to be merged with the API's routes.
pub fn router(sign_in: Arc<dyn SignInConfigSource>) -> Router {
    let page = |file: &'static StaticFile| {
        get(move |State(sign_in): State<Arc<dyn SignInConfigSource>>, headers: HeaderMap| async move {
            let token_endpoint = sign_in.sign_in_config().await.map(|way| way.token_endpoint);
            with_security_headers(respond_with(file, &headers), token_endpoint.as_deref())
        })
    };
    Router::new()
        .route("/", page(&files::BOARD))
        .route("/rooms/{room}", page(&files::DISPLAY))
        .route("/plan", page(&files::PLAN))
        .route("/audit", page(&files::AUDIT))
        .route("/doctor", page(&files::DOCTOR))
        .route("/console/config.json", get(config))
        .route("/console/{file}", get(serve_asset))
        .with_state(sign_in)
}

async fn config(State(sign_in): State<Arc<dyn SignInConfigSource>>) -> Response {
    let config = Json(ConsoleConfig { build: files::build(), oidc: sign_in.sign_in_config().await });
    with_security_headers(([(header::CACHE_CONTROL, "no-store")], config).into_response(), None)
}

async fn serve_asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let found = files::ASSETS.iter().find(|file| file.name == name);
    let answer =
        found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |file| respond_with(file, &headers));
    with_security_headers(answer, None)
}

/// The file, or that it is as the browser has it.
fn respond_with(file: &StaticFile, asked: &HeaderMap) -> Response {
    let tag = file.etag();
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut answer = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.content_type)], file.text).into_response()
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

/// Scripts and styles from here only, and nothing is said to anybody else but where codes are exchanged for tokens.
fn with_security_headers(mut answer: Response, token_endpoint: Option<&str>) -> Response {
    let elsewhere = token_endpoint.and_then(origin).map_or_else(String::new, |origin| format!(" {origin}"));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{elsewhere}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

/// Scheme, host and port of an address, if they say nothing else within a policy.
fn origin(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.authority()?.as_str());
    let plain = |sign: char| sign.is_ascii_alphanumeric() || ".-:[]".contains(sign);
    host.chars().all(plain).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_nothing_else_within_a_policy() {
        assert_eq!(origin("https://login.example/t/token").as_deref(), Some("https://login.example"));
        assert_eq!(origin("http://127.0.0.1:80/x").as_deref(), Some("http://127.0.0.1:80"));
        for bad in ["https://a;b/x", "https://*/x", "https://me@host/x", "/x", "no address"] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
