//! TLS configurations for Exchange: the platform's trust store, plus a CA file for organizations with a CA of their
//! own. Verification is never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::settings::{ClientCertificate, Settings, SettingsError};
use crate::http::net::{self, TlsIdentity};

/// TLS configurations with and without our client certificate.
pub(super) struct TlsConfigs {
    /// With the client certificate, if one is configured.
    pub(super) account: Arc<ClientConfig>,
    /// Without it: a client certificate reveals the account to any server that requests one.
    pub(super) anonymous: Arc<ClientConfig>,
}

pub(super) fn tls_configs(settings: &Settings) -> Result<TlsConfigs, SettingsError> {
    let bad = |path: &Path, why| SettingsError::CaFile { path: path.to_owned(), why };
    let extra = match settings.ca_file.as_deref() {
        None => Vec::new(),
        Some(path) => net::certificates(path).map_err(|why| bad(path, why))?,
    };
    let us = settings.client_certificate.as_ref().map(client_identity).transpose();
    let us = us.map_err(SettingsError::ClientCertificate)?;
    let nameless = Arc::new(net::client_config(extra.clone(), None)?);
    let named = match us {
        None => nameless.clone(),
        us => Arc::new(net::client_config(extra, us)?),
    };
    Ok(TlsConfigs { account: named, anonymous: nameless })
}

fn client_identity(files: &ClientCertificate) -> Result<TlsIdentity, String> {
    let chain = net::certificates(&files.certificate);
    let chain = chain.map_err(|why| format!("{}: {why}", files.certificate.display()))?;
    let key = net::private_key(&files.key).map_err(|why| format!("{}: {why}", files.key.display()))?;
    Ok(TlsIdentity { chain, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_ca_file_that_holds_none_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut settings = Settings::new("https://x/", "svc", Secret::new(String::new()));
        settings.ca_file = Some(file.path().to_owned());
        let error = tls_configs(&settings).err().unwrap().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
