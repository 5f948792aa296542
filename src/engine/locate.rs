//! Finds the event of an action: for the first plan, and again after a conflict, a doubtful write or a restart. Reads only, and
//! never writes to a calendar or the journal.

use super::action_context::ActionContext;
use super::attempt::{Attempt, Before, LocateFrom};
use super::booking::BookingDraft;
use super::booking_time::BookingTimeRequest;
use super::early_exit::{EarlyExit, refused};
use super::extend::no_length;
use super::past_actions::{recent_changes, remembered_event, replacement_of};
use super::plan::{EndOrDelete, plan};
use super::reconcile::Observation;
use super::replacement::can_be_replaced;
use super::select::{Selected, current, named};
use super::sends::Sends;
use super::undo::{UndoTarget, cannot_restore, conflict, conflict_with, time_needed, undo_target};
use super::verify::{find_again, find_by_identity, observe};
use super::{CalendarError, DeletedLookup, ErrorKind, EventLookup, messages};
use crate::action::{
    ActionId, ActionKind, BookingTime, Change, Done, NoChangeReason, Outcome, Refusal, Target, TimeRange,
};
use crate::calendar::occupancy::free_window;
use crate::calendar::{Event, EventId, Window};
use crate::journal::{Archived, Journal, JournalError};

/// Finds the event of the request, or that of an earlier attempt again.
pub(super) async fn locate(
    context: &ActionContext<'_>,
    from: &LocateFrom,
    undo: Option<&UndoTarget>,
    sends: &Sends,
) -> Result<Selected, EarlyExit> {
    match from {
        LocateFrom::Request => {
            let selected = match undo {
                None => select(context).await,
                Some(undo) => select_undo_target(context, undo).await,
            };
            selected.map_err(|error| EarlyExit::from(Refusal::from(error)))
        }
        LocateFrom::Attempt(attempt) => locate_again(context, attempt, undo, sends).await,
    }
}

/// What an undo has to revert; `None` for other kinds of action.
pub(super) async fn find_undo_target(context: &ActionContext<'_>) -> Result<Option<UndoTarget>, EarlyExit> {
    let ActionKind::Undo { of } = context.kind() else { return Ok(None) };
    let record = context.journal().action_record(of).await?;
    let Some(record) = record.filter(|record| record.action.room == *context.room()) else {
        return Err(unknown_action(context.journal(), of).await?.into());
    };
    if let Some(undo) = recent_changes(context).await?.iter().find(|record| record.has_undone(of)) {
        let why = NoChangeReason::ByAction { action: undo.action.id };
        return Err(EarlyExit::Decided(Outcome::AlreadyDone { why }));
    }
    Ok(Some(undo_target(&record)?))
}

/// Finds the same event again, unless the conflict was with our own write: a proxy delivered the request late or twice.
async fn locate_again(
    context: &ActionContext<'_>,
    attempt: &Attempt,
    undo: Option<&UndoTarget>,
    sends: &Sends,
) -> Result<Selected, EarlyExit> {
    let Attempt { before, plan, .. } = attempt;
    let unreadable = |error: CalendarError| {
        EarlyExit::Decided(match sends.changed_nothing() {
            true => refused(error.into()),
            false => attempt.needs_attention(&error),
        })
    };
    let again = find_again(context, before).await.map_err(unreadable)?;
    let found = observe(context, attempt, &again, &sends.doubt).await.map_err(unreadable)?;
    let after = again.after;
    let in_doubt = sends.doubt.exists();
    // A mark without a message is someone else's change, unless one of our sends is in doubt.
    let is_anothers =
        found == Observation::AppliedMaybeNotified && plan.step.sends_meeting_message() && !in_doubt;
    if let Some(outcome) = found.outcome(&plan.done).filter(|_| !is_anothers) {
        return Err(EarlyExit::Decided(outcome));
    }
    if found == Observation::Indeterminate && in_doubt {
        return Err(EarlyExit::Decided(attempt.indeterminate(context.capabilities())));
    }
    if let (Before::Draft(first), None) = (before, &after) {
        // The booking was not made, and the room may be taken by now.
        let selected = match undo {
            None => select(context).await,
            Some(undo) => select_undo_target(context, undo).await,
        };
        return Ok(match selected.map_err(unreadable)? {
            Selected::Draft(draft) if in_doubt => {
                Selected::Draft(draft.repeating(first, context.capabilities()))
            }
            selected => selected,
        });
    }
    match (select_again(context.kind(), before, after), undo) {
        (Selected::Event(event), Some(undo)) => {
            if_time_is_free(context, undo, *event).await.map_err(unreadable)
        }
        (selected, _) => Ok(selected),
    }
}

