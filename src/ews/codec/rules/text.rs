//! Resolves references, normalizes line ends and replaces forbidden characters in text.
//!
//! Every string has a value. Borrows unless a character changes. Cost: one pass of two compares a byte to find that nothing changes,
//! else one copy of the string.

use std::borrow::Cow;

/// The replacement of a character that XML forbids or that does not exist.
pub(crate) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Character data between two tags.
pub(crate) fn text(raw: &str) -> Cow<'_, str> {
    resolve(raw, TextKind::Text)
}

/// The value of an attribute, without its quotes.
pub(crate) fn attribute(raw: &str) -> Cow<'_, str> {
    resolve(raw, TextKind::Attribute)
}

/// The content of a CDATA section: as text, but `&` is an ordinary character.
pub(crate) fn cdata(raw: &str) -> Cow<'_, str> {
    resolve(raw, TextKind::Cdata)
}

#[derive(Clone, Copy, PartialEq)]
enum TextKind {
    Text,
    Attribute,
    Cdata,
}

fn resolve(raw: &str, kind: TextKind) -> Cow<'_, str> {
    match next_special(raw, kind) {
        None => Cow::Borrowed(raw),
        Some(at) => Cow::Owned(rewrite(raw, at, kind)),
    }
}

#[cold]
fn rewrite(raw: &str, first: usize, kind: TextKind) -> String {
    let mut out = String::with_capacity(raw.len());
    let (mut rest, mut next) = (raw, Some(first));
    while let Some(at) = next {
        out.push_str(&rest[..at]);
        let used = rewrite_special(&rest[at..], kind, &mut out);
        rest = &rest[at + used..];
        next = next_special(rest, kind);
    }
    out.push_str(rest);
    out
}

/// Writes the replacement of the special byte at the start of `rest`; returns how many bytes it replaces.
fn rewrite_special(rest: &str, kind: TextKind, out: &mut String) -> usize {
    match rest.as_bytes() {
        [b'&', ..] => match reference(rest) {
            Some((character, used)) => {
                out.push(character);
                used
            }
            None => {
                out.push('&');
                1
            }
        },
        [b'\r', b'\n', ..] => {
            out.push(line_end(kind));
            2
        }
        [b'\r' | b'\n', ..] => {
            out.push(line_end(kind));
            1
        }
        [b'\t', ..] => {
            out.push(' ');
            1
        }
        _ => {
            out.push(REPLACEMENT);
            1
        }
    }
}

fn line_end(kind: TextKind) -> char {
    if kind == TextKind::Attribute { ' ' } else { '\n' }
}

fn next_special(raw: &str, kind: TextKind) -> Option<usize> {
    let special = |byte: &u8| match byte {
        b'&' => kind != TextKind::Cdata,
        b'\t' | b'\n' => kind == TextKind::Attribute,
        _ => *byte < b' ',
    };
    raw.as_bytes().iter().position(special)
}

/// The character that the reference at the start of `rest` names, and the reference's length. `None`: not a known reference, so its
/// `&` is an ordinary character.
fn reference(rest: &str) -> Option<(char, usize)> {
    let end = memchr::memchr2(b';', b'&', rest.as_bytes().get(1..)?)? + 1;
    let name = rest.get(1..end)?;
    if rest.as_bytes()[end] != b';' {
        return None;
    }
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => numeric_reference(name.strip_prefix('#')?)?,
    };
    Some((character, end + 1))
}

fn numeric_reference(digits: &str) -> Option<char> {
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(hex) => (hex, 16),
        None => (digits, 10),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u32;
    for digit in digits.chars() {
        value = value.saturating_mul(radix).saturating_add(digit.to_digit(radix)?);
    }
    Some(char::from_u32(value).filter(|c| is_allowed(*c)).unwrap_or(REPLACEMENT))
}

fn is_allowed(character: char) -> bool {
    character >= ' ' || matches!(character, '\t' | '\n' | '\r')
}
