//! Values as Exchange writes them, read from the front of a string: the value and what follows it, or `None`.
//!
//! Everything here is passed and returned by value, so that a run of fields stays in registers. A `vector` is how the
//! bytes are looked at. `None` never means
//! wrong, only "not as written": the generic path then looks at the same bytes.

use chrono::{DateTime, Utc};

use super::super::bytes::Vector;
use super::super::rules::names;
use super::super::rules::{self, text};
use crate::ews::types::{CalendarItemType, FreeBusyStatus, ItemId, Mailbox, ResponseType, Sensitivity, Text};

/// A value and what follows it.
pub(super) type Read<'a, T> = Option<(T, &'a str)>;

/// Text up to the next tag, references resolved.
#[inline(always)]
pub(super) fn text<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, Text<'a>> {
    let len = vector.text_len(rest.as_bytes());
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
pub(super) fn attribute<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, Text<'a>> {
    let len = vector.value_len(rest.as_bytes());
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
pub(super) fn time<'a, V: Vector>(_: V, rest: &'a str) -> Read<'a, DateTime<Utc>> {
    let time = rules::time::utc_seconds(rest.as_bytes().first_chunk()?)?;
    Some((time, rest.get(20..)?))
}

/// `true` or `false`, told apart without a branch: on a page of events the next one is anybody's guess.
#[inline(always)]
pub(super) fn boolean<'a, V: Vector>(_: V, rest: &'a str) -> Read<'a, bool> {
    let five = rest.as_bytes().first_chunk::<5>()?;
    let four = u32::from_le_bytes(*five.first_chunk()?);
    let is_true = four == u32::from_le_bytes(*b"true");
    let is_false = (four == u32::from_le_bytes(*b"fals")) & (five[4] == b'e');
    if !(is_true | is_false) {
        return None;
    }
    Some((is_true, rest.get(5 - usize::from(is_true)..)?))
}

/// A name: plain, not empty, no white space around it.
#[inline]
fn token<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, Text<'a>> {
    let (name, after) = rest.split_at_checked(vector.text_len(rest.as_bytes()))?;
    let tidy = after.starts_with('<') && !name.is_empty() && !name.starts_with(' ') && !name.ends_with(' ');
    tidy.then_some((Text::Borrowed(name), after))
}

/// One digit, which is all that an `AppointmentState` has.
#[inline(always)]
pub(super) fn number<'a, V: Vector>(_: V, rest: &'a str) -> Read<'a, i32> {
    let digit = rest.as_bytes().first().filter(|digit| digit.is_ascii_digit())?;
    Some((i32::from(digit - b'0'), rest.get(1..)?))
}

/// The names of an enumeration that are known by heart, one for each first letter. Which one a page holds next is
/// anybody's guess, so they are told apart by one comparison and no branch; other names go the way of [`token`].
struct Names([Name; LETTERS]);

#[derive(Clone, Copy)]
struct Name {
    /// Up to 31 bytes, zeros behind them.
    bytes: [u8; 32],
    /// A bit for each byte of the name.
    mask: u32,
    len: usize,
    which: usize,
}

/// The first letter's low five bits.
const LETTERS: usize = 32;

const fn by_letter(list: &[&str]) -> Names {
    let mut names = [Name { bytes: [0; 32], mask: 0, len: usize::MAX, which: 0 }; LETTERS];
    let mut which = 0;
    while which < list.len() {
        let name = list[which].as_bytes();
        let (mut bytes, mut at) = ([0; 32], 0);
        while at < name.len() {
            bytes[at] = name[at];
            at += 1;
        }
        names[name[0] as usize % LETTERS] =
            Name { bytes, mask: (1 << name.len()) - 1, len: name.len(), which };
        which += 1;
    }
    Names(names)
}

/// Which of the names is next, if it is one of them.
#[inline(always)]
fn known<'a, V: Vector>(vector: V, rest: &'a str, names: &Names) -> Read<'a, usize> {
    let lane: &[u8; 32] = rest.as_bytes().first_chunk()?;
    let name = &names.0[lane[0] as usize % LETTERS];
    let (len, equal) = vector.text_len_and_equal(lane, &name.bytes);
    if name.len != len || equal & name.mask != name.mask {
        return None;
    }
    Some((name.which, rest.get(len..)?))
}

const SENSITIVITY: Names = by_letter(&["Normal", "Private", "Confidential"]);

