//! What the journal remembers about a room: the action that a request repeats, the one that made the same change, and events that
//! have left the calendar. Reads only.

use chrono::{DateTime, Utc};

use super::CalendarError;
use super::action_context::ActionContext;
use super::attempt::{Attempt, Before};
use super::early_exit::refused;
use super::idempotency::earlier_same_action;
use crate::action::{
    ActionId, ActionKind, Change, Done, EventSnapshot, NoChangeReason, Outcome, Refusal, Step, Target,
    TimeRange,
};
use crate::calendar::{Event, EventId, Uid, Window};
use crate::journal::{ActionRecord, ActionStatus, JournalError, Query};

/// How many of a room's latest changes are searched for the one that a request repeats.
const RECENT_ACTIONS_MAX: usize = 100;

/// The outcome "nothing to change", or the earlier action that already made this change.
pub(super) async fn nothing_to_do(
    context: &ActionContext<'_>,
    why: NoChangeReason,
    read: Option<&Event>,
) -> Result<Outcome, JournalError> {
    if matches!(context.kind(), ActionKind::Extend(_)) {
        return refuse(context, Refusal::NoCurrentEvent, read).await;
    }
    let by = earlier_action(context, read, None).await?;
    Ok(Outcome::AlreadyDone { why: by.unwrap_or(why) })
}

/// The refusal, or the earlier action that already made this change.
pub(super) async fn refuse(
    context: &ActionContext<'_>,
    refusal: Refusal,
    read: Option<&Event>,
) -> Result<Outcome, JournalError> {
    let by = match refusal {
        Refusal::NoCurrentEvent | Refusal::Over { .. } => earlier_action(context, read, None).await?,
        Refusal::NotAsSeen { is, .. } => earlier_action(context, read, Some(is)).await?,
        _ => None,
    };
    Ok(by.map_or_else(|| refused(refusal), |why| Outcome::AlreadyDone { why }))
}

/// The earlier action that made the same change to the same event (the one that was `read`), if the event's times (`is`, if
/// known) are still as that action left them.
async fn earlier_action(
    context: &ActionContext<'_>,
    read: Option<&Event>,
    is: Option<TimeRange>,
) -> Result<Option<NoChangeReason>, JournalError> {
    let changes = recent_changes(context).await?;
    let by = earlier_same_action(context.action, &changes, read, is, context.now());
    let Some(record) = by else { return Ok(None) };
    // If no event is on and the request names none, it means the last event that was on.
    let names_none = read.is_none() && context.action.target == Target::Current;
    if names_none && was_followed(context, record).await {
        return Ok(None);
    }
    Ok(Some(NoChangeReason::ByAction { action: record.action.id }))
}

/// Whether another event was on since this action ended its own, or the calendar cannot be read.
async fn was_followed(context: &ActionContext<'_>, record: &ActionRecord) -> bool {
    let Some(Done { event, change: Change::Ended { to, .. }, .. }) = record.done() else { return false };
    let Some(since) = Window::clamped(*to, context.now()) else { return false };
    let Ok(events) = context.events(since).await else { return true };
    // The room's server may have another id for the event now.
    let is_own =
        |other: &Event| other.id.is_same(&event.id) || has_identity(event, other.uid.as_ref(), other.start);
    events.iter().any(|other| !is_own(other) && other.occupies_room())
}

/// The room's latest changes, newest first.
pub(super) async fn recent_changes(context: &ActionContext<'_>) -> Result<Vec<ActionRecord>, JournalError> {
    let query = Query { limit: Some(RECENT_ACTIONS_MAX), ..Query::room(context.room()) };
    context.journal().find(&query.with_status(ActionStatus::Done)).await
}

/// The booking that an undo made in place of this one, which had been removed, among the room's changes.
pub(super) fn replacement_of<'c>(changes: &'c [ActionRecord], made: &Done) -> Option<&'c Done> {
    let removed_it = |of: ActionId| {
        let done = changes.iter().find(|record| record.action.id == of).and_then(ActionRecord::done);
        done.is_some_and(|Done { event, change, .. }| {
            *change == Change::Removed && has_identity(&made.event, event.uid.as_ref(), event.start)
        })
    };
    let undid_it =
        |record: &&ActionRecord| matches!(record.action.kind, ActionKind::Undo { of } if removed_it(of));
    let undo = changes.iter().find(undid_it).and_then(ActionRecord::done);
    undo.filter(|done| done.change == Change::Booked)
}

