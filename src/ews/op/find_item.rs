//! `FindItem`: lists the events of a calendar window, or a page of another folder. A calendar view never contains series masters.

use chrono::{DateTime, Utc};

use super::{Effect, FolderId, Operation, Property, write_shape};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// `FindItem` with a `CalendarView`: one folder, one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindItem<'a> {
    /// The calendar.
    pub folder: FolderId<'a>,
    /// Events that end after this instant …
    pub start: DateTime<Utc>,
    /// … and start before this one. At most two years after `start` (`ErrorCalendarViewRangeTooBig`).
    pub end: DateTime<Utc>,
    /// `MaxEntriesReturned`: a CalendarView has no pages, so after a truncated response split the window.
    pub max_entries: u32,
    /// The properties to return besides the id.
    pub properties: &'a [Property],
}

/// One `m:RootFolder`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct RootFolder<'a> {
    /// `TotalItemsInView`: the server's count.
    pub total_items_in_view: Option<u32>,
    /// `IncludesLastItemInRange`: false means that the response was truncated.
    pub includes_last_item_in_range: Option<bool>,
    /// The items; `None` when the folder has no list of them, which an empty folder always has.
    pub items: Option<Vec<Item<'a>>>,
}

/// The response: one message per requested folder. `None`: without `m:RootFolder`, as in an error.
pub type FindItemAnswer<'a> = Vec<ResponseMessage<'a, Option<RootFolder<'a>>>>;

impl Operation for FindItem<'_> {
    const NAME: &'static str = "FindItem";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:FindItem Traversal="Shallow">"#);
        write_shape(self.properties, out);
        out.raw(r#"<m:CalendarView MaxEntriesReturned=""#);
        out.int(self.max_entries);
        out.raw(r#"" StartDate=""#);
        out.date_time(self.start);
        out.raw(r#"" EndDate=""#);
        out.date_time(self.end);
        out.raw(r#""/><m:ParentFolderIds>"#);
        self.folder.write(out);
        out.raw("</m:ParentFolderIds></m:FindItem>");
    }
}

/// `FindItem` with an `IndexedPageItemView`: a page of any folder, last modified first. In a calendar it would return series
/// masters, so use it for other folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItems<'a> {
    /// The folder.
    pub folder: FolderId<'a>,
    /// How many items to skip.
    pub offset: u32,
    /// `MaxEntriesReturned`; on premises at most 1000 (`EWSFindCountLimit`).
    pub max_entries: u32,
    /// The properties to return besides the id.
    pub properties: &'a [Property],
}

impl Operation for ListItems<'_> {
    const NAME: &'static str = "FindItem";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:FindItem Traversal="Shallow">"#);
        write_shape(self.properties, out);
        out.raw(r#"<m:IndexedPageItemView MaxEntriesReturned=""#);
        out.int(self.max_entries);
        out.raw(r#"" Offset=""#);
        out.int(self.offset);
        out.raw(concat!(
            r#"" BasePoint="Beginning"/><m:SortOrder><t:FieldOrder Order="Descending">"#,
            r#"<t:FieldURI FieldURI="item:LastModifiedTime"/></t:FieldOrder></m:SortOrder><m:ParentFolderIds>"#,
        ));
        self.folder.write(out);
        out.raw("</m:ParentFolderIds></m:FindItem>");
    }
}
