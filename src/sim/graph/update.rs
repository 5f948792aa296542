//! `PATCH` of an event: changes the properties in the body and no others. A stale `If-Match` is answered with 412 and
//! nothing is written; an organizer's change is sent to every attendee.

use serde_json::Value;

use super::context::GraphContext;
use super::error::GraphError;
use super::reply::GraphReply;
use super::{event_body, events, series};
use crate::sim::ids::ItemLocator;
use crate::sim::ops::EventDraft;

pub(super) fn update(
    context: &mut GraphContext<'_>,
    at: ItemLocator,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    if !context.options.ignores_if_match {
        events::check_if_match(context, at)?;
    }
    let body = context.call.json()?;
    let view = context.view(at)?;
    let same = |id: &Value| view.item.transaction_id.as_deref() == id.as_str();
    if !body.get("transactionId").is_none_or(same) {
        return Err(GraphError::invalid_request("The property 'transactionId' cannot be changed."));
    }
    let event = view.event.clone();
    let mut draft = EventDraft::of(&view, context.preferences.zone);
    let old = draft.details.clone();
    let touched = event_body::apply(&mut draft, &body)?;
    draft.finish(Some(&event))?;
    if draft.times_changed {
        series::check_neighbours(&view, draft.details.start, draft.details.end)?;
    }
    if touched.is_empty() {
        return Ok(GraphReply::ok(events::changed(context, at, fragment)?));
    }
    let details = draft.details.clone();
    let stored = context.world.change_both(at, &touched, |now| *now = details, |event| draft.apply(event));
    stored.ok_or_else(GraphError::item_not_found)?;
    let before = context.world.outbox.len();
    context.world.send_update(at, &old);
    context.keep_sent_copy(at.mailbox, before);
    Ok(GraphReply::ok(events::changed(context, at, fragment)?))
}
