//! Decodes items: a calendar item with its known properties, any other kind with its name and id. Never fails because of one value.

use super::super::error::DecodeResult;
use super::document::{XmlDocument, XmlElement};
use super::namespace::Namespace;
use super::property;
use crate::ews::fields::calendar_item_fields;
use crate::ews::types::{CalendarItem, Item, OtherItem};

/// A list of items, whatever the list's name.
pub(super) fn items<'a>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
) -> DecodeResult<Vec<Item<'a>>> {
    let mut items = Vec::new();
    document.children(list, |document, child| {
        document.count_entry(child)?;
        items.push(item(document, child)?);
        Ok(())
    })?;
    Ok(items)
}

fn item<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Item<'a>> {
    if element.is(Namespace::Types, "CalendarItem") {
        return calendar_item(document, element).map(Item::Calendar);
    }
    other_item(document, element).map(|other| Item::Other(Box::new(other)))
}

fn other_item<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<OtherItem<'a>> {
    let mut item = OtherItem { element: element.local_name.into(), ..OtherItem::default() };
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "ItemId" => item.item_id = property::item_id(document, child)?,
            "ItemClass" => item.item_class = property::text(document, child)?,
            "DateTimeSent" => item.date_time_sent = property::time(document, child)?,
            "UID" => item.uid = property::text(document, child)?,
            "Start" => item.start = property::time(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(item)
}

fn calendar_item<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<CalendarItem<'a>> {
    let mut item = CalendarItem::default();
    document.children(element, |document, child| property(document, child, &mut item))?;
    Ok(item)
}

macro_rules! define_property_reader {
    ($($(#[$_:meta])* $field:ident: $Name:ident $element:literal $kind:ident $(, $($request:ident)+)?;)*) => {
        /// One property; the caller skips an unknown one.
        fn property<'a>(
            document: &mut XmlDocument<'a>,
            child: &XmlElement<'a>,
            item: &mut CalendarItem<'a>,
        ) -> DecodeResult<()> {
            match child.local_name_in(Namespace::Types) {
                $($element => item.$field = property::$kind(document, child)?,)*
                _ => {}
            }
            Ok(())
        }
    };
}

calendar_item_fields!(define_property_reader);
