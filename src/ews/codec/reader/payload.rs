//! Decodes the payloads of each operation's messages. Each function gets one child of a message and reads it if it is part of the payload.
//!
//! Missing content stays `None`: an empty calendar and a response without one differ.

use super::super::error::DecodeResult;
use super::document::{XmlDocument, XmlElement};
use super::namespace::Namespace;
use super::{item, mailboxes, value};
use crate::ews::op::{EffectiveRights, Folder, Resolution, ResolutionSet, RootFolder, UpdateItemPayload};
use crate::ews::types::{Item, Mailbox, Text};

/// No payload: `DeleteItem`, and operations that Adjourn never calls.
pub(super) fn no_payload(_: &mut XmlDocument<'_>, _: &XmlElement<'_>, (): &mut ()) -> DecodeResult<()> {
    Ok(())
}

/// `m:Items`: `GetItem`, `CreateItem`, `MoveItem`.
pub(super) fn items<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    items: &mut Option<Vec<Item<'a>>>,
) -> DecodeResult<()> {
    if child.is(Namespace::Messages, "Items") {
        *items = Some(item::items(document, child)?);
    }
    Ok(())
}

/// `m:Items` and `m:ConflictResults`: `UpdateItem`.
pub(super) fn updated<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    updated: &mut UpdateItemPayload<'a>,
) -> DecodeResult<()> {
    match child.local_name_in(Namespace::Messages) {
        "Items" => updated.items = Some(item::items(document, child)?),
        "ConflictResults" => updated.conflict_count = conflict_count(document, child)?,
        _ => {}
    }
    Ok(())
}

fn conflict_count<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Option<u32>> {
    let mut count = None;
    document.children(element, |document, child| {
        if child.is(Namespace::Types, "Count") {
            count = value::number(document, child)?;
        }
        Ok(())
    })?;
    Ok(count)
}

/// `m:RootFolder`: `FindItem`.
pub(super) fn root_folder<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    folder: &mut Option<RootFolder<'a>>,
) -> DecodeResult<()> {
    if !child.is(Namespace::Messages, "RootFolder") {
        return Ok(());
    }
    let folder = folder.insert(RootFolder {
        total_items_in_view: value::number_in(child, "TotalItemsInView"),
        includes_last_item_in_range: value::boolean_in(child, "IncludesLastItemInRange"),
        items: None,
    });
    document.children(child, |document, list| {
        if list.is(Namespace::Types, "Items") {
            folder.items = Some(item::items(document, list)?);
        }
        Ok(())
    })
}

/// `m:Folders`: `GetFolder`.
pub(super) fn folders<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    folders: &mut Option<Vec<Folder<'a>>>,
) -> DecodeResult<()> {
    if !child.is(Namespace::Messages, "Folders") {
        return Ok(());
    }
    let folders = folders.insert(Vec::new());
    document.children(child, |document, entry| {
        document.count_entry(entry)?;
        folders.push(folder(document, entry)?);
        Ok(())
    })
}

fn folder<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Folder<'a>> {
    let mut folder = Folder { element: element.local_name.into(), ..Folder::default() };
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "FolderId" => folder.folder_id = mailboxes::id(child),
            "DisplayName" => folder.display_name = Some(document.text(child)?),
            "TotalCount" => folder.total_count = value::number(document, child)?,
            "ChildFolderCount" => folder.child_folder_count = value::number(document, child)?,
            "EffectiveRights" => folder.effective_rights = Some(effective_rights(document, child)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(folder)
}

fn effective_rights<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<EffectiveRights> {
    let mut rights = EffectiveRights::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "CreateContents" => rights.create_contents = value::boolean(document, child)?,
            "Read" => rights.read = value::boolean(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(rights)
}

/// `m:ResolutionSet`: `ResolveNames`. A match without a mailbox counts too: several matches are not one match.
pub(super) fn resolutions<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    set: &mut Option<ResolutionSet<'a>>,
) -> DecodeResult<()> {
    if !child.is(Namespace::Messages, "ResolutionSet") {
        return Ok(());
    }
    let set = set.insert(ResolutionSet {
        total_items_in_view: value::number_in(child, "TotalItemsInView"),
        includes_last_item_in_range: value::boolean_in(child, "IncludesLastItemInRange"),
        resolutions: Vec::new(),
    });
    document.children(child, |document, entry| {
        if entry.is(Namespace::Types, "Resolution") {
            document.count_entry(entry)?;
            set.resolutions.push(resolution(document, entry)?);
        }
        Ok(())
    })
}

fn resolution<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Resolution<'a>> {
    let mut resolution = Resolution::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "Mailbox" => resolution.mailbox = mailboxes::mailbox(document, child)?,
            "Contact" => resolution.email_addresses = email_addresses(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(resolution)
}

/// `t:EmailAddresses` of a `t:Contact`. Skips the contact's other parts (photo, telephone numbers).
fn email_addresses<'a>(
    document: &mut XmlDocument<'a>,
    contact: &XmlElement<'a>,
) -> DecodeResult<Vec<Text<'a>>> {
    let mut addresses = Vec::new();
    document.children(contact, |document, child| {
        if child.is(Namespace::Types, "EmailAddresses") {
            addresses = mailboxes::list(document, child, "Entry", |document, entry| document.text(entry))?;
        }
        Ok(())
    })?;
    Ok(addresses)
}

/// `m:RoomLists`, each `t:Address`: `GetRoomLists`.
pub(super) fn room_lists<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    lists: &mut Option<Vec<Mailbox<'a>>>,
) -> DecodeResult<()> {
    if !child.is(Namespace::Messages, "RoomLists") {
        return Ok(());
    }
    let lists = lists.insert(Vec::new());
    document.children(child, |document, entry| {
        if entry.is(Namespace::Types, "Address") {
            document.count_entry(entry)?;
            lists.push(mailboxes::mailbox(document, entry)?);
        }
        Ok(())
    })
}

/// `m:Rooms`, each `t:Room/t:Id`: `GetRooms`.
pub(super) fn rooms<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    rooms: &mut Option<Vec<Mailbox<'a>>>,
) -> DecodeResult<()> {
    if !child.is(Namespace::Messages, "Rooms") {
        return Ok(());
    }
    let rooms = rooms.insert(Vec::new());
    document.children(child, |document, entry| {
        if entry.is(Namespace::Types, "Room") {
            document.count_entry(entry)?;
            rooms.push(mailboxes::mailbox_inside(document, entry, "Id")?.unwrap_or_default());
        }
        Ok(())
    })
}
