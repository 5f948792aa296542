//! Change notifications of streams, and responses of `SyncFolderItems`.

use adjourn::ews::codec::{DecodeLimits, EnvelopeSplitter, SoapBody, decode};
use adjourn::ews::types::ResponseClass;

const M: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const T: &str = "http://schemas.microsoft.com/exchange/services/2006/types";

fn envelope(operation: &str, message: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='utf-8'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>\
         <m:{operation}Response xmlns:m='{M}' xmlns:t='{T}'><m:ResponseMessages>{message}</m:ResponseMessages>\
         </m:{operation}Response></s:Body></s:Envelope>"
    )
}

fn streamed(class: &str, code: &str, inside: &str) -> String {
    let message = format!(
        "<m:GetStreamingEventsResponseMessage ResponseClass='{class}'><m:ResponseCode>{code}</m:ResponseCode>{inside}\
         </m:GetStreamingEventsResponseMessage>"
    );
    envelope("GetStreamingEvents", &message)
}

#[test]
fn a_stream_is_read_envelope_by_envelope() {
    let events = "<m:Notifications><m:Notification><t:SubscriptionId> S1 </t:SubscriptionId><t:MoreEvents>false</t:MoreEvents>\
                  <t:ModifiedEvent><t:TimeStamp>2026-11-26T10:00:00Z</t:TimeStamp><t:ItemId Id='I' ChangeKey='K'/>\
                  <t:ParentFolderId Id='F'/></t:ModifiedEvent><t:CreatedEvent><t:FolderId Id='F2'/></t:CreatedEvent>\
                  </m:Notification><m:Notification><t:SubscriptionId>S2</t:SubscriptionId><t:StatusEvent/></m:Notification>\
                  </m:Notifications>";
    let lost = "<m:ErrorSubscriptionIds><m:SubscriptionId>S3</m:SubscriptionId><t:SubscriptionId>S4</t:SubscriptionId>\
                </m:ErrorSubscriptionIds>";
    let status = |status| format!("<m:ConnectionStatus>{status}</m:ConnectionStatus>");
    let stream = [
        streamed("Success", "NoError", &status("OK")),
        streamed("Success", "NoError", events),
        streamed("Error", "ErrorSubscriptionNotFound", lost),
        streamed("Success", "NoError", &status("Closed")),
    ]
    .concat();
    let mut cut = EnvelopeSplitter::new(10_000);
    cut.push(stream.as_bytes());
    let mut told = Vec::new();
    while let Some(envelope) = cut.next_envelope().unwrap() {
        let decoded = decode(envelope, &DecodeLimits::default()).unwrap();
        let SoapBody::GetStreamingEvents(messages) = decoded.envelope.body else { panic!("another answer") };
        let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
        let ids: Vec<_> =
            message.payload.notifications.iter().map(|one| one.subscription_id.clone()).collect();
        let events: Vec<_> = message.payload.notifications.iter().flat_map(|one| &one.events).collect();
        let events: Vec<_> = events
            .iter()
            .map(|event| format!("{} {:?}", event.element, event.item_id.as_ref().map(|id| &*id.id)))
            .collect();
        let lost = message.payload.error_subscription_ids.join(" ");
        let status = message.payload.connection_status.as_deref().unwrap_or("-");
        told.push(format!("{:?} {} {ids:?} {events:?} [{lost}] {status}", message.class, message.code.0));
    }
    assert_eq!(
        told,
        [
            "Success NoError [] [] [] OK",
            "Success NoError [Some(\"S1\"), Some(\"S2\")] [\"ModifiedEvent Some(\\\"I\\\")\", \"CreatedEvent None\", \
             \"StatusEvent None\"] [] -",
            "Error ErrorSubscriptionNotFound [] [] [S3 S4] -",
            "Success NoError [] [] [] Closed",
        ]
    );
}

#[test]
fn a_subscription_and_a_state_of_synchronisation() {
    let subscribed = envelope(
        "Subscribe",
        "<m:SubscribeResponseMessage ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode><m:SubscriptionId>S1\
         </m:SubscriptionId><m:Watermark>W</m:Watermark></m:SubscribeResponseMessage>",
    );
    let decoded = decode(subscribed.as_bytes(), &DecodeLimits::default()).unwrap();
    let SoapBody::Subscribe(messages) = decoded.envelope.body else { panic!("another answer") };
    assert_eq!(messages[0].class, ResponseClass::Success);
    assert_eq!(messages[0].payload.subscription_id.as_deref(), Some("S1"));

    let synced = envelope(
        "SyncFolderItems",
        "<m:SyncFolderItemsResponseMessage ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode>\
         <m:SyncState>c3RhdGU=</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange><m:Changes>\
         <t:Create><t:CalendarItem><t:ItemId Id='A' ChangeKey='1'/></t:CalendarItem></t:Create>\
         <t:Delete><t:ItemId Id='B'/></t:Delete><t:ReadFlagChange><t:ItemId Id='C'/><t:IsRead>true</t:IsRead>\
         </t:ReadFlagChange></m:Changes></m:SyncFolderItemsResponseMessage>",
    );
    let decoded = decode(synced.as_bytes(), &DecodeLimits::default()).unwrap();
    let SoapBody::SyncFolderItems(messages) = decoded.envelope.body else { panic!("another answer") };
    let payload = &messages[0].payload;
    assert_eq!(payload.sync_state.as_deref(), Some("c3RhdGU="));
    assert_eq!(payload.includes_last_item_in_range, Some(false));
    let changes: Vec<_> = payload
        .changes
        .iter()
        .flatten()
        .map(|change| (&*change.element, change.item_id.as_ref().map(|id| &*id.id)))
        .collect();
    assert_eq!(changes, [("Create", Some("A")), ("Delete", Some("B")), ("ReadFlagChange", Some("C"))]);
}
