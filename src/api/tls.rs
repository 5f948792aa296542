//! TLS for the service: a certificate that is read again when its file changes, and callers' certificates where they are
//! asked for. TLS 1.2 and 1.3, by rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::peer;

/// How soon a renewed certificate is served.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and its issuers, in PEM.
    pub cert: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// Who issues callers' certificates, in PEM; `None` when none are asked for.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("cannot use {path}: {why}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key do not go together.
    #[error("certificate and key cannot be used: {0}")]
    Config(String),
}

/// The present certificate.
pub struct Tls {
    files: TlsFiles,
    present: ArcSwap<Present>,
}

struct Present {
    config: Arc<ServerConfig>,
    /// When its files were last written.
    times: Vec<Option<SystemTime>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let (config, times) = (config(&files)?, times(&files));
        Ok(Self { files, present: ArcSwap::from_pointee(Present { config, times }) })
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.present.load().config.clone())
    }

    /// Reads the files again if they changed; `false` when they did not, or cannot be used (yet): then what was good
    /// stays.
    pub fn refresh(&self) -> bool {
        let times = times(&self.files);
        if self.present.load().times == times {
            return false;
        }
        match config(&self.files) {
            Ok(config) => {
                self.present.store(Arc::new(Present { config, times }));
                tracing::info!(cert = %self.files.cert.display(), "the certificate was read again");
                true
            }
            Err(error) => {
                tracing::error!(%error, "the renewed certificate cannot be used; the old one stays");
                false
            }
        }
    }

    /// Looks again and again, until it is told to stop.
    pub async fn watch(&self, stop: CancellationToken) {
        while tokio::time::timeout(LOOK_AGAIN, stop.cancelled()).await.is_err() {
            self.refresh();
        }
    }
}

fn times(files: &TlsFiles) -> Vec<Option<SystemTime>> {
    let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    paths
        .into_iter()
        .flatten()
        .map(|path| std::fs::metadata(path).and_then(|about| about.modified()).ok())
        .collect()
}

fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
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
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.build().map_err(|error| TlsError::Config(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = peer::private_key(&files.key).map_err(|why| TlsError::File { path: files.key.clone(), why })?;
    let mut config = builder.with_single_cert(certificates(&files.cert)?, key).map_err(bad)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    peer::certificates(path).map_err(|why| TlsError::File { path: path.to_owned(), why })
}
