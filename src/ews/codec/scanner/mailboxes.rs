//! Scans mailboxes, attendees and categories inside an item.

use super::super::rules;
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use crate::ews::types::{Attendee, ItemId, Mailbox, Text};

/// Content and end tag of `t:Organizer`.
pub(super) fn organizer<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Mailbox<'a>> {
    let mut found = None;
    while let Some(child) = cursor.next_child(tag)? {
        if child.name != "t:Mailbox" || found.is_some() {
            return cursor.decline(DeclineReason::Structure);
        }
        found = Some(mailbox(cursor, &child)?);
    }
    match found {
        Some(mailbox) => Ok(mailbox),
        None => cursor.decline(DeclineReason::Structure),
    }
}

/// Content of `t:Mailbox` in any order, and its end tag.
fn mailbox<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Mailbox<'a>> {
    let mut mailbox = Mailbox::default();
    if tag.attributes().next().is_some() {
        return cursor.decline(DeclineReason::Attribute);
    }
    while let Some(child) = cursor.next_child(tag)? {
        let slot = match child.name {
            "t:Name" => &mut mailbox.name,
            "t:EmailAddress" => &mut mailbox.email_address,
            "t:RoutingType" => &mut mailbox.routing_type,
            "t:MailboxType" => &mut mailbox.mailbox_type,
            _ => return cursor.decline(DeclineReason::Structure),
        };
        if slot.replace(cursor.text_of(&child)?).is_some() {
            return cursor.decline(DeclineReason::Twice);
        }
    }
    Ok(mailbox)
}

/// Content and end tag of a list whose entries all have this name.
pub(super) fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    list: &Tag<'a>,
    name: &str,
    read: impl Fn(&mut Cursor<'a>, &Tag<'a>) -> ScanResult<T>,
) -> ScanResult<Vec<T>> {
    let mut entries = Vec::new();
    while let Some(child) = cursor.next_child(list)? {
        if child.name != name {
            return cursor.decline(DeclineReason::Structure);
        }
        cursor.count_entry()?;
        entries.push(read(cursor, &child)?);
    }
    Ok(entries)
}

/// Content and end tag of a list of attendees.
pub(super) fn attendees<'a>(cursor: &mut Cursor<'a>, list: &Tag<'a>) -> ScanResult<Vec<Attendee<'a>>> {
    self::list(cursor, list, "t:Attendee", attendee)
}

fn attendee<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Attendee<'a>> {
    let (mut who, mut response_type) = (None, None);
    while let Some(child) = cursor.next_child(tag)? {
        let twice = match child.name {
            "t:Mailbox" => who.replace(mailbox(cursor, &child)?).is_some(),
            "t:ResponseType" => {
                response_type.replace(rules::names::response_type(cursor.token_of(&child)?)).is_some()
            }
            _ => {
                cursor.skip_element(&child)?;
                false
            }
        };
        if twice {
            return cursor.decline(DeclineReason::Twice);
        }
    }
    match who {
        Some(mailbox) => Ok(Attendee { mailbox, response_type }),
        None => cursor.decline(DeclineReason::Structure),
    }
}

/// Content and end tag of `t:Categories`.
pub(super) fn strings<'a>(cursor: &mut Cursor<'a>, list: &Tag<'a>) -> ScanResult<Vec<Text<'a>>> {
    self::list(cursor, list, "t:String", |cursor, child| cursor.text_of(child))
}

/// Attributes of an id, and its end tag if there is one.
pub(super) fn item_id<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<ItemId<'a>> {
    let Some(id) = tag.attribute("Id") else { return cursor.decline(DeclineReason::Attribute) };
    cursor.skip_element(tag)?;
    Ok(ItemId { id, change_key: tag.attribute("ChangeKey") })
}
