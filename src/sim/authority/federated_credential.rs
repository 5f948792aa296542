//! Workload identity federation: an application proves itself by a JWT of another issuer, signed with RS256 and valid
//! for many requests. Never creates an assertion and remembers none.

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use super::assertion::public_key;
use super::oauth_error::OAuthError;

/// Allowed clock skew, in seconds.
const SKEW_SECONDS: i64 = 300;
/// The required `aud`.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The trust in another issuer.
#[derive(Debug, Clone)]
pub struct FederatedCredential {
    /// The required `iss`.
    pub issuer: String,
    /// The required `sub`.
    pub subject: String,
    /// A certificate with the issuer's key (RSA), in PEM.
    pub certificate_pem: String,
}

/// The trust, with its key decoded.
pub(super) struct FederatedKey {
    credential: FederatedCredential,
    /// `RSAPublicKey` in DER.
    key: Vec<u8>,
}

impl FederatedCredential {
    pub(super) fn into_key(self) -> io::Result<FederatedKey> {
        let certificate =
            CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(io::Error::other)?;
        let key = public_key(&certificate);
        let key = key.ok_or_else(|| io::Error::other("the issuer's certificate has no RSA key"))?;
        Ok(FederatedKey { credential: self, key })
    }
}

impl FederatedKey {
    /// Whether an assertion names this issuer.
    pub(super) fn is_issuer_of(&self, assertion: &str) -> bool {
        claims(assertion)
            .is_some_and(|claims| claims.get("iss").is_some_and(|iss| *iss == *self.credential.issuer))
    }

    /// Rejects an assertion that is malformed, wrongly signed, for another subject or out of its time range.
    pub(super) fn verify(&self, assertion: &str, now: DateTime<Utc>) -> Result<(), OAuthError> {
        let malformed = || OAuthError::invalid_request(50027, "JWT token is invalid or malformed.");
        let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        let claims = claims(assertion).ok_or_else(malformed)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.key);
        if key.verify(signed.as_bytes(), &signature).is_err() {
            let text = "Client assertion failed signature validation.";
            return Err(OAuthError::invalid_client(700_027, text));
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("sub") != Some(&self.credential.subject) || text("aud") != Some(AUDIENCE) {
            let text = "No matching federated identity record found for presented assertion.";
            return Err(OAuthError::invalid_client(70_021, text));
        }
        let ends = claims.get("exp").and_then(Value::as_i64).unwrap_or(i64::MIN);
        match ends.saturating_add(SKEW_SECONDS) < now.timestamp() {
            false => Ok(()),
            true => {
                let text = "Client assertion is not within its valid time range.";
                Err(OAuthError::invalid_client(700_024, text))
            }
        }
    }
}

fn claims(assertion: &str) -> Option<Value> {
    let claims = assertion.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}
