//! An application's credentials at a token endpoint (RFC 6749, section 2.3): settings, and the form that a token request
//! sends. Opens no connection.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::assertion::ClientKey;
use crate::http::error::TransportError;
use crate::secret::Secret;
use crate::text_file;

/// The type of a JWT as an assertion (RFC 7523, section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Largest file that is read for an assertion. Tokens of Kubernetes have two kilobytes.
const ASSERTION_BYTES_MAX: u64 = 64 << 10;

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
    /// Workload identity federation: the assertion is a token of another issuer (Kubernetes, GitHub, …), which a program renews in
    /// this file. It is read anew for each token request.
    Federated(PathBuf),
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Key(_) => "Key(…)",
            Self::Federated(_) => "Federated(…)",
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
                form.append_pair("client_assertion_type", JWT_BEARER);
                form.append_pair("client_assertion", &assertion)
            }
            ClientAuthentication::Federated(path) => {
                let assertion = read_assertion(path)?;
                form.append_pair("client_assertion_type", JWT_BEARER);
                form.append_pair("client_assertion", &assertion)
            }
        };
        Ok(form.finish().into())
    }
}

/// The assertion that the file has now, without white space around it.
fn read_assertion(path: &Path) -> Result<Zeroizing<String>, TransportError> {
    let unusable = |why: &str| {
        TransportError::sign_in(&format!("cannot use the federated token file {}: {why}", path.display()))
    };
    let text = text_file::read(path, ASSERTION_BYTES_MAX).map_err(|error| unusable(&error.to_string()))?;
    match text.trim() {
        "" => Err(unusable("it is empty")),
        assertion if assertion.contains(char::is_whitespace) => Err(unusable("it has more than one word")),
        assertion => Ok(Zeroizing::new(assertion.to_owned())),
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

    #[test]
    fn a_federated_assertion_is_read_for_each_form() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let client = ClientCredentials {
            endpoint: "https://login.example/token".to_owned(),
            client_id: "app".to_owned(),
            scope: "s".to_owned(),
            authentication: ClientAuthentication::Federated(file.path().to_owned()),
        };
        for assertion in ["a.b.c", "d.e.f"] {
            std::fs::write(file.path(), format!("{assertion}\n")).unwrap();
            let form = client.form(DateTime::UNIX_EPOCH).unwrap();
            let expected = format!(
                "grant_type=client_credentials&client_id=app&scope=s&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
            );
            assert_eq!(form, expected);
        }
        for (content, why) in [("", "it is empty"), ("\n \n", "it is empty"), ("a.b.c d", "one word")] {
            std::fs::write(file.path(), content).unwrap();
            let error = client.form(DateTime::UNIX_EPOCH).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(&*file.path().to_string_lossy()), "{error}");
            assert!(!error.contains("a.b.c"), "{error}");
        }
        drop(file);
        assert!(client.form(DateTime::UNIX_EPOCH).is_err());
    }
}
