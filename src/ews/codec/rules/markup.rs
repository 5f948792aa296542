//! Names and attributes, as strict as XML 1.0, with one colon at most. Never resolves references.

use super::is_space;

/// Splits a name at its colon. The prefix is empty without one.
pub(crate) fn split_name(name: &str) -> Option<(&str, &str)> {
    let Some(at) = name.bytes().position(|byte| !is_name_byte(byte)) else {
        return starts_with_name_start(name).then_some(("", name));
    };
    let (prefix, local) = (name.get(..at)?, name.get(at..)?.strip_prefix(':')?);
    let fine =
        starts_with_name_start(prefix) && starts_with_name_start(local) && local.bytes().all(is_name_byte);
    fine.then_some((prefix, local))
}

fn starts_with_name_start(name: &str) -> bool {
    name.bytes().next().is_some_and(is_name_start)
}

const fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Treats every byte beyond ASCII as a letter: the schema has no such names, so they only need an end.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES[usize::from(byte)]
}

static NAME_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let at = byte as u8;
        table[byte] = is_name_start(at) || at.is_ascii_digit() || at == b'-' || at == b'.';
        byte += 1;
    }
    table
};

/// One attribute as written in the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawAttribute<'a> {
    pub(crate) name: &'a str,
    /// The raw text between the quotes: [`super::text::attribute`] resolves it.
    pub(crate) value: &'a str,
}

/// Iterates over the attributes of one tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawAttributes<'a> {
    rest: &'a str,
}

impl<'a> RawAttributes<'a> {
    /// `rest` starts right after the element's name.
    pub(crate) fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    /// Whether the tag has more content before its end.
    pub(crate) fn any(&self) -> bool {
        !self.rest.starts_with(['>', '/'])
    }

    /// The text after the attributes read so far.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// The next attribute. `None`: no attribute follows (but the tag's end, or invalid text). `Some(Err)`: the attribute is malformed.
    pub(crate) fn next_attribute(&mut self) -> Option<Result<RawAttribute<'a>, Malformed>> {
        let after_space = skip_space(self.rest);
        let spaced = after_space.len() < self.rest.len();
        self.rest = after_space;
        let name_len =
            after_space.bytes().position(|b| !(is_name_byte(b) || b == b':')).unwrap_or(after_space.len());
        if name_len == 0 {
            return None;
        }
        if !spaced {
            return Some(Err(Malformed));
        }
        let (name, rest) = after_space.split_at(name_len);
        Some(self.finish_attribute(name, rest).ok_or(Malformed))
    }

    fn finish_attribute(&mut self, name: &'a str, rest: &'a str) -> Option<RawAttribute<'a>> {
        split_name(name)?;
        let rest = skip_space(skip_space(rest).strip_prefix('=')?);
        let quote = *rest.as_bytes().first().filter(|b| matches!(b, b'"' | b'\''))?;
        let end = memchr::memchr2(quote, b'<', &rest.as_bytes()[1..])? + 1;
        if rest.as_bytes()[end] != quote {
            return None;
        }
        self.rest = &rest[end + 1..];
        Some(RawAttribute { name, value: &rest[1..end] })
    }
}

/// A malformed attribute: no space before it, no `=`, no quotes, or a `<` in its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

fn skip_space(text: &str) -> &str {
    let spaces = text.bytes().take_while(|b| is_space(*b)).count();
    &text[spaces..]
}
