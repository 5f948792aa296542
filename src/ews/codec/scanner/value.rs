//! Scans values in Exchange's form from the start of a string; returns the text after the value, or `None`.
//!
//! `None` never means an error, only another form: the caller then parses the same bytes in the general way. The parameter `vector` selects
//! the byte search.
//!
//! Each function writes its value into an empty property and leaves it empty when it returns `None`. Returning the value (borrowed or owned
//! text) would copy it through memory, and delay what follows.

use chrono::{DateTime, Utc};

use super::super::byte_scanner::{Baseline, ByteScanner};
use super::super::rules::names;
use super::super::rules::text;
use crate::ews::types::{CalendarItemType, FreeBusyStatus, ItemId, Mailbox, ResponseType, Sensitivity, Text};

/// A value and the text after it.
pub(super) type ValueAndRest<'a, T> = Option<(T, &'a str)>;

/// Maximum digits of a number here; the general way reads longer ones.
const DIGITS_MAX: usize = 9;

/// One to [`DIGITS_MAX`] digits.
#[inline(always)]
pub(super) fn digits(rest: &str) -> ValueAndRest<'_, u32> {
    let (mut number, mut count) = (0, 0);
    while let Some(digit) = rest.as_bytes().get(count).filter(|byte| byte.is_ascii_digit()) {
        if count == DIGITS_MAX {
            return None;
        }
        number = number * 10 + u32::from(digit - b'0');
        count += 1;
    }
    if count == 0 { None } else { Some((number, rest.get(count..)?)) }
}

/// The text after the value, if the value was read.
pub(super) type AfterValue<'a> = Option<&'a str>;

/// Sets an empty property without checking for an old value to drop.
#[inline(always)]
pub(super) fn set_empty<T>(property: &mut Option<T>, value: T) {
    debug_assert!(property.is_none());
    std::mem::forget(property.replace(value));
}

/// Text up to the next tag, with references resolved.
#[inline(always)]
pub(super) fn text<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<Text<'a>>,
) -> AfterValue<'a> {
    let len = vector.text_len(rest.as_bytes());
    if rest.as_bytes().get(len) == Some(&b'<') {
        let (plain, after) = rest.split_at_checked(len)?;
        set_empty(property, Text::Borrowed(plain));
        return Some(after);
    }
    text_with_specials(rest, len, property)
}

/// As [`text`], when the first `seen` bytes are known to be plain.
#[inline(never)]
fn text_with_specials<'a>(rest: &'a str, seen: usize, property: &mut Option<Text<'a>>) -> AfterValue<'a> {
    let end = memchr::memchr(b'<', rest.as_bytes().get(seen..)?)?;
    let (raw, after) = rest.split_at_checked(seen + end)?;
    *property = Some(text::text(raw));
    Some(after)
}

/// As [`text`], but only without references and line ends: borrowed.
#[inline]
pub(super) fn plain_text<'a>(rest: &'a str, property: &mut Option<Text<'a>>) -> AfterValue<'a> {
    let (plain, after) = rest.split_at_checked(Baseline.text_len(rest.as_bytes()))?;
    after.starts_with('<').then(|| *property = Some(Text::Borrowed(plain)))?;
    Some(after)
}

/// As [`attribute`], but only without references and white space other than spaces: borrowed.
#[inline]
pub(super) fn plain_attribute<'a>(rest: &'a str, property: &mut Option<Text<'a>>) -> AfterValue<'a> {
    let (plain, after) = rest.split_at_checked(Baseline.value_len(rest.as_bytes()))?;
    after.starts_with('"').then(|| *property = Some(Text::Borrowed(plain)))?;
    Some(after)
}

/// An attribute's value up to its closing `"`, with references resolved.
#[inline(always)]
pub(super) fn attribute<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<Text<'a>>,
) -> AfterValue<'a> {
    let len = vector.value_len(rest.as_bytes());
    if rest.as_bytes().get(len) == Some(&b'"') {
        let (plain, after) = rest.split_at_checked(len)?;
        set_empty(property, Text::Borrowed(plain));
        return Some(after);
    }
    attribute_with_specials(rest, len, property)
}

