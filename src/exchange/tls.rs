//! Whom we trust: the platform's store, and an extra CA file for sites with a CA of their own. Never turned off.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::settings::SettingsError;
use crate::peer;

/// How we meet servers.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, SettingsError> {
    let bad = |path: &Path, why| SettingsError::CaFile { path: path.to_owned(), why };
    let extra = match ca_file {
        None => Vec::new(),
        Some(path) => peer::certificates(path).map_err(|why| bad(path, why))?,
    };
    Ok(Arc::new(peer::client_config(extra)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_holds_none_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = client_config(Some(file.path())).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
