//! Response messages: what each says, and what it carries.

use super::super::rules;
use super::cursor::Cursor;
use super::item;
use super::markup::Tag;
use super::{Reason, Scan};
use crate::ews::code::ResponseCode;
use crate::ews::op::{RootFolder, Updated};
use crate::ews::types::{Item, MessageXmlEntry, ResponseMessage};

/// Whatever a message of any operation we know may carry.
#[derive(Default)]
pub(super) struct Payload<'a> {
    pub(super) items: Option<Vec<Item<'a>>>,
    pub(super) root_folder: Option<RootFolder<'a>>,
    conflict_count: Option<u32>,
}

impl<'a> Payload<'a> {
    pub(super) fn updated(self) -> Updated<'a> {
        Updated { items: self.items, conflict_count: self.conflict_count }
    }
}

/// `m:ResponseMessages` and the end of the answer around it; `keep` takes of each payload what the operation has.
pub(super) fn messages<'a, T>(
    cursor: &mut Cursor<'a>,
    answer: &str,
    keep: impl Fn(Payload<'a>) -> T,
) -> Scan<Vec<ResponseMessage<'a, T>>> {
    cursor.space();
    let list = cursor.open()?;
    if list.name != "m:ResponseMessages" || list.attributes().next().is_some() {
        return cursor.decline(Reason::Structure);
    }
    let mut messages = Vec::new();
    while let Some(tag) = cursor.child(&list)? {
        cursor.count_entry()?;
        messages.push(message(cursor, answer, &tag, &keep)?);
    }
    cursor.space();
    cursor.close(answer)?;
    Ok(messages)
}

fn message<'a, T>(
    cursor: &mut Cursor<'a>,
    answer: &str,
    tag: &Tag<'a>,
    keep: &impl Fn(Payload<'a>) -> T,
) -> Scan<ResponseMessage<'a, T>> {
    if tag.name.strip_suffix("Message") != Some(answer) {
        return cursor.decline(Reason::Structure);
    }
    let class = tag.attribute("ResponseClass").and_then(|class| rules::names::response_class(&class));
    let Some(class) = class else { return cursor.decline(Reason::Value) };
    let (mut code, mut message_text, mut message_xml) = (None, None, None);
    let mut payload = Payload::default();
    let mut carried = 0;
    while let Some(child) = cursor.child(tag)? {
        let slot = match child.name {
            "m:ResponseCode" => code.replace(ResponseCode(cursor.token_of(&child)?)).map(drop),
            "m:MessageText" => message_text.replace(cursor.text_of(&child)?).map(drop),
            "m:MessageXml" => message_xml.replace(entries(cursor, &child)?).map(drop),
            _ => {
                carried |= carry(cursor, &child, carried, &mut payload)?;
                None
            }
        };
        if slot.is_some() {
            return cursor.decline(Reason::Twice);
        }
    }
    let Some(code) = code else { return cursor.decline(Reason::Structure) };
    let message_xml = message_xml.unwrap_or_default();
    Ok(ResponseMessage { class, code, message_text, message_xml, payload: keep(payload) })
}

/// A child that is payload, or one that nobody asked for. Answers the bit of what came.
fn carry<'a>(cursor: &mut Cursor<'a>, child: &Tag<'a>, carried: u8, payload: &mut Payload<'a>) -> Scan<u8> {
    let bit = match child.name {
        "m:Items" => 1,
        "m:RootFolder" => 2,
        "m:ConflictResults" => 4,
        _ => {
            cursor.skip(child)?;
            return Ok(0);
        }
    };
    if carried & bit != 0 {
        return cursor.decline(Reason::Twice);
    }
    match bit {
        1 => item::items(cursor, child, 0, payload.items.insert(Vec::new()))?,
        2 => payload.root_folder = Some(root_folder(cursor, child)?),
        _ => payload.conflict_count = conflict_count(cursor, child)?,
    }
    Ok(bit)
}

fn root_folder<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<RootFolder<'a>> {
    let mut folder = RootFolder::default();
    if let Some(total) = tag.attribute("TotalItemsInView") {
        let Some(total) = rules::number(&total) else { return cursor.decline(Reason::Value) };
        folder.total_items_in_view = Some(total);
    }
    if let Some(last) = tag.attribute("IncludesLastItemInRange") {
        let Some(last) = rules::boolean(&last) else { return cursor.decline(Reason::Value) };
        folder.includes_last_item_in_range = Some(last);
    }
    let expected = folder.total_items_in_view.unwrap_or_default() as usize;
    let mut seen = false;
    while let Some(child) = cursor.child(tag)? {
        if child.name != "t:Items" {
            cursor.skip(&child)?;
        } else if std::mem::replace(&mut seen, true) {
            return cursor.decline(Reason::Twice);
        } else {
            item::items(cursor, &child, expected, folder.items.insert(Vec::new()))?;
        }
    }
    Ok(folder)
}

fn conflict_count(cursor: &mut Cursor<'_>, tag: &Tag<'_>) -> Scan<Option<u32>> {
    if tag.empty {
        return Ok(None);
    }
    cursor.space();
    cursor.expect("<t:Count>")?;
    let Some(count) = rules::number(&cursor.text()?) else { return cursor.decline(Reason::Value) };
    cursor.close("t:Count")?;
    cursor.space();
    cursor.close(tag.name)?;
    Ok(Some(count))
}

/// `m:MessageXml`: entries without children of their own.
fn entries<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Vec<MessageXmlEntry<'a>>> {
    let mut entries = Vec::new();
    if tag.attributes().next().is_some() {
        return cursor.decline(Reason::Attribute);
    }
    while let Some(child) = cursor.child(tag)? {
        cursor.count_entry()?;
        let Some(element) = child.name.strip_prefix("t:") else { return cursor.decline(Reason::Namespace) };
        let name = child.attribute("Name").or_else(|| child.attribute("FieldURI"));
        let value = if child.empty {
            "".into()
        } else {
            let value = cursor.text()?;
            cursor.close(child.name)?;
            value
        };
        entries.push(MessageXmlEntry { element: element.into(), name, value });
    }
    Ok(entries)
}
