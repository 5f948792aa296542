//! TLS client configuration: the platform's trust store, plus a CA file for organizations with a CA of their own, and a
//! client certificate. Verification is never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

use super::pem::{certificates, private_key};
use super::pinning::PinningVerifier;
use super::settings::{ClientCertificate, DialerSettings, SettingsError};

/// TLS configurations with and without our client certificate.
pub(crate) struct TlsConfigs {
    /// With the client certificate, if one is configured.
    pub(crate) account: Arc<ClientConfig>,
    /// Without it: a client certificate reveals the account to any server that requests one.
    pub(crate) anonymous: Arc<ClientConfig>,
}

pub(crate) fn tls_configs(settings: &DialerSettings) -> Result<TlsConfigs, SettingsError> {
    let bad = |path: &Path, source| SettingsError::CaFile { path: path.to_owned(), source };
    let extra = match settings.ca_file.as_deref() {
        None => Vec::new(),
        Some(path) => certificates(path).map_err(|source| bad(path, source))?,
    };
    let us = settings.client_certificate.as_ref().map(client_identity).transpose()?;
    let nameless = Arc::new(client_config(extra.clone(), None)?);
    let named = match us {
        None => nameless.clone(),
        us => Arc::new(client_config(extra, us)?),
    };
    Ok(TlsConfigs { account: named, anonymous: nameless })
}

fn client_identity(files: &ClientCertificate) -> Result<TlsIdentity, SettingsError> {
    let bad = |path: &Path, source| SettingsError::ClientCertificate { path: path.to_owned(), source };
    let ClientCertificate { certificate, key } = files;
    Ok(TlsIdentity {
        chain: certificates(certificate).map_err(|source| bad(certificate, source))?,
        key: private_key(key).map_err(|source| bad(key, source))?,
    })
}

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::error::error_chain;

    #[test]
    fn a_ca_file_that_holds_none_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = DialerSettings {
            uses_tls: true,
            ca_file: Some(file.path().to_owned()),
            client_certificate: None,
            proxy: None,
            connect_timeout: Duration::from_secs(1),
        };
        let error = tls_configs(&settings).err().unwrap();
        let path = file.path().display().to_string();
        assert!(error.to_string().contains(&path), "{error}");
        let why = "the file contains no certificate";
        assert_eq!(error_chain(&error), format!("failed to read certificates from {path}: {why}"));
    }
}
