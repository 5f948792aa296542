//! What a connection needs beside its server's name: trust, client certificate, proxy, time limit; and why it is unusable.
//! Values only.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use super::pem::PemError;
use crate::secret::Secret;

/// How connections are opened.
#[derive(Debug, Clone)]
pub(crate) struct DialerSettings {
    /// Whether any connection uses TLS. Without it the platform's trust store is not read.
    pub(crate) uses_tls: bool,
    /// PEM file with certificates that are trusted besides those of the platform.
    pub(crate) ca_file: Option<PathBuf>,
    /// Offered in the TLS handshake, if the server requests a client certificate.
    pub(crate) client_certificate: Option<ClientCertificate>,
    /// HTTP proxy for all connections over TLS.
    pub(crate) proxy: Option<ProxySettings>,
    /// Time limit of a connection attempt, TLS included.
    pub(crate) connect_timeout: Duration,
}

/// Client certificate for the TLS handshake, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and the chain to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// An HTTP proxy that opens tunnels (CONNECT). The tunnel carries TLS; the proxy itself is addressed in plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings<Password = Secret> {
    /// `http://host:port`.
    pub url: String,
    /// User name and password, if the proxy requires them.
    pub login: Option<(String, Password)>,
}

/// Why the settings are unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Not of the form `https://host/path`.
    #[error("`{0}` is not of the form https://host/EWS/Exchange.asmx")]
    Url(String),
    /// Not of the form `https://host`, without a path.
    #[error("`{0}` is not of the form https://host, without a path")]
    Root(String),
    /// Plain `http` to another machine.
    #[error("`{0}` would send the password unencrypted over the network; use https")]
    PlainHttp(String),
    /// The CA file cannot be read, or holds no certificate.
    #[error("failed to read certificates from {path}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// The client certificate or its key cannot be used.
    #[error("failed to use the client certificate: {path}")]
    ClientCertificate {
        /// Which of the two files.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// The sign-in cannot work as configured. The cause is of any type, since HTTP knows no scheme.
    #[error("failed to prepare the sign-in")]
    SignIn(#[source] Box<dyn Error + Send + Sync>),
    /// Not of the form `http://host:port`.
    #[error(
        "`{0}` is not of the form http://proxy:port; set user name and password in their own settings, not in the URL"
    )]
    Proxy(String),
    /// The platform's trust store or the TLS library cannot be loaded.
    #[error("failed to set up TLS")]
    Tls(#[from] rustls::Error),
}
