//! Reads what a token endpoint returns (RFC 6749, section 5): a token with its lifetime, or an error. Pure; never passes a token
//! on in an error.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::bearer::AccessToken;
use crate::http::delivery::HttpResponse;
use crate::http::error::TransportError;
use crate::http::field::printable_line;
use crate::json::{self, duration_in_seconds};
use crate::secret::Secret;

/// Longest lifetime that is assumed, whatever the issuer returns.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Lifetime of a token without a usable `expires_in` or `expires_on`: short, since another token request is cheap.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(5 * 60);
/// Longest `Retry-After` of a token endpoint that is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
/// How much of an issuer's error description is passed on.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// A token endpoint.
pub(super) struct TokenIssuer<'e> {
    /// Its URL, for messages.
    pub(super) endpoint: &'e str,
    /// Whether a request with this status may succeed later without any change by a person.
    pub(super) is_transient: fn(u16) -> bool,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: Zeroizing<String>,
    /// A number, text, or absent (RFC 6749, section 5.1, only recommends it).
    #[serde(default)]
    expires_in: Value,
    /// Seconds since 1970, as a number or text: some issuers return it instead of `expires_in`, or beside it.
    #[serde(default)]
    expires_on: Value,
}

#[derive(Deserialize)]
struct TokenErrorResponse {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl TokenIssuer<'_> {
    /// The error of a request that got no response.
    pub(super) fn unreachable(&self, error: &TransportError, server: &str) -> TransportError {
        TransportError::SignIn {
            is_permanent: false,
            reason: format!("no token from {}: {}", self.endpoint, error.describe(server)),
            retry_after: Duration::ZERO,
        }
    }

    /// The token in a response. `error_description` is the issuer's text for administrators and never contains a token.
    pub(super) fn parse(
        &self,
        response: &HttpResponse,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, TransportError> {
        let endpoint = self.endpoint;
        if response.status == 200 {
            let token: TokenResponse = json::from_slice(&response.body).map_err(|_| {
                TransportError::sign_in(&format!("{endpoint} returned a response without an access token"))
            })?;
            let lifetime = lifetime(&token, now);
            return Ok(AccessToken { secret: Secret::new(token.access_token.to_string()), lifetime });
        }
        let why = match json::from_slice::<TokenErrorResponse>(&response.body) {
            Ok(TokenErrorResponse { error, error_description }) => {
                let description = error_description.lines().next().unwrap_or_default();
                let (error, description) = (
                    printable_line(error.as_bytes(), DESCRIPTION_CHARS_MAX),
                    printable_line(description.as_bytes(), DESCRIPTION_CHARS_MAX),
                );
                format!("{endpoint} refused a token: {error}: {description}")
            }
            Err(_) => format!("{endpoint} returned no token: HTTP {}", response.status),
        };
        let retry_after = response.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
        let is_permanent = !(self.is_transient)(response.status);
        Err(TransportError::SignIn { is_permanent, reason: why, retry_after })
    }
}

fn lifetime(token: &TokenResponse, now: DateTime<Utc>) -> Duration {
    let usable = |lifetime: &Duration| !lifetime.is_zero();
    let now = Duration::from_secs(u64::try_from(now.timestamp()).unwrap_or_default());
    let until = || duration_in_seconds(&token.expires_on)?.checked_sub(now).filter(usable);
    let lifetime = duration_in_seconds(&token.expires_in).filter(usable).or_else(until);
    lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            rejection: None,
            sent_credentials: false,
        }
    }

    fn parse(status: u16, body: &str) -> Result<AccessToken, TransportError> {
        let issuer = TokenIssuer {
            endpoint: "https://login.example/token",
            is_transient: |status| matches!(status, 408 | 429 | 500..),
        };
        issuer.parse(&response(status, body), DateTime::from_timestamp(NOW, 0).unwrap())
    }

    fn failed(status: u16, body: &str) -> (bool, String) {
        match parse(status, body) {
            Err(TransportError::SignIn { is_permanent, reason: why, .. }) => (is_permanent, why),
            other => panic!("{:?}", other.err()),
        }
    }

    #[test]
    fn a_lifetime_is_read_in_every_form_that_issuers_send() {
        for (said_as, lifetime) in [
            (r#","expires_in":3599,"token_type":"Bearer""#, 3599),
            (r#","expires_in":"3599""#, 3599),
            (r#","expires_in":3599.0"#, 3599),
            (r#","expires_in":null"#, 300),
            ("", 300),
            (r#","expires_in":-1"#, 300),
            (r#","expires_in":"0""#, 300),
            (r#","expires_in":"soon""#, 300),
            (r#","expires_in":99999999999999999999"#, 86_400),
            (r#","expires_on":"1800001000""#, 1_000),
            (r#","expires_on":1800001000"#, 1_000),
            (r#","expires_in":"60","expires_on":"1800001000""#, 60),
            (r#","expires_on":"1799999999""#, 300),
            (r#","expires_on":"tomorrow""#, 300),
        ] {
            let token = parse(200, &format!(r#"{{"access_token":"abc"{said_as}}}"#)).unwrap();
            assert_eq!(token.lifetime, Duration::from_secs(lifetime), "{said_as}");
        }
        assert!(parse(200, "\u{feff}{\"access_token\":\"abc\"}").is_ok());
    }

    #[test]
    fn what_an_administrator_must_mend_is_told_from_what_passes() {
        let invalid = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1"}"#;
        let (is_permanent, why) = failed(401, invalid);
        assert!(
            is_permanent && why.ends_with("invalid_client: AADSTS7000215: Invalid client secret provided."),
            "{why}"
        );
        assert!(!failed(503, "<html>").0);
        assert!(!failed(429, r#"{"error":"temporarily_unavailable"}"#).0);
        assert!(failed(404, "").0);
        assert!(failed(200, "{}").0);
    }
}
