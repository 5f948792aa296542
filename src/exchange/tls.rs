//! Whom we trust: the platform's store, and an extra CA file for sites with a CA of their own. Never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::settings::{ClientCertificate, Settings, SettingsError};
use crate::net::{self, TlsIdentity};

/// How we meet servers.
pub(super) struct TlsConfigs {
    /// Where we say who we are: with our certificate, if we have one.
    pub(super) account: Arc<ClientConfig>,
    /// Where we do not: a certificate names us to whoever asks for it.
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
    use crate::exchange::secret::Secret;

    #[test]
    fn a_ca_file_that_holds_none_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut settings = Settings::new("https://x/", "svc", Secret::new(String::new()));
        settings.ca_file = Some(file.path().to_owned());
        let error = tls_configs(&settings).err().unwrap().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
