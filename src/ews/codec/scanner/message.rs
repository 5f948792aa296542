//! Scans response messages and their payloads.

use super::super::rules;
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::item;
use super::markup::Tag;
use crate::ews::code::ResponseCode;
use crate::ews::op::{RootFolder, UpdateItemPayload};
use crate::ews::types::{Item, MessageXmlEntry, ResponseMessage};

/// The payload of a message, of any operation that the scanner decodes.
#[derive(Default)]
pub(super) struct Payload<'a> {
    pub(super) items: Option<Vec<Item<'a>>>,
    pub(super) root_folder: Option<RootFolder<'a>>,
    conflict_count: Option<u32>,
}

impl<'a> Payload<'a> {
    pub(super) fn updated(self) -> UpdateItemPayload<'a> {
        UpdateItemPayload { items: self.items, conflict_count: self.conflict_count }
    }
}

/// `m:ResponseMessages` and the end tag of the response; `keep` selects the operation's part of each payload.
pub(super) fn messages<'a, T>(
    cursor: &mut Cursor<'a>,
    answer: &str,
    keep: impl Fn(Payload<'a>) -> T,
) -> ScanResult<Vec<ResponseMessage<'a, T>>> {
    cursor.skip_white_space();
    let list = cursor.start_tag()?;
    if list.name != "m:ResponseMessages" || list.attributes().next().is_some() {
        return cursor.decline(DeclineReason::Structure);
    }
    let mut messages = Vec::new();
    while let Some(tag) = cursor.next_child(&list)? {
        cursor.count_entry()?;
        messages.push(message(cursor, answer, &tag, &keep)?);
    }
    cursor.skip_white_space();
    cursor.end_tag(answer)?;
    Ok(messages)
}

fn message<'a, T>(
    cursor: &mut Cursor<'a>,
    answer: &str,
    tag: &Tag<'a>,
    keep: &impl Fn(Payload<'a>) -> T,
) -> ScanResult<ResponseMessage<'a, T>> {
    if tag.name.strip_suffix("Message") != Some(answer) {
        return cursor.decline(DeclineReason::Structure);
    }
    let class = tag.attribute("ResponseClass").and_then(|class| rules::names::response_class(&class));
    let Some(class) = class else { return cursor.decline(DeclineReason::Value) };
    let (mut code, mut message_text, mut message_xml) = (None, None, None);
    let mut payload = Payload::default();
    let mut seen_bits = 0;
    while let Some(child) = cursor.next_child(tag)? {
        let slot = match child.name {
            "m:ResponseCode" => code.replace(ResponseCode(cursor.token_of(&child)?)).map(drop),
            "m:MessageText" => message_text.replace(cursor.text_of(&child)?).map(drop),
            "m:MessageXml" => message_xml.replace(entries(cursor, &child)?).map(drop),
            _ => {
                seen_bits |= read_payload(cursor, &child, seen_bits, &mut payload)?;
                None
            }
        };
        if slot.is_some() {
            return cursor.decline(DeclineReason::Twice);
        }
    }
    let Some(code) = code else { return cursor.decline(DeclineReason::Structure) };
    let message_xml = message_xml.unwrap_or_default();
    Ok(ResponseMessage { class, code, message_text, message_xml, payload: keep(payload) })
}

/// Reads a payload child, or skips an unknown one. Returns the bit of the payload.
fn read_payload<'a>(
    cursor: &mut Cursor<'a>,
    child: &Tag<'a>,
    seen_bits: u8,
    payload: &mut Payload<'a>,
) -> ScanResult<u8> {
    let bit = match child.name {
        "m:Items" => 1,
        "m:RootFolder" => 2,
        "m:ConflictResults" => 4,
        _ => {
            cursor.skip_element(child)?;
            return Ok(0);
        }
    };
    if seen_bits & bit != 0 {
        return cursor.decline(DeclineReason::Twice);
    }
    match bit {
        1 => item::items(cursor, child, 0, payload.items.insert(Vec::new()))?,
        2 => payload.root_folder = Some(root_folder(cursor, child)?),
        _ => payload.conflict_count = conflict_count(cursor, child)?,
    }
    Ok(bit)
}

fn root_folder<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<RootFolder<'a>> {
    let mut folder = RootFolder::default();
    if let Some(total) = tag.attribute("TotalItemsInView") {
        let Some(total) = rules::number(&total) else { return cursor.decline(DeclineReason::Value) };
        folder.total_items_in_view = Some(total);
    }
    if let Some(last) = tag.attribute("IncludesLastItemInRange") {
        let Some(last) = rules::boolean(&last) else { return cursor.decline(DeclineReason::Value) };
        folder.includes_last_item_in_range = Some(last);
    }
    let expected = folder.total_items_in_view.unwrap_or_default() as usize;
    let mut seen = false;
    while let Some(child) = cursor.next_child(tag)? {
        if child.name != "t:Items" {
            cursor.skip_element(&child)?;
        } else if std::mem::replace(&mut seen, true) {
            return cursor.decline(DeclineReason::Twice);
        } else {
            item::items(cursor, &child, expected, folder.items.insert(Vec::new()))?;
        }
    }
    Ok(folder)
}

fn conflict_count(cursor: &mut Cursor<'_>, tag: &Tag<'_>) -> ScanResult<Option<u32>> {
    if tag.self_closing {
        return Ok(None);
    }
    cursor.skip_white_space();
    cursor.expect_literal("<t:Count>")?;
    let Some(count) = rules::number(&cursor.text()?) else { return cursor.decline(DeclineReason::Value) };
    cursor.end_tag("t:Count")?;
    cursor.skip_white_space();
    cursor.end_tag(tag.name)?;
    Ok(Some(count))
}

/// `m:MessageXml`, whose entries have no children here.
fn entries<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Vec<MessageXmlEntry<'a>>> {
    let mut entries = Vec::new();
    if tag.attributes().next().is_some() {
        return cursor.decline(DeclineReason::Attribute);
    }
    while let Some(child) = cursor.next_child(tag)? {
        cursor.count_entry()?;
        let Some(element) = child.name.strip_prefix("t:") else {
            return cursor.decline(DeclineReason::Namespace);
        };
        let name = child.attribute("Name").or_else(|| child.attribute("FieldURI"));
        let value = if child.self_closing {
            "".into()
        } else {
            let value = cursor.text()?;
            cursor.end_tag(child.name)?;
            value
        };
        entries.push(MessageXmlEntry { element: element.into(), name, value });
    }
    Ok(entries)
}
