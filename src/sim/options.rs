//! The options of a simulator: its address, its authentication and its release of Exchange. Data only.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::exchange_release::ExchangeRelease;
use super::graph::GraphOptions;
use super::login::{AccessTokens, AuthScheme, ExtendedProtection};
use super::notify::NotificationOptions;
use super::tls::ServerIdentity;

/// Options of a simulator.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// Serve HTTPS with a generated certificate instead of HTTP.
    pub tls: bool,
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// User name of the service account.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Minimum latency of every response.
    pub latency: Duration,
    /// A fixed time; `None` for the system clock.
    pub now: Option<DateTime<Utc>>,
    /// The simulated release of Exchange.
    pub release: ExchangeRelease,
    /// The authentication schemes, in the order in which a 401 offers them.
    pub schemes: Vec<AuthScheme>,
    /// The service account's Windows domain, as in `DOMAIN\\name`; the DNS name is the part after `@`.
    pub domain: String,
    /// Whether NTLM and Negotiate must be bound to the TLS connection.
    pub extended_protection: ExtendedProtection,
    /// The certificate to serve with `tls`; `None` generates one (ECDSA, P-256).
    pub identity: Option<ServerIdentity>,
    /// A proxy in front terminates TLS: clients see a certificate that this server does not know, so no channel binding
    /// is correct.
    pub tls_ends_at_proxy: bool,
    /// Requires client certificates of this CA (in PEM).
    pub client_ca_pem: Option<String>,
    /// The access tokens accepted under [`AuthScheme::Bearer`].
    pub tokens: AccessTokens,
    /// Offset of the `Date` header from the system clock.
    pub clock_ahead: TimeDelta,
    /// Mailboxes with EWS disabled (HTTP 403); `*` for all.
    pub disabled: Vec<String>,
    /// Options of notifications.
    pub notifications: NotificationOptions,
    /// Options of Microsoft Graph.
    pub graph: GraphOptions,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            tls: false,
            port: 0,
            username: "svc-adjourn@example.com".to_owned(),
            password: "simulated".to_owned(),
            latency: Duration::ZERO,
            now: None,
            release: ExchangeRelease::default(),
            schemes: vec![AuthScheme::Basic],
            domain: "EXAMPLE".to_owned(),
            extended_protection: ExtendedProtection::None,
            identity: None,
            tls_ends_at_proxy: false,
            client_ca_pem: None,
            tokens: AccessTokens::default(),
            clock_ahead: TimeDelta::zero(),
            disabled: Vec::new(),
            notifications: NotificationOptions::default(),
            graph: GraphOptions::default(),
        }
    }
}
