//! Scans the envelope, the header and the body's response element.
//!
//! Checks namespaces once: each declaration must bind one of Exchange's own prefixes to Exchange's own namespace. After that the prefix alone
//! identifies the namespace.

use super::super::envelope::{SoapBody, SoapEnvelope};
use super::super::rules;
use super::cursor::Cursor;
use super::declarations::{ANSWER, DECLARATIONS, DEFAULT, HEADER, SOAP, VALUES};
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use super::message::{messages, response_tags};
use super::opening::{self, AROUND, EnvelopeOpening};
use super::{availability, fault};
use crate::ews::soap::{ServerVersionInfo, SoapFault};

/// Decodes the whole body, into an empty envelope: its parts are large, so each is written where it stays.
#[inline(always)]
pub(super) fn envelope<'a>(cursor: &mut Cursor<'a>, envelope: &mut SoapEnvelope<'a>) -> ScanResult<()> {
    let Some((answer, rest)) = opening::known_build(cursor.rest(), &mut envelope.server) else {
        return other_envelope(cursor, envelope);
    };
    cursor.jump_to(rest);
    operation(cursor, answer, &mut envelope.body)?;
    if cursor.rest() == "</s:Body></s:Envelope>" { Ok(()) } else { end(cursor, AROUND) }
}

/// As [`envelope`], for bodies with another start.
#[inline(never)]
fn other_envelope<'a>(cursor: &mut Cursor<'a>, envelope: &mut SoapEnvelope<'a>) -> ScanResult<()> {
    envelope.server = None;
    let EnvelopeOpening { answer, around } = match opening::other_form(cursor.rest(), &mut envelope.server) {
        Some((opening, rest)) => {
            cursor.jump_to(rest);
            opening
        }
        None => {
            envelope.server = None;
            parse_any_form(cursor, &mut envelope.server)?
        }
    };
    operation(cursor, answer, &mut envelope.body)?;
    end(cursor, around)
}

/// The end tags of the elements around the response, and nothing else.
#[inline(never)]
fn end(cursor: &mut Cursor<'_>, around: [&str; 2]) -> ScanResult<()> {
    for name in around {
        cursor.skip_white_space();
        cursor.end_tag(name)?;
    }
    cursor.skip_white_space();
    if cursor.rest().is_empty() { Ok(()) } else { cursor.decline(DeclineReason::Markup) }
}

/// Scans from the first byte to the response element, tag by tag.
#[inline(never)]
fn parse_any_form<'a>(
    cursor: &mut Cursor<'a>,
    server: &mut Option<ServerVersionInfo<'a>>,
) -> ScanResult<EnvelopeOpening<'a>> {
    cursor.skip_literal("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    cursor.skip_white_space();
    let (_, declared) = soap_tag(cursor, "s:Envelope", 0)?;
    if declared & SOAP == 0 {
        return cursor.decline(DeclineReason::Namespace);
    }
    cursor.skip_white_space();
    *server = if cursor.rest().starts_with("<s:Header") { header(cursor, declared)? } else { None };
    let (_, declared) = soap_tag(cursor, "s:Body", declared)?;
    cursor.skip_white_space();
    let answer = cursor.any_start_tag()?;
    let (own, others) = declarations(cursor, &answer)?;
    let declared = declared | own;
    let knows_its_children = match answer.name {
        "s:Fault" => declared & DEFAULT == 0,
        name => name.starts_with("m:") && declared & (ANSWER | VALUES) == ANSWER | VALUES,
    };
    if answer.self_closing || others > 0 || !knows_its_children {
        return cursor.decline(DeclineReason::Operation);
    }
    Ok(EnvelopeOpening { answer: answer.name, around: AROUND })
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

/// The content of the response element, and its end tag.
#[inline(never)]
fn operation<'a>(cursor: &mut Cursor<'a>, answer: &str, body: &mut SoapBody<'a>) -> ScanResult<()> {
    /// Makes the body one of this operation, and reads its messages.
    macro_rules! messages_of {
        ($Operation:ident, $name:literal) => {{
            *body = SoapBody::$Operation(Vec::new());
            match body {
                SoapBody::$Operation(list) => messages(cursor, response_tags!($name), list),
                _ => cursor.decline(DeclineReason::Operation),
            }
        }};
    }
    match answer {
        "m:FindItemResponse" => messages_of!(FindItem, "FindItem"),
        "m:GetItemResponse" => messages_of!(GetItem, "GetItem"),
        "m:UpdateItemResponse" => messages_of!(UpdateItem, "UpdateItem"),
        "m:DeleteItemResponse" => messages_of!(DeleteItem, "DeleteItem"),
        "m:CreateItemResponse" => messages_of!(CreateItem, "CreateItem"),
        "m:MoveItemResponse" => messages_of!(MoveItem, "MoveItem"),
        "m:SubscribeResponse" => messages_of!(Subscribe, "Subscribe"),
        "m:UnsubscribeResponse" => messages_of!(Unsubscribe, "Unsubscribe"),
        "m:GetStreamingEventsResponse" => messages_of!(GetStreamingEvents, "GetStreamingEvents"),
        "m:SyncFolderItemsResponse" => messages_of!(SyncFolderItems, "SyncFolderItems"),
        _ => other_body(cursor, answer, body),
    }
}

/// A body that is no list of messages.
#[inline(never)]
fn other_body<'a>(cursor: &mut Cursor<'a>, answer: &str, body: &mut SoapBody<'a>) -> ScanResult<()> {
    match answer {
        "GetUserAvailabilityResponse" => *body = SoapBody::GetUserAvailability(Vec::new()),
        "s:Fault" => *body = SoapBody::Fault(SoapFault::default()),
        _ => return cursor.decline(DeclineReason::Operation),
    }
    match body {
        SoapBody::GetUserAvailability(list) => availability::availability(cursor, list),
        SoapBody::Fault(fault) => fault::fault(cursor, fault),
        _ => cursor.decline(DeclineReason::Operation),
    }
}
