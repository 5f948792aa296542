//! `GetStreamingEvents`. A request whose answer does not end: envelope after envelope, for minutes, each of which says what
//! changed, or only that the server is still there.

use super::{Effect, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ItemId, ResponseMessage, Text};

/// Subscriptions in one request, at most (the page on affinity).
pub const SUBSCRIPTIONS_MAX: usize = 200;
/// The longest `ConnectionTimeout`, in minutes.
pub const CONNECTION_MINUTES_MAX: u32 = 30;

/// `GetStreamingEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetStreamingEvents<'a> {
    /// What to tell of: at most [`SUBSCRIPTIONS_MAX`], all of one server.
    pub subscription_ids: &'a [String],
    /// How long the answer lasts, in minutes: 1 to [`CONNECTION_MINUTES_MAX`].
    pub connection_minutes: u32,
}

/// What one envelope tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct StreamingEventsPayload<'a> {
    /// What changed.
    pub notifications: Vec<Notification<'a>>,
    /// Subscriptions that the server does not know, or no more.
    pub error_subscription_ids: Vec<Text<'a>>,
    /// `OK`; `TokenError` with the last envelope.
    pub connection_status: Option<Text<'a>>,
}

/// What changed for one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Notification<'a> {
    /// Which.
    pub subscription_id: Option<Text<'a>>,
    /// In order, as far as the server keeps it.
    pub events: Vec<NotificationEvent<'a>>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct NotificationEvent<'a> {
    /// The element: `CreatedEvent`, `ModifiedEvent`, …; `StatusEvent` when nothing happened.
    pub element: Text<'a>,
    /// The item it is about; of a series, the master. None where a folder changed.
    pub item_id: Option<ItemId<'a>>,
}

/// The answer: one message in each envelope.
pub type GetStreamingEventsAnswer<'a> = Vec<ResponseMessage<'a, StreamingEventsPayload<'a>>>;

impl Operation for GetStreamingEvents<'_> {
    const NAME: &'static str = "GetStreamingEvents";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetStreamingEvents><m:SubscriptionIds>");
        for id in self.subscription_ids {
            out.element("t:SubscriptionId", id);
        }
        out.raw("</m:SubscriptionIds><m:ConnectionTimeout>");
        out.int(self.connection_minutes);
        out.raw("</m:ConnectionTimeout></m:GetStreamingEvents>");
    }
}
