//! TLS of the service (1.2 and 1.3, by rustls): loads the server certificate, reloads it when its file changes, and verifies
//! client certificates if configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::revocation::{RevocationError, RevocationLists};
use crate::clock::{Clock as _, SystemClock};
use crate::http::error::error_chain;
use crate::http::pem::{self, PemError};

/// Interval of checking the files for changes.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Interval of the log line about an outdated revocation list.
const CRL_WARNING_INTERVAL: Duration = Duration::from_secs(3600);

/// The files that TLS needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Server certificate and intermediate certificates, in PEM.
    pub cert: PathBuf,
    /// Private key, in PEM.
    pub key: PathBuf,
    /// Issuers of client certificates, in PEM. `None`: no client certificates are requested.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists for client certificates, in PEM. Without a list for its issuer, a certificate is refused.
    pub client_crl: Option<PathBuf>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or parsed.
    #[error("cannot use {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with the file.
        source: TlsFileError,
    },
    /// Certificate and key do not match, or rustls refuses them.
    #[error("cannot use certificate and key: {0}")]
    Config(String),
}

/// What is wrong with a file of the TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// A file of certificates, or of a key.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The file of revocation lists.
    #[error(transparent)]
    RevocationLists(#[from] RevocationError),
}

/// The TLS configuration in use; it is replaced when its files change.
pub struct ServerTls {
    files: TlsFiles,
    loaded: ArcSwap<LoadedTls>,
}

struct LoadedTls {
    config: Arc<ServerConfig>,
    /// Modification times of the files.
    times: Vec<Option<SystemTime>>,
    /// Until when the revocation lists are current.
    crl_next_update: Option<SystemTime>,
}

impl ServerTls {
    /// Loads the files.
    ///
    /// # Errors
    /// When a file cannot be read, or TLS cannot use it.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let present = LoadedTls::read(&files, modified_times(&files))?;
        Ok(Self { files, loaded: ArcSwap::from_pointee(present) })
    }

    /// The acceptor for a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.loaded.load().config.clone())
    }

    /// Reloads the files if they changed. Returns `false` if nothing changed, or if the new files cannot be used (yet); then the
    /// loaded ones stay.
    pub fn refresh(&self) -> bool {
        let times = modified_times(&self.files);
        if self.loaded.load().times == times {
            return false;
        }
        match LoadedTls::read(&self.files, times) {
            Ok(present) => {
                self.loaded.store(Arc::new(present));
                tracing::info!(cert = %self.files.cert.display(), "reloaded the TLS certificate");
                true
            }
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(
                    error,
                    "cannot use a changed file of [api.tls]; the loaded certificate stays in use"
                );
                false
            }
        }
    }

    /// Reloads changed files until `stop`.
    pub async fn reload_until(&self, stop: CancellationToken) {
        let mut warned = None;
        loop {
            if self.has_outdated_crl(SystemClock.now()) && is_due(&mut warned) {
                tracing::error!(
                    "the certificate revocation list (api.tls.client_crl_file) is past its nextUpdate, so certificates \
                     revoked since then are accepted: renew the file"
                );
            }
            if tokio::time::timeout(RELOAD_INTERVAL, stop.cancelled()).await.is_ok() {
                return;
            }
            self.refresh();
        }
    }

    /// Whether a revocation list is past its `nextUpdate`.
    pub fn has_outdated_crl(&self, now: DateTime<Utc>) -> bool {
        self.loaded.load().crl_next_update.is_some_and(|next| next < SystemTime::from(now))
    }
}

/// Whether [`CRL_WARNING_INTERVAL`] has passed since the last time this returned true.
fn is_due(last: &mut Option<Instant>) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= CRL_WARNING_INTERVAL);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

impl LoadedTls {
    fn read(files: &TlsFiles, times: Vec<Option<SystemTime>>) -> Result<Self, TlsError> {
        let crl = files.client_crl.as_ref().map(|path| {
            RevocationLists::read(path)
                .map_err(|source| TlsError::File { path: path.clone(), source: source.into() })
        });
        let crl = crl.transpose()?;
        let crl_next_update = crl.as_ref().and_then(|crl| crl.next_update);
        Ok(Self { config: config(files, crl)?, times, crl_next_update })
    }
}

fn modified_times(files: &TlsFiles) -> Vec<Option<SystemTime>> {
    let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref(), files.client_crl.as_ref()];
    paths
        .into_iter()
        .flatten()
        .map(|path| std::fs::metadata(path).and_then(|about| about.modified()).ok())
        .collect()
}

fn config(files: &TlsFiles, crl: Option<RevocationLists>) -> Result<Arc<ServerConfig>, TlsError> {
    let bad = |error: rustls::Error| TlsError::Config(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(bad)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for issuer in certificates(path)? {
                roots.add(issuer).map_err(bad)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .with_crls(crl.into_iter().flat_map(|crl| crl.lists))
                .only_check_end_entity_revocation();
            let verifier = verifier.build().map_err(|error| TlsError::Config(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = pem::private_key(&files.key);
    let key = key.map_err(|source| TlsError::File { path: files.key.clone(), source: source.into() })?;
    let mut config = builder.with_single_cert(certificates(&files.cert)?, key).map_err(bad)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path).map_err(|source| TlsError::File { path: path.to_owned(), source: source.into() })
}
