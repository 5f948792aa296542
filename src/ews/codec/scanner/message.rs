//! Scans response messages: the class, the code and the texts of each, and by [`Payload`] the content of its operation.
//!
//! In two stages, as an item: first in Exchange's order, by literals; then by name, whatever is left.

use super::super::rules;
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use super::payload::Payload;
use super::property::set_once;
use super::value::{self, AfterValue};
use crate::ews::code::ResponseCode;
use crate::ews::types::{MessageXmlEntry, ResponseClass, ResponseMessage, Text};

/// The tags of one operation's response, as Exchange writes them.
pub(super) struct ResponseTags {
    /// Name of the response element.
    pub(super) response: &'static str,
    /// Name of one message.
    pub(super) message: &'static str,
    /// The start of a successful message.
    pub(super) success: &'static str,
    /// The start of a failed one.
    pub(super) error: &'static str,
    /// The end of the last message, of their list and of the response.
    pub(super) end: &'static str,
}

/// The tags of an operation.
macro_rules! response_tags {
    ($operation:literal) => {
        &const {
            $crate::ews::codec::scanner::message::ResponseTags {
                response: concat!("m:", $operation, "Response"),
                message: concat!("m:", $operation, "ResponseMessage"),
                success: concat!(
                    "<m:",
                    $operation,
                    "ResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>"
                ),
                error: concat!("<m:", $operation, "ResponseMessage ResponseClass=\"Error\">"),
                end: concat!(
                    "</m:",
                    $operation,
                    "ResponseMessage></m:ResponseMessages></m:",
                    $operation,
                    "Response>"
                ),
            }
        }
    };
}
pub(super) use response_tags;

/// `m:ResponseMessages` and the end tag of the response, into an empty list.
#[inline(always)]
pub(super) fn messages<'a, P: Payload<'a>>(
    cursor: &mut Cursor<'a>,
    tags: &'static ResponseTags,
    messages: &mut Vec<ResponseMessage<'a, P>>,
) -> ScanResult<()> {
    start_of_list(cursor)?;
    while !message_or_end(cursor, tags, messages)? {}
    Ok(())
}

#[inline(always)]
fn start_of_list(cursor: &mut Cursor<'_>) -> ScanResult<()> {
    if cursor.skip_literal("<m:ResponseMessages>") {
        return Ok(());
    }
    cursor.skip_white_space();
    let list = cursor.start_tag()?;
    if list.name != "m:ResponseMessages" || list.self_closing || list.attributes().next().is_some() {
        return cursor.decline(DeclineReason::Structure);
    }
    Ok(())
}

/// Adds the next message; returns whether the response ended.
#[inline(always)]
fn message_or_end<'a, P: Payload<'a>>(
    cursor: &mut Cursor<'a>,
    tags: &'static ResponseTags,
    messages: &mut Vec<ResponseMessage<'a, P>>,
) -> ScanResult<bool> {
    let is_success = cursor.skip_literal(tags.success);
    if !is_success && !cursor.skip_literal(tags.error) {
        return other_message_or_end(cursor, tags, messages);
    }
    cursor.count_entry()?;
    let class = if is_success { ResponseClass::Success } else { ResponseClass::Error };
    add_empty(messages, class);
    let Some(message) = messages.last_mut() else { return cursor.decline(DeclineReason::Structure) };
    let has_code = is_success || fields_in_order(cursor, message)?;
    message.payload.read_in_order(cursor)?;
    if has_code && cursor.skip_literal(tags.end) {
        return Ok(true);
    }
    children(cursor, &Tag::plain(tags.message), message, has_code)?;
    Ok(false)
}

/// As [`message_or_end`], with any white space and any attributes.
#[inline(never)]
fn other_message_or_end<'a, P: Payload<'a>>(
    cursor: &mut Cursor<'a>,
    tags: &'static ResponseTags,
    messages: &mut Vec<ResponseMessage<'a, P>>,
) -> ScanResult<bool> {
    let Some(tag) = cursor.next_child(&Tag::plain("m:ResponseMessages"))? else {
        cursor.skip_white_space();
        cursor.end_tag(tags.response)?;
        return Ok(true);
    };
    if tag.name != tags.message {
        return cursor.decline(DeclineReason::Structure);
    }
    cursor.count_entry()?;
    let class = tag.attribute("ResponseClass").and_then(|class| rules::names::response_class(&class));
    let Some(class) = class else { return cursor.decline(DeclineReason::Value) };
    let mut message = empty_message(class);
    children(cursor, &tag, &mut message, false)?;
    messages.push(message);
    Ok(false)
}

/// Adds a message to be filled in place. Nearly every list has one, so the first is allocated alone.
#[inline(always)]
fn add_empty<'a, P: Payload<'a>>(messages: &mut Vec<ResponseMessage<'a, P>>, class: ResponseClass) {
    if messages.is_empty() {
        *messages = vec![empty_message(class)];
    } else {
        messages.push(empty_message(class));
    }
}

