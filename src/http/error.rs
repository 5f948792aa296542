//! Errors below HTTP: why a request has no response, and why a TLS handshake failed. Values and their sentences only.

use std::fmt;
use std::time::Duration;

/// Why a TLS connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet, or our clock is behind.
    NotYetValid,
    /// The certificate is for another host name.
    WrongName,
    /// No trusted authority issued the certificate.
    UnknownIssuer,
    /// The server requires a client certificate, or does not accept ours.
    ClientCertificate,
    /// The server's certificate is marked as a CA (`CaUsedAsEndEntity`).
    CaCertificate,
    /// Something else is wrong with the certificate.
    BadCertificate,
    /// The port speaks another protocol than TLS.
    NotTls,
    /// Anything else: no common version or cipher.
    Other,
}

impl TlsFailure {
    /// A sentence for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::WrongName => "the certificate is for another name",
            Self::UnknownIssuer => "the certificate's issuer is not trusted",
            Self::ClientCertificate => {
                "the server requires a client certificate, or does not accept the configured one"
            }
            Self::CaCertificate => {
                "the server's certificate is marked as a certification authority's (CA:TRUE)"
            }
            Self::BadCertificate => "the certificate is invalid",
            Self::NotTls => "the port does not speak TLS, but something like plain HTTP",
            Self::Other => "TLS failed",
        }
    }
}

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// The host name does not resolve.
    Resolve(String),
    /// The room's server cannot be found at the moment.
    ServerNotFound(String),
    /// No address accepts the connection.
    Connect(String),
    /// The TLS handshake failed.
    Tls(TlsFailure, String),
    /// The proxy did not open a tunnel.
    Proxy(String),
    /// No connection within this time.
    ConnectTimeout(Duration),
    /// The request was sent; no response began within this time.
    FirstByteTimeout(Duration),
    /// The response did not end within this time.
    ResponseTimeout(Duration),
    /// The connection was lost.
    ConnectionLost(String),
    /// The response to a plain `http` request is not HTTP.
    NotHttp(String),
    /// The body is larger than this many bytes, as sent or inflated.
    TooLarge(usize),
    /// Other large responses use up the memory budget, which has so many bytes.
    OutOfMemoryBudget(usize),
    /// The body is marked as gzip and is not valid gzip.
    InvalidGzip,
    /// The write was decided too long ago when it could be sent.
    TooLate,
    /// The sign-in could not be prepared or completed.
    SignIn {
        /// A retry fails too, until an administrator remedies the cause.
        is_permanent: bool,
        /// The cause. Never contains a secret.
        reason: String,
        /// Wait that the token endpoint requested.
        retry_after: Duration,
    },
}

impl TransportError {
    /// A sign-in failure that an administrator has to remedy.
    pub(crate) fn sign_in(why: &str) -> Self {
        Self::SignIn { is_permanent: true, reason: why.to_owned(), retry_after: Duration::ZERO }
    }

    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::SignIn { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    /// The sentence for people, with the server's name (`Exchange`) or what it is (`the server`).
    pub(crate) fn describe(&self, server: &str) -> String {
        match self {
            Self::Resolve(why) => {
                format!("cannot connect to {server}: its host name does not resolve: {why}")
            }
            Self::ServerNotFound(why) | Self::SignIn { reason: why, .. } => why.clone(),
            Self::Connect(why) => format!("cannot connect to {server}: {why}"),
            Self::Tls(failure, why) => format!("cannot connect to {server}: {}: {why}", failure.as_str()),
            Self::Proxy(why) => format!("the proxy does not connect to {server}: {why}"),
            Self::ConnectTimeout(after) => format!("cannot connect to {server} within {after:?}"),
            Self::FirstByteTimeout(after) => format!("{server} did not respond within {after:?}"),
            Self::ResponseTimeout(after) => format!("{server}'s response was not complete within {after:?}"),
            Self::ConnectionLost(why) => format!("the connection to {server} was lost: {why}"),
            Self::NotHttp(why) => format!(
                "the port does not speak plain HTTP; if it speaks TLS, the URL must begin with https: {why}"
            ),
            Self::TooLarge(limit) => format!("{server}'s response is larger than {limit} bytes"),
            Self::OutOfMemoryBudget(bytes) => format!(
                "{server} sends too many large responses at once; together they may take {} MiB of memory",
                bytes >> 20
            ),
            Self::TooLate => String::from("the change was decided too long ago, so it was not sent"),
            Self::InvalidGzip => format!("{server}'s response is marked as gzip and is not valid gzip"),
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe("the server"))
    }
}

impl std::error::Error for TransportError {}

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
