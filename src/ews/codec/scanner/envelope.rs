//! Scans the envelope, the header and the body's response element.
//!
//! Checks namespaces once: each declaration must bind one of Exchange's own prefixes to Exchange's own namespace. After that the prefix alone
//! identifies the namespace.

use super::super::envelope::{SoapBody, SoapEnvelope};
use super::super::rules;
use super::cursor::Cursor;
use super::declarations::{ANSWER, DECLARATIONS, HEADER, SOAP, VALUES};
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use super::message::{self, Payload};
use super::opening::{self, EnvelopeOpening};
use crate::ews::soap::ServerVersionInfo;

/// Decodes the whole body.
pub(super) fn envelope<'a>(cursor: &mut Cursor<'a>) -> ScanResult<SoapEnvelope<'a>> {
    let EnvelopeOpening { server, answer } = match opening::parse_canonical(cursor.rest()) {
        Some((opening, rest)) => {
            cursor.jump_to(rest);
            opening
        }
        None => parse_any_form(cursor)?,
    };
    let body = operation(cursor, answer)?;
    for name in ["s:Body", "s:Envelope"] {
        cursor.skip_white_space();
        cursor.end_tag(name)?;
    }
    cursor.skip_white_space();
    if cursor.rest().is_empty() {
        Ok(SoapEnvelope { server, body })
    } else {
        cursor.decline(DeclineReason::Markup)
    }
}

/// Scans from the first byte to the response element, tag by tag.
fn parse_any_form<'a>(cursor: &mut Cursor<'a>) -> ScanResult<EnvelopeOpening<'a>> {
    cursor.skip_literal("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    cursor.skip_white_space();
    let (_, declared) = soap_tag(cursor, "s:Envelope", 0)?;
    if declared & SOAP == 0 {
        return cursor.decline(DeclineReason::Namespace);
    }
    cursor.skip_white_space();
    let server = if cursor.rest().starts_with("<s:Header") { header(cursor, declared)? } else { None };
    let (_, declared) = soap_tag(cursor, "s:Body", declared)?;
    cursor.skip_white_space();
    let answer = cursor.any_start_tag()?;
    let (own, others) = declarations(cursor, &answer)?;
    if answer.self_closing || others > 0 || (declared | own) & (ANSWER | VALUES) != ANSWER | VALUES {
        return cursor.decline(DeclineReason::Operation);
    }
    Ok(EnvelopeOpening { server, answer: answer.name })
}

/// A start tag of SOAP with content and no attributes but declarations; returns the namespaces declared inside it.
fn soap_tag<'a>(cursor: &mut Cursor<'a>, name: &str, outside: u8) -> ScanResult<(Tag<'a>, u8)> {
    let tag = cursor.any_start_tag()?;
    if tag.name != name || tag.self_closing {
        return cursor.decline(DeclineReason::Structure);
    }
    let (declared, others) = declarations(cursor, &tag)?;
    if others > 0 { cursor.decline(DeclineReason::Attribute) } else { Ok((tag, outside | declared)) }
}

/// The namespaces that a tag declares, and the number of its other attributes.
fn declarations(cursor: &Cursor<'_>, tag: &Tag<'_>) -> ScanResult<(u8, usize)> {
    let (mut declared, mut others) = (0, 0);
    for attribute in tag.attributes() {
        if !attribute.name.starts_with("xmlns") {
            others += 1;
            continue;
        }
        let known = DECLARATIONS.iter().find(|(name, _, _)| *name == attribute.name);
        match known {
            Some((_, namespace, bit)) if *namespace == attribute.value => declared |= bit,
            _ => return cursor.decline(DeclineReason::Namespace),
        }
    }
    Ok((declared, others))
}

fn header<'a>(cursor: &mut Cursor<'a>, declared: u8) -> ScanResult<Option<ServerVersionInfo<'a>>> {
    let (header, declared) = soap_tag(cursor, "s:Header", declared)?;
    let mut server = None;
    loop {
        cursor.skip_white_space();
        if cursor.rest().starts_with("</") {
            cursor.end_tag(header.name)?;
            cursor.skip_white_space();
            return Ok(server);
        }
        let tag = cursor.any_start_tag()?;
        let (own, _) = declarations(cursor, &tag)?;
        if tag.name != "h:ServerVersionInfo"
            || !tag.self_closing
            || server.is_some()
            || (declared | own) & HEADER == 0
        {
            return cursor.decline(DeclineReason::Structure);
        }
        server = Some(server_version(cursor, &tag)?);
    }
}

fn server_version<'a>(cursor: &Cursor<'a>, tag: &Tag<'a>) -> ScanResult<ServerVersionInfo<'a>> {
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
            _ => return cursor.decline(DeclineReason::Attribute),
        }
        if number.is_none() {
            return cursor.decline(DeclineReason::Value);
        }
    }
    Ok(server)
}

fn operation<'a>(cursor: &mut Cursor<'a>, answer: &'a str) -> ScanResult<SoapBody<'a>> {
    let items = |payload: Payload<'a>| payload.items;
    let Some(operation) = answer.strip_prefix("m:").and_then(|name| name.strip_suffix("Response")) else {
        return cursor.decline(DeclineReason::Operation);
    };
    Ok(match operation {
        "FindItem" => SoapBody::FindItem(message::messages(cursor, answer, |payload| payload.root_folder)?),
        "GetItem" => SoapBody::GetItem(message::messages(cursor, answer, items)?),
        "UpdateItem" => SoapBody::UpdateItem(message::messages(cursor, answer, Payload::updated)?),
        "DeleteItem" => SoapBody::DeleteItem(message::messages(cursor, answer, |_| ())?),
        "CreateItem" => SoapBody::CreateItem(message::messages(cursor, answer, items)?),
        "MoveItem" => SoapBody::MoveItem(message::messages(cursor, answer, items)?),
        _ => return cursor.decline(DeclineReason::Operation),
    })
}
