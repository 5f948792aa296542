//! Writes XML into a caller's buffer. Never allocates in a buffer that is large enough, never validates, and never turns text into
//! markup: markup is `&'static str` only, all other text is escaped.

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};

use super::escape;
use crate::ews::soap::ServerVersion;

/// Appends XML to a buffer, for one schema version.
#[derive(Debug)]
pub struct XmlWriter<'b> {
    out: &'b mut Vec<u8>,
    version: ServerVersion,
}

impl<'b> XmlWriter<'b> {
    /// Appends to `out`, for the schema version `version`.
    pub fn new(out: &'b mut Vec<u8>, version: ServerVersion) -> Self {
        Self { out, version }
    }

    /// The schema version of the request; content of later versions must not be written.
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// Writes markup unchanged.
    #[inline]
    pub fn raw(&mut self, markup: &'static str) {
        self.out.extend_from_slice(markup.as_bytes());
    }

    /// Writes the text of an element: markup and CR are escaped; characters that XML 1.0 forbids become U+FFFD.
    #[inline]
    pub fn text(&mut self, text: &str) {
        escape::push_text(self.out, text);
    }

    /// Writes ` name="value"`: escaped as in [`Self::text`], and also quotes, TAB and LF.
    #[inline]
    pub fn attribute(&mut self, name: &'static str, value: &str) {
        self.raw(" ");
        self.raw(name);
        self.raw("=\"");
        self.attribute_value(value);
        self.raw("\"");
    }

    /// Writes the value between an attribute's quotes.
    #[inline]
    pub fn attribute_value(&mut self, value: &str) {
        escape::push_attribute(self.out, value);
    }

    /// Writes `<name>text</name>`.
    pub fn element(&mut self, name: &'static str, text: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
        self.text(text);
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// Writes a non-negative `xs:int`. A larger number is written as the largest `xs:int`.
    pub fn int(&mut self, number: u32) {
        let mut digits = [b'0'; 10];
        let mut rest = number.min(i32::MAX as u32);
        let mut first = digits.len();
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            *digit = ascii(rest % 10);
            rest /= 10;
            first = at;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(digits.get(first..).unwrap_or_default());
    }

    /// Writes `YYYY-MM-DDTHH:MM:SSZ`. Exchange 2010 and later use a time with `Z` as it is, whatever the zone of the item or of the request
    /// (Microsoft's "Time zones and EWS in Exchange", table 2). Fractions of a second are cut off, because Exchange keeps none.
    pub fn date_time(&mut self, at: DateTime<Utc>) {
        self.out.extend_from_slice(&date_time(at));
    }

    /// Writes the time without the `Z`, for availability, whose times are in the zone of the request
    /// (MS-OXWAVLS `t:Duration`).
    pub fn zoneless_date_time(&mut self, at: DateTime<Utc>) {
        let [zoneless @ .., _] = date_time(at);
        self.out.extend_from_slice(&zoneless);
    }
}

/// The time in 20 bytes, clamped to the years 1 to 9999, the range of Exchange (.NET) and `xs:dateTime`.
fn date_time(at: DateTime<Utc>) -> [u8; 20] {
    let at = at.naive_utc();
    match at.year() {
        ..1 => *b"0001-01-01T00:00:00Z",
        10_000.. => *b"9999-12-31T23:59:59Z",
        year => format(year.unsigned_abs(), at),
    }
}

fn format(year: u32, at: NaiveDateTime) -> [u8; 20] {
    let [y1, y2] = two(year / 100);
    let [y3, y4] = two(year % 100);
    let [mo1, mo2] = two(at.month());
    let [d1, d2] = two(at.day());
    let [h1, h2] = two(at.hour());
    let [mi1, mi2] = two(at.minute());
    let [s1, s2] = two(at.second());
    [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2, b'Z']
}

/// Two digits of a number below 100.
fn two(number: u32) -> [u8; 2] {
    [ascii(number / 10 % 10), ascii(number % 10)]
}

/// The digit of a number below ten.
fn ascii(digit: u32) -> u8 {
    b'0' + digit as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut XmlWriter<'_>)) -> String {
        let mut out = b">".to_vec();
        write(&mut XmlWriter::new(&mut out, ServerVersion::Exchange2016));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_fit_an_xs_int() {
        for (number, text) in [(0, ">0"), (7, ">7"), (10, ">10"), (1_000, ">1000"), (u32::MAX, ">2147483647")]
        {
            assert_eq!(written(|out| out.int(number)), text);
        }
    }

    #[test]
    fn times_are_utc_and_whole_seconds() {
        let at: DateTime<Utc> = "2026-05-06T09:40:59.999+02:00".parse().unwrap();
        assert_eq!(written(|out| out.date_time(at)), ">2026-05-06T07:40:59Z");
        assert_eq!(written(|out| out.zoneless_date_time(at)), ">2026-05-06T07:40:59");
    }

    #[test]
    fn times_beyond_what_exchange_knows_are_clamped() {
        assert_eq!(written(|out| out.date_time(DateTime::<Utc>::MIN_UTC)), ">0001-01-01T00:00:00Z");
        assert_eq!(written(|out| out.date_time(DateTime::<Utc>::MAX_UTC)), ">9999-12-31T23:59:59Z");
    }

    #[test]
    fn elements_and_attributes_escape() {
        assert_eq!(written(|out| out.element("t:Subject", "a<b")), "><t:Subject>a&lt;b</t:Subject>");
        assert_eq!(written(|out| out.attribute("Id", "a\"\n")), "> Id=\"a&quot;&#xA;\"");
    }
}
