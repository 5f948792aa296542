//! Who is met over the network: whose certificates are trusted, and to whom plain HTTP may go. The platform's trust is
//! never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

use crate::pinning::PinningVerifier;
use crate::text_file;

/// Who we are in a TLS handshake.
pub(crate) struct Identity {
    /// The certificate, and what leads to its issuer.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// How we meet servers: trusting whom the platform trusts, and these certificates; as nobody, or as this.
pub(crate) fn client_config(
    extra: Vec<CertificateDer<'static>>,
    us: Option<Identity>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let platform = Verifier::new_with_extra_roots(extra.clone(), provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinningVerifier::new(extra, platform)));
    match us {
        None => Ok(config.with_no_client_auth()),
        Some(Identity { chain, key }) => config.with_client_auth_cert(chain, key),
    }
}

/// The largest PEM file that is read: a whole platform's store has a quarter of a megabyte.
const PEM_BYTES_MAX: u64 = 4 << 20;

/// Every certificate of a PEM file, or what is wrong with it; a file without any is wrong.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text_file::read(path, PEM_BYTES_MAX).map_err(|error| error.to_string())?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(found) }
}

/// The first private key of a PEM file, or what is wrong with it.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = text_file::read(path, PEM_BYTES_MAX).map_err(|error| error.to_string())?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| error.to_string())
}

/// A URL as it may be printed: somebody may have written a password into it.
pub(crate) fn without_userinfo(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://…@{host}{path}"),
                None => url.to_owned(),
            }
        }
        None => url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}")),
    }
}

/// What is said to this host in plain HTTP leaves this machine for nobody to read.
pub(crate) fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// What went wrong with them and what lies behind it, in one line: "client error (Connect)" alone helps nobody.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(cause) = behind {
        text = format!("{text}: {cause}");
        behind = cause.source();
    }
    text
}
