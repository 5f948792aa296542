//! The application registered with the authority: whether a token request proves its secret, its certificate or an
//! assertion of another issuer. Does no I/O; the ids of used assertions are its only state.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::assertion::{Signer, verify_assertion};
use super::federated_credential::FederatedKey;
use super::oauth_error::OAuthError;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// One registered application.
pub(super) struct AppRegistration {
    pub(super) client_id: String,
    pub(super) client_secret: Option<String>,
    pub(super) is_secret_expired: bool,
    /// In DER.
    pub(super) certificate: Option<Vec<u8>>,
    /// The other issuer whose assertions are accepted.
    pub(super) federated: Option<FederatedKey>,
    pub(super) scopes: Vec<String>,
    pub(super) assertions: HashSet<String>,
}

impl AppRegistration {
    /// Decides whether a token request is granted. `endpoint` is the URL that received it.
    pub(super) fn authorize(
        &mut self,
        form: &[(String, String)],
        endpoint: &str,
        now: DateTime<Utc>,
    ) -> Result<(), OAuthError> {
        let field = |name: &str| {
            form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).ok_or_else(|| {
                let text = format!("The request body must contain the following parameter: '{name}'.");
                OAuthError::invalid_request(900144, text)
            })
        };
        if field("grant_type")? != "client_credentials" {
            let text = "The app requested an unsupported grant type.";
            return Err(OAuthError::bad_request("unsupported_grant_type", 70003, text));
        }
        let client = field("client_id")?;
        if client != self.client_id {
            let text = format!("Application with identifier '{client}' was not found in the directory.");
            return Err(OAuthError::bad_request("unauthorized_client", 700016, text));
        }
        self.check_scope(field("scope")?)?;
        match field("client_assertion") {
            Ok(assertion) => {
                if field("client_assertion_type")? != ASSERTION_TYPE {
                    let text = "The 'client_assertion_type' is not supported.";
                    return Err(OAuthError::invalid_request(900144, text));
                }
                self.check_assertion(assertion, endpoint, now)
            }
            Err(_) => match field("client_secret") {
                Ok(secret) => self.check_secret(secret),
                Err(_) => Err(OAuthError::invalid_client(
                    7000218,
                    "The request body must contain the following parameter: 'client_assertion' or \
                     'client_secret'.",
                )),
            },
        }
    }

    fn check_scope(&self, scope: &str) -> Result<(), OAuthError> {
        if self.scopes.iter().any(|known| known == scope) {
            return Ok(());
        }
        let text = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
             with /.default suffixed to the resource identifier (application ID URI)."
        );
        Err(OAuthError::bad_request("invalid_scope", 1002012, text))
    }

    fn check_secret(&self, secret: &str) -> Result<(), OAuthError> {
        if self.client_secret.as_deref() == Some(secret) {
            let text = format!(
                "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for \
                 your app, or consider using certificate credentials for added security.",
                self.client_id
            );
            return match self.is_secret_expired {
                true => Err(OAuthError::invalid_client(7000222, text)),
                false => Ok(()),
            };
        }
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID, for a secret added to app '{}'.",
            self.client_id
        );
        Err(OAuthError::invalid_client(7000215, text))
    }

    fn check_assertion(
        &mut self,
        assertion: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<(), OAuthError> {
        if let Some(federated) = self.federated.as_ref().filter(|issuer| issuer.is_issuer_of(assertion)) {
            return federated.verify(assertion, now);
        }
        let certificate = self.certificate.as_deref().unwrap_or_default();
        let signer = Signer { client_id: &self.client_id, certificate, audience };
        verify_assertion(assertion, &signer, now, &mut self.assertions)
    }
}
