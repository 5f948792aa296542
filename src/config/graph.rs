//! Checks the keys of a connection over Microsoft Graph. A key that has a meaning over EWS alone is refused, since its name would
//! promise something that Graph does not do. Connects to nothing.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use super::Overrides;
use super::error::{ConfigError, SourceText};
use super::file::{self, AuthMethod, Permission, ServerSection};
use super::proxy::{check_proxy, read_proxy};
use super::secrets::{SecretError, SecretResolver, SecretSource};
use super::sign_in::{SignInSource, check_sign_in};
use super::url::check_url;
use crate::graph::{GraphRights, GraphSettings, GraphTimeouts, REQUESTS, REQUESTS_PER_ROOM, RoomTimeZones};
use crate::http::settings::ProxySettings;
use crate::live::PollIntervals;

/// A connection over Microsoft Graph before its secrets are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphSource {
    /// Name of the connection in metrics and reports.
    pub name: String,
    /// Root of Graph, without a version and a final slash: `https://graph.microsoft.com`.
    pub root: String,
    /// How the application signs in: by OAuth, by a token that another program renews, or as a managed identity.
    pub sign_in: SignInSource,
    /// HTTP proxy for all connections.
    pub proxy: Option<ProxySettings<SecretSource>>,
    /// PEM file with certificates that are trusted besides those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Time limits.
    pub timeouts: GraphTimeouts,
    /// Concurrent requests in one room, at most four.
    pub max_concurrent_requests_per_room: NonZeroUsize,
    /// Concurrent requests to Graph.
    pub max_concurrent_requests: NonZeroUsize,
    /// How often rooms are polled for changes.
    pub poll_intervals: PollIntervals,
    /// What the application may do besides reading and writing the rooms' calendars.
    pub rights: GraphRights,
}

impl GraphSource {
    /// Reads the secrets.
    ///
    /// # Errors
    /// When a secret cannot be read, or is none.
    pub fn read_secrets(
        &self,
        secrets: &dyn SecretResolver,
        time_zones: Arc<dyn RoomTimeZones>,
    ) -> Result<GraphSettings, SecretError> {
        Ok(GraphSettings {
            name: self.name.clone(),
            proxy: self.proxy.as_ref().map(|proxy| read_proxy(proxy, secrets)).transpose()?,
            ca_file: self.ca_file.clone(),
            timeouts: self.timeouts,
            max_concurrent_requests: self.max_concurrent_requests,
            max_concurrent_requests_per_room: self.max_concurrent_requests_per_room,
            poll_intervals: self.poll_intervals,
            rights: self.rights,
            time_zones,
            ..GraphSettings::new(self.root.clone(), self.sign_in.read(secrets)?)
        })
    }
}

/// A connection with `protocol = "graph"`.
pub(super) fn check_graph(
    source: &SourceText<'_>,
    name: String,
    file: &ServerSection,
    overrides: &Overrides,
) -> Result<GraphSource, ConfigError> {
    refuse_keys_of_ews(source, file)?;
    if overrides.username.is_some() {
        return Err(ConfigError::invalid_flag("--username", ONLY_TOKENS));
    }
    let root = check_root(source, file, overrides)?;
    let (busy, idle) = (file.poll_interval_busy_s.get_ref(), file.poll_interval_idle_s.get_ref());
    if busy.get() > idle.get() {
        let why =
            "a room in use is read at least as often as another: this may not exceed poll_interval_idle_s";
        return Err(source.error_at(&file.poll_interval_busy_s, why));
    }
    Ok(GraphSource {
        name,
        sign_in: check_sign_in(source, file, Some(&root))?,
        root,
        proxy: file.proxy.as_ref().map(|proxy| check_proxy(source, proxy)).transpose()?,
        ca_file: overrides.ca_file.clone().or_else(|| file.ca_file.clone()),
        timeouts: GraphTimeouts {
            connect: file.connect_timeout_s.as_seconds(),
            first_byte: file.first_byte_timeout_s.as_seconds(),
            response: file.response_timeout_s.as_seconds(),
            operation: file.operation_timeout_s.as_seconds(),
        },
        max_concurrent_requests_per_room: check_requests_per_room(source, file)?,
        max_concurrent_requests: match &file.max_concurrent_requests {
            written if written.is_written() => written.get_ref().nonzero(),
            _ => REQUESTS,
        },
        poll_intervals: PollIntervals { busy: busy.as_seconds(), idle: idle.as_seconds() },
        rights: rights(&file.optional_permissions),
    })
}

