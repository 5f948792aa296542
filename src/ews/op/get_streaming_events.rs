//! `GetStreamingEvents`: a request whose response lasts for minutes and consists of one SOAP envelope after another. Each envelope carries
//! change notifications, or only shows that the connection is alive.

use super::{Effect, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ItemId, ResponseMessage, Text};

/// Maximum number of subscriptions in one request (Microsoft's page on affinity).
pub const SUBSCRIPTIONS_MAX: usize = 200;
/// The longest `ConnectionTimeout`, in minutes.
pub const CONNECTION_MINUTES_MAX: u32 = 30;

/// `GetStreamingEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetStreamingEvents<'a> {
    /// The subscriptions: at most [`SUBSCRIPTIONS_MAX`], all of one server.
    pub subscription_ids: &'a [String],
    /// Duration of the response in minutes: 1 to [`CONNECTION_MINUTES_MAX`].
    pub connection_minutes: u32,
}

/// The content of one envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct StreamingEventsPayload<'a> {
    /// Change notifications.
    pub notifications: Vec<Notification<'a>>,
    /// Subscriptions that are unknown to the server or expired.
    pub error_subscription_ids: Vec<Text<'a>>,
    /// `OK`; `Closed` in the last envelope.
    pub connection_status: Option<Text<'a>>,
}

/// The changes of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Notification<'a> {
    /// The subscription's id.
    pub subscription_id: Option<Text<'a>>,
    /// The events, in the server's order.
    pub events: Vec<NotificationEvent<'a>>,
}

/// One event of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct NotificationEvent<'a> {
    /// Local name of the element: `CreatedEvent`, `ModifiedEvent`, …; `StatusEvent` when nothing happened.
    pub element: Text<'a>,
    /// The changed item; for a series, its master. `None` for a folder.
    pub item_id: Option<ItemId<'a>>,
}

/// The response: one message in each envelope.
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
