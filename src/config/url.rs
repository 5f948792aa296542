//! Checks the URLs that Adjourn sends credentials to. Sends nothing.

use http::uri::InvalidUri;
use thiserror::Error;

use crate::http::url::{has_userinfo, is_loopback_host, without_userinfo};

/// Why credentials may not go to a URL. No message has a password that stands in the URL.
#[derive(Debug, Error)]
pub(super) enum UrlError {
    #[error("`{0}`: write user name and password as keys of their own, not in the URL")]
    Userinfo(String),
    #[error("`{url}` is not a URL: {error}")]
    NotAUrl { url: String, error: InvalidUri },
    #[error("`{0}` would send the password unencrypted; use https")]
    PlainHttp(String),
    #[error("`{0}` is not of the form https://host/EWS/Exchange.asmx")]
    Form(String),
}

/// Plain `http` is allowed to this machine only: elsewhere credentials would cross the network unencrypted.
pub(super) fn check_url(url: &str) -> Result<String, UrlError> {
    if has_userinfo(url) {
        return Err(UrlError::Userinfo(without_userinfo(url)));
    }
    let text = || url.to_owned();
    let uri: http::Uri = url.parse().map_err(|error| UrlError::NotAUrl { url: text(), error })?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(text()),
        Some("http") if is_loopback_host(host) => Ok(text()),
        Some("http") => Err(UrlError::PlainHttp(text())),
        _ => Err(UrlError::Form(text())),
    }
}
