//! `events`: lists, reads, creates and deletes events. A deletion ignores `If-Match`, as Graph does.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::event_properties::EVENT;
use super::query::QueryOptions;
use super::reply::GraphReply;
use super::{event_body, event_collection, event_json, extended_properties, ids, series, times};
use crate::sim::details::InvitationResponse;
use crate::sim::event::{Copy, ItemContent};
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::ItemLocator;
use crate::sim::ops::EventDraft;
use crate::sim::outbox::MailKind;
use crate::sim::scenario::new_event;
use crate::sim::views::{self, EventInstance};
use crate::sim::zones;

/// Limit of characters of a `transactionId`.
const TRANSACTION_ID_MAX: usize = 255;

/// The event that an id names. An event in Deleted Items is gone, unless an option lets `GET` find it.
pub(super) fn locate(context: &GraphContext<'_>, mailbox: u32, id: &str) -> Result<ItemLocator, GraphError> {
    let mailbox = context.mailbox(mailbox)?;
    let at = ids::find(mailbox, id)?;
    let folder = mailbox.items.get(&at.item).map(|item| item.folder);
    let is_visible = match folder {
        Some(MailboxFolder::Calendar) => true,
        Some(MailboxFolder::Deleted) => {
            context.options.shows_deleted_events && context.call.method == Method::GET
        }
        _ => false,
    };
    match is_visible {
        true => context.view(at).map(|_| at),
        false => Err(GraphError::item_not_found()),
    }
}

/// Compares `If-Match` with the event's change key.
pub(super) fn check_if_match(context: &GraphContext<'_>, at: ItemLocator) -> Result<(), GraphError> {
    let Some(wanted) = context.call.header("if-match").map(str::trim) else { return Ok(()) };
    let key = context.view(at)?.change_key();
    if wanted == "*" || wanted == event_json::etag(&key) || wanted.trim_matches('"') == key {
        return Ok(());
    }
    Err(GraphError::new(
        StatusCode::PRECONDITION_FAILED,
        "ErrorIrresolvableConflict",
        "The send or update operation could not be performed because the change key passed in the request does not \
         match the current change key for the item.",
    ))
}

/// Single events and series masters.
pub(super) fn list(
    context: &GraphContext<'_>,
    mailbox: u32,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let mailbox = context.mailbox(mailbox)?;
    let locators = mailbox.folder(MailboxFolder::Calendar).map(|item| ItemLocator {
        mailbox: mailbox.number,
        item: item.number,
        occurrence: None,
    });
    let mut events: Vec<EventInstance<'_>> =
        locators.filter_map(|at| views::view(mailbox, at).ok()).collect();
    events.sort_by_key(|view| std::cmp::Reverse((view.item.created, view.item.number)));
    event_collection::answer(context, events, fragment)
}

/// One event.
pub(super) fn get(
    context: &GraphContext<'_>,
    at: ItemLocator,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let options = QueryOptions::read(context.call, &context.preferences)?;
    options.check_select("event", EVENT)?;
    let names = options.select.as_deref();
    let view = context.view(at)?;
    let mut event = event_collection::one(context, &view, names);
    let expansions: &[_] = &options.expand;
    let known = ["exceptionOccurrences", extended_properties::NAME];
    let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    if let Some(other) = expansions.iter().find(|one| !is_known(&one.name)) {
        return Err(GraphError::parse_uri(format!("Could not find a property named '{}'.", other.name)));
    }
    event.extend(series::extend_master(context, &view, names.unwrap_or_default(), expansions)?);
    if let Some(filter) = extended_properties::requested(expansions)? {
        event.extend(extended_properties::of(&view, &filter));
    }
    let selected = names.map(|names| format!("({})", names.join(","))).unwrap_or_default();
    let metadata = context.metadata(&format!("{fragment}{selected}/$entity"));
    event.insert("@odata.context".to_owned(), json!(metadata));
    Ok(GraphReply::ok(Value::Object(event)))
}

/// The complete event, after a change.
pub(super) fn changed(
    context: &GraphContext<'_>,
    at: ItemLocator,
    fragment: &str,
) -> Result<Value, GraphError> {
    let mut event = event_collection::one(context, &context.view(at)?, None);
    event.insert("@odata.context".to_owned(), json!(context.metadata(&format!("{fragment}/$entity"))));
    Ok(Value::Object(event))
}

