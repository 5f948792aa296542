//! XML that several kinds of items share: ids, folders and times. Reads no property.

use crate::sim::event::{ItemContent, StoredItem};
use crate::sim::ids::{self, ItemLocator};
use crate::sim::soap_response::{element, instant};
use crate::sim::views::EventInstance;

pub(super) fn item_id(id: &str, change_key: &str) -> String {
    format!(r#"<t:ItemId Id="{id}" ChangeKey="{change_key}"/>"#)
}

/// A message's id without other properties.
pub(super) fn bare_message(item: &StoredItem, at: ItemLocator) -> String {
    let kind = element_name_of(item);
    format!("<t:{kind}>{}</t:{kind}>", item_id(&ids::item_id(at), &ids::change_key(item.version)))
}

pub(super) fn parent_folder(mailbox: u32, folder: u8) -> String {
    let id = ids::folder_id(mailbox, folder);
    format!(r#"<t:ParentFolderId Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
}

/// The times of an `OccurrenceInfoType`.
pub(super) fn times(view: &EventInstance<'_>) -> String {
    format!("{}{}", element("Start", &instant(view.start)), element("End", &instant(view.end)))
}

/// The schema's element name for a row.
pub(super) fn element_name_of(item: &StoredItem) -> &'static str {
    match &item.content {
        ItemContent::Event(_) => "CalendarItem",
        ItemContent::Message(message) => match message.class {
            "IPM.Schedule.Meeting.Request" => "MeetingRequest",
            "IPM.Schedule.Meeting.Canceled" => "MeetingCancellation",
            class if class.starts_with("IPM.Schedule.Meeting.Resp.") => "MeetingResponse",
            _ => "Message",
        },
    }
}