const ONLY_TOKENS: &str =
    "Graph accepts OAuth tokens alone; set [server.oauth] or token, and remove every key of another sign-in";

fn refuse_keys_of_ews(source: &SourceText<'_>, file: &ServerSection) -> Result<(), ConfigError> {
    if file.access.is_written() {
        let why = "Graph has neither impersonation nor delegates: the application has a right of its own (adjourn setup --protocol graph); remove access";
        return Err(source.error_at(&file.access, why));
    }
    if file.impersonate_by.is_written() {
        let why = "Graph names a room by its address and has no impersonation; remove impersonate_by";
        return Err(source.error_at(&file.impersonate_by, why));
    }
    if let Some(table) = &file.autodiscover {
        let why = "Graph has one address for every mailbox, so nothing is discovered; remove autodiscover";
        return Err(source.error_at(table, why));
    }
    refuse_other_sign_ins(source, file)
}

fn refuse_other_sign_ins(source: &SourceText<'_>, file: &ServerSection) -> Result<(), ConfigError> {
    let auth =
        file.auth.as_ref().filter(|auth| !matches!(auth.get_ref(), AuthMethod::Oauth | AuthMethod::Token));
    if let Some(auth) = auth {
        return Err(source.error_at(auth, ONLY_TOKENS));
    }
    if file.channel_binding.is_written() {
        return Err(source.error_at(&file.channel_binding, ONLY_TOKENS));
    }
    if let Some(password) = &file.password {
        return Err(source.error_at(password, ONLY_TOKENS));
    }
    if let Some(kdc) = &file.kdc {
        return Err(source.error_at(kdc, ONLY_TOKENS));
    }
    let other = file.username.is_some() || file.keytab_file.is_some() || file.client_certificate.is_some();
    if other || file.auth.is_none() && file.oauth.is_none() && file.token.is_none() {
        return Err(source.error_at(&file.protocol, ONLY_TOKENS));
    }
    Ok(())
}

fn rights(granted: &[Permission]) -> GraphRights {
    let has = |permission| granted.contains(&permission);
    GraphRights {
        read_mail: has(Permission::MailReadBasic),
        read_mailbox_items: has(Permission::MailboxItemRead),
        read_places: has(Permission::PlaceReadAll),
        read_users: has(Permission::UserReadBasicAll),
    }
}

/// The flag's root, or the file's, or that of the cloud.
fn check_root(
    source: &SourceText<'_>,
    file: &ServerSection,
    overrides: &Overrides,
) -> Result<String, ConfigError> {
    if let Some(url) = &overrides.url {
        return root_of(url).map_err(|why| ConfigError::invalid_flag("--url", why));
    }
    match &file.url {
        Some(url) => root_of(url.get_ref()).map_err(|why| source.error_at(url, why)),
        None => {
            let cloud = file.oauth.as_ref().map(|oauth| oauth.get_ref().cloud).unwrap_or_default();
            Ok(cloud.graph().to_owned())
        }
    }
}

/// Why a URL is no root of Graph.
#[derive(Debug, thiserror::Error)]
enum RootError {
    #[error(
        "`{0}` is not the root of Graph, such as https://graph.microsoft.com, without a version; without url it follows from the cloud"
    )]
    Form(String),
    #[error(transparent)]
    Url(#[from] super::url::UrlError),
}

fn root_of(url: &str) -> Result<String, RootError> {
    let wrong = || RootError::Form(url.to_owned());
    if !url.contains("://") {
        return Err(wrong()); // `autodiscover`, for one
    }
    let root = check_url(url)?.trim_end_matches('/').to_owned();
    let has_version = [".asmx", "/v1.0", "/beta"].iter().any(|end| root.to_ascii_lowercase().ends_with(end));
    if has_version || root.contains(['?', '#']) { Err(wrong()) } else { Ok(root) }
}

fn check_requests_per_room(
    source: &SourceText<'_>,
    file: &ServerSection,
) -> Result<NonZeroUsize, ConfigError> {
    let limit: &file::Located<_> = &file.max_concurrent_requests_per_room;
    match limit.get_ref().nonzero() {
        _ if !limit.is_written() => Ok(REQUESTS_PER_ROOM),
        count if count > REQUESTS_PER_ROOM => {
            let why = format!("Graph serves {REQUESTS_PER_ROOM} requests at a time for one mailbox");
            Err(source.error_at(limit, why))
        }
        count => Ok(count),
    }
}
