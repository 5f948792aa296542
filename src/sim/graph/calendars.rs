//! The one calendar of a mailbox.

use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::json_object::object;
use super::paging;
use super::query::{self, QueryOptions};
use super::reply::GraphReply;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids as ews_ids;
use crate::sim::mailbox::Mailbox;

const CALENDAR: &[&str] = &[
    "id",
    "name",
    "color",
    "hexColor",
    "isDefaultCalendar",
    "changeKey",
    "canShare",
    "canViewPrivateItems",
    "canEdit",
    "isRemovable",
    "isTallyingResponses",
    "allowedOnlineMeetingProviders",
    "defaultOnlineMeetingProvider",
    "owner",
];

/// Requires the id in the path to be that of the mailbox's calendar.
pub(super) fn check_id(context: &GraphContext<'_>, mailbox: u32, id: Option<&str>) -> Result<(), GraphError> {
    match id.is_none_or(|id| id == calendar_id(mailbox)) {
        true => context.mailbox(mailbox).map(drop),
        false => Err(GraphError::item_not_found()),
    }
}

pub(super) fn get(
    context: &GraphContext<'_>,
    mailbox: u32,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let options = read(context)?;
    let mut calendar = query::select(calendar(context.mailbox(mailbox)?), options.select.as_deref());
    calendar.insert(
        "@odata.context".to_owned(),
        json!(context.metadata(&format!("{fragment}/calendar/$entity"))),
    );
    Ok(GraphReply::ok(Value::Object(calendar)))
}

pub(super) fn list(
    context: &GraphContext<'_>,
    mailbox: u32,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let options = read(context)?;
    let metadata = context.metadata(&format!("{fragment}/calendars"));
    let render = |mailbox: &&Mailbox| query::select(calendar(mailbox), options.select.as_deref());
    let all = [context.mailbox(mailbox)?];
    Ok(GraphReply::ok(paging::page(context.call, metadata, &options, &all, render)))
}

fn read(context: &GraphContext<'_>) -> Result<QueryOptions, GraphError> {
    let options = QueryOptions::read(context.call, &context.preferences)?;
    options.check_select("calendar", CALENDAR)?;
    Ok(options)
}

fn calendar_id(mailbox: u32) -> String {
    super::ids::classic(&ews_ids::folder_id(mailbox, MailboxFolder::Calendar.number()))
}

fn calendar(mailbox: &Mailbox) -> Map<String, Value> {
    object(json!({
        "id": calendar_id(mailbox.number),
        "name": "Calendar",
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": true,
        "changeKey": ews_ids::FOLDER_CHANGE_KEY,
        "canShare": true,
        "canViewPrivateItems": true,
        "canEdit": true,
        "isRemovable": false,
        "isTallyingResponses": true,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "owner": { "name": mailbox.name, "address": mailbox.address },
    }))
}
