//! Tags in general: for whatever is not guessed whole, and for stepping over what nobody asked for.

use super::super::bytes::{Narrow, Vector as _};
use super::super::rules::markup::{RawAttribute, RawAttributes, split_name};
use super::super::rules::text;
use super::cursor::Cursor;
use super::{Reason, Scan};
use crate::ews::types::Text;

/// Attributes we are ready to compare for duplicates.
const ATTRIBUTES_MAX: usize = 16;

/// A start tag, checked.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    /// As written, with its prefix.
    pub(super) name: &'a str,
    attributes: RawAttributes<'a>,
    pub(super) empty: bool,
}

impl<'a> Tag<'a> {
    /// The raw attributes, in order; all of them well formed and none twice.
    pub(super) fn attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let mut attributes = self.attributes;
        std::iter::from_fn(move || attributes.next_attribute()?.ok())
    }

    /// The value of the attribute `name`.
    pub(super) fn attribute(&self, name: &str) -> Option<Text<'a>> {
        let found = self.attributes().find(|attribute| attribute.name == name)?;
        Some(text::attribute(found.value))
    }
}

impl<'a> Cursor<'a> {
    /// The next child's start tag, or `None` and the parent's end tag is stepped over. White space before either is
    /// stepped over, other text declines.
    pub(super) fn child(&mut self, parent: &Tag<'a>) -> Scan<Option<Tag<'a>>> {
        if parent.empty {
            return Ok(None);
        }
        self.space();
        if self.rest().as_bytes().get(1) == Some(&b'/') {
            self.close(parent.name)?;
            return Ok(None);
        }
        self.open().map(Some)
    }

    /// A start tag of ours: prefix `m` or `t`, plain attributes, no declarations.
    #[inline]
    pub(super) fn open(&mut self) -> Scan<Tag<'a>> {
        let tag = self.any_tag()?;
        if !(tag.name.starts_with("t:") || tag.name.starts_with("m:")) {
            return self.decline(Reason::Namespace);
        }
        if tag.attributes.any()
            && tag.attributes().any(|attribute| attribute.name.contains(':') || attribute.name == "xmlns")
        {
            return self.decline(Reason::Attribute);
        }
        Ok(tag)
    }

    /// A start tag with whatever prefix and attributes.
    pub(super) fn any_tag(&mut self) -> Scan<Tag<'a>> {
        let Some(inside) = self.rest().strip_prefix('<') else { return self.decline(Reason::Markup) };
        let Some((name, rest)) = inside.split_at_checked(Narrow.name_len(inside.as_bytes())) else {
            return self.decline(Reason::Markup);
        };
        if split_name(name).is_none() {
            return self.decline(Reason::Markup);
        }
        let attributes = RawAttributes::new(rest);
        let rest = if attributes.any() { self.check_attributes(rest)? } else { rest };
        let (rest, empty) = match rest.strip_prefix('>') {
            Some(rest) => (rest, false),
            None => match rest.strip_prefix("/>") {
                Some(rest) => (rest, true),
                None => return self.decline(Reason::Markup),
            },
        };
        self.jump(rest);
        Ok(Tag { name, attributes, empty })
    }

    /// Answers what follows the attributes.
    fn check_attributes(&mut self, rest: &'a str) -> Scan<&'a str> {
        let mut attributes = RawAttributes::new(rest);
        let mut names = [""; ATTRIBUTES_MAX];
        let mut count = 0;
        while let Some(attribute) = attributes.next_attribute() {
            let Ok(attribute) = attribute else { return self.decline(Reason::Attribute) };
            if count == ATTRIBUTES_MAX || names[..count].contains(&attribute.name) {
                return self.decline(Reason::Attribute);
            }
            names[count] = attribute.name;
            count += 1;
        }
        Ok(attributes.rest())
    }

    /// The end tag of `name`, which must be next.
    #[inline]
    pub(super) fn close(&mut self, name: &str) -> Scan<()> {
        let rest = self.rest().strip_prefix("</").and_then(|rest| rest.strip_prefix(name));
        match rest.and_then(|rest| rest.strip_prefix('>')) {
            Some(rest) => {
                self.jump(rest);
                Ok(())
            }
            None => self.decline(Reason::Markup),
        }
    }

    /// Steps over what is inside the element that `tag` opened, and its end tag.
    pub(super) fn skip(&mut self, tag: &Tag<'a>) -> Scan<()> {
        if tag.empty {
            return Ok(());
        }
        let (mut innermost, mut outside) = (tag.name, Vec::new());
        loop {
            let Some(next) = memchr::memchr(b'<', self.rest().as_bytes()) else {
                return self.decline(Reason::Markup);
            };
            self.take(next);
            if self.rest().as_bytes().get(1) == Some(&b'/') {
                self.close(innermost)?;
                let Some(name) = outside.pop() else { return Ok(()) };
                innermost = name;
                continue;
            }
            let tag = self.open()?;
            if outside.len() >= self.depth_left {
                return self.decline(Reason::Limits);
            }
            if !tag.empty {
                outside.push(std::mem::replace(&mut innermost, tag.name));
            }
        }
    }

    /// The text inside the element that `tag` opened, and its end tag.
    pub(super) fn text_of(&mut self, tag: &Tag<'a>) -> Scan<Text<'a>> {
        if tag.attributes.any() && tag.attributes().next().is_some() {
            return self.decline(Reason::Attribute);
        }
        if tag.empty {
            return Ok(Text::Borrowed(""));
        }
        let text = self.text()?;
        self.close(tag.name)?;
        Ok(text)
    }

    /// As [`Cursor::text_of`], for names and codes: never empty, no white space around them.
    pub(super) fn token_of(&mut self, tag: &Tag<'a>) -> Scan<Text<'a>> {
        match self.text_of(tag)? {
            Text::Borrowed(text) if !text.is_empty() && text.trim() == text => Ok(Text::Borrowed(text)),
            _ => self.decline(Reason::Value),
        }
    }
}
