//! The items of a folder without their content, by the mailbox id of Exchange settings: the only place where Graph
//! shows events in Deleted Items.

use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::json_object::object;
use super::paging;
use super::query::{self, QueryOptions};
use super::reply::GraphReply;
use super::times;
use crate::sim::event::{ItemContent, StoredItem};
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::{self, ItemLocator};

/// The form of a mailbox id: `MBX:{mailbox guid}@{tenant id}`.
const PREFIX: &str = "MBX:";
const TENANT: &str = "5ad0feed-6d1c-4e02-9f3b-00000000ad01";
const ITEM: &[&str] =
    &["id", "type", "size", "createdDateTime", "lastModifiedDateTime", "changeKey", "categories"];

/// `settings/exchange`.
pub(super) fn settings(context: &GraphContext<'_>, mailbox: u32) -> Result<GraphReply, GraphError> {
    let guid = ids::guid(context.mailbox(mailbox)?.number);
    Ok(GraphReply::ok(json!({
        "@odata.context": context.metadata("microsoft.graph.exchangeSettings"),
        "id": guid,
        "primaryMailboxId": format!("{PREFIX}{guid}@{TENANT}"),
    })))
}

/// The object id in a mailbox id.
pub(super) fn user_of(mailbox: &str) -> Result<&str, GraphError> {
    let guid = mailbox.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(TENANT)?.strip_suffix('@'));
    guid.ok_or_else(|| GraphError::bad_request("ErrorInvalidIdMalformed", "The mailbox id is malformed."))
}

pub(super) fn list(context: &GraphContext<'_>, mailbox: u32, folder: &str) -> Result<GraphReply, GraphError> {
    let folder = match folder.to_lowercase().as_str() {
        "calendar" => MailboxFolder::Calendar,
        "deleteditems" => MailboxFolder::Deleted,
        "inbox" => MailboxFolder::Inbox,
        "sentitems" => MailboxFolder::Sent,
        _ => return Err(GraphError::bad_request("ErrorInvalidIdMalformed", "Id is malformed.")),
    };
    let options = QueryOptions::read(context.call, &context.preferences)?;
    options.check_select("mailboxItem", ITEM)?;
    let mailbox = context.mailbox(mailbox)?;
    let items: Vec<&StoredItem> = mailbox.folder(folder).collect();
    let render = |item: &&StoredItem| {
        let at = ItemLocator { mailbox: mailbox.number, item: item.number, occurrence: None };
        query::select(item_json(at, item), options.select.as_deref())
    };
    let metadata = context.metadata("Collection(microsoft.graph.mailboxItem)");
    Ok(GraphReply::ok(paging::page(context.call, metadata, &options, &items, render)))
}

fn item_json(at: ItemLocator, item: &StoredItem) -> Map<String, Value> {
    let (class, length) = match &item.content {
        ItemContent::Event(event) => ("IPM.Appointment", event.details.body.len()),
        ItemContent::Message(message) => (message.class, message.body.len()),
    };
    object(json!({
        "@odata.etag": format!("W/\"{}\"", ids::change_key(item.version)),
        "id": super::ids::IdFormat::Immutable.encode(at, item),
        "type": class,
        "size": 4_096 + length,
        "createdDateTime": times::offset_time(item.created),
        "lastModifiedDateTime": times::offset_time(item.modified),
        "changeKey": ids::change_key(item.version),
        "categories": [],
    }))
}
