//! Scans the start of a response, from the first byte to the response's element, in Exchange's exact form: literals, five numbers, and
//! declarations.
//!
//! Each response starts with half a kilobyte of this, which is most of a short one, so the declarations of the builds that we know are
//! compared whole. `None` never means an error: `parse_any_form` in `envelope.rs` then parses the same bytes.

use super::super::byte_scanner::{Baseline, ByteScanner as _};
use super::declarations::{ANSWER, DECLARATIONS, HEADER, SOAP, VALUES, namespace};
use super::value::{self, AfterValue, ValueAndRest};
use crate::ews::soap::ServerVersionInfo;

/// A response element that was found in another form.
pub(super) struct EnvelopeOpening<'a> {
    /// Name of the response element, with its prefix.
    pub(super) answer: &'a str,
    /// Names of the elements around it, innermost first.
    pub(super) around: [&'static str; 2],
}

/// The elements around the response in all envelopes but those of a stream.
pub(super) const AROUND: [&str; 2] = ["s:Body", "s:Envelope"];

/// The elements around the response in the envelopes of a stream.
const AROUND_IN_STREAM: [&str; 2] = ["soap11:Body", "Envelope"];

const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

const ENVELOPE: &str = concat!("<s:Envelope xmlns:s=\"", namespace!(soap), "\">");

/// ` xmlns:PREFIX="…"` for each of the prefixes.
macro_rules! declare {
    ($($prefix:literal $namespace:ident),*) => { concat!($(" xmlns", $prefix, "=\"", namespace!($namespace), "\""),*) };
}

/// From the last number or the version of `h:ServerVersionInfo` to the start of the response element's name: Exchange Online and Exchange
/// 2016; Exchange 2010 and 2013, in both orders.
const BETWEEN: [&str; 3] = [
    concat!(declare!(":h" types, ":xsd" schema, ":xsi" instance), "/></s:Header><s:Body><"),
    concat!(
        declare!(":h" types, "" types, ":xsd" schema, ":xsi" instance),
        "/></s:Header><s:Body",
        declare!(":xsi" instance, ":xsd" schema),
        "><"
    ),
    concat!(
        declare!(":h" types, "" types, ":xsi" instance, ":xsd" schema),
        "/></s:Header><s:Body",
        declare!(":xsi" instance, ":xsd" schema),
        "><"
    ),
];

/// The declarations of the response element by the same builds.
const RESPONSE: [&str; 2] = [
    concat!(declare!(":m" messages, ":xsd" schema, ":xsi" instance, ":t" types), ">"),
    concat!(declare!(":m" messages, ":t" types), ">"),
];

/// The envelope of a stream up to the attributes of the server's build, and from there to the response element.
const STREAM_HEADER: &str = concat!(
    "<Envelope",
    declare!("" soap),
    "><soap11:Header",
    declare!(":soap11" soap),
    "><ServerVersionInfo",
    declare!(":xsd" schema, ":xsi" instance)
);
const STREAM_BODY: &str = concat!("</soap11:Header><soap11:Body", declare!(":soap11" soap), "><");
const STREAM_RESPONSE: &str =
    concat!(declare!(":xsd" schema, ":xsi" instance, ":t" types, ":m" messages), ">");

/// The start tag of availability, which has no prefix.
const AVAILABILITY: &str = "GetUserAvailabilityResponse";
const AVAILABILITY_DECLARATIONS: &str = concat!(declare!("" messages), ">");

/// A response of a known build; returns the name of the response element and the text after its start tag.
///
/// ```text
/// <?xml …?><s:Envelope …><s:Header><h:ServerVersionInfo …/></s:Header><s:Body …><m:XResponse …>
/// ```
#[inline(always)]
pub(super) fn known_build<'a>(
    body: &'a str,
    server: &mut Option<ServerVersionInfo<'a>>,
) -> ValueAndRest<'a, &'a str> {
    let rest = body.strip_prefix(XML_DECLARATION).unwrap_or(body).strip_prefix(ENVELOPE)?;
    let rest = server_version(rest.strip_prefix("<s:Header><h:ServerVersionInfo")?, server)?;
    let [online, older, oldest] = BETWEEN;
    let rest = rest
        .strip_prefix(online)
        .or_else(|| rest.strip_prefix(older))
        .or_else(|| rest.strip_prefix(oldest))?;
    let (answer, rest) = rest.split_at_checked(Baseline.name_len(rest.as_bytes()))?;
    let rest = match answer {
        AVAILABILITY => rest.strip_prefix(AVAILABILITY_DECLARATIONS)?,
        _ if answer.starts_with("m:") => response_declarations(rest)?,
        _ => return None,
    };
    Some((answer, rest))
}

