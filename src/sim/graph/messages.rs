//! The messages of a mail folder, as `Mail.ReadBasic` shows them: addresses, subject and times, no body. Calendar items
//! in the folder are not listed.

use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::event_json::{recipient, response};
use super::filter::Filter;
use super::ids::IdFormat;
use super::json_object::object;
use super::paging;
use super::preferences::Preferences;
use super::query::{self, QueryOptions};
use super::reply::GraphReply;
use super::times;
use crate::sim::details::InvitationResponse;
use crate::sim::event::{ItemContent, MailMessage, StoredItem};
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::{self, ItemLocator};

const MESSAGE: &[&str] = &[
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "subject",
    "from",
    "sender",
    "toRecipients",
    "ccRecipients",
    "isDraft",
    "isRead",
    "parentFolderId",
    "meetingMessageType",
    "startDateTime",
    "endDateTime",
    "type",
    "responseType",
];

pub(super) fn list(
    context: &GraphContext<'_>,
    mailbox: u32,
    folder: &str,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let folder = folder_of(folder)?;
    let options = QueryOptions::read(context.call, &context.preferences)?;
    options.check_select("message", MESSAGE)?;
    let filter = options.filter.as_deref().map(Filter::parse).transpose()?;
    let (mailbox, format) = (context.mailbox(mailbox)?, context.id_format());
    let messages = mailbox.folder(folder).filter_map(|item| match &item.content {
        ItemContent::Message(message) => Some((item, message)),
        ItemContent::Event(_) => None,
    });
    let json = |(item, message): (&StoredItem, &MailMessage), preferences: &Preferences| {
        let at = ItemLocator { mailbox: mailbox.number, item: item.number, occurrence: None };
        message_json(at, item, message, format, preferences)
    };
    let in_utc = Preferences::default();
    let is_wanted = |one: &(&StoredItem, &MailMessage)| {
        filter.as_ref().is_none_or(|filter| filter.matches(&Value::Object(json(*one, &in_utc))))
    };
    let mut found: Vec<(&StoredItem, &MailMessage)> = messages.filter(is_wanted).collect();
    found.reverse(); // the newest first
    let metadata = context.metadata(&format!("{fragment}/mailFolders('{}')/messages", name(folder)));
    let render = |one: &(&StoredItem, &MailMessage)| {
        query::select(json(*one, &context.preferences), options.select.as_deref())
    };
    Ok(GraphReply::ok(paging::page(context.call, metadata, &options, &found, render)))
}

/// The folder with a well-known name.
fn folder_of(name: &str) -> Result<MailboxFolder, GraphError> {
    match name.to_lowercase().as_str() {
        "inbox" => Ok(MailboxFolder::Inbox),
        "sentitems" => Ok(MailboxFolder::Sent),
        "deleteditems" => Ok(MailboxFolder::Deleted),
        _ => Err(GraphError::bad_request("ErrorInvalidIdMalformed", "Id is malformed.")),
    }
}

fn name(folder: MailboxFolder) -> &'static str {
    match folder {
        MailboxFolder::Inbox => "inbox",
        MailboxFolder::Deleted => "deleteditems",
        _ => "sentitems",
    }
}

fn message_json(
    at: ItemLocator,
    item: &StoredItem,
    message: &MailMessage,
    format: IdFormat,
    preferences: &Preferences,
) -> Map<String, Value> {
    let (sent, key) = (times::offset_time(item.created), ids::change_key(item.version));
    let folder = super::ids::classic(&ids::folder_id(at.mailbox, item.folder.number()));
    let to: Vec<Value> = message.to.iter().map(recipient).collect();
    let mut out = object(json!({
        "@odata.etag": format!("W/\"{key}\""),
        "id": format.encode(at, item),
        "createdDateTime": sent,
        "lastModifiedDateTime": times::offset_time(item.modified),
        "changeKey": key,
        "categories": [],
        "receivedDateTime": sent,
        "sentDateTime": sent,
        "subject": message.subject,
        "from": recipient(&message.from),
        "sender": recipient(&message.from),
        "toRecipients": to,
        "ccRecipients": [],
        "isDraft": false,
        "isRead": true,
        "parentFolderId": folder,
    }));
    out.append(&mut meeting_json(message, preferences));
    out
}

/// The properties of an `eventMessage`.
fn meeting_json(message: &MailMessage, preferences: &Preferences) -> Map<String, Value> {
    let (kind, answer) = match message.class {
        "IPM.Schedule.Meeting.Request" => ("meetingRequest", None),
        "IPM.Schedule.Meeting.Canceled" => ("meetingCancelled", None),
        "IPM.Schedule.Meeting.Resp.Pos" => ("meetingAccepted", Some(InvitationResponse::Accept)),
        // Microsoft's spelling.
        "IPM.Schedule.Meeting.Resp.Tent" => {
            ("meetingTenativelyAccepted", Some(InvitationResponse::Tentative))
        }
        "IPM.Schedule.Meeting.Resp.Neg" => ("meetingDeclined", Some(InvitationResponse::Decline)),
        _ => return object(json!({ "@odata.type": "#microsoft.graph.message" })),
    };
    let type_name = match (kind, answer) {
        ("meetingRequest", _) => "#microsoft.graph.eventMessageRequest",
        (_, Some(_)) => "#microsoft.graph.eventMessageResponse",
        (_, None) => "#microsoft.graph.eventMessage",
    };
    let mut out = object(json!({ "@odata.type": type_name, "meetingMessageType": kind }));
    if let Some(about) = &message.meeting {
        out.insert("startDateTime".to_owned(), times::date_time(about.start, preferences.zone));
        out.insert("endDateTime".to_owned(), times::date_time(about.end, preferences.zone));
        let role = if about.occurrence.is_some() { "occurrence" } else { "singleInstance" };
        out.insert("type".to_owned(), json!(role));
    }
    if let Some(answer) = answer {
        out.insert("responseType".to_owned(), json!(response(answer, "none")));
    }
    out
}
