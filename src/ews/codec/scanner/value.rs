//! Values as Exchange writes them, read from the front of a string: the value and what follows it, or `None`.
//!
//! Everything here is passed and returned by value, so that a run of fields stays in registers. `None` never means
//! wrong, only "not as written": the generic path then looks at the same bytes.

use chrono::{DateTime, Utc};

use super::super::rules::{self, text};
use super::super::{bytes, rules::names};
use crate::ews::types::{CalendarItemType, FreeBusyStatus, ItemId, Mailbox, ResponseType, Sensitivity, Text};

/// A value and what follows it.
pub(super) type Read<'a, T> = Option<(T, &'a str)>;

/// Text up to the next tag, references resolved.
#[inline(always)]
pub(super) fn text(rest: &str) -> Read<'_, Text<'_>> {
    let len = bytes::text_len(rest.as_bytes());
    let (plain, after) = rest.split_at_checked(len)?;
    if after.as_bytes().first() == Some(&b'<') {
        return Some((Text::Borrowed(plain), after));
    }
    text_with_specials(rest, len)
}

/// `seen` bytes are known to be plain.
#[inline(never)]
fn text_with_specials(rest: &str, seen: usize) -> Read<'_, Text<'_>> {
    let end = memchr::memchr(b'<', rest.as_bytes().get(seen..)?)?;
    let (raw, after) = rest.split_at_checked(seen + end)?;
    Some((text::text(raw), after))
}

/// The value of an attribute up to its closing `"`, references resolved.
#[inline(always)]
pub(super) fn attribute(rest: &str) -> Read<'_, Text<'_>> {
    let len = bytes::value_len(rest.as_bytes());
    let (plain, after) = rest.split_at_checked(len)?;
    if after.as_bytes().first() == Some(&b'"') {
        return Some((Text::Borrowed(plain), after));
    }
    attribute_with_specials(rest, len)
}

#[inline(never)]
fn attribute_with_specials(rest: &str, seen: usize) -> Read<'_, Text<'_>> {
    let end = memchr::memchr2(b'"', b'<', rest.as_bytes().get(seen..)?)?;
    let (raw, after) = rest.split_at_checked(seen + end)?;
    after.starts_with('"').then(|| (text::attribute(raw), after))
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
#[inline(always)]
pub(super) fn time(rest: &str) -> Read<'_, DateTime<Utc>> {
    let time = rules::time::utc_seconds(rest.as_bytes().first_chunk()?)?;
    Some((time, rest.get(20..)?))
}

/// `true` or `false`, told apart without a branch: on a page of events the next one is anybody's guess.
#[inline(always)]
pub(super) fn boolean(rest: &str) -> Read<'_, bool> {
    let five = rest.as_bytes().first_chunk::<5>()?;
    let four = u32::from_le_bytes(*five.first_chunk()?);
    let is_true = four == u32::from_le_bytes(*b"true");
    let is_false = (four == u32::from_le_bytes(*b"fals")) & (five[4] == b'e');
    if !(is_true | is_false) {
        return None;
    }
    Some((is_true, rest.get(5 - usize::from(is_true)..)?))
}

/// The values that are on nearly every item, compared whole; the others by [`token`].
macro_rules! frequent {
    ($rest:expr, $($name:literal => $value:expr),+) => {
        $(if let Some(after) = $rest.strip_prefix($name) { return Some(($value, after)); })+
    };
}

/// A name: plain, not empty, no white space around it.
#[inline]
fn token(rest: &str) -> Read<'_, Text<'_>> {
    let (name, after) = rest.split_at_checked(bytes::text_len(rest.as_bytes()))?;
    let tidy = after.starts_with('<') && !name.is_empty() && !name.starts_with(' ') && !name.ends_with(' ');
    tidy.then_some((Text::Borrowed(name), after))
}

#[inline(always)]
pub(super) fn sensitivity(rest: &str) -> Read<'_, Sensitivity<'_>> {
    frequent!(rest, "Normal" => Sensitivity::Normal);
    let (name, after) = token(rest)?;
    Some((names::sensitivity(name), after))
}

#[inline(always)]
pub(super) fn free_busy_status(rest: &str) -> Read<'_, FreeBusyStatus<'_>> {
    frequent!(rest, "Busy" => FreeBusyStatus::Busy);
    let (name, after) = token(rest)?;
    Some((names::free_busy_status(name), after))
}

#[inline(always)]
pub(super) fn calendar_item_type(rest: &str) -> Read<'_, CalendarItemType<'_>> {
    frequent!(rest, "Single" => CalendarItemType::Single, "Occurrence" => CalendarItemType::Occurrence);
    let (name, after) = token(rest)?;
    Some((names::calendar_item_type(name), after))
}

#[inline(always)]
pub(super) fn response_type(rest: &str) -> Read<'_, ResponseType<'_>> {
    frequent!(rest, "Accept" => ResponseType::Accept);
    let (name, after) = token(rest)?;
    Some((names::response_type(name), after))
}

/// `<t:ItemId Id="…" ChangeKey="…"/>`.
#[inline(always)]
pub(super) fn item_id(rest: &str) -> Read<'_, ItemId<'_>> {
    let (id, after) = attribute(rest.strip_prefix("<t:ItemId Id=\"")?)?;
    let (change_key, after) = attribute(after.strip_prefix("\" ChangeKey=\"")?)?;
    Some((ItemId { id, change_key: Some(change_key) }, after.strip_prefix("\"/>")?))
}

/// `<t:Organizer><t:Mailbox>…</t:Mailbox></t:Organizer>`, with the four children that Exchange gives it.
#[inline(always)]
pub(super) fn organizer(rest: &str) -> Read<'_, Mailbox<'_>> {
    let (name, after) = text(rest.strip_prefix("<t:Organizer><t:Mailbox><t:Name>")?)?;
    let (email_address, after) = text(after.strip_prefix("</t:Name><t:EmailAddress>")?)?;
    let after = after.strip_prefix("</t:EmailAddress><t:RoutingType>")?;
    let (routing_type, after) = smtp(after).or_else(|| text(after))?;
    let after = after.strip_prefix("</t:RoutingType>")?;
    let (mailbox_type, after) = mailbox_type(after)?;
    let mailbox = Mailbox {
        name: Some(name),
        email_address: Some(email_address),
        routing_type: Some(routing_type),
        mailbox_type,
        item_id: None,
    };
    Some((mailbox, after.strip_prefix("</t:Mailbox></t:Organizer>")?))
}

#[inline(always)]
fn smtp(rest: &str) -> Read<'_, Text<'_>> {
    Some((Text::Borrowed("SMTP"), rest.strip_prefix("SMTP")?))
}

/// `<t:MailboxType>…</t:MailboxType>`, which servers before 2013 leave out.
#[inline(always)]
fn mailbox_type(rest: &str) -> Read<'_, Option<Text<'_>>> {
    match rest.strip_prefix("<t:MailboxType>") {
        Some(after) => {
            let (kind, after) = text(after)?;
            Some((Some(kind), after.strip_prefix("</t:MailboxType>")?))
        }
        None => Some((None, rest)),
    }
}