#[inline(never)]
fn attribute_with_specials<'a>(
    rest: &'a str,
    seen: usize,
    property: &mut Option<Text<'a>>,
) -> AfterValue<'a> {
    let end = memchr::memchr2(b'"', b'<', rest.as_bytes().get(seen..)?)?;
    let (raw, after) = rest.split_at_checked(seen + end)?;
    after.strip_prefix('"')?;
    *property = Some(text::attribute(raw));
    Some(after)
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
#[inline(always)]
pub(super) fn time<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<DateTime<Utc>>,
) -> AfterValue<'a> {
    set_empty(property, vector.time(rest.as_bytes().first_chunk()?)?);
    rest.get(20..)
}

/// `true` or `false`. Two branches: most values of one page are equal, so the processor continues before the length is known.
#[inline(always)]
pub(super) fn boolean<'a, V: ByteScanner>(
    _: V,
    rest: &'a str,
    property: &mut Option<bool>,
) -> AfterValue<'a> {
    if let Some(after) = rest.strip_prefix("false") {
        set_empty(property, false);
        return Some(after);
    }
    let after = rest.strip_prefix("true")?;
    set_empty(property, true);
    Some(after)
}

/// Text without references and white space around it, not empty; the text from the next tag.
#[inline(always)]
pub(super) fn bare_token<V: ByteScanner>(vector: V, rest: &str) -> ValueAndRest<'_, &str> {
    let (name, after) = rest.split_at_checked(vector.text_len(rest.as_bytes()))?;
    let tidy = after.starts_with('<') && !name.is_empty() && !name.starts_with(' ') && !name.ends_with(' ');
    tidy.then_some((name, after))
}

/// Any other name.
#[cold]
#[inline(never)]
fn token<'a, T>(rest: &'a str, property: &mut Option<T>, named: fn(Text<'a>) -> T) -> AfterValue<'a> {
    let (name, after) = bare_token(Baseline, rest)?;
    *property = Some(named(Text::Borrowed(name)));
    Some(after)
}

/// One digit: an `AppointmentState` has no more.
#[inline(always)]
pub(super) fn number<'a, V: ByteScanner>(_: V, rest: &'a str, property: &mut Option<i32>) -> AfterValue<'a> {
    let digit = rest.as_bytes().first().filter(|digit| digit.is_ascii_digit())?;
    set_empty(property, i32::from(digit - b'0'));
    rest.get(1..)
}

/// The frequent names of an enumeration, one for each first letter. The next name on a page is unpredictable, so one comparison without a
/// branch distinguishes them; [`token`] handles other names.
struct NameTable([KnownName; LETTERS]);

#[derive(Clone, Copy)]
struct KnownName {
    /// Up to 31 bytes, padded with zeros.
    bytes: [u8; 32],
    /// A bit for each byte of the name.
    mask: u32,
    len: usize,
    which: usize,
}

/// Number of values of the first letter's low five bits.
const LETTERS: usize = 32;

const fn name_table(list: &[&str]) -> NameTable {
    let mut names = [KnownName { bytes: [0; 32], mask: 0, len: usize::MAX, which: 0 }; LETTERS];
    let mut which = 0;
    while which < list.len() {
        let name = list[which].as_bytes();
        let (mut bytes, mut at) = ([0; 32], 0);
        while at < name.len() {
            bytes[at] = name[at];
            at += 1;
        }
        names[name[0] as usize % LETTERS] =
            KnownName { bytes, mask: (1 << name.len()) - 1, len: name.len(), which };
        which += 1;
    }
    NameTable(names)
}

/// The index of the name that is next, if it is in the table.
#[inline(always)]
fn match_known_name<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    names: &NameTable,
) -> Option<(usize, &'a str)> {
    let lane: &[u8; 32] = rest.as_bytes().first_chunk()?;
    let name = &names.0[lane[0] as usize % LETTERS];
    let (len, equal) = vector.text_len_and_equal(lane, &name.bytes);
    if name.len != len || equal & name.mask != name.mask {
        return None;
    }
    Some((name.which, rest.get(len..)?))
}

const SENSITIVITY: NameTable = name_table(&["Normal", "Private", "Confidential"]);

#[inline(always)]
pub(super) fn sensitivity<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<Sensitivity<'a>>,
) -> AfterValue<'a> {
    let Some((which, after)) = match_known_name(vector, rest, &SENSITIVITY) else {
        return token(rest, property, names::sensitivity);
    };
    let value = match which {
        0 => Sensitivity::Normal,
        1 => Sensitivity::Private,
        2 => Sensitivity::Confidential,
        _ => return None,
    };
    set_empty(property, value);
    Some(after)
}

