//! Checks `[server]` and `[[connections]]`: each becomes the settings of one connection, over EWS or over Graph
//! ([`ConnectionSource`]), whose secrets are still at their sources. They are read when the connection opens.

use std::path::Path;

use super::error::{ConfigError, SourceText};
use super::file::{self, Protocol};
use super::graph::{GraphSource, check_graph};
use super::proxy::{check_proxy, read_proxy};
use super::secrets::{SecretError, SecretResolver, SecretSource};
use super::sign_in::{SignInSource, check_sign_in};
use super::url::check_url;
use super::{Config, Overrides};
use crate::autodiscover::Policy;
use crate::calendar::{RoomAddress, RoomPattern};
use crate::exchange::{Access, DEFAULT_NAME, ExchangeLocation, Settings};
use crate::http::settings::ClientCertificate;

/// The value of `url` that turns Autodiscover on.
const AUTODISCOVER: &str = "autodiscover";

/// The settings of one Exchange before its secrets are read.
pub type UnreadSettings = Settings<SignInSource, SecretSource>;

/// A connection before its secrets are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionSource {
    /// A connection to an Exchange, over EWS.
    Ews(UnreadSettings),
    /// A connection to Exchange Online, over Microsoft Graph.
    Graph(GraphSource),
}

/// A further Exchange and its rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Its rooms. The first connection that matches a room has it.
    pub rooms: Vec<RoomPattern>,
    /// The Exchange, and the connection's name.
    pub settings: ConnectionSource,
}

impl ConnectionSource {
    /// Name of the connection in metrics and reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Ews(settings) => &settings.name,
            Self::Graph(graph) => &graph.name,
        }
    }

    /// How the account signs in.
    pub fn sign_in(&self) -> &SignInSource {
        match self {
            Self::Ews(settings) => &settings.sign_in,
            Self::Graph(graph) => &graph.sign_in,
        }
    }

    /// PEM file with certificates that are trusted besides those of the platform.
    pub fn ca_file(&self) -> Option<&Path> {
        match self {
            Self::Ews(settings) => settings.ca_file.as_deref(),
            Self::Graph(graph) => graph.ca_file.as_deref(),
        }
    }

    /// Concurrent requests to the server.
    pub fn max_concurrent_requests(&self) -> usize {
        match self {
            Self::Ews(settings) => settings.max_concurrent_requests.get(),
            Self::Graph(graph) => graph.max_concurrent_requests.get(),
        }
    }

    /// The sources of the secrets that are read once, when the connection opens.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretSource> {
        self.sign_in().secret().into_iter().chain(self.proxy_password())
    }

    /// Where the password of the proxy is.
    pub(super) fn proxy_password(&self) -> Option<&SecretSource> {
        let proxy = match self {
            Self::Ews(settings) => settings.proxy.as_ref(),
            Self::Graph(graph) => graph.proxy.as_ref(),
        };
        proxy.and_then(|proxy| Some(&proxy.login.as_ref()?.1))
    }
}

impl UnreadSettings {
    /// Reads the secrets. What is returned can be opened.
    ///
    /// # Errors
    /// When a secret cannot be read, or is none.
    pub fn read_secrets(&self, secrets: &dyn SecretResolver) -> Result<Settings, SecretError> {
        let sign_in = self.sign_in.read(secrets)?;
        let proxy = self.proxy.as_ref().map(|proxy| read_proxy(proxy, secrets)).transpose()?;
        Ok(self.clone().with_sign_in(sign_in, proxy))
    }
}

impl Config {
    /// The connection to every Exchange: `[[connections]]`, then `[server]`.
    pub fn exchanges(&self) -> impl Iterator<Item = &ConnectionSource> {
        self.connections.iter().map(|connection| &connection.settings).chain(&self.server)
    }

    /// Fails without any Exchange.
    ///
    /// # Errors
    /// Tells the administrator how to name one.
    pub fn require_exchange(&self) -> Result<(), ConfigError> {
        self.exchanges().next().map(|_| ()).ok_or(ConfigError::NoExchange)
    }

    /// The name of the connection that covers this room.
    pub fn connection_name(&self, room: &RoomAddress) -> Option<&str> {
        let named = self.connections.iter().find(|one| one.rooms.iter().any(|pattern| pattern.matches(room)));
        named.map(|one| &one.settings).or(self.server.as_ref()).map(ConnectionSource::name)
    }
}

/// `[server]` with the flags that override it; `None` when neither has a URL.
pub(super) fn check_server(
    source: &SourceText<'_>,
    file: file::ServerSection,
    overrides: Overrides,
) -> Result<Option<ConnectionSource>, ConfigError> {
    if let Some(rooms) = &file.rooms {
        return Err(source.error_at(rooms, "only [[connections]] take rooms; [server] has all other rooms"));
    }
    if *file.protocol.get_ref() == Protocol::Graph {
        let graph = check_graph(source, DEFAULT_NAME.to_owned(), &file, &overrides)?;
        return Ok(Some(ConnectionSource::Graph(graph)));
    }
    let location = match &overrides.url {
        Some(url) => Some(ExchangeLocation::Url(
            check_url(url).map_err(|error| ConfigError::invalid_flag("--url", error))?,
        )),
        None => check_location(source, &file)?,
    };
    let Some(location) = location else { return Ok(None) };
    let file = file::ServerSection {
        username: overrides.username.or(file.username),
        ca_file: overrides.ca_file.or(file.ca_file),
        ..file
    };
    let settings = check_settings(source, DEFAULT_NAME.to_owned(), file, location)?;
    Ok(Some(ConnectionSource::Ews(settings)))
}

