//! `Subscribe` and `Unsubscribe`. Asks the server to tell what changes in a calendar; a stream ([`GetStreamingEvents`]) then
//! carries it. Never the push form, in which the server calls us.
//!
//! [`GetStreamingEvents`]: super::GetStreamingEvents

use super::{Effect, FolderId, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ResponseMessage, Text};

/// `Subscribe` with a `StreamingSubscriptionRequest`: one folder of one mailbox, as more is refused
/// (`ErrorInvalidSubscriptionRequest`). Since Exchange 2010 SP1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Whose calendar.
    pub folder: FolderId<'a>,
}

/// What a `Subscribe` answers with.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SubscribePayload<'a> {
    /// Names the subscription from now on.
    pub subscription_id: Option<Text<'a>>,
}

/// The answer: one message.
pub type SubscribeAnswer<'a> = Vec<ResponseMessage<'a, SubscribePayload<'a>>>;

/// Everything that may change what a calendar view shows.
const EVENT_TYPES: [&str; 5] = ["CreatedEvent", "ModifiedEvent", "DeletedEvent", "MovedEvent", "CopiedEvent"];

impl Operation for Subscribe<'_> {
    const NAME: &'static str = "Subscribe";
    /// A second subscription costs the server something for half an hour, and changes nothing.
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

/// `Unsubscribe`: the server may forget it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Which.
    pub subscription_id: &'a str,
}

/// The answer: one message that carries nothing.
pub type UnsubscribeAnswer<'a> = Vec<ResponseMessage<'a, ()>>;

impl Operation for Unsubscribe<'_> {
    const NAME: &'static str = "Unsubscribe";
    /// What is gone can go again.
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:Unsubscribe>");
        out.element("m:SubscriptionId", self.subscription_id);
        out.raw("</m:Unsubscribe>");
    }
}
