//! Verifies client assertions (RFC 7523): JWTs that prove possession of a certificate's key, signed with PS256 as Entra
//! ID requires. The JWT is parsed by hand and its signature checked with ring. Never creates an assertion.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::oauth_error::OAuthError;

/// Allowed clock skew, in seconds.
const SKEW_SECONDS: i64 = 300;
/// Limit of assertion ids remembered against replay; at the limit all are forgotten.
const SEEN_MAX: usize = 100_000;

/// The application whose assertion is expected.
pub(super) struct Signer<'a> {
    pub(super) client_id: &'a str,
    /// The certificate registered for the application, in DER.
    pub(super) certificate: &'a [u8],
    /// The required `aud`: the token endpoint.
    pub(super) audience: &'a str,
}

/// Rejects an assertion that is malformed, wrongly signed, out of its time range or replayed. `seen` holds the ids of
/// earlier assertions.
pub(super) fn verify_assertion(
    assertion: &str,
    signer: &Signer<'_>,
    now: DateTime<Utc>,
    seen: &mut HashSet<String>,
) -> Result<(), OAuthError> {
    let malformed = || OAuthError::invalid_request(50027, "JWT token is invalid or malformed.");
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (head, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let (head, claims) = (json(head).ok_or_else(malformed)?, json(claims).ok_or_else(malformed)?);
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
    check_signature(&head, signed, &signature, signer)?;
    check_claims(&claims, signer, now)?;
    if seen.len() >= SEEN_MAX {
        seen.clear();
    }
    let id = claims.get("jti").and_then(Value::as_str).filter(|id| !id.is_empty());
    match id.is_some_and(|id| seen.insert(id.to_owned())) {
        true => Ok(()),
        false => Err(OAuthError::invalid_client(
            70002,
            "Error validating credentials. The client assertion has no 'jti', or one that was used before.",
        )),
    }
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn check_signature(
    head: &Value,
    signed: &str,
    signature: &[u8],
    signer: &Signer<'_>,
) -> Result<(), OAuthError> {
    let refused = |reason: &str| {
        Err(OAuthError::invalid_client(
            700027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on \
                 application. [Reason - {reason}]"
            ),
        ))
    };
    if head.get("alg").and_then(Value::as_str) != Some("PS256") {
        return refused("The algorithm is not PS256.");
    }
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(signer.certificate));
    if head.get("x5t#S256").and_then(Value::as_str) != Some(thumbprint.as_str()) {
        return refused("The key was not found.");
    }
    let Some(key) = public_key(signer.certificate) else { return refused("The certificate has no RSA key.") };
    match UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key).verify(signed.as_bytes(), signature) {
        Ok(()) => Ok(()),
        Err(_) => refused("The signature is not valid."),
    }
}

/// The `RSAPublicKey` of a certificate, in DER.
pub(super) fn public_key(certificate: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    Some(info.subject_public_key.as_bytes()?.to_vec())
}

fn check_claims(claims: &Value, signer: &Signer<'_>, now: DateTime<Utc>) -> Result<(), OAuthError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("aud") != Some(signer.audience) {
        return Err(OAuthError::invalid_client(
            700023,
            "Client assertion audience claim does not match Realm issuer.",
        ));
    }
    if [text("iss"), text("sub")] != [Some(signer.client_id); 2] {
        return Err(OAuthError::invalid_client(
            700021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let (now, begins) = (now.timestamp(), time("nbf").unwrap_or(i64::MIN));
    let ends = time("exp").unwrap_or(i64::MIN);
    if begins.saturating_sub(SKEW_SECONDS) > now || ends.saturating_add(SKEW_SECONDS) < now {
        return Err(OAuthError::invalid_client(
            700024,
            "Client assertion is not within its valid time range.",
        ));
    }
    Ok(())
}
