//! Bearer tokens of an OpenID provider: who is let in by one, and what for. Pure: token, the provider's keys and the time
//! come in.
//!
//! A token is a JWT (RFC 7519) signed by one of the provider's keys, made by the configured issuer for the configured
//! audience. Signatures by a shared secret (`HS256`) and unsigned tokens are no tokens: whoever can check the first can
//! make it. What its holder may is said by the first grant whose claim the token has.

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

/// How far two clocks may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// A token with a page of claims has 4 KiB; a request's head has 16 KiB for everything.
const TOKEN_BYTES_MAX: usize = 12 * 1024;
/// OpenID Connect Core 1.0, section 2: `sub` has at most 255 characters.
const SUBJECT_MAX: usize = 255;
/// Of a name, in the audit and as the source of a check-in.
const SHOWN_MAX: usize = 40;
/// Of the hash that stands for issuer and subject: too many to find another subject for.
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

/// Whose tokens are taken, and what they are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// As it stands in `iss`, to the letter.
    pub issuer: String,
    /// One of the values of `aud`.
    pub audience: String,
    /// A claim that is shown beside the subject; the subject alone is who it is.
    pub name_claim: Option<String>,
    /// What tokens are good for; the first that fits decides.
    pub grants: Vec<Grant>,
}

/// What is granted to whoever has a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The claim: `roles`, `groups`, `scp`, `sub`.
    pub claim: String,
    /// Its value, or one of its values (of a list, or of words in a text).
    pub value: String,
    /// What it is good for.
    pub rights: Rights,
    /// Requests a minute.
    pub per_minute: u32,
}

/// Who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedToken {
    /// Who.
    pub holder: Holder,
    /// Until then.
    pub until: DateTime<Utc>,
}

/// Why a token opens nothing. What is wrong with it is for the log, not for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectedToken {
    /// Not a signed token in the form that providers use.
    #[error("it is no signed JWT: {0}")]
    Malformed(String),
    /// Signed by a key that is not known (yet).
    #[error("it is signed by a key that the issuer does not show")]
    UnknownKey,
    /// Signature, issuer or audience are wrong.
    #[error("it is not for us: {0}")]
    Untrue(String),
    /// Not yet, or not any more.
    #[error("it is not valid at this time")]
    Expired,
    /// Nothing is granted to its holder.
    #[error("no grant fits its claims")]
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
    /// Checks a token against the issuer's keys.
    ///
    /// `access_token_issuer` is a second accepted `iss`: AD FS publishes one issuer for itself and another one for access tokens.
    ///
    /// # Errors
    /// When it opens nothing.
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
        // What must be understood and is not makes a token invalid (RFC 7515, section 4.1.11); sign-in and logout tokens of
        // some providers say by `typ` that they are none for an API.
        if header.crit.is_some() || header.typ.as_deref().is_some_and(|typ| !is_for_an_api(typ)) {
            return Err(malformed(&"its header asks for what is not known here"));
        }
        if !ALGORITHMS.contains(&header.alg) {
            return Err(malformed(&"its algorithm is not one of those that providers sign with"));
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

    /// The same for ever, for this person or program.
    fn id_of(&self, subject: &str) -> KeyId {
        let hash = Sha256::new()
            .chain_update(self.issuer.as_bytes())
            .chain_update([0])
            .chain_update(subject.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        KeyId(format!("oidc-{}", URL_SAFE_NO_PAD.encode(&hash[..ID_BYTES])))
    }

    /// Begins with the id, which nobody else has.
    fn name_of(&self, claims: &TokenClaims) -> String {
        let claim = self.name_claim.as_ref().and_then(|claim| claims.all.get(claim)).and_then(Value::as_str);
        // What a terminal would obey or hide is left out: a name has no room for its escapes.
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

/// The key that signed: named, or the only one where none is named; for signatures, and for this algorithm.
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
    // Beyond what a time can be, the cast ends at the largest number, which is no time either.
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second does not matter")]
    DateTime::from_timestamp(seconds as i64, 0)
}
