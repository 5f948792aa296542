//! The web console: static pages, embedded in the program, whose scripts request all data from API v1. This module handles no
//! calendars, keys or rights, and every file it serves is public: the pages contain no data until their user signs in.
//!
//! A door display (`display.js`) has words of its own in several languages (`languages/`) and shows no text of the API. Its service
//! worker (`display-worker.js`) keeps the page's files for a restart without a network, and no API response.
//!
//! The console uses no cookies. Its scripts send the key in a header that another site's page cannot send, so a forged cross-site
//! request (CSRF) carries no key.

mod files;
mod logo;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use files::StaticFile;
pub use logo::{LOGO_BYTES_MAX, Logo, LogoError, Logos, logo_router};

/// The console's registration at an OpenID provider: a public client, without a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleClient {
    /// The client id.
    pub id: String,
    /// The requested scope.
    pub scope: String,
}

/// The parameters for a browser's sign-in at an OpenID provider (authorization code with PKCE).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInConfig {
    /// The console's client id.
    pub client_id: String,
    /// The requested scope.
    pub scope: String,
    /// The provider's authorization endpoint.
    pub authorization_endpoint: String,
    /// The provider's token endpoint.
    pub token_endpoint: String,
}

/// Supplies the sign-in parameters, for sign-in other than by API key.
#[async_trait::async_trait]
pub trait SignInConfigSource: Send + Sync + 'static {
    /// The parameters; `None` without a provider, or while it cannot be reached.
    async fn sign_in_config(&self) -> Option<SignInConfig>;
}

/// The response of `/console/config.json`.
#[derive(Serialize)]
struct ConsoleConfig {
    /// Changes when any of the files changes.
    build: &'static str,
    oidc: Option<SignInConfig>,
}

/// Whether door displays have a catalogue for this language tag (BCP 47, such as `de` or `en-US`).
pub fn has_language(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let language = subtags.next().unwrap_or_default();
    files::languages().any(|known| known == language)
        && subtags.all(|part| matches!(part.len(), 1..=8) && is_alphanumeric(part))
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The languages of door displays, for messages.
pub fn languages() -> String {
    files::languages().collect::<Vec<_>>().join(", ")
}

/// The routes of the console, for merging with the API's.
pub fn router(sign_in: Arc<dyn SignInConfigSource>) -> Router {
    let page = |file: &'static StaticFile| {
        get(move |State(sign_in): State<Arc<dyn SignInConfigSource>>, headers: HeaderMap| async move {
            let token_endpoint = sign_in.sign_in_config().await.map(|way| way.token_endpoint);
            with_security_headers(respond_with(file, &headers), token_endpoint.as_deref())
        })
    };
    let pages =
        files::PAGES.iter().fold(Router::new(), |router, (path, file)| router.route(path, page(file)));
    pages
        .route("/console/config.json", get(config))
        .route("/console/{*file}", get(serve_asset))
        .with_state(sign_in)
}

async fn config(State(sign_in): State<Arc<dyn SignInConfigSource>>) -> Response {
    let config = Json(ConsoleConfig { build: files::build(), oidc: sign_in.sign_in_config().await });
    with_security_headers(([(header::CACHE_CONTROL, "no-store")], config).into_response(), None)
}

async fn serve_asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let found = files::asset(&path);
    let response =
        found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |file| respond_with(file, &headers));
    with_security_headers(response, None)
}

/// The file, or 304 if the browser has it already.
fn respond_with(file: &StaticFile, request_headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", files::build());
    let known = request_headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.content_type)], file.content()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Adds the security headers. The content security policy allows scripts and styles of this origin only, and requests to this
/// origin and the provider's token endpoint.
fn with_security_headers(mut response: Response, token_endpoint: Option<&str>) -> Response {
    let elsewhere = token_endpoint.and_then(origin).map_or_else(String::new, |origin| format!(" {origin}"));
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         manifest-src 'self'; connect-src 'self'{elsewhere}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The origin of a URL, if it contains no character with a meaning in a content security policy.
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
    fn a_language_may_have_a_region_and_nothing_strange() {
        for known in ["de", "en-US", "ar-EG", "pl-PL", "ja-JP-u-ca-japanese"] {
            assert!(has_language(known), "{known}");
        }
        for unknown in ["", "DE", "tlh", "german", "de-", "de-\"x\"", "de_AT"] {
            assert!(!has_language(unknown), "{unknown}");
        }
    }

    #[test]
    fn an_address_says_nothing_else_within_a_policy() {
        assert_eq!(origin("https://login.example/t/token").as_deref(), Some("https://login.example"));
        assert_eq!(origin("http://127.0.0.1:80/x").as_deref(), Some("http://127.0.0.1:80"));
        for bad in ["https://a;b/x", "https://*/x", "https://me@host/x", "/x", "no address"] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }
}
