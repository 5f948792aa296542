//! OAuth 2.0 client credentials (RFC 6749, section 4.4): requests a token for the application with its secret or a
//! signed assertion (RFC 7523). Exchange decides which mailboxes the token gives access to.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::bearer::{AccessToken, TokenSource};
use super::client_credentials::ClientCredentials;
use crate::clock::{Clock as _, SystemClock};
use crate::http::client::HttpClient;
use crate::http::connection_pool::HttpRequest;
use crate::http::delivery::HttpResponse;
use crate::http::error::TransportError;
use crate::http::field::printable_line;
use crate::json::{self, duration_in_seconds};
use crate::secret::Secret;

/// Longest lifetime that is assumed, whatever the issuer returns.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Lifetime of a token without a usable `expires_in`: short, since another token request is cheap.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(5 * 60);
/// Longest `Retry-After` of a token endpoint that is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
/// How much of an issuer's error description is passed on.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Requests tokens from the token endpoint.
pub(super) struct TokenEndpoint {
    pub(super) client: ClientCredentials,
    pub(super) http: HttpClient,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: Zeroizing<String>,
    /// A number, text, or absent (RFC 6749, section 5.1, only recommends it).
    #[serde(default)]
    expires_in: Value,
}

#[derive(Deserialize)]
struct TokenErrorResponse {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[async_trait]
impl TokenSource for TokenEndpoint {
    async fn fetch(&self) -> Result<AccessToken, TransportError> {
        let form = self.client.form(SystemClock.now())?;
        let request = HttpRequest::post("application/x-www-form-urlencoded", form);
        let sent = self.http.send_anonymous(&self.client.endpoint, &request).await;
        let response = sent.map_err(|error| TransportError::SignIn {
            is_permanent: false,
            reason: format!(
                "no token from {}: {}",
                self.client.endpoint,
                error.describe("the token endpoint")
            ),
            retry_after: Duration::ZERO,
        })?;
        parse_token_response(&self.client.endpoint, &response)
    }
}

/// Reads a token endpoint's response. `error_description` is the issuer's text for administrators and never contains a
/// token.
fn parse_token_response(endpoint: &str, response: &HttpResponse) -> Result<AccessToken, TransportError> {
    if response.status == 200 {
        let token: TokenResponse = json::from_slice(&response.body).map_err(|_| {
            TransportError::sign_in(&format!("{endpoint} returned a response without an access token"))
        })?;
        let lifetime = duration_in_seconds(&token.expires_in).filter(|lifetime| !lifetime.is_zero());
        let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
        return Ok(AccessToken { secret: Secret::new(token.access_token.to_string()), lifetime });
    }
    let is_transient = matches!(response.status, 408 | 429 | 500..);
    let why = match json::from_slice::<TokenErrorResponse>(&response.body) {
        Ok(error_response) => {
            let description = error_response.error_description.lines().next().unwrap_or_default();
            let (error, description) = (
                printable_line(error_response.error.as_bytes(), DESCRIPTION_CHARS_MAX),
                printable_line(description.as_bytes(), DESCRIPTION_CHARS_MAX),
            );
            format!("{endpoint} refused a token: {error}: {description}")
        }
        Err(_) => format!("{endpoint} returned no token: HTTP {}", response.status),
    };
    let retry_after = response.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
    Err(TransportError::SignIn { is_permanent: !is_transient, reason: why, retry_after })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            rejection: None,
            sent_credentials: false,
        }
    }

    fn failed(status: u16, body: &str) -> (bool, String) {
        match parse_token_response("https://login.example/token", &response(status, body)) {
            Err(TransportError::SignIn { is_permanent, reason: why, .. }) => (is_permanent, why),
            other => panic!("{:?}", other.err()),
        }
    }

    #[test]
    fn what_an_administrator_must_mend_is_told_from_what_passes() {
        let token = parse_token_response(
            "e",
            &response(200, r#"{"access_token":"abc","expires_in":3599,"token_type":"Bearer"}"#),
        );
        assert_eq!(token.unwrap().lifetime, Duration::from_secs(3599));
        for (said_as, lifetime) in [
            (r#","expires_in":"3599""#, 3599),
            (r#","expires_in":3599.0"#, 3599),
            (r#","expires_in":null"#, 300),
            ("", 300),
            (r#","expires_in":-1"#, 300),
            (r#","expires_in":"0""#, 300),
            (r#","expires_in":"soon""#, 300),
            (r#","expires_in":99999999999999999999"#, 86_400),
        ] {
            let token =
                parse_token_response("e", &response(200, &format!(r#"{{"access_token":"abc"{said_as}}}"#)))
                    .unwrap();
            assert_eq!(token.lifetime, Duration::from_secs(lifetime), "{said_as}");
        }
        assert!(parse_token_response("e", &response(200, "\u{feff}{\"access_token\":\"abc\"}")).is_ok());
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
