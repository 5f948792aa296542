//! Notifications: subscriptions, pull and streaming. `hub` keeps the subscriptions, `events` turns changes into XML, and
//! `stream_writer` runs a task for each stream. Never reads a request: `ops::subscribe` does.
//!
//! ```text
//! World ── dirty mailboxes ──► Hub::wake_streams ── wakes ──► stream task ── Hub::collect_events ──► envelope
//! ```

mod events;
mod hub;
mod open_stream;
mod options;
mod pull;
mod stream_registry;
pub(crate) mod stream_writer;
mod write;

pub(crate) use events::{EventType, SubscriptionFilter};
pub(crate) use hub::{DeliveryMode, Hub, watermark};
pub(crate) use open_stream::StreamEnding;
pub use options::NotificationOptions;
pub(crate) use pull::start_after_watermark;
pub(crate) use stream_registry::{StreamHandle, StreamRequest};
pub(crate) use write::no_live_subscription_response;
