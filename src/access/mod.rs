//! Authentication and authorization of callers: API keys, an OpenID provider's tokens, rights, and rate limits per key. Knows no
//! HTTP and no store.
//!
//! A key is `adj_` + its id + `_` + 32 random bytes. Only a hash of the secret part is kept: it is as random as a hash is
//! long, so a plain SHA-256 is enough, where a password would need a slow one.

mod check_in_link;
mod fingerprint;
mod issuer;
mod key_change;
mod key_name;
mod rights;
mod signature;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub use check_in_link::{CHECK_IN_TOKEN_CHARS_MAX, CheckInLink, CheckInLinkError, CheckInLinkKey};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use issuer::{AcceptedToken, Grant, RejectedToken, TrustedIssuer};
pub use key_change::{
    ExpiryInPast, KeyChange, ROOM_PATTERN_CHARS_MAX, RoomPatternsError, future_expiry, room_patterns,
};
pub use key_name::{KeyName, KeyNameError};
pub use rights::{COVER_STEPS_MAX, NotCovered, Right, Rights, UnknownRight};

/// The prefix of every key, by which secret scanners recognize one in a log or a repository.
const PREFIX: &str = "adj";

/// The permanent id of a key, in the audit, in lists and in the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub String);

/// Requests per minute of a holder for whom the administrator sets no other number.
pub const DEFAULT_PER_MINUTE: u32 = 600;

/// An authenticated caller, by an API key or a token, and their rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key's id; for a token, a hash of its issuer and subject.
    pub id: KeyId,
    /// The holder's name, for people and for the audit.
    pub name: String,
    /// The rights.
    pub rights: Rights,
    /// Limit on requests per minute.
    pub per_minute: u32,
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The holder.
    pub holder: Holder,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The instant from which the key is invalid; `None`: valid until it is revoked.
    pub expires: Option<DateTime<Utc>>,
    /// The key is valid only over TLS with this client certificate; `None`: over any connection.
    pub certificate: Option<Fingerprint>,
}

/// A new key, with the token that is shown once.
pub struct NewKey {
    /// The key as it is stored.
    pub stored: StoredKey,
    /// The token that callers send.
    pub token: String,
}

impl StoredKey {
    /// A new random key with these rights, without expiry and without a client certificate.
    pub fn generate(name: &str, rights: Rights, per_minute: u32) -> NewKey {
        let secret = random_secret();
        let id = Uuid::new_v4().simple().to_string()[..10].to_owned();
        let token = format!("{PREFIX}_{id}_{secret}");
        let holder = Holder { id: KeyId(id), name: name.to_owned(), rights, per_minute };
        let stored = Self { holder, hash: hash(&secret), expires: None, certificate: None };
        NewKey { stored, token }
    }

    /// A key with a given id and secret, for demos and tests.
    pub fn with_secret(id: &str, secret: &str, rights: Rights, per_minute: u32) -> NewKey {
        let token = format!("{PREFIX}_{id}_{secret}");
        let holder = Holder { id: KeyId(id.to_owned()), name: id.to_owned(), rights, per_minute };
        let stored = Self { holder, hash: hash(secret), expires: None, certificate: None };
        NewKey { stored, token }
    }

    /// Whether the key has expired.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether this is the key's secret, compared in constant time.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.hash.ct_eq(&hash(secret)).into()
    }
}

/// A new secret from the system's random source: 244 random bits as 43 characters.
pub fn random_secret() -> String {
    let mut secret = [0; 32];
    secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    secret[16..].copy_from_slice(Uuid::new_v4().as_bytes());
    URL_SAFE_NO_PAD.encode(secret)
}

/// The id and the secret of a token.
pub fn split_token(token: &str) -> Option<(KeyId, &str)> {
    let (id, secret) = token.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
    Some((KeyId(id.to_owned()), secret))
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Never prints the token.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.stored.holder.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_itself_and_nothing_else() {
        let rights = Rights::new(["*".parse().unwrap()], [Right::Read]);
        let (one, other) =
            (StoredKey::generate("a", rights.clone(), 60), StoredKey::generate("b", rights, 60));
        let (id, secret) = split_token(&one.token).unwrap();
        assert_eq!(id, one.stored.holder.id);
        assert!(one.stored.has_secret(secret));
        assert!(!other.stored.has_secret(secret));
        assert!(!one.stored.has_secret(""));
        assert!(!format!("{one:?}").contains(secret));
        for text in ["", "adj", "adj_", "adj_x", "xyz_a_b"] {
            assert_eq!(split_token(text), None, "{text}");
        }
    }
}
