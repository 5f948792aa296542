//! People: mailboxes, attendees and categories inside an item.

use super::super::rules;
use super::cursor::Cursor;
use super::markup::Tag;
use super::{Reason, Scan};
use crate::ews::types::{Attendee, ItemId, Mailbox, Text};

/// What is inside `t:Organizer`, and its end tag.
pub(super) fn organizer<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Mailbox<'a>> {
    let mut found = None;
    while let Some(child) = cursor.child(tag)? {
        if child.name != "t:Mailbox" || found.is_some() {
            return cursor.decline(Reason::Structure);
        }
        found = Some(mailbox(cursor, &child)?);
    }
    match found {
        Some(mailbox) => Ok(mailbox),
        None => cursor.decline(Reason::Structure),
    }
}

/// What is inside `t:Mailbox`, in any order, and its end tag.
fn mailbox<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Mailbox<'a>> {
    let mut mailbox = Mailbox::default();
    if tag.attributes().next().is_some() {
        return cursor.decline(Reason::Attribute);
    }
    while let Some(child) = cursor.child(tag)? {
        let slot = match child.name {
            "t:Name" => &mut mailbox.name,
            "t:EmailAddress" => &mut mailbox.email_address,
            "t:RoutingType" => &mut mailbox.routing_type,
            "t:MailboxType" => &mut mailbox.mailbox_type,
            _ => return cursor.decline(Reason::Structure),
        };
        if slot.replace(cursor.text_of(&child)?).is_some() {
            return cursor.decline(Reason::Twice);
        }
    }
    Ok(mailbox)
}

/// What is inside a list whose entries all have this name, and its end tag.
pub(super) fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    list: &Tag<'a>,
    name: &str,
    read: impl Fn(&mut Cursor<'a>, &Tag<'a>) -> Scan<T>,
) -> Scan<Vec<T>> {
    let mut entries = Vec::new();
    while let Some(child) = cursor.child(list)? {
        if child.name != name {
            return cursor.decline(Reason::Structure);
        }
        cursor.count_entry()?;
        entries.push(read(cursor, &child)?);
    }
    Ok(entries)
}

/// What is inside a list of attendees, and its end tag.
pub(super) fn attendees<'a>(cursor: &mut Cursor<'a>, list: &Tag<'a>) -> Scan<Vec<Attendee<'a>>> {
    self::list(cursor, list, "t:Attendee", attendee)
}

fn attendee<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Attendee<'a>> {
    let (mut who, mut response_type) = (None, None);
    while let Some(child) = cursor.child(tag)? {
        let twice = match child.name {
            "t:Mailbox" => who.replace(mailbox(cursor, &child)?).is_some(),
            "t:ResponseType" => {
                response_type.replace(rules::names::response_type(cursor.token_of(&child)?)).is_some()
            }
            _ => {
                cursor.skip(&child)?;
                false
            }
        };
        if twice {
            return cursor.decline(Reason::Twice);
        }
    }
    match who {
        Some(mailbox) => Ok(Attendee { mailbox, response_type }),
        None => cursor.decline(Reason::Structure),
    }
}

/// What is inside `t:Categories`, and its end tag.
pub(super) fn strings<'a>(cursor: &mut Cursor<'a>, list: &Tag<'a>) -> Scan<Vec<Text<'a>>> {
    self::list(cursor, list, "t:String", |cursor, child| cursor.text_of(child))
}

/// An id's attributes, and its end tag if it has one.
pub(super) fn item_id<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<ItemId<'a>> {
    let Some(id) = tag.attribute("Id") else { return cursor.decline(Reason::Attribute) };
    cursor.skip(tag)?;
    Ok(ItemId { id, change_key: tag.attribute("ChangeKey") })
}
