//! How notifications are given and how many: what a server's administrator sets, and what a test needs to be quick.

use std::time::Duration;

use super::super::exchange_release::ExchangeRelease;

/// Events that may wait for a subscription unless the options say otherwise: more than a room sees in a day.
const QUEUED: usize = 500;

/// How long a client that is refused has to wait unless the options say otherwise.
const BACK_OFF: Duration = Duration::from_secs(1);

/// How notifications are given, and how many.
#[derive(Debug, Clone)]
pub struct NotificationOptions {
    /// How long a stream says nothing before it says that it is still there.
    pub heartbeat: Duration,
    /// How long a minute lasts in a `ConnectionTimeout` and in a pull subscription's `Timeout`.
    pub minute: Duration,
    /// How long a stream gathers what happens, so that it is told together.
    pub coalesce: Duration,
    /// Streams leave in HTTP chunks of so many bytes; `None` makes one of each envelope.
    pub chunk_bytes: Option<usize>,
    /// Whether a folder is told to be modified with each of its items, as Exchange does.
    pub folder_events: bool,
    /// Subscriptions a mailbox may have; `None` for the release's (`EWSMaxSubscriptions`).
    pub subscriptions: Option<usize>,
    /// Streams one account may hold open in one mailbox's name; `None` for the release's (`HangingConnectionLimit`).
    pub streams: Option<usize>,
    /// The `BackOffMilliseconds` in what refuses a subscription or a stream because there are too many; `None` for none.
    pub back_off: Option<Duration>,
    /// Events that may wait for a subscription; when there are more, all of them are missed.
    pub queued_max: usize,
    /// Servers behind the one address. A subscription lives on the one that took it, and no other knows it.
    pub back_ends: usize,
    /// A stream that is asked with a dead subscription among others is refused as a whole; otherwise the others are served.
    pub reject_if_any_dead: bool,
}

impl Default for NotificationOptions {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(45),
            minute: Duration::from_secs(60),
            coalesce: Duration::ZERO,
            chunk_bytes: None,
            folder_events: true,
            subscriptions: None,
            streams: None,
            back_off: Some(BACK_OFF),
            queued_max: QUEUED,
            back_ends: 1,
            reject_if_any_dead: false,
        }
    }
}

impl NotificationOptions {
    pub(crate) fn subscriptions_max(&self, release: ExchangeRelease) -> usize {
        self.subscriptions.unwrap_or(if release == ExchangeRelease::Online { 20 } else { 5_000 })
    }

    pub(crate) fn streams_max(&self, release: ExchangeRelease) -> usize {
        use ExchangeRelease::{Exchange2010Sp2, Exchange2013, Exchange2013Sp1};
        let old = matches!(release, Exchange2010Sp2 | Exchange2013 | Exchange2013Sp1);
        self.streams.unwrap_or(if old { 3 } else { 10 })
    }
}
