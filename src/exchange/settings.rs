//! Where Exchange is, who we are there and how much of it we use. Checked once, before the first connection.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use thiserror::Error;

use super::autodiscover::Policy;
#[cfg(feature = "negotiate")]
use super::login::Windows;
use super::login::{ClientCredentials, ExternalToken};
use super::secret::Secret;
use crate::ews::soap::{Impersonate, ServerVersion};
use crate::net::{is_loopback_host, without_userinfo};

/// What a conversation needs to know before it begins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What this Exchange is called in metrics and reports.
    pub name: String,
    /// Where it is.
    pub location: ExchangeLocation,
    /// Who we are there.
    pub sign_in: SignInMethod,
    /// Shown in the TLS handshake, where the server asks for one.
    pub client_certificate: Option<ClientCertificate>,
    /// What connections go through.
    pub proxy: Option<ProxySettings>,
    /// More certificates to trust than the platform does, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take to come up, TLS included.
    pub connect_timeout: Duration,
    /// How long the server may think before its first byte.
    pub first_byte_timeout: Duration,
    /// How long a whole answer may take, counted from the request.
    pub response_timeout: Duration,
    /// How long one operation may take with all its waiting, when Exchange is busy. Someone at the door has seconds, a
    /// sweep has an hour.
    pub operation_timeout: Duration,
    /// How long a stream of changes may say nothing: twice the server's heartbeat of about 45 s.
    pub stream_idle_timeout: Duration,
    /// By what right we act in rooms.
    pub access: Access,
    /// How rooms are named in `ExchangeImpersonation`.
    pub impersonate_by: ImpersonateBy,
    /// Requests under way at once in one room's name.
    pub max_concurrent_requests_per_room: usize,
    /// Requests under way at once to the server.
    pub max_concurrent_requests: usize,
    /// The newest schema version we speak. A server that does not know it is spoken to in an older one.
    pub version: ServerVersion,
}

/// Where an Exchange is.
#[derive(Debug, Clone)]
pub enum ExchangeLocation {
    /// `https://…/EWS/Exchange.asmx`. Plain `http` only to this machine: credentials are readable on the way.
    Url(String),
    /// Wherever Autodiscover says that each room lives, within this policy.
    Discovered(Policy),
}

/// A way of signing in, with what it needs.
#[derive(Debug, Clone)]
pub enum SignInMethod {
    /// User name and password in every request.
    Basic {
        /// As the server wants it: `DOMAIN\name`, or `name@domain`.
        username: String,
        /// Its password.
        password: Secret,
    },
    /// NTLM or Negotiate.
    #[cfg(feature = "negotiate")]
    Windows(Windows),
    /// OAuth, as an application.
    OAuth(ClientCredentials),
    /// OAuth, with tokens that somebody else fetches.
    Token(ExternalToken),
    /// The client certificate alone.
    Certificate,
}

/// Who we are in the TLS handshake, in PEM files.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, and what leads from it to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// An HTTP proxy that connects us (CONNECT). What is said through it is TLS; with the proxy itself plain HTTP is spoken.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// `http://host:port`.
    pub url: String,
    /// User name and password, if it wants them.
    pub login: Option<(String, Secret)>,
}

/// By what right the account acts in rooms that are not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// In the room's name: every request has an `ExchangeImpersonation` header.
    #[default]
    Impersonation,
    /// In its own name, with Full Access to the room: every folder is named with its mailbox.
    Delegate,
}

/// How a room is named to Exchange. Rooms are known here by SMTP address, so a SID is none of the choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ImpersonateBy {
    #[default]
    SmtpAddress,
    PrimarySmtpAddress,
    PrincipalName,
}

/// Why no conversation can begin.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// Not of the form `https://host/path`.
    #[error("`{0}` is not of the form https://host/EWS/Exchange.asmx")]
    Url(String),
    /// Plain `http` to another machine.
    #[error("`{0}` would send the password readable over the network; use https")]
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
    /// The sign-in cannot work as it is configured.
    #[error("failed to prepare the sign-in: {0}")]
    SignIn(String),
    /// Not of the form `http://host:port`.
    #[error(
        "`{0}` is not of the form http://proxy:port; a user name and a password stand beside it, not in it"
    )]
    Proxy(String),
    /// The platform's trust store, or the TLS library, would not start.
    #[error("failed to set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Settings {
    /// With the limits that suit an Exchange in its default policy: two requests per room, where each mailbox grants 27
    /// (`EWSMaxConcurrency`), and sixteen in all.
    pub fn new(url: impl Into<String>, username: impl Into<String>, password: Secret) -> Self {
        Self {
            name: "default".to_owned(),
            location: ExchangeLocation::Url(url.into()),
            sign_in: SignInMethod::Basic { username: username.into(), password },
            client_certificate: None,
            proxy: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(60),
            response_timeout: Duration::from_secs(120),
            operation_timeout: Duration::from_secs(60),
            stream_idle_timeout: Duration::from_secs(90),
            access: Access::default(),
            impersonate_by: ImpersonateBy::default(),
            max_concurrent_requests_per_room: 2,
            max_concurrent_requests: 16,
            version: ServerVersion::default(),
        }
    }

    /// Whether anything is asked over TLS.
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

/// A checked address: what to connect to and what to ask for there.
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
    /// Of a question that carries nothing and whose answer is not believed: plain `http` may go anywhere then.
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
