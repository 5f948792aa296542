//! Rules of the wire format: characters, names, attributes, booleans and times.
//!
//! Both decoding paths use them, so that neither is laxer than the other. No rule returns an error: it returns a value, or `None` for
//! "not of this shape", and the caller decides.
//!
//! These decisions exist because Exchange and XML 1.0 disagree, or because one subject must not cost a page of room events (each line
//! has its own test in `tests/codec/rules.rs`):
//!
//! | on the wire | becomes | why |
//! | --- | --- | --- |
//! | `&#x0;`, `&#xB;`, … (references XML forbids) | U+FFFD | Exchange writes them; the other properties must survive |
//! | `&#xD800;`, `&#x110000;` (no character at all) | U+FFFD | likewise |
//! | a raw control character in text or a value | U+FFFD | the same character must not depend on its spelling |
//! | `&nbsp;` (no such entity without a DTD) | kept as written | the text after it must survive |
//! | a bare `&`, an unfinished reference | kept as written | likewise |
//! | `]]>` in text | kept as written | harmless |
//! | U+FFFE, U+FFFF | kept | harmless in a Rust string |
//! | CR LF or CR in text | LF | XML 1.0, 2.11; a `&#xD;` stays a CR |
//! | TAB, LF, CR in an attribute | a space | XML 1.0, 3.3.3 |
//! | 30 February, 25:00, `:60` | no time | no calendar has this time |

pub(crate) mod markup;
pub(crate) mod names;
pub(crate) mod text;
pub(crate) mod time;

use std::borrow::Cow;

/// `xs:boolean`, white space around it ignored.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match trim(text) {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A whole number, white space around it ignored.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    trim(text).parse().ok()
}

/// Trims a code or a name.
pub(crate) fn token(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) if trim(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

/// Text without XML white space at its ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// XML white space: space, TAB, LF, CR.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
