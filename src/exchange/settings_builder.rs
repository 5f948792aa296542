//! How a program makes [`Settings`]: one constructor for any server and sign-in, and one method for each other setting. Opens nothing.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::settings::{Access, ExchangeLocation, ImpersonateBy, Settings};
use crate::ews::soap::ServerVersion;
use crate::http::settings::{ClientCertificate, ProxySettings};
use crate::login::SignInMethod;

impl Settings {
    /// This sign-in at this server, with the limits of [`ConnectionDefaults`](super::ConnectionDefaults). [`Settings::new`] is short
    /// for a URL and Basic.
    pub fn signing_in(location: ExchangeLocation, sign_in: SignInMethod) -> Self {
        Self::with_defaults(location, sign_in)
    }

    /// Sets the name of the connection in metrics and reports.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the client certificate, for a server that requests one.
    #[must_use]
    pub fn client_certificate(self, certificate: ClientCertificate) -> Self {
        Self { client_certificate: Some(certificate), ..self }
    }

    /// Sets the HTTP proxy.
    #[must_use]
    pub fn proxy(self, proxy: ProxySettings) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    /// Trusts the certificates in this PEM file, besides those of the platform.
    #[must_use]
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(path.into()), ..self }
    }

    /// Sets the time limit of one operation, with all its waits and retries.
    #[must_use]
    pub fn operation_timeout(self, limit: Duration) -> Self {
        Self { operation_timeout: limit, ..self }
    }

    /// Sets how the account gets access to rooms.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Sets which name identifies a room in `ExchangeImpersonation`.
    #[must_use]
    pub fn impersonate_by(self, name: ImpersonateBy) -> Self {
        Self { impersonate_by: name, ..self }
    }

    /// Limits the concurrent requests to the server, and in one room's name.
    #[must_use]
    pub fn max_concurrent_requests(self, to_server: NonZeroUsize, per_room: NonZeroUsize) -> Self {
        Self { max_concurrent_requests: to_server, max_concurrent_requests_per_room: per_room, ..self }
    }

    /// Sets the newest EWS schema version of requests.
    #[must_use]
    pub fn version(self, newest: ServerVersion) -> Self {
        Self { version: newest, ..self }
    }
}
