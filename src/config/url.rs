//! Checks the URLs that Adjourn sends credentials to. Sends nothing.

use http::uri::InvalidUri;
use thiserror::Error;

use crate::http::url::{UrlFault, has_userinfo, parse_secure, without_userinfo};

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
    parse_secure(url).map(|_| text()).map_err(|fault| match fault {
        UrlFault::NotAUrl(error) => UrlError::NotAUrl { url: text(), error },
        UrlFault::Userinfo => UrlError::Userinfo(without_userinfo(url)),
        UrlFault::PlainHttp => UrlError::PlainHttp(text()),
        UrlFault::Form => UrlError::Form(text()),
    })
}