async fn select(context: &ActionContext<'_>) -> Result<Selected, CalendarError> {
    if let ActionKind::Book(time) = context.kind() {
        return select_booking_time(context, time).await;
    }
    match &context.action.target {
        Target::Current => select_current(context).await,
        Target::Event { id, seen } => {
            let cache = context.engine.cache_for(context.room(), context.kind());
            match named(cache.and_then(|cache| cache.event(context.room(), id)), *seen) {
                Selected::Event(event) if has_plan(context, &event) => Ok(Selected::Event(event)),
                _ => select_named(context, id, *seen).await,
            }
        }
        Target::Series { id } => select_named(context, id, None).await,
    }
}

async fn select_current(context: &ActionContext<'_>) -> Result<Selected, CalendarError> {
    let now = context.now();
    // While the request waited for the room lock or for a restart, another meeting may have begun.
    let meant = |on: Vec<Event>| {
        let on: Vec<_> = on.into_iter().filter(|event| event.is_on(context.requested_at)).collect();
        current(&on, now, context.action.all_day)
    };
    let cache = context.engine.cache_for(context.room(), context.kind());
    match cache.and_then(|cache| cache.events(context.room())).map(meant) {
        Some(Selected::Event(event)) if has_plan(context, &event) => Ok(Selected::Event(event)),
        // The cache may be a moment old, so a refusal needs a fresh read.
        _ => Ok(meant(context.events(Window::instant(now)).await?)),
    }
}

/// Whether the action has a plan for this event from the cache.
fn has_plan(context: &ActionContext<'_>, event: &Event) -> bool {
    EndOrDelete::of(context.action)
        .is_some_and(|request| plan(request, event, context.now(), context.capabilities()).is_ok())
}

async fn select_named(
    context: &ActionContext<'_>,
    id: &EventId,
    seen: Option<TimeRange>,
) -> Result<Selected, CalendarError> {
    match context.calendar().event_by_external_id(context.room(), id).await? {
        EventLookup::Found(event) => Ok(named(Some(*event), seen)),
        EventLookup::InvalidId { code } => Ok(Selected::Refused(Refusal::InvalidEventId { code })),
        EventLookup::NotFound => select_missing(context, id).await,
    }
}

/// The result for an id that the server does not find. That alone does not prove that an event is gone: the id may be mistyped,
/// belong to a date whose series was changed, or be invisible to the account. An event counts as gone only if journal or cache
/// remember it under this id, and its UID is nowhere near its time.
async fn select_missing(context: &ActionContext<'_>, id: &EventId) -> Result<Selected, CalendarError> {
    let remembered = remembered_event(context, id).await?;
    let Some(before) = remembered.filter(|before| before.identity().is_some()) else {
        return Ok(Selected::Refused(Refusal::EventNotFound));
    };
    Ok(match find_by_identity(context, &before).await? {
        None => Selected::NoChange(NoChangeReason::Gone),
        Some(event) => {
            let (was, is) = (before.times(), Some(TimeRange::from(&event)));
            Selected::Refused(Refusal::ChangedMeanwhile { was, is })
        }
    })
}

/// Selects the event to create for a booking, if the room is free.
async fn select_booking_time(
    context: &ActionContext<'_>,
    time: BookingTime,
) -> Result<Selected, CalendarError> {
    let now = context.now();
    if now - context.requested_at > context.options().resume_within {
        // The person at the door left minutes ago, so the room must not be booked for them any more.
        return Ok(Selected::Refused(Refusal::Interrupted));
    }
    let horizon = context.options().booking_horizon;
    let request = match BookingTimeRequest::new(time, (context.requested_at, now), horizon) {
        Ok(request) => request,
        Err(refusal) => return Ok(Selected::Refused(refusal)),
    };
    let Some(reach) = request.read_window() else {
        return Ok(Selected::Refused(no_length("a booking takes at least a minute")));
    };
    let around = context.events(reach).await?;
    let subject = context.action.subject.as_ref().unwrap_or(&context.options().booking_subject);
    let draft =
        request.free(&around).map(|free| BookingDraft::new(context.action.id, subject.as_str(), free, now));
    Ok(draft.map_or_else(Selected::Refused, Selected::Draft))
}

/// Selects the event of an undo: the event whose end was changed or that was booked, or the one in Deleted Items, if its time is
/// free.
async fn select_undo_target(
    context: &ActionContext<'_>,
    undo: &UndoTarget,
) -> Result<Selected, CalendarError> {
    let done = undo.done();
    let own = match undo {
        UndoTarget::End { .. } | UndoTarget::Booked(_) => {
            match find_changed(context, done).await? {
                Some(event) => event,
                // A booking that is gone needs no removal; an event that is gone cannot get its end back.
                None if matches!(undo, UndoTarget::Booked(_)) => match find_replacement(context, done).await?
                {
                    Some(event) => event,
                    None => return Ok(Selected::NoChange(NoChangeReason::Gone)),
                },
                None => {
                    let was = TimeRange { start: done.event.start, end: done.event.end };
                    return Ok(Selected::Refused(Refusal::ChangedMeanwhile { was, is: None }));
                }
            }
        }
        // The room may have another server than at the time of the action.
        UndoTarget::Removed { before, .. } if !context.capabilities().can_restore() => {
            return select_replacement(context, undo, before).await;
        }
        UndoTarget::Removed { .. } => {
            match context.calendar().find_deleted(context.room(), &done.event).await? {
                DeletedLookup::Found(event) => *event,
                DeletedLookup::NotFound => return Ok(Selected::Refused(Refusal::LeftDeletedItems)),
                DeletedLookup::Unknown => return Err(messages::deleted_items_unknown()),
            }
        }
    };
    if_time_is_free(context, undo, own).await
}

