//! Managed identities of Azure: requests a token from the machine's instance metadata service (Microsoft, "How to use managed
//! identities for Azure resources on an Azure VM to acquire an access token"). The machine is the proof, so there is no secret.
//!
//! The service has a link-local address, and the sender of its response decides whose token Adjourn uses. So the request never
//! goes through a proxy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::bearer::{AccessToken, TokenSource};
use super::token_response::TokenIssuer;
use crate::clock::{Clock as _, SystemClock};
use crate::http::client::HttpClient;
use crate::http::connection_pool::HttpRequest;
use crate::http::dialer::Dialer;
use crate::http::error::TransportError;
use crate::http::settings::{DialerSettings, SettingsError};
use crate::http::url::ConnectTarget;

/// The instance metadata service of every Azure virtual machine, in every cloud.
pub const INSTANCE_METADATA_ENDPOINT: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// The version of the service's interface.
const API_VERSION: &str = "2018-02-01";
/// The header that proves that no foreign page made the request: the service refuses requests without it.
const METADATA: HeaderName = HeaderName::from_static("metadata");
/// Time limit of a connection to the service, which is on the same host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The identity of the Azure machine that Adjourn runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedIdentity {
    /// The endpoint: [`INSTANCE_METADATA_ENDPOINT`], unless a test replaces it.
    pub endpoint: String,
    /// The resource that the token is for, such as `https://graph.microsoft.com`.
    pub resource: String,
    /// Client id of a user-assigned identity; `None`: the machine's own (system-assigned) identity.
    pub client_id: Option<String>,
}

impl ManagedIdentity {
    /// The resource of an OAuth scope: the scope without `/.default`.
    pub fn resource_of(scope: &str) -> &str {
        scope.strip_suffix("/.default").unwrap_or(scope)
    }

    fn request_url(&self) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("api-version", API_VERSION).append_pair("resource", &self.resource);
        if let Some(client_id) = &self.client_id {
            query.append_pair("client_id", client_id);
        }
        format!("{}?{}", self.endpoint, query.finish())
    }
}

/// Requests tokens from the instance metadata service.
pub(super) struct InstanceMetadata {
    identity: ManagedIdentity,
    http: HttpClient,
}

impl InstanceMetadata {
    /// Its connections are its own: the account's may have a proxy. `timeout` limits one request.
    pub(super) fn new(identity: ManagedIdentity, timeout: Duration) -> Result<Self, SettingsError> {
        ConnectTarget::parse_anonymous(&identity.endpoint)?;
        let dialer = Dialer::new(&DialerSettings {
            uses_tls: false,
            ca_file: None,
            client_certificate: None,
            proxy: None,
            connect_timeout: CONNECT_TIMEOUT,
        })?;
        Ok(Self { identity, http: HttpClient::new(Arc::new(dialer), timeout) })
    }
}

#[async_trait]
impl TokenSource for InstanceMetadata {
    async fn fetch(&self) -> Result<AccessToken, TransportError> {
        let issuer = TokenIssuer { endpoint: &self.identity.endpoint, is_transient };
        let headers = HeaderMap::from_iter([(METADATA, HeaderValue::from_static("true"))]);
        let request = HttpRequest::get(headers);
        let sent = self.http.send_anonymous(&self.identity.request_url(), &request).await;
        let response = sent.map_err(|error| {
            issuer.unreachable(&error, "the instance metadata service (this must be an Azure machine)")
        })?;
        issuer.parse(&response, SystemClock.now())
    }
}

/// Microsoft, the page above, "Error handling": the service returns 404 and 410 while it is updated, which takes 70 s. Every other
/// 4xx is a mistake in the request, such as an identity that the machine does not have.
fn is_transient(status: u16) -> bool {
    matches!(status, 404 | 408 | 410 | 429 | 500..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(client_id: Option<&str>) -> ManagedIdentity {
        ManagedIdentity {
            endpoint: INSTANCE_METADATA_ENDPOINT.to_owned(),
            resource: "https://graph.microsoft.com".to_owned(),
            client_id: client_id.map(str::to_owned),
        }
    }

    #[test]
    fn the_request_names_the_resource_and_a_user_assigned_identity() {
        let common = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fgraph.microsoft.com";
        assert_eq!(identity(None).request_url(), common);
        assert_eq!(identity(Some("a&b")).request_url(), format!("{common}&client_id=a%26b"));
    }

    #[test]
    fn a_scope_names_its_resource() {
        assert_eq!(
            ManagedIdentity::resource_of("https://graph.microsoft.com/.default"),
            "https://graph.microsoft.com"
        );
        assert_eq!(ManagedIdentity::resource_of("api://something"), "api://something");
    }

    #[test]
    fn the_link_local_address_may_be_asked_in_plain_http() {
        assert!(InstanceMetadata::new(identity(None), Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn failures_pass_as_microsoft_documents_them() {
        assert!([404, 408, 410, 429, 500, 503, 504].into_iter().all(is_transient));
        assert!(![400, 401, 403, 405].into_iter().any(is_transient));
    }
}