/// A message whose other parts are still to be read, in the place where it stays.
#[inline(always)]
fn empty_message<'a, P: Payload<'a>>(class: ResponseClass) -> ResponseMessage<'a, P> {
    ResponseMessage {
        class,
        code: ResponseCode(Text::Borrowed("NoError")),
        message_text: None,
        message_xml: Vec::new(),
        payload: P::default(),
    }
}

/// The fields of a failed message, as far as they are in Exchange's order; returns whether the code is among them.
#[inline]
fn fields_in_order<'a, P>(cursor: &mut Cursor<'a>, message: &mut ResponseMessage<'a, P>) -> ScanResult<bool> {
    if cursor.skip_literal("<m:MessageText>") {
        cursor.text_into(&mut message.message_text)?;
        cursor.expect_literal("</m:MessageText>")?;
    }
    let has_code = cursor.skip_literal("<m:ResponseCode>");
    if has_code {
        message.code = ResponseCode(Text::Borrowed(cursor.token()?));
        cursor.expect_literal("</m:ResponseCode>")?;
    }
    cursor.skip_literal("<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>");
    if cursor.skip_literal("<m:MessageXml>") {
        entries(cursor, &Tag::plain("m:MessageXml"), &mut message.message_xml)?;
    }
    Ok(has_code)
}

/// The remaining children of a message, by name, and its end tag. An empty `MessageXml` leaves no trace, so two of which the first is
/// empty count as one, as in the reader.
#[inline(never)]
fn children<'a, P: Payload<'a>>(
    cursor: &mut Cursor<'a>,
    tag: &Tag<'a>,
    message: &mut ResponseMessage<'a, P>,
    mut has_code: bool,
) -> ScanResult<()> {
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "m:ResponseCode" if has_code => return cursor.decline(DeclineReason::Twice),
            "m:ResponseCode" => {
                message.code = ResponseCode(cursor.token_of(&child)?);
                has_code = true;
            }
            "m:MessageText" => set_once!(cursor, message.message_text, cursor.text_of(&child)?),
            "m:MessageXml" if !message.message_xml.is_empty() => {
                return cursor.decline(DeclineReason::Twice);
            }
            "m:MessageXml" => entries(cursor, &child, &mut message.message_xml)?,
            _ => message.payload.read_child(cursor, &child)?,
        }
    }
    if has_code { Ok(()) } else { cursor.decline(DeclineReason::Structure) }
}

/// Content and end tag of a `MessageXml`, whose entries have no children here.
pub(super) fn entries<'a>(
    cursor: &mut Cursor<'a>,
    tag: &Tag<'a>,
    entries: &mut Vec<MessageXmlEntry<'a>>,
) -> ScanResult<()> {
    if tag.attributes().next().is_some() {
        return cursor.decline(DeclineReason::Attribute);
    }
    if tag.self_closing {
        return Ok(()); // what follows are its siblings
    }
    loop {
        while let Some(rest) = usual_entry(cursor.rest(), entries) {
            cursor.count_entry()?;
            cursor.jump_to(rest);
        }
        let Some(child) = cursor.next_child(tag)? else { return Ok(()) };
        cursor.count_entry()?;
        entries.push(any_entry(cursor, &child)?);
    }
}

/// `<t:Value Name="…">…</t:Value>`, `<t:FieldURI FieldURI="…"/>`, or an element of Exchange's schema faults, without references.
#[inline(always)]
fn usual_entry<'a>(rest: &'a str, entries: &mut Vec<MessageXmlEntry<'a>>) -> AfterValue<'a> {
    let rest = rest.strip_prefix("<t:")?;
    let (mut name, mut value) = (None, None);
    let (element, rest) = if let Some(rest) = rest.strip_prefix("Value Name=\"") {
        let rest = value::plain_attribute(rest, &mut name)?.strip_prefix("\">")?;
        ("Value", value::plain_text(rest, &mut value)?.strip_prefix("</t:Value>")?)
    } else if let Some(rest) = rest.strip_prefix("FieldURI FieldURI=\"") {
        value = Some(Text::Borrowed(""));
        ("FieldURI", value::plain_attribute(rest, &mut name)?.strip_prefix("\"/>")?)
    } else {
        let (element, end) = SCHEMA_ENTRIES.iter().find(|(element, _)| rest.starts_with(element))?;
        let rest = rest.get(element.len()..)?.strip_prefix('>')?;
        (*element, value::plain_text(rest, &mut value)?.strip_prefix(end)?)
    };
    entries.push(MessageXmlEntry { element: Text::Borrowed(element), name, value: value? });
    Some(rest)
}

const SCHEMA_ENTRIES: [(&str, &str); 3] = [
    ("LineNumber", "</t:LineNumber>"),
    ("LinePosition", "</t:LinePosition>"),
    ("Violation", "</t:Violation>"),
];

fn any_entry<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<MessageXmlEntry<'a>> {
    let Some(element) = tag.name.strip_prefix("t:") else { return cursor.decline(DeclineReason::Namespace) };
    let name = tag.attribute("Name").or_else(|| tag.attribute("FieldURI"));
    let value = if tag.self_closing {
        "".into()
    } else {
        let value = cursor.text()?;
        cursor.end_tag(tag.name)?;
        value
    };
    Ok(MessageXmlEntry { element: element.into(), name, value })
}
