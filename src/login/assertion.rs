//! Signed client assertions: a JWT by RFC 7523, signed with RSA-PSS and SHA-256 (PS256), which names its certificate by
//! thumbprint (`x5t#S256`), as Microsoft's identity platform requires ("Certificate credentials").

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::http::pem::{PemError, certificates, private_key};

/// Lifetime of an assertion, which is used at once. It is also valid for ten minutes before now, in case clocks differ.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// A private key, and the thumbprint of its certificate.
#[derive(Clone)]
pub struct ClientKey {
    key: Arc<RsaKeyPair>,
    thumbprint: String,
}

/// Why a client's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientKeyError {
    /// One of the two files cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: PemError,
    },
    /// The key is of another algorithm.
    #[error("{path}: the key is not an RSA key, which PS256 requires", path = .0.display())]
    NotRsa(PathBuf),
    /// The key is too short, or damaged.
    #[error("{path}: the key is not an RSA key of 2048 bits or more: {why}", path = path.display())]
    Rejected {
        /// The file of the key.
        path: PathBuf,
        /// What is wrong with the key.
        why: KeyRejected,
    },
}

/// The client's key signed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signing with the client's key failed")]
pub(super) struct SigningError;

impl ClientKey {
    /// Reads PEM files: the registered certificate, and its RSA key (PKCS #8 or PKCS #1).
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, ClientKeyError> {
        let bad = |path: &Path, error| ClientKeyError::Pem { path: path.to_owned(), error };
        let chain = certificates(certificate).map_err(|error| bad(certificate, error))?;
        let leaf = chain.first().ok_or_else(|| bad(certificate, PemError::NoCertificate))?;
        let pair = match private_key(key).map_err(|error| bad(key, error))? {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(ClientKeyError::NotRsa(key.to_owned())),
        };
        let pair = pair.map_err(|why| ClientKeyError::Rejected { path: key.to_owned(), why })?;
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(leaf));
        Ok(Self { key: Arc::new(pair), thumbprint })
    }

    /// This client's assertion for this endpoint.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        endpoint: &str,
        now: DateTime<Utc>,
    ) -> Result<String, SigningError> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": Uuid::new_v4().to_string(),
            "nbf": (now - LIFETIME).timestamp(),
            "iat": now.timestamp(),
            "exp": (now + LIFETIME).timestamp(),
        });
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| SigningError)?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