/// `[[connections]]`.
pub(super) fn check_connections(
    source: &SourceText<'_>,
    files: Vec<file::ServerSection>,
) -> Result<Vec<ConnectionConfig>, ConfigError> {
    let mut all: Vec<ConnectionConfig> = Vec::new();
    for mut file in files {
        let name = file.name.take().ok_or_else(|| source.missing("connections.name"))?;
        let taken =
            name.get_ref() == DEFAULT_NAME || all.iter().any(|other| other.settings.name() == name.get_ref());
        if taken || name.get_ref().is_empty() {
            return Err(source.error_at(&name, "a connection's name must be unique, and not \"default\""));
        }
        let rooms = file.rooms.take().ok_or_else(|| source.missing("connections.rooms"))?;
        let patterns =
            rooms.get_ref().iter().map(|room| room.parse().map_err(|error| source.error_at(&rooms, error)));
        let patterns = patterns.collect::<Result<_, _>>()?;
        let settings = match file.protocol.get_ref() {
            Protocol::Ews => {
                let location = check_location(source, &file)?
                    .ok_or_else(|| source.error_at(&name, "this connection has neither url nor oauth"))?;
                ConnectionSource::Ews(check_settings(source, name.into_inner(), file, location)?)
            }
            Protocol::Graph => {
                ConnectionSource::Graph(check_graph(source, name.into_inner(), &file, &Overrides::default())?)
            }
        };
        all.push(ConnectionConfig { rooms: patterns, settings });
    }
    Ok(all)
}

fn check_settings(
    source: &SourceText<'_>,
    name: String,
    file: file::ServerSection,
    location: ExchangeLocation,
) -> Result<UnreadSettings, ConfigError> {
    for key in [&file.poll_interval_busy_s, &file.poll_interval_idle_s] {
        if key.is_written() {
            let why = "this key is for protocol = \"graph\"; over EWS, set poll_interval_s in [live]";
            return Err(source.error_at(key, why));
        }
    }
    if let (Access::Delegate, Some(oauth)) = (file.access.get_ref(), &file.oauth) {
        let why = "an application cannot be a delegate; with [server.oauth], set access = \"impersonation\"";
        return Err(source.error_at(oauth, why));
    }
    let cloud = file.oauth.as_ref().map(|oauth| oauth.get_ref().cloud).unwrap_or_default();
    let sign_in = check_sign_in(source, &file, cloud.exchange())?;
    Ok(Settings {
        name,
        access: *file.access.get_ref(),
        client_certificate: file.client_certificate.as_ref().map(|pair| ClientCertificate {
            certificate: pair.certificate_file.clone(),
            key: pair.key_file.clone(),
        }),
        proxy: file.proxy.as_ref().map(|proxy| check_proxy(source, proxy)).transpose()?,
        ca_file: file.ca_file.clone(),
        connect_timeout: file.connect_timeout_s.as_seconds(),
        first_byte_timeout: file.first_byte_timeout_s.as_seconds(),
        response_timeout: file.response_timeout_s.as_seconds(),
        operation_timeout: file.operation_timeout_s.as_seconds(),
        impersonate_by: *file.impersonate_by.get_ref(),
        max_concurrent_requests_per_room: file.max_concurrent_requests_per_room.get_ref().nonzero(),
        max_concurrent_requests: file.max_concurrent_requests.get_ref().nonzero(),
        ..Settings::with_defaults(location, sign_in)
    })
}

/// The location that the file has, or, for an application, its cloud's.
fn check_location(
    source: &SourceText<'_>,
    file: &file::ServerSection,
) -> Result<Option<ExchangeLocation>, ConfigError> {
    match (&file.url, &file.oauth) {
        (Some(url), _) if url.get_ref() == AUTODISCOVER => {
            let table = file.autodiscover.as_ref().map(file::Located::get_ref);
            let trusting = table.filter(|table| !table.trusted_hosts.is_empty());
            let table = trusting.ok_or_else(|| {
                source.error_at(
                    url,
                    "list your own hosts in autodiscover.trusted_hosts; Adjourn sends the password to no other host",
                )
            })?;
            let trusted = Policy::new(table.trusted_hosts.iter().cloned());
            let policy = Policy { preferred_host: table.preferred_host.clone(), ..trusted };
            Ok(Some(ExchangeLocation::Discovered(policy)))
        }
        (Some(url), _) => check_url(url.get_ref())
            .map(|url| Some(ExchangeLocation::Url(url)))
            .map_err(|error| source.error_at(url, error)),
        (None, Some(oauth)) => {
            let host = oauth.get_ref().cloud.exchange().ok_or_else(|| {
                let why =
                    "Microsoft documents no EWS in this cloud; set protocol = \"graph\", or the url of EWS";
                source.error_at(oauth, why)
            })?;
            Ok(Some(ExchangeLocation::Url(format!("{host}/EWS/Exchange.asmx"))))
        }
        (None, None) => Ok(None),
    }
}
