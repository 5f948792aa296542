//! The shell: envelope, header, body, and whose answer is inside.
//!
//! Namespaces are settled here once: every declaration must bind one of Exchange's own prefixes to Exchange's own
//! namespace. From then on a prefix means what it looks like.

use super::super::decode::{Body, Envelope};
use super::super::rules;
use super::cursor::Cursor;
use super::markup::Tag;
use super::message::{self, Payload};
use super::opening::{self, Opening};
use super::{Reason, Scan};
use crate::ews::soap::ServerVersionInfo;

const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";

/// What Exchange declares, and a bit for each that something depends on.
pub(super) const DECLARATIONS: [(&str, &str, u8); 7] = [
    ("xmlns:s", "http://schemas.xmlsoap.org/soap/envelope/", SOAP),
    ("xmlns:h", TYPES, HEADER),
    ("xmlns:m", MESSAGES, ANSWER),
    ("xmlns:t", TYPES, VALUES),
    ("xmlns", TYPES, 0),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance", 0),
    ("xmlns:xsd", "http://www.w3.org/2001/XMLSchema", 0),
];
pub(super) const SOAP: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const ANSWER: u8 = 4;
pub(super) const VALUES: u8 = 8;

/// The whole body.
pub(super) fn envelope<'a>(cursor: &mut Cursor<'a>) -> Scan<Envelope<'a>> {
    let Opening { server, answer } = match opening::as_written(cursor.rest()) {
        Some((opening, rest)) => {
            cursor.jump(rest);
            opening
        }
        None => in_any_form(cursor)?,
    };
    let body = operation(cursor, answer)?;
    for name in ["s:Body", "s:Envelope"] {
        cursor.space();
        cursor.close(name)?;
    }
    cursor.space();
    if cursor.rest().is_empty() { Ok(Envelope { server, body }) } else { cursor.decline(Reason::Markup) }
}

/// From the first byte to the answer's element, tag by tag.
fn in_any_form<'a>(cursor: &mut Cursor<'a>) -> Scan<Opening<'a>> {
    cursor.literal("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    cursor.space();
    let (_, declared) = shell(cursor, "s:Envelope", 0)?;
    if declared & SOAP == 0 {
        return cursor.decline(Reason::Namespace);
    }
    cursor.space();
    let server = if cursor.rest().starts_with("<s:Header") { header(cursor, declared)? } else { None };
    let (_, declared) = shell(cursor, "s:Body", declared)?;
    cursor.space();
    let answer = cursor.any_tag()?;
    let (own, others) = declarations(cursor, &answer)?;
    if answer.empty || others > 0 || (declared | own) & (ANSWER | VALUES) != ANSWER | VALUES {
        return cursor.decline(Reason::Operation);
    }
    Ok(Opening { server, answer: answer.name })
}

/// A start tag with content and nothing but declarations; answers what is declared inside it.
fn shell<'a>(cursor: &mut Cursor<'a>, name: &str, outside: u8) -> Scan<(Tag<'a>, u8)> {
    let tag = cursor.any_tag()?;
    if tag.name != name || tag.empty {
        return cursor.decline(Reason::Structure);
    }
    let (declared, others) = declarations(cursor, &tag)?;
    if others > 0 { cursor.decline(Reason::Attribute) } else { Ok((tag, outside | declared)) }
}

/// What a tag declares, and how many attributes are no declarations.
fn declarations(cursor: &Cursor<'_>, tag: &Tag<'_>) -> Scan<(u8, usize)> {
    let (mut declared, mut others) = (0, 0);
    for attribute in tag.attributes() {
        if !attribute.name.starts_with("xmlns") {
            others += 1;
            continue;
        }
        let known = DECLARATIONS.iter().find(|(name, _, _)| *name == attribute.name);
        match known {
            Some((_, namespace, bit)) if *namespace == attribute.value => declared |= bit,
            _ => return cursor.decline(Reason::Namespace),
        }
    }
    Ok((declared, others))
}

fn header<'a>(cursor: &mut Cursor<'a>, declared: u8) -> Scan<Option<ServerVersionInfo<'a>>> {
    let (header, declared) = shell(cursor, "s:Header", declared)?;
    let mut server = None;
    loop {
        cursor.space();
        if cursor.rest().starts_with("</") {
            cursor.close(header.name)?;
            cursor.space();
            return Ok(server);
        }
        let tag = cursor.any_tag()?;
        let (own, _) = declarations(cursor, &tag)?;
        if tag.name != "h:ServerVersionInfo"
            || !tag.empty
            || server.is_some()
            || (declared | own) & HEADER == 0
        {
            return cursor.decline(Reason::Structure);
        }
        server = Some(server_version(cursor, &tag)?);
    }
}

fn server_version<'a>(cursor: &Cursor<'a>, tag: &Tag<'a>) -> Scan<ServerVersionInfo<'a>> {
    let mut server = ServerVersionInfo::default();
    for attribute in tag.attributes() {
        let number = rules::number(attribute.value);
        match attribute.name {
            "MajorVersion" => server.major = number,
            "MinorVersion" => server.minor = number,
            "MajorBuildNumber" => server.major_build = number,
            "MinorBuildNumber" => server.minor_build = number,
            "Version" => {
                server.version = Some(rules::text::attribute(attribute.value));
                continue;
            }
            name if name.starts_with("xmlns") => continue,
            _ => return cursor.decline(Reason::Attribute),
        }
        if number.is_none() {
            return cursor.decline(Reason::Value);
        }
    }
    Ok(server)
}

fn operation<'a>(cursor: &mut Cursor<'a>, answer: &'a str) -> Scan<Body<'a>> {
    let items = |payload: Payload<'a>| payload.items;
    let Some(operation) = answer.strip_prefix("m:").and_then(|name| name.strip_suffix("Response")) else {
        return cursor.decline(Reason::Operation);
    };
    Ok(match operation {
        "FindItem" => Body::FindItem(message::messages(cursor, answer, |payload| payload.root_folder)?),
        "GetItem" => Body::GetItem(message::messages(cursor, answer, items)?),
        "UpdateItem" => Body::UpdateItem(message::messages(cursor, answer, Payload::updated)?),
        "DeleteItem" => Body::DeleteItem(message::messages(cursor, answer, |_| ())?),
        "CreateItem" => Body::CreateItem(message::messages(cursor, answer, items)?),
        "MoveItem" => Body::MoveItem(message::messages(cursor, answer, items)?),
        _ => return cursor.decline(Reason::Operation),
    })
}
