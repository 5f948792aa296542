//! The scanner's position, and its smallest steps: a literal, a text, a value.
//!
//! Holds the rest of the body as a `&str`, so its slices are valid text without another check. A step either succeeds and moves, or
//! leaves the cursor in place. Never returns an error other than `Declined`.

use super::super::byte_scanner::{Avx2, Baseline, ByteScanner as _};
use super::super::limits::DecodeLimits;
use super::declined::{DeclineReason, Declined, ScanResult};
use super::value;
use crate::ews::types::Text;

/// The caller's limits must exceed this: the scanner's own nesting, the attributes it examines in one tag, and the namespaces that three
/// start tags declare, with a margin.
const LIMIT_MARGIN: usize = 24;

pub(super) struct Cursor<'a> {
    rest: &'a str,
    body_len: usize,
    entries_left: usize,
    has_reserved: bool,
    /// Maximum nesting inside a skipped element.
    pub(super) depth_left: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    pub(super) fn new(body: &'a str, limits: &DecodeLimits) -> Self {
        Self {
            rest: body,
            body_len: body.len(),
            entries_left: limits.entries_max,
            has_reserved: false,
            depth_left: limits.depth_max.saturating_sub(LIMIT_MARGIN),
        }
    }

    /// Whether room may be reserved for a list whose length is not known: once in a body, since a body may have a list for every few bytes.
    #[inline(always)]
    pub(super) fn may_reserve(&mut self) -> bool {
        !std::mem::replace(&mut self.has_reserved, true)
    }

    /// Declines if the scanner could exceed the limits.
    #[inline(always)]
    pub(super) fn check(&self, limits: &DecodeLimits) -> ScanResult<()> {
        let room = limits.depth_max.min(limits.attributes_max).min(limits.namespaces_max);
        if room < LIMIT_MARGIN { self.decline(DeclineReason::Limits) } else { Ok(()) }
    }

    /// The rest of the body.
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    #[cold]
    #[inline(never)]
    pub(super) fn decline<T>(&self, reason: DeclineReason) -> ScanResult<T> {
        Err(Declined { reason, offset: self.body_len - self.rest.len() })
    }

    /// Skips `literal` if it is next; returns whether it was.
    #[inline(always)]
    pub(super) fn skip_literal(&mut self, literal: &str) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips `literal`, which must be next.
    #[inline(always)]
    pub(super) fn expect_literal(&mut self, literal: &str) -> ScanResult<()> {
        if self.skip_literal(literal) { Ok(()) } else { self.decline(DeclineReason::Structure) }
    }

    /// Takes the next `len` bytes. `None` if no character ends there.
    #[inline(always)]
    pub(super) fn take(&mut self, len: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// Moves to `rest`, which must be a suffix of the current rest.
    #[inline(always)]
    pub(super) fn jump_to(&mut self, rest: &'a str) {
        self.rest = rest;
    }

    /// Skips white space between elements.
    #[inline(always)]
    pub(super) fn skip_white_space(&mut self) {
        if self.rest.as_bytes().first().is_some_and(|byte| *byte <= b' ') {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        }
    }

    /// Reads text up to the next tag and resolves references.
    #[inline(always)]
    pub(super) fn text(&mut self) -> ScanResult<Text<'a>> {
        let mut text = None;
        self.text_into(&mut text)?;
        Ok(text.unwrap_or_default())
    }

    /// As [`Cursor::text`], into an empty property.
    #[inline(always)]
    pub(super) fn text_into(&mut self, property: &mut Option<Text<'a>>) -> ScanResult<()> {
        match value::text(Baseline, self.rest, property) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => self.decline(DeclineReason::Markup),
        }
    }

    /// Reads a name or a code up to the next tag: not empty, no references, no white space around it.
    #[inline(always)]
    pub(super) fn token(&mut self) -> ScanResult<&'a str> {
        match value::bare_token(Baseline, self.rest) {
            Some((token, rest)) => {
                self.rest = rest;
                Ok(token)
            }
            None => self.decline(DeclineReason::Value),
        }
    }

    /// As [`Cursor::token`], for long ones.
    #[inline]
    pub(super) fn long_token(&mut self) -> ScanResult<&'a str> {
        let token = match Avx2::detect() {
            Some(avx2) => avx2.with_target_features(
                #[inline(always)]
                || value::bare_token(avx2, self.rest),
            ),
            None => value::bare_token(Baseline, self.rest),
        };
        let Some((token, rest)) = token else { return self.decline(DeclineReason::Value) };
        self.rest = rest;
        Ok(token)
    }

    /// Skips an attribute's value without references, up to its closing `"`.
    pub(super) fn plain_attribute(&mut self) -> ScanResult<()> {
        match value::plain_attribute(self.rest, &mut None) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => self.decline(DeclineReason::Attribute),
        }
    }

    /// Counts a list entry towards the limit.
    #[inline(always)]
    pub(super) fn count_entry(&mut self) -> ScanResult<()> {
        match self.entries_left.checked_sub(1) {
            Some(left) => {
                self.entries_left = left;
                Ok(())
            }
            None => self.decline(DeclineReason::Limits),
        }
    }
}
