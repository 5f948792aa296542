//! Options of notifications: those of a server's administrator, and those that make tests fast.

use std::time::Duration;

use super::super::exchange_release::ExchangeRelease;

/// Default of `queued_max`: more than a room sees in a day.
const QUEUED: usize = 500;

/// Default of `back_off`.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Options of notifications.
#[derive(Debug, Clone)]
pub struct NotificationOptions {
    /// Interval of `ConnectionStatus` heartbeats on an idle stream.
    pub heartbeat: Duration,
    /// Duration of a minute in `ConnectionTimeout` and in the `Timeout` of a pull subscription.
    pub minute: Duration,
    /// Time for which a stream collects events before it sends them together.
    pub coalesce: Duration,
    /// Size of the HTTP chunks of a stream; `None` sends each envelope as one chunk.
    pub chunk_bytes: Option<usize>,
    /// Whether the folder of a changed item is reported as modified too, as Exchange does.
    pub folder_events: bool,
    /// Limit of subscriptions of a mailbox; `None` for the release's `EWSMaxSubscriptions`.
    pub subscriptions: Option<usize>,
    /// Limit of streams that an account may hold open for one mailbox; `None` for the release's
    /// `HangingConnectionLimit`.
    pub streams: Option<usize>,
    /// `BackOffMilliseconds` in the error for too many subscriptions or streams; `None` to omit it.
    pub back_off: Option<Duration>,
    /// Limit of events queued for a subscription; above it all of them are missed.
    pub queued_max: usize,
    /// Number of back ends behind the address. A subscription exists only on the back end that created it.
    pub back_ends: usize,
    /// Whether one dead subscription makes `GetStreamingEvents` fail for all; otherwise the live ones are served.
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
