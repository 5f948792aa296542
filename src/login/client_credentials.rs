//! An application's credentials at a token endpoint (RFC 6749, section 2.3): settings, and the form that a token request
//! sends. Opens no connection.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use form_urlencoded::Serializer;

use super::assertion::ClientKey;
use crate::http::error::TransportError;
use crate::secret::Secret;

/// Client credentials of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials<A = ClientAuthentication> {
    /// The token endpoint: `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`, or that of a national cloud.
    pub endpoint: String,
    /// Application (client) id.
    pub client_id: String,
    /// Scope, such as `https://outlook.office365.com/.default`.
    pub scope: String,
    /// How the application authenticates.
    pub authentication: A,
}

/// How an application authenticates to the token endpoint.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// A shared secret.
    Secret(Secret),
    /// A key whose certificate is registered with the issuer.
    Key(ClientKey),
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Key(_) => "Key(…)",
        })
    }
}

impl ClientCredentials {
    /// The body of the token request.
    pub(super) fn form(&self, now: DateTime<Utc>) -> Result<Bytes, TransportError> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.append_pair("client_id", &self.client_id);
        form.append_pair("scope", &self.scope);
        match &self.authentication {
            ClientAuthentication::Secret(secret) => form.append_pair("client_secret", secret.expose()),
            ClientAuthentication::Key(key) => {
                let assertion = key.assertion(&self.client_id, &self.endpoint, now);
                let assertion = assertion.map_err(|error| TransportError::sign_in(&error.to_string()))?;
                form.append_pair(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
                form.append_pair("client_assertion", &assertion)
            }
        };
        Ok(form.finish().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_into_the_form_and_nowhere_else() {
        let client = ClientCredentials {
            endpoint: "https://login.example/token".to_owned(),
            client_id: "app".to_owned(),
            scope: "https://outlook.example/.default".to_owned(),
            authentication: ClientAuthentication::Secret(Secret::new("a&b=c".to_owned())),
        };
        let form = client.form(DateTime::UNIX_EPOCH).unwrap();
        let expected = "grant_type=client_credentials&client_id=app&scope=https%3A%2F%2Foutlook.example%2F.default&client_secret=a%26b%3Dc";
        assert_eq!(form, expected);
        assert!(!format!("{client:?}").contains("a&b"));
    }
}
