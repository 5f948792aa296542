//! Reads the mailbox after a doubtful write, a conflict or a restart: where the event is now, and whether our write was
//! applied. Reads only.
//!
//! A room may move to another server between two processes (from EWS to Microsoft Graph). That server returns the event under
//! another id, does not find the old id, or rejects it; so an id that is not found proves nothing by itself, and the event is
//! searched for by its UID and place in its series.

use std::borrow::Cow;

use chrono::TimeDelta;

use super::action_context::ActionContext;
use super::attempt::{Attempt, Before};
use super::past_actions::{other_claimant, was_taken_away_before};
use super::reconcile::{Observation, is_marked, is_same_version, reconcile};
use super::sends::Doubt;
use super::{CalendarError, CalendarView, ErrorKind, TraceLookup};
use crate::action::{EventSnapshot, Outcome, Step, TimeRange};
use crate::calendar::{Event, EventId, EventKind, Window};

/// How far around its times an event is searched for when its id no longer exists.
const SEARCH_MARGIN: TimeDelta = TimeDelta::days(1);

/// An event before a step, and the same event now.
pub(super) struct FoundAgain<'b> {
    /// The event before the step, under the id that the server has for the same item now. It has its old id if the event was
    /// found by its UID: that may be another item.
    pub(super) before: Cow<'b, Before>,
    /// The event now; `None` if it is not on the calendar.
    pub(super) after: Option<Event>,
    /// Of a booking that is not on the calendar under its UID: another event may be that booking.
    has_lookalike: bool,
}

impl FoundAgain<'_> {
    /// Whether the calendar still has the event as it was: the same item in the same version.
    pub(super) fn is_unchanged(&self) -> bool {
        self.after.as_ref().is_some_and(|after| self.before.is_unchanged(after))
    }
}

/// What the mailbox shows of a step that may have been applied, after a pause in which the server can finish it.
pub(super) async fn verify(
    context: &ActionContext<'_>,
    attempt: &Attempt,
    doubt: &Doubt,
) -> Result<Observation, CalendarError> {
    tokio::time::sleep(context.options().settle_delay).await;
    let found = find_again(context, &attempt.before).await?;
    observe(context, attempt, &found, doubt).await
}

/// The outcome by what the mailbox shows, in the running process and after a restart alike; `None`: the step was not applied, or
/// someone else wrote since. Where the mailbox cannot be read, the action stays in doubt.
pub(super) async fn verified_outcome(
    context: &ActionContext<'_>,
    attempt: &Attempt,
    doubt: &Doubt,
) -> Option<Outcome> {
    match verify(context, attempt, doubt).await {
        Ok(Observation::Indeterminate) => Some(attempt.indeterminate(context.capabilities())),
        Ok(found) => found.outcome(&attempt.plan.done),
        Err(unreadable) => Some(attempt.needs_attention(&unreadable)),
    }
}

/// The event as it is now: by its id, else by its UID and place in its series.
pub(super) async fn find_again<'b>(
    context: &ActionContext<'_>,
    before: &'b Before,
) -> Result<FoundAgain<'b>, CalendarError> {
    let by_id = match before.id() {
        Some(id) => find_by_id(context, before, id).await?,
        None => None,
    };
    if let Some(event) = by_id {
        return Ok(FoundAgain {
            before: before.under_id(&event.id),
            after: Some(event),
            has_lookalike: false,
        });
    }
    let (after, has_lookalike) = match before {
        Before::Event(_) => (find_by_identity(context, before).await?, false),
        Before::Draft(draft) => {
            let around = events_around(context, before.times()).await?;
            let after = with_identity(&around, before);
            let has_lookalike = after.is_none() && around.events.iter().any(|event| draft.resembles(event));
            (complete_unless_found(around, after)?, has_lookalike)
        }
    };
    Ok(FoundAgain { before: Cow::Borrowed(before), after, has_lookalike })
}

/// The event with this id, or the item for which the server has another id now.
async fn find_by_id(
    context: &ActionContext<'_>,
    before: &Before,
    id: &EventId,
) -> Result<Option<Event>, CalendarError> {
    match context.calendar().event(context.room(), id).await {
        Ok(Some(event)) => {
            let is_it = event.id.is_same(id) || before.identity() == event.identity();
            Ok(is_it.then_some(event))
        }
        // The id is one of another server, and the event may be there under another id.
        Err(error) if error.kind == ErrorKind::InvalidId && before.identity().is_some() => Ok(None),
        not_found => not_found,
    }
}

