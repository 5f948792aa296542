//! Whom we trust: the platform's store, and an extra CA file for sites with a CA of their own. Never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::settings::{ClientCertificate, Settings, SettingsError};
use crate::peer::{self, Identity};

/// How we meet servers, and who we are where they ask.
pub(super) fn client_config(settings: &Settings) -> Result<Arc<ClientConfig>, SettingsError> {
    let bad = |path: &Path, why| SettingsError::CaFile { path: path.to_owned(), why };
    let extra = match settings.ca_file.as_deref() {
        None => Vec::new(),
        Some(path) => peer::certificates(path).map_err(|why| bad(path, why))?,
    };
    let us = settings.client_certificate.as_ref().map(identity).transpose();
    Ok(Arc::new(peer::client_config(extra, us.map_err(SettingsError::ClientCertificate)?)?))
}

fn identity(files: &ClientCertificate) -> Result<Identity, String> {
    let chain = peer::certificates(&files.certificate);
    let chain = chain.map_err(|why| format!("{}: {why}", files.certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    Ok(Identity { chain, key: key.map_err(|error| format!("{}: {error}", files.key.display()))? })
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
        let error = client_config(&settings).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