/// The event that an undo booked in place of this booking after its removal. That one may have been removed and replaced in turn.
async fn find_replacement(context: &ActionContext<'_>, made: &Done) -> Result<Option<Event>, CalendarError> {
    let changes = recent_changes(context).await?;
    let mut of = made;
    // Ends: each action has a UID of its own.
    while let Some(replacement) = replacement_of(&changes, of) {
        if let Some(event) = find_changed(context, replacement).await? {
            return Ok(Some(event));
        }
        of = replacement;
    }
    Ok(None)
}

/// Selects the booking that replaces a removed event, if its time is free.
async fn select_replacement(
    context: &ActionContext<'_>,
    undo: &UndoTarget,
    removed: &Event,
) -> Result<Selected, CalendarError> {
    let Some(window) = time_needed(undo).filter(|_| can_be_replaced(removed)) else {
        return Ok(Selected::Refused(cannot_restore()));
    };
    // Someone else may have brought the event back, and moved it.
    if let Some(event) = find_changed(context, undo.done()).await? {
        let (was, is) = (TimeRange::from(removed), Some(TimeRange::from(&event)));
        return Ok(Selected::Refused(Refusal::ChangedMeanwhile { was, is }));
    }
    let events = context.events(window).await?;
    if let Err(taken) = free_window(&events, &window) {
        return Ok(Selected::Refused(conflict_with(taken)));
    }
    let subject = context.options().booking_subject.as_str();
    let draft = BookingDraft::replacing(context.action.id, removed, subject, context.now());
    Ok(Selected::Draft(draft))
}

/// The event that an action changed: by its id, or by the identity that the journal recorded. An id that the server rejects is one
/// of another server. A booking may have another UID there, so it does not count as gone.
async fn find_changed(context: &ActionContext<'_>, done: &Done) -> Result<Option<Event>, CalendarError> {
    let id = &done.event.id;
    let by_id = context.calendar().event(context.room(), id).await;
    let rejected = match by_id {
        Ok(Some(event)) => return Ok(Some(event)),
        Err(error) if error.kind == ErrorKind::InvalidId => Some(error),
        by_id => {
            by_id?;
            None
        }
    };
    let before = remembered_event(context, id).await?.filter(|before| before.identity().is_some());
    let found = match &before {
        Some(before) => find_by_identity(context, before).await?,
        None => None,
    };
    match rejected {
        Some(error) if found.is_none() && (before.is_none() || done.change == Change::Booked) => Err(error),
        _ => Ok(found),
    }
}

/// The event to restore, if no other event is at its time.
async fn if_time_is_free(
    context: &ActionContext<'_>,
    undo: &UndoTarget,
    own: Event,
) -> Result<Selected, CalendarError> {
    let conflict = match time_needed(undo) {
        Some(window) => conflict(&context.events(window).await?, &own, &window),
        None => None,
    };
    Ok(conflict.map_or_else(|| Selected::Event(Box::new(own)), Selected::Refused))
}

/// After a conflict: the same event, if its times are unchanged. A meeting that was extended or moved in the meantime is not the
/// meeting that the caller meant. A meeting that is gone needs neither ending nor deleting.
fn select_again(kind: ActionKind, before: &Before, after: Option<Event>) -> Selected {
    let was = before.times();
    match after {
        None if matches!(kind, ActionKind::End(_) | ActionKind::Delete(_)) => {
            Selected::NoChange(NoChangeReason::Gone)
        }
        None => Selected::Refused(Refusal::ChangedMeanwhile { was, is: None }),
        Some(event) if TimeRange::from(&event) == was => Selected::Event(Box::new(event)),
        Some(event) => {
            Selected::Refused(Refusal::ChangedMeanwhile { was, is: Some(TimeRange::from(&event)) })
        }
    }
}

/// The refusal for an action that the journal does not have: it may be among the archived ones.
pub async fn unknown_action(journal: &dyn Journal, action: ActionId) -> Result<Refusal, JournalError> {
    Ok(match journal.archived().await? {
        Some(Archived { last, file, .. }) => Refusal::MaybeArchived { action, last, file },
        None => Refusal::NoSuchAction { action },
    })
}