const FREE_BUSY_STATUS: NameTable =
    name_table(&["Free", "Tentative", "Busy", "OOF", "NoData", "WorkingElsewhere"]);

#[inline(always)]
pub(super) fn free_busy_status<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<FreeBusyStatus<'a>>,
) -> AfterValue<'a> {
    let Some((which, after)) = match_known_name(vector, rest, &FREE_BUSY_STATUS) else {
        return token(rest, property, names::free_busy_status);
    };
    let value = match which {
        0 => FreeBusyStatus::Free,
        1 => FreeBusyStatus::Tentative,
        2 => FreeBusyStatus::Busy,
        3 => FreeBusyStatus::Oof,
        4 => FreeBusyStatus::NoData,
        5 => FreeBusyStatus::WorkingElsewhere,
        _ => return None,
    };
    set_empty(property, value);
    Some(after)
}

const CALENDAR_ITEM_TYPE: NameTable = name_table(&["Single", "Occurrence", "Exception", "RecurringMaster"]);

#[inline(always)]
pub(super) fn calendar_item_type<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<CalendarItemType<'a>>,
) -> AfterValue<'a> {
    let Some((which, after)) = match_known_name(vector, rest, &CALENDAR_ITEM_TYPE) else {
        return token(rest, property, names::calendar_item_type);
    };
    let value = match which {
        0 => CalendarItemType::Single,
        1 => CalendarItemType::Occurrence,
        2 => CalendarItemType::Exception,
        3 => CalendarItemType::RecurringMaster,
        _ => return None,
    };
    set_empty(property, value);
    Some(after)
}

const RESPONSE_TYPE: NameTable =
    name_table(&["Unknown", "Organizer", "Tentative", "Accept", "Decline", "NoResponseReceived"]);

#[inline(always)]
pub(super) fn response_type<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<ResponseType<'a>>,
) -> AfterValue<'a> {
    let Some((which, after)) = match_known_name(vector, rest, &RESPONSE_TYPE) else {
        return token(rest, property, names::response_type);
    };
    let value = match which {
        0 => ResponseType::Unknown,
        1 => ResponseType::Organizer,
        2 => ResponseType::Tentative,
        3 => ResponseType::Accept,
        4 => ResponseType::Decline,
        5 => ResponseType::NoResponseReceived,
        _ => return None,
    };
    set_empty(property, value);
    Some(after)
}

/// Lengths of the previous item's id and ChangeKey. Ids of one folder mostly have the same length, so the processor can continue with the
/// predicted length while the search for the end still runs.
#[derive(Default)]
pub(super) struct IdLengths {
    id: usize,
    change_key: usize,
    uid: usize,
}

/// Returns `len`, read from `previous` if it is equal. `black_box` keeps the compiler from noticing that it could wait for `len`
/// instead.
#[inline(always)]
fn predicted_len(len: usize, previous: &mut usize) -> usize {
    if len == *previous {
        return std::hint::black_box(*previous);
    }
    *previous = len;
    len
}

/// `t:UID`, in a sequence of items.
#[inline(always)]
pub(super) fn uid<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<Text<'a>>,
    previous: &mut IdLengths,
) -> AfterValue<'a> {
    let len = predicted_len(vector.text_len(rest.as_bytes()), &mut previous.uid);
    if rest.as_bytes().get(len) == Some(&b'<') {
        let (plain, after) = rest.split_at_checked(len)?;
        set_empty(property, Text::Borrowed(plain));
        return Some(after);
    }
    text_with_specials(rest, len, property)
}

/// `<t:ItemId Id="…" ChangeKey="…"/>`.
#[inline(always)]
pub(super) fn item_id<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<ItemId<'a>>,
) -> AfterValue<'a> {
    item_id_with_prediction(vector, rest, property, &mut IdLengths::default())
}

