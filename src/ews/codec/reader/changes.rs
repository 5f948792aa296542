//! Decodes the payloads of `Subscribe`, `GetStreamingEvents` and `SyncFolderItems`.
//!
//! Schemas and servers disagree on whether the ids of a stream are in the messages or the types namespace, so both are accepted.

use super::super::error::DecodeResult;
use super::document::{XmlDocument, XmlElement};
use super::namespace::Namespace;
use super::{mailboxes, value};
use crate::ews::op::{
    Notification, NotificationEvent, StreamingEventsPayload, SubscribePayload, SyncChange,
    SyncFolderItemsPayload,
};
use crate::ews::types::{ItemId, Text};

/// `Subscribe`.
pub(super) fn subscribed<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    subscribed: &mut SubscribePayload<'a>,
) -> DecodeResult<()> {
    if exchange_local_name(child) == "SubscriptionId" {
        subscribed.subscription_id = value::token(document, child)?;
    }
    Ok(())
}

/// One envelope of `GetStreamingEvents`.
pub(super) fn streamed<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    streamed: &mut StreamingEventsPayload<'a>,
) -> DecodeResult<()> {
    match exchange_local_name(child) {
        "Notifications" => document.children(child, |document, entry| {
            if exchange_local_name(entry) == "Notification" {
                document.count_entry(entry)?;
                streamed.notifications.push(notification(document, entry)?);
            }
            Ok(())
        })?,
        "ErrorSubscriptionIds" => document.children(child, |document, entry| {
            if exchange_local_name(entry) == "SubscriptionId" {
                document.count_entry(entry)?;
                streamed.error_subscription_ids.extend(value::token(document, entry)?);
            }
            Ok(())
        })?,
        "ConnectionStatus" => streamed.connection_status = value::token(document, child)?,
        _ => {}
    }
    Ok(())
}

fn notification<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Notification<'a>> {
    let mut notification = Notification::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "SubscriptionId" => notification.subscription_id = value::token(document, child)?,
            name if name.ends_with("Event") => {
                document.count_entry(child)?;
                let item_id = item_id(document, child)?;
                notification.events.push(NotificationEvent { element: name.into(), item_id });
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(notification)
}

/// `SyncFolderItems`.
pub(super) fn synced<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    synced: &mut SyncFolderItemsPayload<'a>,
) -> DecodeResult<()> {
    match child.local_name_in(Namespace::Messages) {
        "SyncState" => synced.sync_state = value::token(document, child)?,
        "IncludesLastItemInRange" => synced.includes_last_item_in_range = value::boolean(document, child)?,
        "Changes" => {
            let changes = synced.changes.get_or_insert_default();
            document.children(child, |document, entry| {
                document.count_entry(entry)?;
                let (element, item_id): (Text<'a>, _) =
                    (entry.local_name.into(), changed_item_id(document, entry)?);
                changes.push(SyncChange { element, item_id });
                Ok(())
            })?;
        }
        _ => {}
    }
    Ok(())
}

/// A change contains the item's id, or the item itself.
fn changed_item_id<'a>(
    document: &mut XmlDocument<'a>,
    entry: &XmlElement<'a>,
) -> DecodeResult<Option<ItemId<'a>>> {
    let mut found = None;
    document.children(entry, |document, child| {
        found = match child.local_name_in(Namespace::Types) {
            "ItemId" => mailboxes::id(child),
            "" | "IsRead" => found.take(),
            _ => item_id(document, child)?,
        };
        Ok(())
    })?;
    Ok(found)
}

/// The `t:ItemId` among the children.
fn item_id<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Option<ItemId<'a>>> {
    let mut found = None;
    document.children(element, |_, child| {
        if child.is(Namespace::Types, "ItemId") {
            found = mailboxes::id(child);
        }
        Ok(())
    })?;
    Ok(found)
}

fn exchange_local_name<'a>(element: &XmlElement<'a>) -> &'a str {
    match element.namespace {
        Namespace::Messages | Namespace::Types => element.local_name,
        _ => "",
    }
}
