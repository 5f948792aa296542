//! Scans the start of a response, from the first byte to the response's element, in Exchange's exact form: literals, five numbers, and
//! declarations.
//!
//! Each response starts with half a kilobyte of this, which is most of a short one. `None` never means an error: `parse_any_form` in
//! `envelope.rs` then parses the same bytes.

use super::super::byte_scanner::{Baseline, ByteScanner as _};
use super::declarations::{ANSWER, DECLARATIONS, HEADER, SOAP, VALUES};
use super::value;
use crate::ews::soap::ServerVersionInfo;

/// A value and the text after it.
type ValueAndRest<'a, T> = Option<(T, &'a str)>;

/// What precedes the children of the response element.
pub(super) struct EnvelopeOpening<'a> {
    pub(super) server: Option<ServerVersionInfo<'a>>,
    /// Name of the response element, with its prefix.
    pub(super) answer: &'a str,
}

/// Maximum digits of a version number; `parse_any_form` reads longer ones.
const DIGITS_MAX: usize = 9;

/// ```text
/// <?xml …?><s:Envelope …><s:Header><h:ServerVersionInfo …/></s:Header><s:Body …><m:XResponse …>
/// ```
pub(super) fn parse_canonical(body: &str) -> ValueAndRest<'_, EnvelopeOpening<'_>> {
    let rest = body.strip_prefix("<?xml version=\"1.0\" encoding=\"utf-8\"?>").unwrap_or(body);
    let (envelope, rest) = declarations(rest.strip_prefix("<s:Envelope")?)?;
    let (server, rest) = server_version(rest.strip_prefix("><s:Header><h:ServerVersionInfo")?)?;
    let (header, rest) = declarations(rest)?;
    let (body, rest) = declarations(rest.strip_prefix("/></s:Header><s:Body")?)?;
    let rest = rest.strip_prefix("><")?;
    let (answer, rest) = rest.split_at_checked(Baseline.name_len(rest.as_bytes()))?;
    let (own, rest) = declarations(rest)?;
    let rest = rest.strip_prefix('>')?;
    let declared =
        envelope & SOAP | (envelope | header) & HEADER | (envelope | body | own) & (ANSWER | VALUES);
    let all = declared == SOAP | HEADER | ANSWER | VALUES;
    all.then_some((EnvelopeOpening { server: Some(server), answer }, rest))
}

/// The declarations of one tag, each at most once; returns the bits of the declared namespaces.
fn declarations(mut rest: &str) -> ValueAndRest<'_, u8> {
    let (mut declared, mut seen) = (0, 0_u8);
    'next: while rest.starts_with(" xmlns") {
        for (at, (name, namespace, bit)) in DECLARATIONS.iter().enumerate() {
            if let Some(after) = declaration(rest, name, namespace)
                && seen & 1 << at == 0
            {
                (rest, declared, seen) = (after, declared | bit, seen | 1 << at);
                continue 'next;
            }
        }
        return None;
    }
    Some((declared, rest))
}

fn declaration<'a>(rest: &'a str, name: &str, namespace: &str) -> Option<&'a str> {
    let value = rest.strip_prefix(' ')?.strip_prefix(name)?.strip_prefix("=\"")?;
    value.strip_prefix(namespace)?.strip_prefix('"')
}

fn server_version(rest: &str) -> ValueAndRest<'_, ServerVersionInfo<'_>> {
    let (major, rest) = number(rest.strip_prefix(" MajorVersion=\"")?)?;
    let (minor, rest) = number(rest.strip_prefix("\" MinorVersion=\"")?)?;
    let (major_build, rest) = number(rest.strip_prefix("\" MajorBuildNumber=\"")?)?;
    let (minor_build, rest) = number(rest.strip_prefix("\" MinorBuildNumber=\"")?)?;
    let mut version = None;
    let rest = value::attribute(Baseline, rest.strip_prefix("\" Version=\"")?, &mut version)?;
    let server = ServerVersionInfo {
        major: Some(major),
        minor: Some(minor),
        major_build: Some(major_build),
        minor_build: Some(minor_build),
        version,
    };
    Some((server, rest.strip_prefix('"')?))
}

/// One to [`DIGITS_MAX`] digits.
fn number(rest: &str) -> ValueAndRest<'_, u32> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    (1..=DIGITS_MAX).contains(&digits).then_some(())?;
    Some((number.bytes().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')), rest))
}
