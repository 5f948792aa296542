//! Scans any tag: for elements that the literals did not predict, and for skipping unknown elements.

use super::super::byte_scanner::{Baseline, ByteScanner as _};
use super::super::rules::markup::{RawAttribute, RawAttributes, split_name};
use super::super::rules::text;
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use crate::ews::types::Text;

/// Maximum attributes of one tag; all are compared for duplicates.
const ATTRIBUTES_MAX: usize = 16;

/// A validated start tag.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    /// The name as written, with its prefix.
    pub(super) name: &'a str,
    attributes: RawAttributes<'a>,
    pub(super) self_closing: bool,
}

impl<'a> Tag<'a> {
    /// A start tag without attributes.
    #[inline(always)]
    pub(super) fn plain(name: &'a str) -> Self {
        Self { name, attributes: RawAttributes::new(">"), self_closing: false }
    }

    /// The raw attributes in order; all are well formed and none is duplicate.
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
    /// The next child's start tag, or `None` after the parent's end tag. Skips white space before either; declines on other
    /// text.
    pub(super) fn next_child(&mut self, parent: &Tag<'a>) -> ScanResult<Option<Tag<'a>>> {
        if parent.self_closing {
            return Ok(None);
        }
        self.skip_white_space();
        if self.rest().as_bytes().get(1) == Some(&b'/') {
            self.end_tag(parent.name)?;
            return Ok(None);
        }
        self.start_tag().map(Some)
    }

    /// A start tag with the prefix `m` or `t`, plain attributes and no declarations.
    #[inline]
    pub(super) fn start_tag(&mut self) -> ScanResult<Tag<'a>> {
        let tag = self.any_start_tag()?;
        if !(tag.name.starts_with("t:") || tag.name.starts_with("m:")) {
            return self.decline(DeclineReason::Namespace);
        }
        if tag.attributes.any()
            && tag.attributes().any(|attribute| attribute.name.contains(':') || attribute.name == "xmlns")
        {
            return self.decline(DeclineReason::Attribute);
        }
        Ok(tag)
    }

    /// A start tag with any prefix and any attributes.
    pub(super) fn any_start_tag(&mut self) -> ScanResult<Tag<'a>> {
        let Some(inside) = self.rest().strip_prefix('<') else { return self.decline(DeclineReason::Markup) };
        let Some((name, rest)) = inside.split_at_checked(Baseline.name_len(inside.as_bytes())) else {
            return self.decline(DeclineReason::Markup);
        };
        if split_name(name).is_none() {
            return self.decline(DeclineReason::Markup);
        }
        let attributes = RawAttributes::new(rest);
        let rest = if attributes.any() { self.check_attributes(rest)? } else { rest };
        let (rest, empty) = match rest.strip_prefix('>') {
            Some(rest) => (rest, false),
            None => match rest.strip_prefix("/>") {
                Some(rest) => (rest, true),
                None => return self.decline(DeclineReason::Markup),
            },
        };
        self.jump_to(rest);
        Ok(Tag { name, attributes, self_closing: empty })
    }

    /// Validates the attributes; returns the text after them.
    fn check_attributes(&mut self, rest: &'a str) -> ScanResult<&'a str> {
        let mut attributes = RawAttributes::new(rest);
        let mut names = [""; ATTRIBUTES_MAX];
        let mut count = 0;
        while let Some(attribute) = attributes.next_attribute() {
            let Ok(attribute) = attribute else { return self.decline(DeclineReason::Attribute) };
            if count == ATTRIBUTES_MAX || names[..count].contains(&attribute.name) {
                return self.decline(DeclineReason::Attribute);
            }
            names[count] = attribute.name;
            count += 1;
        }
        Ok(attributes.rest())
    }

    /// Skips the end tag of `name`, which must be next.
    #[inline]
    pub(super) fn end_tag(&mut self, name: &str) -> ScanResult<()> {
        let rest = self.rest().strip_prefix("</").and_then(|rest| rest.strip_prefix(name));
        match rest.and_then(|rest| rest.strip_prefix('>')) {
            Some(rest) => {
                self.jump_to(rest);
                Ok(())
            }
            None => self.decline(DeclineReason::Markup),
        }
    }

    /// Skips the content and end tag of the element that `tag` started.
    pub(super) fn skip_element(&mut self, tag: &Tag<'a>) -> ScanResult<()> {
        if tag.self_closing {
            return Ok(());
        }
        let (mut innermost, mut outside) = (tag.name, Vec::new());
        loop {
            let Some(next) = memchr::memchr(b'<', self.rest().as_bytes()) else {
                return self.decline(DeclineReason::Markup);
            };
            self.take(next);
            if self.rest().as_bytes().get(1) == Some(&b'/') {
                self.end_tag(innermost)?;
                let Some(name) = outside.pop() else { return Ok(()) };
                innermost = name;
                continue;
            }
            let tag = self.start_tag()?;
            if outside.len() >= self.depth_left {
                return self.decline(DeclineReason::Limits);
            }
            if !tag.self_closing {
                outside.push(std::mem::replace(&mut innermost, tag.name));
            }
        }
    }

    /// Reads the text of the element that `tag` started, and its end tag.
    pub(super) fn text_of(&mut self, tag: &Tag<'a>) -> ScanResult<Text<'a>> {
        if tag.attributes.any() && tag.attributes().next().is_some() {
            return self.decline(DeclineReason::Attribute);
        }
        if tag.self_closing {
            return Ok(Text::Borrowed(""));
        }
        let text = self.text()?;
        self.end_tag(tag.name)?;
        Ok(text)
    }

    /// As [`Cursor::text_of`], for names and codes: not empty, no white space around them.
    pub(super) fn token_of(&mut self, tag: &Tag<'a>) -> ScanResult<Text<'a>> {
        if tag.self_closing || tag.attributes().next().is_some() {
            return self.decline(DeclineReason::Value);
        }
        let token = self.token()?;
        self.end_tag(tag.name)?;
        Ok(Text::Borrowed(token))
    }
}
