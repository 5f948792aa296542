//! Scans the value of a property in any well-formed spelling: one function for each kind of value in the table of fields. Declines an
//! unreadable value.

use chrono::{DateTime, Utc};

use super::super::rules::{self, names};
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::mailboxes;
pub(super) use super::mailboxes::{attendees, item_id, organizer, strings};
use super::markup::Tag;
use crate::ews::types::{CalendarItemType, FreeBusyStatus, Occurrence, ResponseType, Sensitivity, Text};

/// Sets an empty property; declines if it is set already.
macro_rules! set_once {
    ($cursor:ident, $property:expr, $value:expr) => {{
        if $property.is_some() {
            return $cursor.decline(DeclineReason::Twice);
        }
        $property = Some($value);
    }};
}
pub(super) use set_once;

/// Text.
pub(super) fn text<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Text<'a>> {
    cursor.text_of(tag)
}

/// A time.
pub(super) fn time<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<DateTime<Utc>> {
    let text = cursor.token_of(tag)?;
    match rules::time::date_time(&text) {
        Some(time) => Ok(time),
        None => cursor.decline(DeclineReason::Value),
    }
}

/// A boolean.
pub(super) fn boolean<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<bool> {
    let text = cursor.token_of(tag)?;
    match rules::boolean(&text) {
        Some(value) => Ok(value),
        None => cursor.decline(DeclineReason::Value),
    }
}

/// A whole number.
pub(super) fn number<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<i32> {
    let digits = cursor.token_of(tag)?;
    match rules::number(&digits) {
        Some(value) => Ok(value),
        None => cursor.decline(DeclineReason::Value),
    }
}

/// `t:Sensitivity`.
pub(super) fn sensitivity<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Sensitivity<'a>> {
    cursor.token_of(tag).map(names::sensitivity)
}

/// `t:LegacyFreeBusyStatus`.
pub(super) fn free_busy_status<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<FreeBusyStatus<'a>> {
    cursor.token_of(tag).map(names::free_busy_status)
}

/// `t:CalendarItemType`.
pub(super) fn calendar_item_type<'a>(
    cursor: &mut Cursor<'a>,
    tag: &Tag<'a>,
) -> ScanResult<CalendarItemType<'a>> {
    cursor.token_of(tag).map(names::calendar_item_type)
}

/// `t:MyResponseType`.
pub(super) fn response_type<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<ResponseType<'a>> {
    cursor.token_of(tag).map(names::response_type)
}

/// `t:ModifiedOccurrences`.
pub(super) fn occurrences<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Vec<Occurrence<'a>>> {
    mailboxes::list(cursor, tag, "t:Occurrence", occurrence)
}

fn occurrence<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Occurrence<'a>> {
    let mut date = Occurrence::default();
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => set_once!(cursor, date.item_id, item_id(cursor, &child)?),
            "t:Start" => set_once!(cursor, date.start, time(cursor, &child)?),
            "t:End" => set_once!(cursor, date.end, time(cursor, &child)?),
            "t:OriginalStart" => set_once!(cursor, date.original_start, time(cursor, &child)?),
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(date)
}
