//! Settings of one connection to Microsoft Graph: root, sign-in, timeouts, limits, rights. Opens nothing.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::time_zones::{RoomTimeZones, UnknownTimeZones};
use crate::http::settings::{DialerSettings, ProxySettings};
use crate::live::PollIntervals;
use crate::login::SignInMethod;

/// The root of the worldwide cloud.
pub const WORLDWIDE: &str = "https://graph.microsoft.com";
/// Concurrent requests to one mailbox: Outlook's services grant an application four (Microsoft, "Microsoft Graph service-specific
/// throttling limits", Outlook).
pub const REQUESTS_PER_ROOM: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
/// Concurrent requests to Graph. Its limit for an application is far higher; sixteen were seen to work in production.
pub const REQUESTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Settings of one connection.
#[derive(Clone)]
pub struct GraphSettings {
    /// Name of the connection in metrics and reports.
    pub name: String,
    /// Root of Graph in its cloud, without a path: [`WORLDWIDE`], or the one of a national cloud. Plain `http` only to this machine.
    pub root: String,
    /// How the application signs in. Its tokens are for the root (scope `{root}/.default`).
    pub sign_in: SignInMethod,
    /// HTTP proxy for all connections.
    pub proxy: Option<ProxySettings>,
    /// PEM file with certificates that are trusted besides those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Time limits.
    pub timeouts: GraphTimeouts,
    /// Concurrent requests to Graph, for all rooms together.
    pub max_concurrent_requests: NonZeroUsize,
    /// Concurrent requests to one mailbox, at most four; reads leave the last one for a write.
    pub max_concurrent_requests_per_room: NonZeroUsize,
    /// How often rooms are polled for changes.
    pub poll_intervals: PollIntervals,
    /// What the application may do besides reading and writing the rooms' calendars.
    pub rights: GraphRights,
    /// The time zones of the rooms, for all-day events.
    pub time_zones: Arc<dyn RoomTimeZones>,
}

/// Time limits of requests to Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphTimeouts {
    /// Limit of a connection attempt, TLS included.
    pub connect: Duration,
    /// Longest wait for the first byte of a response.
    pub first_byte: Duration,
    /// Limit of a complete response, counted from the request.
    pub response: Duration,
    /// Limit of one operation with all its waits and retries.
    pub operation: Duration,
}

impl Default for GraphTimeouts {
    /// As long as over EWS.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            response: Duration::from_secs(120),
            operation: Duration::from_secs(600),
        }
    }
}

/// The rights of the application besides `Calendars.ReadWrite`. Without one, its question is answered with "unknown", or with an
/// error that names the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GraphRights {
    /// `Mail.ReadBasic`: searches Sent Items for a decline or a cancellation whose response was lost.
    pub read_mail: bool,
    /// `MailboxItem.Read`: searches Deleted Items for a removed event.
    pub read_mailbox_items: bool,
    /// `Place.Read.All`: reads the members of room lists.
    pub read_places: bool,
    /// `User.ReadBasic.All`: looks people and addresses up.
    pub read_users: bool,
}

impl GraphRights {
    /// Every right.
    pub const ALL: Self =
        Self { read_mail: true, read_mailbox_items: true, read_places: true, read_users: true };
}

impl GraphSettings {
    /// This sign-in at this root, and the default of everything else.
    pub fn new(root: impl Into<String>, sign_in: SignInMethod) -> Self {
        Self {
            name: "graph".to_owned(),
            root: root.into(),
            sign_in,
            proxy: None,
            ca_file: None,
            timeouts: GraphTimeouts::default(),
            max_concurrent_requests: REQUESTS,
            max_concurrent_requests_per_room: REQUESTS_PER_ROOM,
            poll_intervals: PollIntervals { busy: Duration::from_secs(30), idle: Duration::from_secs(300) },
            rights: GraphRights::default(),
            time_zones: Arc::new(UnknownTimeZones),
        }
    }

    /// Reads of one mailbox at the same time.
    pub(super) fn reads_per_room(&self) -> NonZeroUsize {
        let all = self.max_concurrent_requests_per_room.min(REQUESTS_PER_ROOM);
        NonZeroUsize::new(all.get() - 1).unwrap_or(NonZeroUsize::MIN)
    }

    /// How connections are opened.
    pub(super) fn dialer(&self) -> DialerSettings {
        DialerSettings {
            uses_tls: self.uses_tls(),
            ca_file: self.ca_file.clone(),
            client_certificate: None,
            proxy: self.proxy.clone(),
            connect_timeout: self.timeouts.connect,
        }
    }

    /// Whether any request goes over TLS.
    fn uses_tls(&self) -> bool {
        let token = match &self.sign_in {
            SignInMethod::OAuth(client) => client.endpoint.as_str(),
            _ => "",
        };
        [self.root.as_str(), token].iter().any(|url| !url.is_empty() && !url.starts_with("http:"))
    }
}

impl fmt::Debug for GraphSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphSettings")
            .field("name", &self.name)
            .field("root", &self.root)
            .field("sign_in", &self.sign_in)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}
