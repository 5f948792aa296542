//! TLS client configuration and URLs of outgoing connections: which certificates are trusted, where plain HTTP may go,
//! and how a URL is printed. Verification is never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

use super::pinning::PinningVerifier;
use crate::text_file;

/// A client certificate with its key.
pub(crate) struct TlsIdentity {
    /// The certificate, and the chain to its issuer.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// A TLS client configuration that trusts the platform's authorities and these certificates, with or without a client
/// certificate.
pub(crate) fn client_config(
    extra: Vec<CertificateDer<'static>>,
    us: Option<TlsIdentity>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let platform = Verifier::new_with_extra_roots(extra.clone(), provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinningVerifier::new(extra, platform)));
    match us {
        None => Ok(config.with_no_client_auth()),
        Some(TlsIdentity { chain, key }) => config.with_client_auth_cert(chain, key),
    }
}

/// Largest PEM file that is read: a whole platform store has a quarter of a megabyte.
const PEM_BYTES_MAX: u64 = 4 << 20;

/// All certificates of a PEM file; a file without any is an error.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text_file::read(path, PEM_BYTES_MAX).map_err(|error| error.to_string())?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("the file contains no certificate".to_owned()) } else { Ok(found) }
}

/// The first private key of a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = text_file::read(path, PEM_BYTES_MAX).map_err(|error| error.to_string())?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| error.to_string())
}

/// A URL without user name and password, for messages. A password may contain `/`, `?`, `#` or `@`, so everything up to
/// the last `@` is removed, unless the host is plain and the `@` is in the path.
pub(crate) fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let Some((before, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    let is_in_path = !scheme.is_empty()
        && !before.contains(':')
        && before.find(['/', '?', '#']).is_some_and(|end| !before[..end].contains('@'));
    match (is_in_path, scheme) {
        (true, _) => url.to_owned(),
        (false, "") => format!("…@{host}"),
        (false, scheme) => format!("{scheme}://…@{host}"),
    }
}

/// Whether the URL seems to contain a user name or password.
#[cfg(feature = "service")]
pub(crate) fn has_userinfo(url: &str) -> bool {
    without_userinfo(url) != url
}

/// Whether plain HTTP to this host stays on this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The error and its causes in one line: "client error (Connect)" alone helps no reader.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(cause) = behind {
        text = format!("{text}: {cause}");
        behind = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_printed_without_its_password_and_otherwise_as_it_is() {
        for url in [
            "https://user:hunter2@host/path",
            "https://hunter2@host/path",
            "https://user:hunter2/x@host/path",
            "https://user:x?hunter2@host",
            "user:hunter2@host",
            "tcp://user:a@hunter2@host:88",
        ] {
            let shown = without_userinfo(url);
            assert!(has_userinfo(url) && !shown.contains("hunter2") && shown.contains("…@host"), "{shown}");
        }
        for url in ["https://host:8443/path", "https://host/a@b/c", "host", ""] {
            assert!(!has_userinfo(url) && without_userinfo(url) == url, "{url}");
        }
    }
}
