//! OAuth 2.0 client credentials (RFC 6749, section 4.4): requests a token for the application with its secret or an assertion
//! (RFC 7523). Exchange decides which mailboxes the token gives access to.

use async_trait::async_trait;

use super::bearer::{AccessToken, TokenSource};
use super::client_credentials::ClientCredentials;
use super::token_response::TokenIssuer;
use crate::clock::{Clock as _, SystemClock};
use crate::http::client::HttpClient;
use crate::http::connection_pool::HttpRequest;
use crate::http::error::TransportError;

/// Requests tokens from the token endpoint.
pub(super) struct TokenEndpoint {
    pub(super) client: ClientCredentials,
    pub(super) http: HttpClient,
}

#[async_trait]
impl TokenSource for TokenEndpoint {
    async fn fetch(&self) -> Result<AccessToken, TransportError> {
        let endpoint = self.client.endpoint.as_str();
        let issuer = TokenIssuer { endpoint, is_transient };
        let form = self.client.form(SystemClock.now())?;
        let request = HttpRequest::post("application/x-www-form-urlencoded", form);
        let sent = self.http.send_anonymous(endpoint, &request).await;
        let response = sent.map_err(|error| issuer.unreachable(&error, "the token endpoint"))?;
        issuer.parse(&response, SystemClock.now())
    }
}

fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}
