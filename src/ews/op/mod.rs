//! The operations of EWS, one file each with its request and its response type. Never sends anything.
//!
//! A request is a plain struct that borrows the caller's values; [`Operation::write_body`] writes it and never validates, because ids
//! and times are checked types already.

mod create_item;
mod delete_item;
mod find_item;
mod get_folder;
mod get_item;
mod get_room_lists;
mod get_rooms;
mod get_streaming_events;
mod get_user_availability;
mod move_item;
mod property;
mod resolve_names;
mod subscribe;
mod sync_folder_items;
mod update_item;

pub use create_item::*;
pub use delete_item::*;
pub use find_item::*;
pub use get_folder::*;
pub use get_item::*;
pub use get_room_lists::*;
pub use get_rooms::*;
pub use get_streaming_events::*;
pub use get_user_availability::*;
pub use move_item::*;
pub use property::Property;
pub use resolve_names::*;
pub use subscribe::*;
pub use sync_folder_items::*;
pub use update_item::*;

use super::codec::xml_writer::XmlWriter;
use super::soap::{CLOSE, RequestHeaders};

/// Whether an operation changes data, which decides whether it may be sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Changes nothing, so it may be repeated.
    Read,
    /// Changes data or sends mail: never repeated before the mailbox was read.
    Write,
}

/// A request of EWS.
pub trait Operation {
    /// The operation's name for the SOAPAction header, logs and counters.
    const NAME: &'static str;
    /// Whether it changes data.
    const EFFECT: Effect;

    /// Whether it creates an item. The server compares no version then, so a repeated request creates a second item.
    fn creates_item(&self) -> bool {
        false
    }

    /// Writes the one child of `soap:Body`. Omits content that [`XmlWriter::version`] does not support; checks nothing else: an empty list
    /// where the schema requires an entry makes a request that Exchange refuses with `ErrorSchemaValidation`.
    fn write_body(&self, out: &mut XmlWriter<'_>);
}

/// Writes the whole request into `out`, replacing its content. Keeps the buffer's capacity, so a warm buffer needs no
/// allocation.
pub fn encode_into<O: Operation + ?Sized>(op: &O, headers: &RequestHeaders<'_>, out: &mut Vec<u8>) {
    out.clear();
    let mut writer = XmlWriter::new(out, headers.version);
    headers.write_opening(&mut writer);
    op.write_body(&mut writer);
    writer.raw(CLOSE);
}

/// A folder that every mailbox has (`t:DistinguishedFolderId`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DistinguishedFolder {
    /// `calendar`.
    Calendar,
    /// `deleteditems`.
    DeletedItems,
    /// `sentitems`.
    SentItems,
}

/// A folder in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderId<'a> {
    /// A folder of the impersonated mailbox, or of the account's own without impersonation.
    Own(DistinguishedFolder),
    /// A folder of the mailbox with this address; the account needs delegate access to it.
    InMailbox(DistinguishedFolder, &'a str),
}

/// An item in a request: borrowed id and ChangeKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRef<'a> {
    /// `Id`.
    pub id: &'a str,
    /// `ChangeKey`, when known.
    pub change_key: Option<&'a str>,
}

impl DistinguishedFolder {
    fn write_open_tag(self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<t:DistinguishedFolderId Id=""#);
        out.raw(match self {
            Self::Calendar => "calendar",
            Self::DeletedItems => "deleteditems",
            Self::SentItems => "sentitems",
        });
        out.raw("\"");
    }
}

impl FolderId<'_> {
    fn write(self, out: &mut XmlWriter<'_>) {
        match self {
            Self::Own(folder) => {
                folder.write_open_tag(out);
                out.raw("/>");
            }
            Self::InMailbox(folder, mailbox) => {
                folder.write_open_tag(out);
                out.raw("><t:Mailbox>");
                out.element("t:EmailAddress", mailbox);
                out.raw("</t:Mailbox></t:DistinguishedFolderId>");
            }
        }
    }
}

impl ItemRef<'_> {
    /// Writes the reference; `start` is its start tag up to the id, such as `<t:ItemId Id="`.
    #[inline(always)]
    fn write(self, start: &'static str, out: &mut XmlWriter<'_>) {
        out.raw(start);
        out.attribute_value(self.id);
        if let Some(change_key) = self.change_key {
            out.raw(r#"" ChangeKey=""#);
            out.attribute_value(change_key);
        }
        out.raw(r#""/>"#);
    }
}

/// The start of an item's id.
const ITEM_ID: &str = r#"<t:ItemId Id=""#;

/// `m:ItemIds`.
fn write_items(items: &[ItemRef<'_>], out: &mut XmlWriter<'_>) {
    out.raw("<m:ItemIds>");
    for item in items {
        item.write(ITEM_ID, out);
    }
    out.raw("</m:ItemIds>");
}

/// `m:ItemShape`: the id and the requested properties.
fn write_shape(properties: &[Property], out: &mut XmlWriter<'_>) {
    let version = out.version();
    let mut known = properties.iter().filter(|property| property.since() <= version).peekable();
    out.raw("<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>");
    if known.peek().is_some() {
        out.raw("<t:AdditionalProperties>");
        for property in known {
            out.raw(r#"<t:FieldURI FieldURI=""#);
            out.raw(property.field_uri());
            out.raw(r#""/>"#);
        }
        out.raw("</t:AdditionalProperties>");
    }
    out.raw("</m:ItemShape>");
}
