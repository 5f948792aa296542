//! Parses SOAP requests: a thin layer over roxmltree with the EWS namespaces and Exchange's errors.
//!
//! Strict on purpose: Exchange validates against its schema first, so children out of order are rejected here too. A
//! client that passes is likely to pass the real server.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use roxmltree::{Document, Node, ParsingOptions};

use super::ews_error::EwsError;
use super::xml::{MESSAGES, SOAP, TYPES};

/// Limit of XML nodes in a request; a batch of a thousand updates has some twenty thousand.
const NODES_MAX: u32 = 200_000;
/// Limit of nesting; the deepest known request has fewer than twenty levels.
const DEPTH_MAX: usize = 100;
/// The years that Exchange's calendar supports; outside them date arithmetic may overflow.
const YEARS: std::ops::RangeInclusive<i32> = 1601..=4500;

/// The impersonated user (`t:ConnectingSID`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConnectingSid {
    SmtpAddress(String),
    /// An address that must be the primary one.
    PrimarySmtpAddress(String),
    Sid(String),
}

/// A parsed SOAP envelope.
pub(crate) struct SoapRequest<'a, 'i> {
    pub(crate) version: Option<&'a str>,
    pub(crate) impersonated: Result<Option<ConnectingSid>, EwsError>,
    /// The time zone for times without an offset.
    pub(crate) zone: Option<&'a str>,
    pub(crate) operation: Node<'a, 'i>,
}

/// Parses the bytes of a request. DTDs are not supported.
pub(crate) fn parse(text: &str) -> Option<Document<'_>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    if is_too_deep(text) {
        return None;
    }
    Document::parse_with_options(text.trim_start_matches('\u{feff}'), options).ok()
}

/// Estimates the nesting before parsing, because the parser recurses.
fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, bytes.get(at + 1)) {
            (b'<', Some(b'/')) => depth = depth.saturating_sub(1),
            (b'<', Some(b'!' | b'?')) => {}
            (b'<', _) => depth += 1,
            (b'>', _) if at > 0 && bytes.get(at - 1) == Some(&b'/') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Extracts the operation and the relevant headers.
pub(crate) fn parse_envelope<'a, 'i>(document: &'a Document<'i>) -> Result<SoapRequest<'a, 'i>, EwsError> {
    let envelope = document.root_element();
    if !envelope.has_tag_name((SOAP, "Envelope")) {
        return Err(EwsError::new("ErrorInvalidRequest", "The request is not a SOAP 1.1 envelope."));
    }
    let body = child(envelope, SOAP, "Body").and_then(|body| body.first_element_child());
    let operation = body
        .filter(|operation| operation.tag_name().namespace() == Some(MESSAGES))
        .ok_or_else(|| EwsError::new("ErrorInvalidRequest", "The request is invalid."))?;
    let header = child(envelope, SOAP, "Header");
    let version = header
        .and_then(|header| t(header, "RequestServerVersion"))
        .and_then(|version| version.attribute("Version"));
    let act_for =
        header.and_then(|header| t(header, "ExchangeImpersonation")).map(parse_impersonation).transpose();
    let zone = header
        .and_then(|header| t(header, "TimeZoneContext"))
        .and_then(|context| t(context, "TimeZoneDefinition"))
        .and_then(|zone| zone.attribute("Id"));
    Ok(SoapRequest { version, impersonated: act_for, zone, operation })
}

fn parse_impersonation(header: Node<'_, '_>) -> Result<ConnectingSid, EwsError> {
    let bad = || {
        EwsError::new(
            "ErrorInvalidExchangeImpersonationHeaderData",
            "The ExchangeImpersonation header is invalid.",
        )
    };
    let sid = t(header, "ConnectingSID").ok_or_else(bad)?;
    let mut choices = elements(sid);
    let (choice, None) = (choices.next().ok_or_else(bad)?, choices.next()) else { return Err(bad()) };
    let value = text(choice).trim().to_owned();
    if value.is_empty() {
        return Err(bad());
    }
    match choice.tag_name().name() {
        "PrincipalName" | "SmtpAddress" => Ok(ConnectingSid::SmtpAddress(value)),
        "PrimarySmtpAddress" => Ok(ConnectingSid::PrimarySmtpAddress(value)),
        "SID" => Ok(ConnectingSid::Sid(value)),
        _ => Err(bad()),
    }
}

pub(crate) fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn child<'a, 'i>(node: Node<'a, 'i>, namespace: &str, name: &str) -> Option<Node<'a, 'i>> {
    elements(node).find(|child| child.has_tag_name((namespace, name)))
}

/// The child with this name in the messages namespace.
pub(crate) fn m<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    child(node, MESSAGES, name)
}

