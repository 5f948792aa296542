//! Settings of one Exchange connection: location, sign-in, timeouts, limits. Checked once, before the first connection;
//! opens none.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::autodiscover::Policy;
use crate::ews::soap::{Impersonate, ServerVersion};
use crate::http::settings::{ClientCertificate, DialerSettings, ProxySettings};
use crate::live::SILENCE_MAX;
use crate::login::SignInMethod;
use crate::secret::Secret;

/// Name of the connection of a program that has one.
pub const DEFAULT_NAME: &str = "default";

/// Settings of one Exchange connection. A connection opens with secrets that were read. A configuration fills both parameters with
/// the places where its secrets are, so nothing can be opened with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings<SignIn = SignInMethod, ProxyPassword = Secret> {
    /// Name of the connection in metrics and reports.
    pub name: String,
    /// Where the EWS server is.
    pub location: ExchangeLocation,
    /// How the account signs in.
    pub sign_in: SignIn,
    /// Offered in the TLS handshake, if the server requests a client certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// HTTP proxy for all connections.
    pub proxy: Option<ProxySettings<ProxyPassword>>,
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
    /// How long a stream may send nothing before it counts as lost.
    pub stream_idle_timeout: Duration,
    /// How the account gets access to rooms.
    pub access: Access,
    /// Which name identifies a room in `ExchangeImpersonation`.
    pub impersonate_by: ImpersonateBy,
    /// Concurrent requests in one room's name.
    pub max_concurrent_requests_per_room: NonZeroUsize,
    /// Concurrent requests to the server.
    pub max_concurrent_requests: NonZeroUsize,
    /// Newest EWS schema version of requests. Servers that do not support it get an older one.
    pub version: ServerVersion,
}

/// Where the EWS server is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeLocation {
    /// `https://…/EWS/Exchange.asmx`. Plain `http` only to this machine, since it exposes credentials.
    Url(String),
    /// The server that Autodiscover finds for each room, within this policy.
    Discovered(Policy),
}

/// How the account gets access to rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(serde::Serialize, schemars::JsonSchema))]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum ImpersonateBy {
    /// Any SMTP address of the mailbox.
    #[default]
    SmtpAddress,
    /// The primary SMTP address.
    PrimarySmtpAddress,
    /// The user principal name (UPN).
    PrincipalName,
}

/// Time limits and request limits of a connection. Their defaults are here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
    pub max_concurrent_requests_per_room: NonZeroUsize,
    /// As [`Settings::max_concurrent_requests`].
    pub max_concurrent_requests: NonZeroUsize,
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
            max_concurrent_requests_per_room: NonZeroUsize::MIN.saturating_add(1),
            max_concurrent_requests: NonZeroUsize::MIN.saturating_add(9),
        }
    }
}

impl<SignIn, ProxyPassword> Settings<SignIn, ProxyPassword> {
    /// This sign-in at this server, and the default of everything else.
    pub(crate) fn with_defaults(location: ExchangeLocation, sign_in: SignIn) -> Self {
        let limits = ConnectionDefaults::default();
        Self {
            name: DEFAULT_NAME.to_owned(),
            location,
            sign_in,
            client_certificate: None,
            proxy: None,
            ca_file: None,
            connect_timeout: limits.connect_timeout,
            first_byte_timeout: limits.first_byte_timeout,
            response_timeout: limits.response_timeout,
            operation_timeout: limits.operation_timeout,
            stream_idle_timeout: SILENCE_MAX.to_std().unwrap_or_default(),
            access: Access::default(),
            impersonate_by: ImpersonateBy::default(),
            max_concurrent_requests_per_room: limits.max_concurrent_requests_per_room,
            max_concurrent_requests: limits.max_concurrent_requests,
            version: ServerVersion::default(),
        }
    }

    /// The same settings with this sign-in and proxy.
    #[cfg(feature = "service")]
    pub(crate) fn with_sign_in<S, P>(self, sign_in: S, proxy: Option<ProxySettings<P>>) -> Settings<S, P> {
        Settings {
            name: self.name,
            location: self.location,
            sign_in,
            client_certificate: self.client_certificate,
            proxy,
            ca_file: self.ca_file,
            connect_timeout: self.connect_timeout,
            first_byte_timeout: self.first_byte_timeout,
            response_timeout: self.response_timeout,
            operation_timeout: self.operation_timeout,
            stream_idle_timeout: self.stream_idle_timeout,
            access: self.access,
            impersonate_by: self.impersonate_by,
            max_concurrent_requests_per_room: self.max_concurrent_requests_per_room,
            max_concurrent_requests: self.max_concurrent_requests,
            version: self.version,
        }
    }
}

impl Settings {
    /// Basic authentication at this URL, with the limits of [`ConnectionDefaults`].
    pub fn new(url: impl Into<String>, username: impl Into<String>, password: Secret) -> Self {
        let sign_in = SignInMethod::Basic { username: username.into(), password };
        Self::with_defaults(ExchangeLocation::Url(url.into()), sign_in)
    }

    /// How connections to its servers are opened.
    pub(super) fn dialer(&self) -> DialerSettings {
        DialerSettings {
            uses_tls: self.uses_tls(),
            ca_file: self.ca_file.clone(),
            client_certificate: self.client_certificate.clone(),
            proxy: self.proxy.clone(),
            connect_timeout: self.connect_timeout,
        }
    }

    /// Whether any request goes over TLS.
    fn uses_tls(&self) -> bool {
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
