//! Who may ask for what: holders of API keys and of an OpenID provider's tokens, their rights, and how often they may ask.
//! Knows no HTTP and no store.
//!
//! A key is `adj_` + its id + `_` + 32 random bytes. Only a hash of the secret part is kept: it is as random as a hash is
//! long, so a plain SHA-256 is enough, where a password would need a slow one.

mod fingerprint;
mod issuer;
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

pub use fingerprint::{Fingerprint, FingerprintError};
pub use issuer::{AcceptedToken, Grant, RejectedToken, TrustedIssuer};
pub use key_name::{KeyName, KeyNameError};
pub use rights::{Right, Rights, UnknownRight};

/// What every key begins with, so that one in a log or a repository is recognized.
const PREFIX: &str = "adj";

/// Names a key for ever: in the audit, in lists, in the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub String);

/// Who asks, and what for: by an API key, or by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The key's name for ever; or what is made of a token's issuer and subject.
    pub id: KeyId,
    /// What people call the holder; stands in the audit.
    pub name: String,
    /// What may be asked for.
    pub rights: Rights,
    /// Requests a minute.
    pub per_minute: u32,
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Whose it is.
    pub holder: Holder,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// From this instant on it opens nothing; `None`: until it is revoked.
    pub expires: Option<DateTime<Utc>>,
    /// It opens only over TLS with this client certificate; `None`: over any connection.
    pub certificate: Option<Fingerprint>,
}

/// A new key, as its holder gets it: once.
pub struct NewKey {
    /// As it is kept.
    pub stored: StoredKey,
    /// As it is sent.
    pub token: String,
}

impl StoredKey {
    /// Makes a key that may this, does not expire, and is bound to no certificate.
    pub fn generate(name: &str, rights: Rights, per_minute: u32) -> NewKey {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        secret[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let id = Uuid::new_v4().simple().to_string()[..10].to_owned();
        let token = format!("{PREFIX}_{id}_{secret}");
        let holder = Holder { id: KeyId(id), name: name.to_owned(), rights, per_minute };
        let stored = Self { holder, hash: hash(&secret), expires: None, certificate: None };
        NewKey { stored, token }
    }

    /// A key whose id and secret are known: for demos and tests on this machine.
    pub fn with_secret(id: &str, secret: &str, rights: Rights, per_minute: u32) -> NewKey {
        let token = format!("{PREFIX}_{id}_{secret}");
        let holder = Holder { id: KeyId(id.to_owned()), name: id.to_owned(), rights, per_minute };
        let stored = Self { holder, hash: hash(secret), expires: None, certificate: None };
        NewKey { stored, token }
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether this is its secret. Takes as long for a wrong one as for the right one.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.hash.ct_eq(&hash(secret)).into()
    }
}

/// The two parts of a key as it was sent.
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

/// Never shows the token.
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
