//! Authentication by bearer tokens of an OpenID provider. Pure: token, the provider's keys and the time come in, a holder with
//! rights comes out.
//!
//! A token is a JWT (RFC 7519) signed by one of the provider's keys, issued by the configured issuer for the configured
//! audience. Unsigned tokens are rejected, and so are signatures by a shared secret (`HS256`): every verifier could forge them.
//! The first grant whose claim the token has decides the holder's rights.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Holder, KeyId, Rights, signature};
use crate::printable::is_printable;

/// Allowed difference between the provider's clock and ours.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// A token with a page of claims has 4 KiB; a request's head has 16 KiB for everything.
const TOKEN_BYTES_MAX: usize = 12 * 1024;
/// OpenID Connect Core 1.0, section 2: `sub` has at most 255 characters.
const SUBJECT_MAX: usize = 255;
/// Characters of a name, in the audit and as the source of a check-in.
const SHOWN_MAX: usize = 40;
/// Bytes of the hash of issuer and subject: enough that no second subject has the same.
const ID_BYTES: usize = 10;
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// An issuer whose tokens are accepted, and the rights that they grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// The exact value of `iss`.
    pub issuer: String,
    /// A value that `aud` must contain.
    pub audience: String,
    /// The claim with the holder's name. The subject alone identifies the holder.
    pub name_claim: Option<String>,
    /// The grants; the first that matches decides.
    pub grants: Vec<Grant>,
}

/// The rights of tokens with a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The claim: `roles`, `groups`, `scp`, `sub`.
    pub claim: String,
    /// The value, or one of the values of a list or of a space-separated text.
    pub value: String,
    /// The rights.
    pub rights: Rights,
    /// Limit on requests per minute.
    pub per_minute: u32,
}

/// A valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedToken {
    /// The holder.
    pub holder: Holder,
    /// The end of its validity.
    pub until: DateTime<Utc>,
}

/// Why a token is rejected. The reason is logged, and not returned to the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectedToken {
    /// Not a signed JWT in the form that providers use.
    #[error("the token is not a signed JWT: {0}")]
    Malformed(String),
    /// The signing key is not among the issuer's keys (yet).
    #[error("the token is signed by a key that the issuer does not publish")]
    UnknownKey,
    /// Signature, issuer or audience are wrong.
    #[error("the token has a wrong signature, issuer or audience: {0}")]
    Untrue(String),
    /// Before or after its validity period.
    #[error("the token is not valid at this time")]
    Expired,
    /// No grant has a claim of the token.
    #[error("no grant matches the token's claims")]
    NoGrant,
}

