//! What changed: the payloads of `Subscribe`, `GetStreamingEvents` and `SyncFolderItems`.
//!
//! The schemas put the ids of a stream now in the messages namespace, now in the types namespace, and servers do as they like:
//! both are read.

use super::super::error::DecodeError;
use super::document::{Document, Element};
use super::namespace::Namespace;
use super::{people, value};
use crate::ews::op::{Notification, NotificationEvent, Streamed, Subscribed, SyncChange, Synced};
use crate::ews::types::{ItemId, Text};

type Result<T> = std::result::Result<T, DecodeError>;

/// `Subscribe`.
pub(super) fn subscribed<'a>(
    document: &mut Document<'a>,
    child: &Element<'a>,
    subscribed: &mut Subscribed<'a>,
) -> Result<()> {
    if local(child) == "SubscriptionId" {
        subscribed.subscription_id = value::token(document, child)?;
    }
    Ok(())
}

/// `GetStreamingEvents`, one envelope of it.
pub(super) fn streamed<'a>(
    document: &mut Document<'a>,
    child: &Element<'a>,
    streamed: &mut Streamed<'a>,
) -> Result<()> {
    match local(child) {
        "Notifications" => document.children(child, |document, entry| {
            if local(entry) == "Notification" {
                document.count_entry(entry)?;
                streamed.notifications.push(notification(document, entry)?);
            }
            Ok(())
        })?,
        "ErrorSubscriptionIds" => document.children(child, |document, entry| {
            if local(entry) == "SubscriptionId" {
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

fn notification<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Notification<'a>> {
    let mut notification = Notification::default();
    document.children(element, |document, child| {
        match child.local_in(Namespace::Types) {
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
    document: &mut Document<'a>,
    child: &Element<'a>,
    synced: &mut Synced<'a>,
) -> Result<()> {
    match child.local_in(Namespace::Messages) {
        "SyncState" => synced.sync_state = value::token(document, child)?,
        "IncludesLastItemInRange" => synced.includes_last_item_in_range = value::boolean(document, child)?,
        "Changes" => {
            let changes = synced.changes.get_or_insert_default();
            document.children(child, |document, entry| {
                document.count_entry(entry)?;
                let (element, item_id): (Text<'a>, _) = (entry.local.into(), changed(document, entry)?);
                changes.push(SyncChange { element, item_id });
                Ok(())
            })?;
        }
        _ => {}
    }
    Ok(())
}

/// A change names its item by id, or holds it whole.
fn changed<'a>(document: &mut Document<'a>, entry: &Element<'a>) -> Result<Option<ItemId<'a>>> {
    let mut found = None;
    document.children(entry, |document, child| {
        found = match child.local_in(Namespace::Types) {
            "ItemId" => people::id(child),
            "" | "IsRead" => found.take(),
            _ => item_id(document, child)?,
        };
        Ok(())
    })?;
    Ok(found)
}

/// The `t:ItemId` right inside.
fn item_id<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Option<ItemId<'a>>> {
    let mut found = None;
    document.children(element, |_, child| {
        if child.is(Namespace::Types, "ItemId") {
            found = people::id(child);
        }
        Ok(())
    })?;
    Ok(found)
}

fn local<'a>(element: &Element<'a>) -> &'a str {
    match element.namespace {
        Namespace::Messages | Namespace::Types => element.local,
        _ => "",
    }
}
