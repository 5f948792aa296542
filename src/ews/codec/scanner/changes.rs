//! Scans the payloads of `Subscribe`, `GetStreamingEvents` and `SyncFolderItems`.
//!
//! Notifications and changes in Exchange's form are compared with literals, all others are read by name.

use super::super::byte_scanner::{Avx2, Baseline, ByteScanner};
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use super::payload::Payload;
use super::property::{self, set_once};
use super::value::{self, AfterValue, IdLengths};
use crate::ews::op::{
    Notification, NotificationEvent, StreamingEventsPayload, SubscribePayload, SyncChange,
    SyncFolderItemsPayload,
};
use crate::ews::types::{ItemId, Text};

/// The bytes of a change in `SyncFolderItems`, about: how many changes to reserve memory for in advance.
const CHANGE_BYTES: usize = 256;
/// The changes of one page: Exchange returns at most 512.
const CHANGES_MAX: usize = 512;

/// `m:SubscriptionId`: `Subscribe`.
impl<'a> Payload<'a> for SubscribePayload<'a> {
    fn read_in_order(&mut self, _: &mut Cursor<'a>) -> ScanResult<()> {
        Ok(())
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        match exchange_local_name(child) {
            "SubscriptionId" => set_once!(cursor, self.subscription_id, cursor.token_of(child)?),
            _ => cursor.skip_element(child)?,
        }
        Ok(())
    }
}

/// `m:Notifications`, `m:ConnectionStatus` and `m:ErrorSubscriptionIds`: one envelope of `GetStreamingEvents`.
impl<'a> Payload<'a> for StreamingEventsPayload<'a> {
    #[inline]
    fn read_in_order(&mut self, cursor: &mut Cursor<'a>) -> ScanResult<()> {
        if cursor.skip_literal("<m:Notifications>") {
            notifications(cursor, &Tag::plain("m:Notifications"), &mut self.notifications)?;
        } else if cursor.skip_literal("<m:ConnectionStatus>") {
            self.connection_status = Some(Text::Borrowed(cursor.token()?));
            cursor.end_tag("m:ConnectionStatus")?;
        }
        Ok(())
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        match exchange_local_name(child) {
            "Notifications" => notifications(cursor, child, &mut self.notifications)?,
            "ConnectionStatus" => set_once!(cursor, self.connection_status, cursor.token_of(child)?),
            "ErrorSubscriptionIds" => {
                while let Some(entry) = cursor.next_child(child)? {
                    if exchange_local_name(&entry) == "SubscriptionId" {
                        cursor.count_entry()?;
                        self.error_subscription_ids.push(cursor.token_of(&entry)?);
                    } else {
                        cursor.skip_element(&entry)?;
                    }
                }
            }
            _ => cursor.skip_element(child)?,
        }
        Ok(())
    }
}

/// Content and end tag of `m:Notifications`.
fn notifications<'a>(
    cursor: &mut Cursor<'a>,
    list: &Tag<'a>,
    all: &mut Vec<Notification<'a>>,
) -> ScanResult<()> {
    loop {
        while !list.self_closing && cursor.skip_literal("<m:Notification>") {
            notification(cursor, &Tag::plain("m:Notification"), all)?;
        }
        let Some(child) = cursor.next_child(list)? else { return Ok(()) };
        if exchange_local_name(&child) == "Notification" {
            notification(cursor, &child, all)?;
        } else {
            cursor.skip_element(&child)?;
        }
    }
}