/// Skips the declarations of the response element. Written out, as the literals after the build are, because a loop over them costs more
/// than the comparisons.
#[inline(always)]
fn response_declarations(rest: &str) -> Option<&str> {
    let [online, older] = RESPONSE;
    rest.strip_prefix(online).or_else(|| rest.strip_prefix(older))
}

/// A fault, a part of a stream, or a response of an unknown build.
///
/// ```text
/// <?xml …?><s:Envelope …><s:Body><s:Fault>
/// <?xml …?><Envelope …><soap11:Header …><ServerVersionInfo … /></soap11:Header><soap11:Body …><m:XResponse …>
/// ```
pub(super) fn other_form<'a>(
    body: &'a str,
    server: &mut Option<ServerVersionInfo<'a>>,
) -> ValueAndRest<'a, EnvelopeOpening<'a>> {
    let rest = body.strip_prefix(XML_DECLARATION).unwrap_or(body);
    let fault = rest.strip_prefix(ENVELOPE).and_then(|inside| inside.strip_prefix("<s:Body><s:Fault>"));
    match fault {
        Some(rest) => Some((EnvelopeOpening { answer: "s:Fault", around: AROUND }, rest)),
        None => stream(rest, server).or_else(|| declared_anywhere(rest, server)),
    }
}

/// An envelope of a stream.
fn stream<'a>(
    rest: &'a str,
    server: &mut Option<ServerVersionInfo<'a>>,
) -> ValueAndRest<'a, EnvelopeOpening<'a>> {
    let rest = rest.strip_prefix(STREAM_HEADER)?;
    let rest = server_version(rest, server)?.strip_prefix(declare!("" types))?;
    let rest = rest.strip_prefix(" />").or_else(|| rest.strip_prefix("/>"))?;
    let rest = rest.strip_prefix(STREAM_BODY)?;
    let (answer, rest) = rest.split_at_checked(Baseline.name_len(rest.as_bytes()))?;
    let rest = rest.strip_prefix(STREAM_RESPONSE).or_else(|| response_declarations(rest))?;
    answer.starts_with("m:").then_some((EnvelopeOpening { answer, around: AROUND_IN_STREAM }, rest))
}

/// Exchange's form with its declarations in other places or another order.
fn declared_anywhere<'a>(
    rest: &'a str,
    server: &mut Option<ServerVersionInfo<'a>>,
) -> ValueAndRest<'a, EnvelopeOpening<'a>> {
    let (envelope, rest) = declarations(rest.strip_prefix("<s:Envelope")?)?;
    let rest = server_version(rest.strip_prefix("><s:Header><h:ServerVersionInfo")?, server)?;
    let (header, rest) = declarations(rest)?;
    let (body, rest) = declarations(rest.strip_prefix("/></s:Header><s:Body")?)?;
    let rest = rest.strip_prefix("><")?;
    let (answer, rest) = rest.split_at_checked(Baseline.name_len(rest.as_bytes()))?;
    let (own, rest) = match rest.strip_prefix(AVAILABILITY_DECLARATIONS) {
        Some(rest) if answer == AVAILABILITY => (ANSWER | VALUES, rest),
        _ if answer.starts_with("m:") => {
            let (own, rest) = declarations(rest)?;
            (own, rest.strip_prefix('>')?)
        }
        _ => return None,
    };
    let declared =
        envelope & SOAP | (envelope | header) & HEADER | (envelope | body | own) & (ANSWER | VALUES);
    let all = declared == SOAP | HEADER | ANSWER | VALUES;
    all.then_some((EnvelopeOpening { answer, around: AROUND }, rest))
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

/// The attributes of the server's build; Exchange omits its schema version in some responses.
#[inline(always)]
fn server_version<'a>(rest: &'a str, server: &mut Option<ServerVersionInfo<'a>>) -> AfterValue<'a> {
    let server = server.insert(ServerVersionInfo::default());
    let rest = version_number(rest, " MajorVersion=\"", &mut server.major)?;
    let rest = version_number(rest, " MinorVersion=\"", &mut server.minor)?;
    let rest = version_number(rest, " MajorBuildNumber=\"", &mut server.major_build)?;
    let rest = version_number(rest, " MinorBuildNumber=\"", &mut server.minor_build)?;
    match rest.strip_prefix(" Version=\"") {
        Some(rest) => value::attribute(Baseline, rest, &mut server.version)?.strip_prefix('"'),
        None => Some(rest),
    }
}

#[inline(always)]
fn version_number<'a>(rest: &'a str, attribute: &str, number: &mut Option<u32>) -> AfterValue<'a> {
    let (digits, rest) = value::digits(rest.strip_prefix(attribute)?)?;
    *number = Some(digits);
    rest.strip_prefix('"')
}