/// The event with the same UID and place in its series, near its time.
pub(super) async fn find_by_identity(
    context: &ActionContext<'_>,
    before: &Before,
) -> Result<Option<Event>, CalendarError> {
    if before.identity().is_none() {
        return Ok(None);
    }
    let around = events_around(context, before.times()).await?;
    let found = with_identity(&around, before);
    complete_unless_found(around, found)
}

/// The calendar from a day before these times until a day after them.
async fn events_around(context: &ActionContext<'_>, times: TimeRange) -> Result<CalendarView, CalendarError> {
    match Window::clamped(times.start - SEARCH_MARGIN, times.end + SEARCH_MARGIN) {
        Some(around) => context.calendar().events(context.room(), around).await,
        None => Ok(CalendarView::default()),
    }
}

fn with_identity(view: &CalendarView, before: &Before) -> Option<Event> {
    let identity = before.identity();
    view.events.iter().find(|event| identity.is_some() && event.identity() == identity).cloned()
}

/// The event that was found; `None` only if the calendar has no unreadable item, which may be the event.
fn complete_unless_found(view: CalendarView, found: Option<Event>) -> Result<Option<Event>, CalendarError> {
    match found {
        Some(event) => Ok(Some(event)),
        None => view.into_complete().map(|_| None),
    }
}

/// Compares the event now with the event before an attempt. Searches Sent Items and Deleted Items only where one of our sends may have
/// left an item there.
pub(super) async fn observe(
    context: &ActionContext<'_>,
    attempt: &Attempt,
    FoundAgain { before, after, has_lookalike }: &FoundAgain<'_>,
    doubt: &Doubt,
) -> Result<Observation, CalendarError> {
    let (step, after) = (&attempt.plan.step, after.as_ref());
    let trace = match &**before {
        Before::Event(event) if may_have_left_trace(step, event, after, doubt) => {
            find_trace(context, event, step).await?
        }
        Before::Event(_) | Before::Draft(_) => TraceLookup::NotFound,
    };
    match reconcile(step, before, after, trace) {
        landed @ (Observation::Applied | Observation::AppliedMaybeNotified) => {
            Ok(other_claimant(context, before, step).await?.map_or(landed, Observation::AppliedBy))
        }
        Observation::Unchanged if *has_lookalike => Ok(Observation::Indeterminate),
        found => Ok(found),
    }
}

/// Whether a send of ours may have left an item in another folder. A message in Sent Items proves that our step was applied; an
/// item in Deleted Items does so only if a send of ours is in doubt.
fn may_have_left_trace(step: &Step, before: &Event, after: Option<&Event>, doubt: &Doubt) -> bool {
    let is_item = |after: &Event| after.id == before.id || is_same_version(before, after);
    let stands = after.is_some_and(|after| is_item(after) && !is_marked(step, before, after));
    (doubt.exists() && step.removes_event() || step.sends_meeting_message()) && !stands
}

/// Whether an event that is gone from the calendar left the item that the step leaves: the message in Sent Items, or, for a
/// silent removal, the item in Deleted Items. Three cases count as not found: an occurrence that was removed silently leaves no
/// item, an event without a UID cannot be recognized, and an event that was removed before and restored may have left its
/// item then.
pub(super) async fn find_trace(
    context: &ActionContext<'_>,
    before: &Event,
    step: &Step,
) -> Result<TraceLookup, CalendarError> {
    let Some(identity) = before.identity() else { return Ok(TraceLookup::NotFound) };
    if was_taken_away_before(context, identity).await? {
        return Ok(TraceLookup::NotFound);
    }
    let (room, calendar) = (context.room(), context.calendar());
    match step {
        _ if !context.capabilities().can_trace(step) => Ok(TraceLookup::Unknown),
        Step::Decline { .. } | Step::Cancel { .. } => {
            calendar.find_sent_message(room, step, before, context.requested_at).await
        }
        _ if matches!(before.kind, EventKind::Single | EventKind::Series) => {
            Ok((&calendar.find_deleted(room, &EventSnapshot::from(before)).await?).into())
        }
        _ => Ok(TraceLookup::NotFound),
    }
}