/// As [`item_id`], in a sequence of items.
#[inline(always)]
pub(super) fn item_id_with_prediction<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<ItemId<'a>>,
    previous: &mut IdLengths,
) -> AfterValue<'a> {
    let rest = rest.strip_prefix("<t:ItemId Id=\"")?;
    let len = predicted_len(vector.value_len(rest.as_bytes()), &mut previous.id);
    let (id, after) = rest.split_at_checked(len)?;
    let Some(key) = after.strip_prefix("\" ChangeKey=\"") else {
        return item_id_with_specials(rest, property);
    };
    let len = predicted_len(vector.value_len(key.as_bytes()), &mut previous.change_key);
    let (key, after) = key.split_at_checked(len)?;
    let Some(after) = after.strip_prefix("\"/>") else { return item_id_with_specials(rest, property) };
    set_empty(property, ItemId { id: Text::Borrowed(id), change_key: Some(Text::Borrowed(key)) });
    Some(after)
}

/// The attributes of an id without references, and the end of its tag in both spellings of Exchange: ` Id="…" ChangeKey="…"/>`.
#[inline(always)]
pub(super) fn id_attributes<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    previous: &mut IdLengths,
) -> ValueAndRest<'a, ItemId<'a>> {
    let rest = rest.strip_prefix(" Id=\"")?;
    let len = predicted_len(vector.value_len(rest.as_bytes()), &mut previous.id);
    let (id, rest) = rest.split_at_checked(len)?;
    let rest = rest.strip_prefix("\" ChangeKey=\"")?;
    let len = predicted_len(vector.value_len(rest.as_bytes()), &mut previous.change_key);
    let (change_key, rest) = rest.split_at_checked(len)?;
    let rest = rest.strip_prefix("\"/>").or_else(|| rest.strip_prefix("\" />"))?;
    Some((ItemId { id: Text::Borrowed(id), change_key: Some(Text::Borrowed(change_key)) }, rest))
}

/// Parses the rest of the element, starting inside the id.
#[cold]
#[inline(never)]
fn item_id_with_specials<'a>(rest: &'a str, property: &mut Option<ItemId<'a>>) -> AfterValue<'a> {
    let (mut id, mut change_key) = (None, None);
    let after = attribute(Baseline, rest, &mut id)?.strip_prefix("\" ChangeKey=\"")?;
    let after = attribute(Baseline, after, &mut change_key)?.strip_prefix("\"/>")?;
    *property = Some(ItemId { id: id?, change_key });
    Some(after)
}

/// `<t:Organizer><t:Mailbox>…</t:Mailbox></t:Organizer>`, with Exchange's four children.
#[inline(always)]
pub(super) fn organizer<'a, V: ByteScanner>(
    vector: V,
    rest: &'a str,
    property: &mut Option<Mailbox<'a>>,
) -> AfterValue<'a> {
    let rest = rest.strip_prefix("<t:Organizer><t:Mailbox><t:Name>")?;
    set_empty(property, Mailbox::default());
    let after = property.as_mut().and_then(|mailbox| inside_mailbox(vector, rest, mailbox));
    let after = after.and_then(|after| after.strip_prefix("</t:Mailbox></t:Organizer>"));
    if after.is_none() {
        *property = None;
    }
    after
}

/// The end of nearly every organizer, as two literals (longer ones are compared by a function call), so that the next field need not
/// wait for two lengths.
const USUAL_MAILBOX_END: [&str; 2] =
    ["</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>", "<t:MailboxType>Mailbox</t:MailboxType>"];

#[inline(always)]
fn inside_mailbox<'a, V: ByteScanner>(vector: V, rest: &'a str, mailbox: &mut Mailbox<'a>) -> AfterValue<'a> {
    let after = text(vector, rest, &mut mailbox.name)?;
    let after = text(vector, after.strip_prefix("</t:Name><t:EmailAddress>")?, &mut mailbox.email_address)?;
    if let Some(after) = after.strip_prefix(USUAL_MAILBOX_END[0])
        && let Some(after) = after.strip_prefix(USUAL_MAILBOX_END[1])
    {
        set_empty(&mut mailbox.routing_type, Text::Borrowed("SMTP"));
        set_empty(&mut mailbox.mailbox_type, Text::Borrowed("Mailbox"));
        return Some(after);
    }
    let after = after.strip_prefix("</t:EmailAddress><t:RoutingType>")?;
    let after = text(vector, after, &mut mailbox.routing_type)?.strip_prefix("</t:RoutingType>")?;
    // Servers before 2013 omit the type.
    match after.strip_prefix("<t:MailboxType>") {
        Some(after) => text(vector, after, &mut mailbox.mailbox_type)?.strip_prefix("</t:MailboxType>"),
        None => Some(after),
    }
}
