//! Scans the payloads of each operation's messages: items, the folder of a page, the number of conflicts. Never reads the fields of the
//! message itself.

use super::super::rules;
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::item;
use super::markup::Tag;
use super::property::set_once;
use super::value;
use crate::ews::op::{RootFolder, UpdateItemPayload};
use crate::ews::types::Item;

/// The content of an operation's messages.
pub(super) trait Payload<'a>: Default {
    /// Reads as much as has Exchange's exact form, starting at the next tag.
    fn read_in_order(&mut self, cursor: &mut Cursor<'a>) -> ScanResult<()>;

    /// Reads one child of the message, or skips an unknown one.
    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()>;
}

/// No payload: `DeleteItem`, `Unsubscribe`.
impl<'a> Payload<'a> for () {
    fn read_in_order(&mut self, _: &mut Cursor<'a>) -> ScanResult<()> {
        Ok(())
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        cursor.skip_element(child)
    }
}

/// `m:Items`: `GetItem`, `CreateItem`, `MoveItem`.
impl<'a> Payload<'a> for Option<Vec<Item<'a>>> {
    #[inline]
    fn read_in_order(&mut self, cursor: &mut Cursor<'a>) -> ScanResult<()> {
        if cursor.skip_literal("<m:Items>") {
            item::written_items(cursor, self.insert(Vec::new()))?;
        } else if cursor.skip_literal("<m:Items/>") {
            *self = Some(Vec::new());
        }
        Ok(())
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        if child.name != "m:Items" {
            return cursor.skip_element(child);
        }
        if self.is_some() {
            return cursor.decline(DeclineReason::Twice);
        }
        item::items(cursor, child, 0, self.insert(Vec::new()))
    }
}

/// `m:Items` and `m:ConflictResults`.
impl<'a> Payload<'a> for UpdateItemPayload<'a> {
    #[inline]
    fn read_in_order(&mut self, cursor: &mut Cursor<'a>) -> ScanResult<()> {
        self.items.read_in_order(cursor)?;
        if cursor.skip_literal("<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>") {
            self.conflict_count = Some(0);
        }
        Ok(())
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        if child.name != "m:ConflictResults" {
            return self.items.read_child(cursor, child);
        }
        if self.conflict_count.is_some() {
            return cursor.decline(DeclineReason::Twice);
        }
        self.conflict_count = conflict_count(cursor, child)?;
        Ok(())
    }
}

fn conflict_count(cursor: &mut Cursor<'_>, tag: &Tag<'_>) -> ScanResult<Option<u32>> {
    if tag.self_closing {
        return Ok(None);
    }
    cursor.skip_white_space();
    cursor.expect_literal("<t:Count>")?;
    let Some(count) = rules::number(&cursor.text()?) else { return cursor.decline(DeclineReason::Value) };
    cursor.end_tag("t:Count")?;
    cursor.skip_white_space();
    cursor.end_tag(tag.name)?;
    Ok(Some(count))
}

/// `m:RootFolder`: `FindItem`.
impl<'a> Payload<'a> for Option<RootFolder<'a>> {
    #[inline]
    fn read_in_order(&mut self, cursor: &mut Cursor<'a>) -> ScanResult<()> {
        let Some((total, rest)) = whole_view(cursor.rest()) else { return Ok(()) };
        cursor.jump_to(rest);
        let folder = self.insert(RootFolder {
            total_items_in_view: Some(total),
            includes_last_item_in_range: Some(true),
            items: None,
        });
        item::items(cursor, &Tag::plain("t:Items"), total as usize, folder.items.insert(Vec::new()))?;
        folder_children(cursor, &Tag::plain("m:RootFolder"), folder)
    }

    fn read_child(&mut self, cursor: &mut Cursor<'a>, child: &Tag<'a>) -> ScanResult<()> {
        if child.name != "m:RootFolder" {
            return cursor.skip_element(child);
        }
        set_once!(cursor, *self, folder_attributes(cursor, child)?);
        match self {
            Some(folder) => folder_children(cursor, child, folder),
            None => Ok(()),
        }
    }
}

/// The start tags of a page that holds all items: `<m:RootFolder …><t:Items>`; returns their number.
#[inline]
fn whole_view(rest: &str) -> value::ValueAndRest<'_, u32> {
    let (total, rest) = value::digits(rest.strip_prefix("<m:RootFolder TotalItemsInView=\"")?)?;
    Some((total, rest.strip_prefix("\" IncludesLastItemInRange=\"true\"><t:Items>")?))
}

fn folder_attributes<'a>(cursor: &Cursor<'a>, tag: &Tag<'a>) -> ScanResult<RootFolder<'a>> {
    let mut folder = RootFolder::default();
    if let Some(total) = tag.attribute("TotalItemsInView") {
        let Some(total) = rules::number(&total) else { return cursor.decline(DeclineReason::Value) };
        folder.total_items_in_view = Some(total);
    }
    if let Some(last) = tag.attribute("IncludesLastItemInRange") {
        let Some(last) = rules::boolean(&last) else { return cursor.decline(DeclineReason::Value) };
        folder.includes_last_item_in_range = Some(last);
    }
    Ok(folder)
}

fn folder_children<'a>(
    cursor: &mut Cursor<'a>,
    tag: &Tag<'a>,
    folder: &mut RootFolder<'a>,
) -> ScanResult<()> {
    let expected = folder.total_items_in_view.unwrap_or_default() as usize;
    while let Some(child) = cursor.next_child(tag)? {
        if child.name != "t:Items" {
            cursor.skip_element(&child)?;
        } else if folder.items.is_some() {
            return cursor.decline(DeclineReason::Twice);
        } else {
            item::items(cursor, &child, expected, folder.items.insert(Vec::new()))?;
        }
    }
    Ok(())
}