/// Creates an event and invites its attendees. A repeated `transactionId` returns the original event.
pub(super) fn create(
    context: &mut GraphContext<'_>,
    mailbox: u32,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let body = context.call.json()?;
    let transaction = match body.get("transactionId") {
        Some(Value::String(id)) if id.len() <= TRANSACTION_ID_MAX => Some(id.clone()),
        None | Some(Value::Null) => None,
        Some(_) => return Err(GraphError::invalid_request("The transactionId is invalid.")),
    };
    let known = transaction.as_deref().filter(|_| !context.options.repeats_transactions);
    if let Some(at) = known.and_then(|id| created_before(context, mailbox, id)) {
        return created(context, at, fragment);
    }
    for required in ["start", "end"] {
        if body.get(required).is_none_or(Value::is_null) {
            let text = format!("The property '{required}' is required.");
            return Err(GraphError::bad_request("ErrorPropertyValidationFailure", text));
        }
    }
    let zone = body.get("start").map(|start| times::read_date_time("start", start)).transpose()?;
    let mut draft = EventDraft::new(context.world.now(), zone.map_or(&zones::UTC, |(_, zone)| zone));
    draft.details.reminder_minutes = Some(15);
    event_body::apply(&mut draft, &body)?;
    draft.finish(None)?;
    let at = store(context, mailbox, draft)?;
    context.world.set_transaction_id(at, transaction);
    created(context, at, fragment)
}

fn created_before(context: &GraphContext<'_>, mailbox: u32, transaction: &str) -> Option<ItemLocator> {
    let mailbox = context.mailbox(mailbox).ok()?;
    let mut rows = mailbox.folder(MailboxFolder::Calendar);
    let item = rows.find(|item| item.transaction_id.as_deref() == Some(transaction))?.number;
    Some(ItemLocator { mailbox: mailbox.number, item, occurrence: None })
}

fn store(context: &mut GraphContext<'_>, mailbox: u32, draft: EventDraft) -> Result<ItemLocator, GraphError> {
    let meets = draft.details.attendees().next().is_some();
    let copy = if meets { Copy::Organizer } else { Copy::Plain };
    let organizer = context.mailbox(mailbox)?.person();
    let uid = context.world.next_uid();
    let mut event = new_event(uid, copy, organizer, draft.details.clone(), None);
    draft.apply(&mut event);
    let content = ItemContent::Event(Box::new(event));
    let stored = context.world.insert_item(mailbox, MailboxFolder::Calendar, content);
    let at = stored.ok_or_else(GraphError::item_not_found)?;
    if meets {
        let before = context.world.outbox.len();
        context.world.send_invitations(at, MailKind::Request);
        context.keep_sent_copy(mailbox, before);
    }
    Ok(at)
}

fn created(context: &GraphContext<'_>, at: ItemLocator, fragment: &str) -> Result<GraphReply, GraphError> {
    let body = changed(context, at, fragment)?;
    let id = event_json::event_id(&context.view(at)?, context.id_format());
    let location = format!("{}/v1.0{}/{id}", context.call.root, context.call.path.trim_end_matches('/'));
    Ok(GraphReply::created(body, location))
}

/// Deletes an event. An organizer's copy sends cancellations to all attendees. An attendee's copy sends nothing, but
/// the organizer's tracking shows the mailbox as declined.
pub(super) fn delete(context: &mut GraphContext<'_>, at: ItemLocator) -> Result<GraphReply, GraphError> {
    let view = context.view(at)?;
    let (copy, is_cancelled) = (view.event.copy, view.details.is_cancelled());
    match copy {
        Copy::Organizer => {
            let before = context.world.outbox.len();
            context.world.cancel_meeting(at, "");
            context.keep_sent_copy(at.mailbox, before);
        }
        Copy::Attendee if !is_cancelled => {
            context.world.track_response(at, InvitationResponse::Decline);
            if at.occurrence.is_none() {
                context.world.keep_declined(at);
            }
        }
        Copy::Attendee | Copy::Plain => {}
    }
    context.world.remove_from_calendar(at);
    Ok(GraphReply::empty(StatusCode::NO_CONTENT))
}
