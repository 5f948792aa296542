//! Decodes ids, mailboxes and attendees, which items, rooms and resolutions share.

use super::super::error::DecodeResult;
use super::super::rules::names;
use super::document::{XmlDocument, XmlElement};
use super::namespace::Namespace;
use super::value;
use crate::ews::types::{Attendee, ItemId, Mailbox, Text};

/// `t:ItemId` or `t:FolderId`. `None` without the attribute `Id`.
pub(super) fn id<'a>(element: &XmlElement<'a>) -> Option<ItemId<'a>> {
    Some(ItemId { id: element.attribute("Id")?, change_key: element.attribute("ChangeKey") })
}

/// `t:EmailAddressType`, whatever the element's name. The schema types all its parts as strings, so white space is kept.
pub(super) fn mailbox<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Mailbox<'a>> {
    let mut mailbox = Mailbox::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "Name" => mailbox.name = Some(document.text(child)?),
            "EmailAddress" => mailbox.email_address = Some(document.text(child)?),
            "RoutingType" => mailbox.routing_type = Some(document.text(child)?),
            "MailboxType" => mailbox.mailbox_type = Some(document.text(child)?),
            "ItemId" => mailbox.item_id = id(child).map(Box::new),
            _ => {}
        }
        Ok(())
    })?;
    Ok(mailbox)
}

/// The mailbox in a child element: `name` is `Mailbox` in an organizer and a resolution, `Id` in a room.
pub(super) fn mailbox_inside<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
    name: &str,
) -> DecodeResult<Option<Mailbox<'a>>> {
    let mut found = None;
    document.children(element, |document, child| {
        if child.is(Namespace::Types, name) {
            found = Some(mailbox(document, child)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// A list whose entries have this name. Keeps an entry without content, because the number of entries matters too.
pub(super) fn list<'a, T>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
    name: &str,
    read: impl Fn(&mut XmlDocument<'a>, &XmlElement<'a>) -> DecodeResult<T>,
) -> DecodeResult<Vec<T>> {
    let mut entries = Vec::new();
    document.children(list, |document, child| {
        if child.is(Namespace::Types, name) {
            document.count_entry(child)?;
            entries.push(read(document, child)?);
        }
        Ok(())
    })?;
    Ok(entries)
}

/// A list of `t:Attendee`.
pub(super) fn attendees<'a>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
) -> DecodeResult<Vec<Attendee<'a>>> {
    self::list(document, list, "Attendee", attendee)
}

fn attendee<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Attendee<'a>> {
    let mut attendee = Attendee::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "Mailbox" => attendee.mailbox = mailbox(document, child)?,
            "ResponseType" => {
                attendee.response_type = value::token(document, child)?.map(names::response_type);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(attendee)
}

/// `t:Categories`: a list of `t:String`.
pub(super) fn strings<'a>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
) -> DecodeResult<Vec<Text<'a>>> {
    self::list(document, list, "String", |document, child| document.text(child))
}
