//! The certificate that a caller showed in the TLS handshake, by its SHA-256: what a key can be bound to (RFC 8705, `x5t#S256`).

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a caller's certificate in DER; in the extensions of each request on a connection where one was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PeerCertificate(pub(super) [u8; 32]);

impl PeerCertificate {
    /// The fingerprint of this certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}