#[inline(always)]
pub(super) fn sensitivity<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, Sensitivity<'a>> {
    match known(vector, rest, &SENSITIVITY) {
        Some((0, after)) => Some((Sensitivity::Normal, after)),
        Some((1, after)) => Some((Sensitivity::Private, after)),
        Some((2, after)) => Some((Sensitivity::Confidential, after)),
        _ => {
            let (name, after) = token(vector, rest)?;
            Some((names::sensitivity(name), after))
        }
    }
}

const FREE_BUSY_STATUS: Names =
    by_letter(&["Free", "Tentative", "Busy", "OOF", "NoData", "WorkingElsewhere"]);

#[inline(always)]
pub(super) fn free_busy_status<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, FreeBusyStatus<'a>> {
    match known(vector, rest, &FREE_BUSY_STATUS) {
        Some((0, after)) => Some((FreeBusyStatus::Free, after)),
        Some((1, after)) => Some((FreeBusyStatus::Tentative, after)),
        Some((2, after)) => Some((FreeBusyStatus::Busy, after)),
        Some((3, after)) => Some((FreeBusyStatus::Oof, after)),
        Some((4, after)) => Some((FreeBusyStatus::NoData, after)),
        Some((5, after)) => Some((FreeBusyStatus::WorkingElsewhere, after)),
        _ => {
            let (name, after) = token(vector, rest)?;
            Some((names::free_busy_status(name), after))
        }
    }
}

const CALENDAR_ITEM_TYPE: Names = by_letter(&["Single", "Occurrence", "Exception", "RecurringMaster"]);

#[inline(always)]
pub(super) fn calendar_item_type<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, CalendarItemType<'a>> {
    match known(vector, rest, &CALENDAR_ITEM_TYPE) {
        Some((0, after)) => Some((CalendarItemType::Single, after)),
        Some((1, after)) => Some((CalendarItemType::Occurrence, after)),
        Some((2, after)) => Some((CalendarItemType::Exception, after)),
        Some((3, after)) => Some((CalendarItemType::RecurringMaster, after)),
        _ => {
            let (name, after) = token(vector, rest)?;
            Some((names::calendar_item_type(name), after))
        }
    }
}

const RESPONSE_TYPE: Names =
    by_letter(&["Unknown", "Organizer", "Tentative", "Accept", "Decline", "NoResponseReceived"]);

#[inline(always)]
pub(super) fn response_type<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, ResponseType<'a>> {
    match known(vector, rest, &RESPONSE_TYPE) {
        Some((0, after)) => Some((ResponseType::Unknown, after)),
        Some((1, after)) => Some((ResponseType::Organizer, after)),
        Some((2, after)) => Some((ResponseType::Tentative, after)),
        Some((3, after)) => Some((ResponseType::Accept, after)),
        Some((4, after)) => Some((ResponseType::Decline, after)),
        Some((5, after)) => Some((ResponseType::NoResponseReceived, after)),
        _ => {
            let (name, after) = token(vector, rest)?;
            Some((names::response_type(name), after))
        }
    }
}

/// `<t:ItemId Id="…" ChangeKey="…"/>`.
#[inline(always)]
pub(super) fn item_id<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, ItemId<'a>> {
    let (id, after) = attribute(vector, rest.strip_prefix("<t:ItemId Id=\"")?)?;
    let (change_key, after) = attribute(vector, after.strip_prefix("\" ChangeKey=\"")?)?;
    Some((ItemId { id, change_key: Some(change_key) }, after.strip_prefix("\"/>")?))
}

/// `<t:Organizer><t:Mailbox>…</t:Mailbox></t:Organizer>`, with the four children that Exchange gives it.
#[inline(always)]
pub(super) fn organizer<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, Mailbox<'a>> {
    let (name, after) = text(vector, rest.strip_prefix("<t:Organizer><t:Mailbox><t:Name>")?)?;
    let (email_address, after) = text(vector, after.strip_prefix("</t:Name><t:EmailAddress>")?)?;
    let after = after.strip_prefix("</t:EmailAddress><t:RoutingType>")?;
    let (routing_type, after) = match smtp(after) {
        Some(smtp) => smtp,
        None => text(vector, after)?,
    };
    let after = after.strip_prefix("</t:RoutingType>")?;
    let (mailbox_type, after) = mailbox_type(vector, after)?;
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
fn mailbox_type<'a, V: Vector>(vector: V, rest: &'a str) -> Read<'a, Option<Text<'a>>> {
    match rest.strip_prefix("<t:MailboxType>") {
        Some(after) => {
            let (kind, after) = text(vector, after)?;
            Some((Some(kind), after.strip_prefix("</t:MailboxType>")?))
        }
        None => Some((None, rest)),
    }
}
