//! Tests of the reader with bodies that are empty, not XML or not UTF-8. `tests/codec` tests larger ones.

use super::super::error::{Deviation, Encoding};
use super::super::limits::DecodeLimits;
use super::read;

fn deviation(body: &[u8]) -> (Deviation, usize) {
    let error = read(body, &DecodeLimits::default()).expect_err("no answer is in this");
    (error.deviation, error.offset)
}

fn envelope(inside: &str) -> String {
    format!("<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'>{inside}</s:Envelope>")
}

#[test]
fn nothing() {
    assert_eq!(deviation(b""), (Deviation::Empty, 0));
    assert_eq!(deviation(b" \r\n\t").0, Deviation::Empty);
    assert_eq!(deviation(b"\xef\xbb\xbf").0, Deviation::Empty);
}

#[test]
fn json_and_plain_text() {
    assert_eq!(deviation(b"{\"error\":\"server_busy\"}"), (Deviation::OutsideRoot, 0));
    assert_eq!(deviation(b"Service Unavailable").0, Deviation::OutsideRoot);
}

#[test]
fn utf16_in_either_order_with_or_without_a_mark() {
    for (body, encoding) in [
        (&b"\xff\xfe<\0?\0"[..], Encoding::Utf16Le),
        (b"\xfe\xff\0<\0?", Encoding::Utf16Be),
        (b"<\0?\0x\0", Encoding::Utf16Le),
        (b"\0<\0?\0x", Encoding::Utf16Be),
    ] {
        assert_eq!(deviation(body), (Deviation::NotUtf8(encoding), 0));
    }
}

#[test]
fn latin_1_is_named_by_its_first_bad_byte() {
    assert_eq!(deviation(b"<a>caf\xe9</a>"), (Deviation::NotUtf8(Encoding::Unknown), 6));
    assert_eq!(deviation(b"\xef\xbb\xbf<a>\xe9"), (Deviation::NotUtf8(Encoding::Unknown), 6));
}

#[test]
fn offsets_count_the_byte_order_mark() {
    let expected = Deviation::NotSoap { root: "a".into(), namespace: String::new() };
    assert_eq!(deviation(b"\xef\xbb\xbf <a/>"), (expected, 4));
}

#[test]
fn an_envelope_without_content() {
    for inside in ["", "<s:Header/>", "<s:Body/>", "<s:Body> </s:Body>", "<Body/>"] {
        assert_eq!(deviation(envelope(inside).as_bytes()).0, Deviation::EmptyEnvelope, "{inside}");
    }
}

#[test]
fn what_follows_the_envelope() {
    let good = envelope("<s:Body><s:Fault/></s:Body>");
    let answer = read(good.as_bytes(), &DecodeLimits::default()).expect("an answer");
    for harmless in ["\n", "<!-- appended by a proxy -->", "<?proxy?>"] {
        let longer = format!("{good}{harmless}");
        assert_eq!(read(longer.as_bytes(), &DecodeLimits::default()), Ok(answer.clone()));
    }
    for harmful in ["x", "<a/>", "</a>", "&#32;", "<![CDATA[]]>"] {
        assert_eq!(deviation(format!("{good}{harmful}").as_bytes()), (Deviation::OutsideRoot, good.len()));
    }
    assert_eq!(
        deviation(format!("{good}<?xml version='1.0'?>").as_bytes()).0,
        Deviation::MisplacedDeclaration
    );
}