/// Content and end tag of a notification.
fn notification<'a>(
    cursor: &mut Cursor<'a>,
    tag: &Tag<'a>,
    all: &mut Vec<Notification<'a>>,
) -> ScanResult<()> {
    cursor.count_entry()?;
    all.push(Notification::default());
    let Some(notification) = all.last_mut() else { return cursor.decline(DeclineReason::Structure) };
    if !tag.self_closing {
        notification_in_order(cursor, notification)?;
    }
    while let Some(child) = cursor.next_child(tag)? {
        match child.name.strip_prefix("t:") {
            Some("SubscriptionId") => {
                set_once!(cursor, notification.subscription_id, cursor.token_of(&child)?);
            }
            Some(name) if name.ends_with("Event") => {
                cursor.count_entry()?;
                let item_id = inner_item_id(cursor, &child)?;
                notification.events.push(NotificationEvent { element: name.into(), item_id });
            }
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(())
}

/// The id and the events as long as they have Exchange's form.
fn notification_in_order<'a>(cursor: &mut Cursor<'a>, notification: &mut Notification<'a>) -> ScanResult<()> {
    if cursor.skip_literal("<t:SubscriptionId>") {
        notification.subscription_id = Some(Text::Borrowed(cursor.token()?));
        cursor.expect_literal("</t:SubscriptionId>")?;
    }
    match Avx2::detect() {
        Some(avx2) => avx2.with_target_features(
            #[inline(always)]
            || usual_events(avx2, cursor, &mut notification.events),
        ),
        None => usual_events(Baseline, cursor, &mut notification.events),
    }
}

#[inline(always)]
fn usual_events<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    events: &mut Vec<NotificationEvent<'a>>,
) -> ScanResult<()> {
    loop {
        let rest = cursor.rest();
        let after = if let Some(rest) = rest.strip_prefix("<t:ModifiedEvent><t:TimeStamp>") {
            usual_event(vector, rest, "ModifiedEvent", "</t:ModifiedEvent>", events)
        } else if let Some(rest) = rest.strip_prefix("<t:CreatedEvent><t:TimeStamp>") {
            usual_event(vector, rest, "CreatedEvent", "</t:CreatedEvent>", events)
        } else if let Some(rest) = rest.strip_prefix("<t:DeletedEvent><t:TimeStamp>") {
            usual_event(vector, rest, "DeletedEvent", "</t:DeletedEvent>", events)
        } else {
            None
        };
        let Some(after) = after else { return Ok(()) };
        cursor.count_entry()?;
        cursor.jump_to(after);
    }
}

/// An event of an item or a folder, after the start of its time: the time, its id and its parent's, and its end tag.
#[inline(always)]
fn usual_event<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    element: &'static str,
    end: &'static str,
    events: &mut Vec<NotificationEvent<'a>>,
) -> AfterValue<'a> {
    let rest = value::plain_text(rest, &mut None)?.strip_prefix("</t:TimeStamp>")?;
    let lengths = &mut IdLengths::default();
    let (item_id, rest) = match rest.strip_prefix("<t:ItemId") {
        Some(rest) => value::id_attributes(vector, rest, lengths).map(|(id, rest)| (Some(id), rest))?,
        None => (None, value::id_attributes(vector, rest.strip_prefix("<t:FolderId")?, lengths)?.1),
    };
    let (_, rest) = value::id_attributes(vector, rest.strip_prefix("<t:ParentFolderId")?, lengths)?;
    let rest = rest.strip_prefix(end)?;
    events.push(NotificationEvent { element: Text::Borrowed(element), item_id });
    Some(rest)
}

/// `m:SyncState`, `m:IncludesLastItemInRange` and `m:Changes`: `SyncFolderItems`.
impl<'a> Payload<'a> for SyncFolderItemsPayload<'a> {
    #[inline]
    fn read_in_order(&mut self, cursor: &mut Cursor<'a>) -> ScanResult<()> {
        if cursor.skip_literal("<m:SyncState>") {
            self.sync_state = Some(Text::Borrowed(cursor.long_token()?));
            cursor.end_tag("m:SyncState")?;
        }
        for (literal, last) in [
            ("<m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>", true),
            ("<m:IncludesLastItemInRange>false</m:IncludesLastItemInRange>", false),
        ] {
            if self.includes_last_item_in_range.is_none() && cursor.skip_literal(literal) {
                self.includes_last_item_in_range = Some(last);
            }
        }
        if cursor.skip_literal("<m:Changes>") {
            changes(cursor, &Tag::plain("m:Changes"), self.changes.insert(Vec::new()))?;
        }
        Ok(())
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        match child.name {
            "m:SyncState" => set_once!(cursor, self.sync_state, cursor.token_of(child)?),
            "m:IncludesLastItemInRange" => {
                set_once!(cursor, self.includes_last_item_in_range, property::boolean(cursor, child)?);
            }
            "m:Changes" => changes(cursor, child, self.changes.get_or_insert_default())?,
            _ => cursor.skip_element(child)?,
        }
        Ok(())
    }
}

