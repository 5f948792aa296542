//! Settings of one Exchange connection: location, sign-in, timeouts, limits. Checked once, before the first connection;
//! opens none.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use thiserror::Error;

#[cfg(feature = "negotiate")]
use super::login::Windows;
use super::login::{ClientCredentials, ExternalToken};
use crate::autodiscover::Policy;
use crate::ews::soap::{Impersonate, ServerVersion};
use crate::http::net::{is_loopback_host, without_userinfo};
use crate::secret::Secret;

/// Settings of one Exchange connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the connection in metrics and reports.
    pub name: String,
    /// Where the EWS server is.
    pub location: ExchangeLocation,
    /// How the account signs in.
    pub sign_in: SignInMethod,
    /// Offered in the TLS handshake, if the server requests a client certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// HTTP proxy for all connections.
    pub proxy: Option<ProxySettings>,
    /// PEM file with certificates that are trusted besides those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Time limit of a connection attempt, TLS included.
    pub connect_timeout: Duration,
    /// Longest wait for the first byte of a response.
    pub first_byte_timeout: Duration,
    /// Time limit of a complete response, counted from the request.
    pub response_timeout: Duration,
    /// Time limit of one operation with all its waits and retries. A person at the door has seconds, a sweep has an
    /// hour.
    pub operation_timeout: Duration,
    /// How long a stream may send nothing before it counts as lost: twice the server's heartbeat of about 45 s.
    pub stream_idle_timeout: Duration,
    /// How the account gets access to rooms.
    pub access: Access,
    /// Which name identifies a room in `ExchangeImpersonation`.
    pub impersonate_by: ImpersonateBy,
    /// Concurrent requests in one room's name.
    pub max_concurrent_requests_per_room: usize,
    /// Concurrent requests to the server.
    pub max_concurrent_requests: usize,
    /// Newest EWS schema version of requests. Servers that do not support it get an older one.
    pub version: ServerVersion,
}

/// Where the EWS server is.
#[derive(Debug, Clone)]
pub enum ExchangeLocation {
    /// `https://…/EWS/Exchange.asmx`. Plain `http` only to this machine, since it exposes credentials.
    Url(String),
    /// The server that Autodiscover finds for each room, within this policy.
    Discovered(Policy),
}

/// A sign-in method with its credentials.
#[derive(Debug, Clone)]
pub enum SignInMethod {
    /// User name and password in every request.
    Basic {
        /// In the form that the server expects: `DOMAIN\name`, or `name@domain`.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// NTLM or Negotiate.
    #[cfg(feature = "negotiate")]
    Windows(Windows),
    /// OAuth, as an application.
    OAuth(ClientCredentials),
    /// OAuth, with tokens that another program fetches.
    Token(ExternalToken),
    /// The client certificate alone.
    Certificate,
}

/// Client certificate for the TLS handshake, in PEM files.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, and the chain to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// An HTTP proxy that opens tunnels (CONNECT). The tunnel carries TLS; the proxy itself is addressed in plain HTTP.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// `http://host:port`.
    pub url: String,
    /// User name and password, if the proxy requires them.
    pub login: Option<(String, Secret)>,
}

/// How the account gets access to rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(serde::Serialize, schemars::JsonSchema))]
pub enum Access {
    /// Acts in the room's name: every request has an `ExchangeImpersonation` header.
    #[default]
    Impersonation,
    /// Acts in its own name, with Full Access to the room: every folder id names the mailbox.
    Delegate,
}

/// Which name identifies a room to Exchange. Rooms are known by SMTP address, so a SID is not among the choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(serde::Serialize, schemars::JsonSchema))]
pub enum ImpersonateBy {
    /// Any SMTP address of the mailbox.
    #[default]
    SmtpAddress,
    /// The primary SMTP address.
    PrimarySmtpAddress,
    /// The user principal name (UPN).
    PrincipalName,
}

/// Why the settings are unusable.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// Not of the form `https://host/path`.
    #[error("`{0}` is not of the form https://host/EWS/Exchange.asmx")]
    Url(String),
    /// Plain `http` to another machine.
    #[error("`{0}` would send the password unencrypted over the network; use https")]
    PlainHttp(String),
    /// The CA file cannot be read, or holds no certificate.
    #[error("failed to read certificates from {path}: {why}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The client certificate or its key cannot be used.
    #[error("failed to use the client certificate: {0}")]
    ClientCertificate(String),
    /// The sign-in cannot work as configured.
    #[error("failed to prepare the sign-in: {0}")]
    SignIn(String),
    /// Not of the form `http://host:port`.
    #[error(
        "`{0}` is not of the form http://proxy:port; set user name and password in their own settings, not in the URL"
    )]
    Proxy(String),
    /// The platform's trust store or the TLS library cannot be loaded.
    #[error("failed to set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Time limits and request limits of a connection. Their defaults are here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionDefaults {
    /// As [`Settings::connect_timeout`].
    pub connect_timeout: Duration,
    /// As [`Settings::first_byte_timeout`].
    pub first_byte_timeout: Duration,
    /// As [`Settings::response_timeout`].
    pub response_timeout: Duration,
    /// As [`Settings::operation_timeout`].
    pub operation_timeout: Duration,
    /// As [`Settings::max_concurrent_requests_per_room`].
    pub max_concurrent_requests_per_room: usize,
    /// As [`Settings::max_concurrent_requests`].
    pub max_concurrent_requests: usize,
}