#[derive(Deserialize)]
struct TokenClaims {
    sub: String,
    /// Seconds since 1970; a fraction is allowed (RFC 7519, section 2, NumericDate).
    exp: f64,
    nbf: Option<f64>,
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl TrustedIssuer {
    /// Verifies a token with the issuer's keys, and returns its holder.
    ///
    /// `access_token_issuer` is a second accepted `iss`: AD FS publishes one issuer for itself and another one for access tokens.
    ///
    /// # Errors
    /// When the token is rejected.
    pub fn authenticate(
        &self,
        token: &str,
        keys: &JwkSet,
        access_token_issuer: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<AcceptedToken, RejectedToken> {
        signature::install();
        let claims = self.read(token, keys, access_token_issuer)?;
        let until = at(claims.exp).ok_or(RejectedToken::Expired)?;
        let from = claims.nbf.map_or(Some(DateTime::UNIX_EPOCH), at).ok_or(RejectedToken::Expired)?;
        if now - SKEW >= until || now + SKEW < from {
            return Err(RejectedToken::Expired);
        }
        if claims.sub.is_empty() || claims.sub.len() > SUBJECT_MAX {
            return Err(RejectedToken::Malformed("no subject".to_owned()));
        }
        let grant = self.grants.iter().find(|grant| grant.fits(&claims)).ok_or(RejectedToken::NoGrant)?;
        let holder = Holder {
            id: self.id_of(&claims.sub),
            name: self.name_of(&claims),
            rights: grant.rights.clone(),
            per_minute: grant.per_minute,
        };
        Ok(AcceptedToken { holder, until })
    }

    fn read(
        &self,
        token: &str,
        keys: &JwkSet,
        access_token_issuer: Option<&str>,
    ) -> Result<TokenClaims, RejectedToken> {
        let malformed = |error: &dyn ToString| RejectedToken::Malformed(error.to_string());
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed(&"too long"));
        }
        let header = decode_header(token).map_err(|error| malformed(&error))?;
        // A token with a critical header that we do not support is invalid (RFC 7515, section 4.1.11). Some providers mark
        // sign-in and logout tokens by `typ`: those are not for an API.
        if header.crit.is_some() || header.typ.as_deref().is_some_and(|typ| !is_for_an_api(typ)) {
            return Err(malformed(&"unsupported `crit` or `typ` in its header"));
        }
        if !ALGORITHMS.contains(&header.alg) {
            return Err(malformed(&"unsupported signature algorithm"));
        }
        let key = find(keys, &header).ok_or(RejectedToken::UnknownKey)?;
        let key = DecodingKey::from_jwk(key).map_err(|error| malformed(&error))?;
        let mut wanted = Validation::new(header.alg);
        wanted.set_audience(&[&self.audience]);
        let issuers: Vec<&str> = [self.issuer.as_str()].into_iter().chain(access_token_issuer).collect();
        wanted.set_issuer(&issuers);
        wanted.set_required_spec_claims(&["exp", "aud", "iss"]);
        // By our own clock, which tests can set.
        (wanted.validate_exp, wanted.validate_nbf) = (false, false);
        let read = decode::<TokenClaims>(token, &key, &wanted)
            .map_err(|error| RejectedToken::Untrue(error.to_string()))?;
        Ok(read.claims)
    }

    /// The permanent id of this person or program.
    fn id_of(&self, subject: &str) -> KeyId {
        let hash = Sha256::new()
            .chain_update(self.issuer.as_bytes())
            .chain_update([0])
            .chain_update(subject.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        KeyId(format!("oidc-{}", URL_SAFE_NO_PAD.encode(&hash[..ID_BYTES])))
    }

    /// A name that begins with the id, which is unique.
    fn name_of(&self, claims: &TokenClaims) -> String {
        let claim = self.name_claim.as_ref().and_then(|claim| claims.all.get(claim)).and_then(Value::as_str);
        // Control characters and invisible ones are dropped: a name is too short for escapes.
        let shown = claim
            .unwrap_or(&claims.sub)
            .chars()
            .filter(|letter| is_printable(letter.encode_utf8(&mut [0; 4])));
        format!("{} ({})", self.id_of(&claims.sub), shown.take(SHOWN_MAX).collect::<String>())
    }
}

impl Grant {
    fn fits(&self, claims: &TokenClaims) -> bool {
        let is = |value: &Value| value.as_str() == Some(&*self.value);
        match claims.all.get(&self.claim) {
            Some(Value::Array(values)) => values.iter().any(is),
            // OAuth scopes are words in one text.
            Some(Value::String(text)) if matches!(&*self.claim, "scope" | "scp") => {
                text.split_whitespace().any(|word| word == self.value)
            }
            Some(value) => is(value),
            None => self.claim == "sub" && claims.sub == self.value,
        }
    }
}

/// The signing key for this algorithm: the one that `kid` names, or the only one if there is no `kid`.
fn find<'a>(keys: &'a JwkSet, header: &Header) -> Option<&'a Jwk> {
    let signs = |key: &&Jwk| {
        let usable = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
        usable && key.common.key_algorithm.is_none_or(|algorithm| algorithm == header.alg.into())
    };
    let mut fitting =
        keys.keys.iter().filter(signs).filter(|key| header.kid.is_none() || key.common.key_id == header.kid);
    let first = fitting.next()?;
    (header.kid.is_some() || fitting.next().is_none()).then_some(first)
}

/// RFC 7519, section 5.1, and RFC 9068, section 2.1.
fn is_for_an_api(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.trim_start_matches("application/"), "jwt" | "at+jwt")
}

fn at(seconds: f64) -> Option<DateTime<Utc>> {
    // A number beyond the range of times saturates to the largest integer, which is not a valid time either.
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second does not matter")]
    DateTime::from_timestamp(seconds as i64, 0)
}