/// Whether the event has this UID and this start.
fn has_identity(event: &EventSnapshot, uid: Option<&Uid>, start: DateTime<Utc>) -> bool {
    uid.is_some() && uid == event.uid.as_ref() && start == event.start
}

/// An earlier action that set the same end on the same version and was closed in doubt: its request may have been applied
/// only now.
pub(super) async fn other_claimant(
    context: &ActionContext<'_>,
    before: &Before,
    step: &Step,
) -> Result<Option<ActionId>, JournalError> {
    let Step::SetEnd { end: wanted, .. } = step else { return Ok(None) };
    // By the version alone: the earlier action may have been on another server, with another id.
    let version = |step: &Step| step.item().map(|(_, version)| version.clone());
    let same = |other: &Step| {
        matches!(other, Step::SetEnd { end, .. } if end == wanted) && version(other) == version(step)
    };
    let may_be = |record: &&ActionRecord| {
        record.intent.as_ref().is_some_and(|intent| same(&intent.step))
            && record.action.id != context.action.id
            && record.may_have_changed()
            && record.done().is_none()
    };
    let records = actions_on(context, before.identity()).await?;
    Ok(records.iter().find(may_be).map(|record| record.action.id))
}

/// Another action that made the same change to the same event since this one was accepted, and is known to be done.
pub(super) async fn done_by_other_since(
    context: &ActionContext<'_>,
    Attempt { before, plan, .. }: &Attempt,
) -> Result<Option<ActionId>, JournalError> {
    let step = &plan.step;
    let kind = std::mem::discriminant(step);
    let end = |step: &Step| if let Step::SetEnd { end, .. } = step { Some(*end) } else { None };
    // Not by the id: the other action may have been on another server.
    let same = |other: &Step| std::mem::discriminant(other) == kind && end(other) == end(step);
    let did = |other: &&ActionRecord| {
        other.action.id != context.action.id
            // Actions in one room run one after another: one that ended before this one began is not the cause.
            && other.last_at >= context.requested_at
            && other.done().is_some()
            && other.intent.as_ref().is_some_and(|intent| same(&intent.step))
    };
    let records = actions_on(context, before.identity()).await?;
    Ok(records.iter().find(did).map(|other| other.action.id))
}

/// Whether another action took the event away, or may have: the item in Deleted Items may be from then.
pub(super) async fn was_taken_away_before(
    context: &ActionContext<'_>,
    identity: (&Uid, DateTime<Utc>),
) -> Result<bool, JournalError> {
    let earlier = |record: &ActionRecord| {
        let taken_away = record.intent.as_ref().is_some_and(|intent| intent.step.removes_event());
        record.action.id != context.action.id && taken_away && record.may_have_changed()
    };
    Ok(actions_on(context, Some(identity)).await?.iter().any(earlier))
}

/// The event that had this id, if the cache or the journal remembers it.
pub(super) async fn remembered_event(
    context: &ActionContext<'_>,
    id: &EventId,
) -> Result<Option<Before>, CalendarError> {
    if let Some(event) = context.engine.cached_event(context.room(), id) {
        return Ok(Some(Before::Event(Box::new(event))));
    }
    let query = Query { limit: Some(RECENT_ACTIONS_MAX), ..Query::room(context.room()) };
    let records = context.journal().find(&query).await?;
    let had = |record: &&ActionRecord| {
        let made = record.done().is_some_and(|done| done.event.id.is_same(id));
        made || record.intent.as_ref().is_some_and(|intent| intent.before.id.is_same(id))
    };
    Ok(records.iter().find(had).and_then(|record| record.intent.as_ref()).map(Before::from))
}

/// All actions on the event with this identity; none for an event without a UID.
async fn actions_on(
    context: &ActionContext<'_>,
    identity: Option<(&Uid, DateTime<Utc>)>,
) -> Result<Vec<ActionRecord>, JournalError> {
    let Some((uid, start)) = identity else { return Ok(Vec::new()) };
    let query = Query { identity: Some((uid.clone(), start)), ..Query::room(context.room()) };
    context.journal().find(&query).await
}