/// Content and end tag of `m:Changes`.
fn changes<'a>(cursor: &mut Cursor<'a>, list: &Tag<'a>, all: &mut Vec<SyncChange<'a>>) -> ScanResult<()> {
    loop {
        if !list.self_closing {
            if cursor.may_reserve() {
                all.reserve((cursor.rest().len() / CHANGE_BYTES).min(CHANGES_MAX));
            }
            match Avx2::detect() {
                Some(avx2) => avx2.with_target_features(
                    #[inline(always)]
                    || usual_changes(avx2, cursor, all),
                )?,
                None => usual_changes(Baseline, cursor, all)?,
            }
        }
        let Some(child) = cursor.next_child(list)? else { return Ok(()) };
        cursor.count_entry()?;
        let element = exchange_local_name(&child).into();
        all.push(SyncChange { element, item_id: changed_item_id(cursor, &child)? });
    }
}

/// The changes of calendar items, with their ids only.
#[inline(always)]
fn usual_changes<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    all: &mut Vec<SyncChange<'a>>,
) -> ScanResult<()> {
    let lengths = &mut IdLengths::default();
    loop {
        let rest = cursor.rest();
        let after = if let Some(rest) = rest.strip_prefix("<t:Update><t:CalendarItem><t:ItemId") {
            usual_change(vector, rest, "Update", "</t:CalendarItem></t:Update>", lengths, all)
        } else if let Some(rest) = rest.strip_prefix("<t:Create><t:CalendarItem><t:ItemId") {
            usual_change(vector, rest, "Create", "</t:CalendarItem></t:Create>", lengths, all)
        } else if let Some(rest) = rest.strip_prefix("<t:Delete><t:ItemId") {
            usual_change(vector, rest, "Delete", "</t:Delete>", lengths, all)
        } else {
            None
        };
        let Some(after) = after else { return Ok(()) };
        cursor.count_entry()?;
        cursor.jump_to(after);
    }
}

/// A change, after the name of its `t:ItemId`: the id and the end tags.
#[inline(always)]
fn usual_change<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    element: &'static str,
    end: &'static str,
    lengths: &mut IdLengths,
    all: &mut Vec<SyncChange<'a>>,
) -> AfterValue<'a> {
    let (item_id, rest) = value::id_attributes(vector, rest, lengths)?;
    let rest = rest.strip_prefix(end)?;
    all.push(SyncChange { element: Text::Borrowed(element), item_id: Some(item_id) });
    Some(rest)
}

/// A change contains the item's id, or the item itself.
fn changed_item_id<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Option<ItemId<'a>>> {
    let mut found = None;
    while let Some(child) = cursor.next_child(tag)? {
        match child.name.strip_prefix("t:") {
            Some("ItemId") => found = Some(property::item_id(cursor, &child)?),
            None | Some("IsRead") => cursor.skip_element(&child)?,
            Some(_) => found = inner_item_id(cursor, &child)?,
        }
    }
    Ok(found)
}

/// The `t:ItemId` among the children; skips the others.
fn inner_item_id<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Option<ItemId<'a>>> {
    let mut found = None;
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => set_once!(cursor, found, property::item_id(cursor, &child)?),
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(found)
}

/// The name without its prefix, which is `m` or `t`: servers disagree on the namespace of a stream's ids.
fn exchange_local_name<'a>(tag: &Tag<'a>) -> &'a str {
    tag.name.get(2..).unwrap_or_default()
}