impl Default for ConnectionDefaults {
    /// For an Exchange in its default policy. EWS ends a batch after a minute; a second minute is for the transfer. Two requests
    /// stay far below the 27 that each mailbox grants (`EWSMaxConcurrency`), and ten are what Exchange 2010 grants an account.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(60),
            response_timeout: Duration::from_secs(120),
            operation_timeout: Duration::from_secs(600),
            max_concurrent_requests_per_room: 2,
            max_concurrent_requests: 10,
        }
    }
}

impl Settings {
    /// Basic authentication at this URL, with the limits of [`ConnectionDefaults`].
    pub fn new(url: impl Into<String>, username: impl Into<String>, password: Secret) -> Self {
        let limits = ConnectionDefaults::default();
        Self {
            name: "default".to_owned(),
            location: ExchangeLocation::Url(url.into()),
            sign_in: SignInMethod::Basic { username: username.into(), password },
            client_certificate: None,
            proxy: None,
            ca_file: None,
            connect_timeout: limits.connect_timeout,
            first_byte_timeout: limits.first_byte_timeout,
            response_timeout: limits.response_timeout,
            operation_timeout: limits.operation_timeout,
            stream_idle_timeout: Duration::from_secs(90),
            access: Access::default(),
            impersonate_by: ImpersonateBy::default(),
            max_concurrent_requests_per_room: limits.max_concurrent_requests_per_room,
            max_concurrent_requests: limits.max_concurrent_requests,
            version: ServerVersion::default(),
        }
    }

    /// Whether any request goes over TLS.
    pub(super) fn uses_tls(&self) -> bool {
        let token = match &self.sign_in {
            SignInMethod::OAuth(client) => client.endpoint.as_str(),
            _ => "",
        };
        match &self.location {
            ExchangeLocation::Discovered(_) => true,
            ExchangeLocation::Url(url) => {
                [url.as_str(), token].iter().any(|url| !url.is_empty() && !url.starts_with("http:"))
            }
        }
    }
}

impl ImpersonateBy {
    pub(super) fn name(self, address: &str) -> Impersonate<'_> {
        match self {
            Self::SmtpAddress => Impersonate::SmtpAddress(address),
            Self::PrimarySmtpAddress => Impersonate::PrimarySmtpAddress(address),
            Self::PrincipalName => Impersonate::PrincipalName(address),
        }
    }
}

/// A checked URL, split into what a connection and a request need.
#[derive(Debug, Clone)]
pub(super) struct ConnectTarget {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// `Host` header.
    pub(super) authority: String,
    /// Path and query.
    pub(super) target: String,
}

impl ConnectTarget {
    /// The target of a request without credentials whose response is not trusted: plain `http` may go to any host then.
    pub(super) fn parse_anonymous(url: &str) -> Result<Self, SettingsError> {
        match url.strip_prefix("http://") {
            Some(rest) => {
                let safe = Self::parse(&format!("https://{rest}"))?;
                let port = if safe.authority.ends_with(&format!(":{}", safe.port)) { safe.port } else { 80 };
                Ok(Self { tls: false, port, ..safe })
            }
            None => Self::parse(url),
        }
    }

    pub(super) fn parse(url: &str) -> Result<Self, SettingsError> {
        let bad = || SettingsError::Url(without_userinfo(url));
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        let host = authority.host();
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback_host(host) => false,
            Some("http") => return Err(SettingsError::PlainHttp(without_userinfo(url))),
            _ => return Err(bad()),
        };
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(bad());
        }
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            authority: authority.as_str().to_owned(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let endpoint = ConnectTarget::parse("https://mail.example.com:8443/EWS/Exchange.asmx").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("mail.example.com", 8443, true));
        assert_eq!(endpoint.target, "/EWS/Exchange.asmx");
        assert_eq!(endpoint.authority, "mail.example.com:8443");
    }

    #[test]
    fn a_password_never_crosses_the_network_readable() {
        assert!(matches!(
            ConnectTarget::parse("http://mail.example.com/EWS"),
            Err(SettingsError::PlainHttp(_))
        ));
        assert!(matches!(
            ConnectTarget::parse("http://127.0.0.1.example.com/"),
            Err(SettingsError::PlainHttp(_))
        ));
        assert!(!ConnectTarget::parse("http://127.0.0.1:8080/EWS/Exchange.asmx").unwrap().tls);
        assert_eq!(ConnectTarget::parse("http://[::1]:80/").unwrap().host, "::1");
    }

    #[test]
    fn what_carries_nothing_may_go_in_plain_http() {
        let endpoint =
            ConnectTarget::parse_anonymous("http://autodiscover.example.com/autodiscover/autodiscover.xml")
                .unwrap();
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.tls),
            ("autodiscover.example.com", 80, false)
        );
        assert_eq!(ConnectTarget::parse_anonymous("http://x.example:8080/").unwrap().port, 8080);
        assert!(ConnectTarget::parse_anonymous("https://x.example/").unwrap().tls);
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        for bad in
            ["", "mail.example.com", "ftp://mail.example.com/", "https://user:secret@host/", "https:///EWS"]
        {
            let error = ConnectTarget::parse(bad).unwrap_err();
            assert!(matches!(error, SettingsError::Url(_)) && !error.to_string().contains("secret"), "{bad}");
        }
    }
}