/// The child with this name in the types namespace.
pub(crate) fn t<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    child(node, TYPES, name)
}

/// The child in the messages namespace; it is a schema violation if it is missing.
pub(crate) fn require_m<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, EwsError> {
    m(node, name).ok_or_else(|| EwsError::schema_violation(node, &format!("{name} is missing.")))
}

/// The child in the types namespace; it is a schema violation if it is missing.
pub(crate) fn require_t<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, EwsError> {
    t(node, name).ok_or_else(|| EwsError::schema_violation(node, &format!("{name} is missing.")))
}

/// The text of a node, without that of its children.
pub(crate) fn text(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|part| part.text()).collect()
}

/// The trimmed text of a child in the types namespace.
pub(crate) fn t_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    t(node, name).map(|child| text(child).trim().to_owned())
}

/// An attribute restricted to `words`.
pub(crate) fn enum_attribute<'a>(
    node: Node<'a, '_>,
    name: &str,
    words: &[&str],
) -> Result<Option<&'a str>, EwsError> {
    match node.attribute(name) {
        None => Ok(None),
        Some(word) if words.contains(&word) => Ok(Some(word)),
        Some(word) => {
            Err(EwsError::schema_violation(node, &format!("The '{name}' attribute is invalid: '{word}'.")))
        }
    }
}

/// Rejects children that are unknown or out of order. A name that ends in `*` may repeat.
pub(crate) fn require_order(node: Node<'_, '_>, names: &[&str]) -> Result<(), EwsError> {
    let mut rest = names;
    for child in elements(node) {
        let name = child.tag_name().name();
        let found = rest.iter().position(|allowed| allowed.trim_end_matches('*') == name);
        let Some(found) = found else {
            let parent = node.tag_name().name();
            return Err(EwsError::schema_violation(
                child,
                &format!("The element '{parent}' has invalid child element '{name}'."),
            ));
        };
        let repeats = rest[found].ends_with('*');
        rest = &rest[found + usize::from(!repeats)..];
    }
    Ok(())
}

/// Parses `xs:dateTime`; without an offset it is UTC. `None` outside Exchange's calendar.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let zoned = DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc());
    let instant = zoned.ok().or_else(|| {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|naive| naive.and_utc())
    })?;
    YEARS.contains(&instant.year()).then_some(instant)
}

/// Whether a text is an `xs:dateTime` of any year, such as the minimum and maximum values of clients.
pub(crate) fn is_date_time(text: &str) -> bool {
    let naive = text.trim().trim_end_matches('Z');
    DateTime::parse_from_rfc3339(text.trim()).is_ok()
        || NaiveDateTime::parse_from_str(naive, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
}

/// Parses `xs:date`; its offset is ignored.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.trim().get(..10)?.parse().ok()?;
    YEARS.contains(&day.year()).then_some(day)
}

/// `xs:boolean`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_all_forms_clients_send() {
        let nine = "2026-05-06T09:00:00Z".parse::<DateTime<Utc>>().unwrap();
        for text in [
            "2026-05-06T09:00:00Z",
            "2026-05-06T11:00:00+02:00",
            "2026-05-06T09:00:00.000",
            " 2026-05-06T09:00:00 ",
        ] {
            assert_eq!(instant(text), Some(nine), "{text}");
        }
        for text in ["", "tomorrow", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00", "2026-05-06"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn depth_is_refused_before_it_is_parsed() {
        assert!(parse(&"<a>".repeat(1_000_000)).is_none());
        assert!(parse(&format!("{}{}", "<a>".repeat(90), "</a>".repeat(90))).is_some());
        assert!(parse(&format!("<a>{}</a>", "<b/>".repeat(1000))).is_some());
    }

    #[test]
    fn children_out_of_order_are_refused() {
        let document = parse("<a><x/><y/><y/><z/></a>").unwrap();
        let a = document.root_element();
        assert!(require_order(a, &["w", "x", "y*", "z"]).is_ok());
        assert!(require_order(a, &["x", "y", "z"]).is_err());
        assert!(require_order(a, &["y*", "x", "z"]).is_err());
    }
}
