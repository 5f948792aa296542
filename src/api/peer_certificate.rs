//! The client certificate of a TLS connection, as its SHA-256 fingerprint: a key can be bound to it (RFC 8705, `x5t#S256`).

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// SHA-256 of the client certificate in DER; in the extensions of each request on a connection with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PeerCertificate(pub(super) [u8; 32]);

impl PeerCertificate {
    /// Computes the fingerprint of a certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}
