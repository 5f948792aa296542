//! Channel binding: ties a sign-in to its TLS connection by the `tls-server-end-point` binding (RFC 5929, section 4). A
//! man in the middle has another certificate, so a forwarded sign-in is worthless.

use serde::Deserialize;

use super::certificate_hash::certificate_hash;

/// Whether sign-ins are bound to their TLS connection (Windows calls it Extended Protection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "service", derive(serde::Serialize, schemars::JsonSchema))]
pub enum ChannelBinding {
    /// Bound; after a rejection once without, and with a warning: then TLS ends at a machine in front of Exchange.
    #[default]
    Auto,
    /// Bound; no sign-in without it.
    Require,
    /// Not bound.
    Off,
}

/// The token for a connection with this certificate (DER): the prefix and the certificate's hash. `None` if its
/// signature uses no single hash (Ed25519), for which the binding is not defined.
pub(super) fn token(certificate: &[u8]) -> Option<Vec<u8>> {
    let mut token = b"tls-server-end-point:".to_vec();
    token.extend(certificate_hash(certificate)?);
    Some(token)
}
