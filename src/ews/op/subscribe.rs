//! `Subscribe` and `Unsubscribe`: subscribes to changes in a calendar; a stream ([`GetStreamingEvents`]) then carries the
//! notifications. Never uses push subscriptions, for which the server connects to the client.
//!
//! [`GetStreamingEvents`]: super::GetStreamingEvents

use super::{Effect, FolderId, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ResponseMessage, Text};

/// `Subscribe` with a `StreamingSubscriptionRequest` for one folder of one mailbox: Exchange refuses more
/// (`ErrorInvalidSubscriptionRequest`). Since Exchange 2010 SP1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The calendar.
    pub folder: FolderId<'a>,
}

/// The content of a `Subscribe` response.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SubscribePayload<'a> {
    /// The id of the new subscription.
    pub subscription_id: Option<Text<'a>>,
}

/// The response: one message.
pub type SubscribeAnswer<'a> = Vec<ResponseMessage<'a, SubscribePayload<'a>>>;

/// All events that can change a calendar view.
const EVENT_TYPES: [&str; 5] = ["CreatedEvent", "ModifiedEvent", "DeletedEvent", "MovedEvent", "CopiedEvent"];

impl Operation for Subscribe<'_> {
    const NAME: &'static str = "Subscribe";
    /// A duplicate subscription uses server memory for half an hour and changes no data.
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>");
        self.folder.write(out);
        out.raw("</t:FolderIds><t:EventTypes>");
        for kind in EVENT_TYPES {
            out.element("t:EventType", kind);
        }
        out.raw("</t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>");
    }
}

/// `Unsubscribe`: ends a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// The subscription's id.
    pub subscription_id: &'a str,
}

/// The response: one message without content.
pub type UnsubscribeAnswer<'a> = Vec<ResponseMessage<'a, ()>>;

impl Operation for Unsubscribe<'_> {
    const NAME: &'static str = "Unsubscribe";
    /// Ending a subscription twice is harmless.
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:Unsubscribe>");
        out.element("m:SubscriptionId", self.subscription_id);
        out.raw("</m:Unsubscribe>");
    }
}
