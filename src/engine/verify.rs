//! Reads the mailbox after a doubtful write, a conflict or a restart: where the event is now, and whether our write was
//! applied. Reads only.

use chrono::TimeDelta;

use super::execution::{Execution, RECENT_ACTIONS_MAX};
use super::reconcile::{Observation, is_marked, reconcile};
use super::{CalendarError, Capabilities, TraceLookup, messages};
use crate::action::{ActionId, Done, EventSnapshot, Outcome, Step};
use crate::calendar::{Event, EventId, EventKind, Window};
use crate::journal::{ActionRecord, JournalError, Query};

/// How far around its times an event is searched for when its id no longer exists.
const SEARCH_MARGIN: TimeDelta = TimeDelta::days(1);

impl Execution<'_> {
    /// What the mailbox shows of a step that may have been applied, after a pause in which the server can finish it.
    pub(super) async fn verify(&self, before: &Event, step: &Step) -> Result<Observation, CalendarError> {
        tokio::time::sleep(self.engine.options().settle_delay).await;
        let after = self.find_again(before).await?;
        self.observe(before, step, after.as_ref()).await
    }

    /// The outcome by what the mailbox shows, in the running process and after a restart alike; `None`: the step was not applied, or
    /// someone else wrote since. Where the mailbox cannot be read, the action stays in doubt.
    pub(super) async fn verified_outcome(&self, before: &Event, step: &Step, done: &Done) -> Option<Outcome> {
        match self.verify(before, step).await {
            Ok(Observation::Indeterminate) => Some(self.indeterminate(before, step)),
            Ok(found) => found.outcome(done),
            Err(unreadable) => Some(messages::needs_attention(before, step, &unreadable)),
        }
    }

    /// The event as it is now: by its id, else by its UID and place in its series.
    pub(super) async fn find_again(&self, before: &Event) -> Result<Option<Event>, CalendarError> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        // A booking has no id before it is created.
        let has_id = !before.id.as_str().is_empty();
        if has_id && let Some(event) = calendar.event(room, &before.id).await? {
            return Ok(Some(event));
        }
        self.find_by_identity(before).await
    }

    /// The event with the same UID and place in its series, near its time.
    pub(super) async fn find_by_identity(&self, before: &Event) -> Result<Option<Event>, CalendarError> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        let Some(identity) = before.identity() else { return Ok(None) };
        let around = Window::clamped(before.start - SEARCH_MARGIN, before.end + SEARCH_MARGIN);
        let Some(around) = around else { return Ok(None) };
        let view = calendar.events(room, around).await?;
        match view.events.iter().find(|event| event.identity() == Some(identity)) {
            Some(event) => Ok(Some(event.clone())),
            // An unreadable item may be the event.
            None => view.into_complete().map(|_| None),
        }
    }

    /// What the server of the action's room can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        self.engine.calendar().capabilities(&self.action.room)
    }

    /// The outcome where the mailbox does not show whether the step was applied.
    pub(super) fn indeterminate(&self, before: &Event, step: &Step) -> Outcome {
        match step.removes_event() && !self.capabilities().can_trace(step) {
            true => messages::needs_attention(before, step, &messages::no_trace()),
            false => messages::indeterminate(before, step),
        }
    }

    /// Compares `after` with `before` for a step. Searches Sent Items and Deleted Items only where one of our sends may have left
    /// an item there.
    pub(super) async fn observe(
        &self,
        before: &Event,
        step: &Step,
        after: Option<&Event>,
    ) -> Result<Observation, CalendarError> {
        let stands = after.is_some_and(|after| after.id == before.id && !is_marked(step, before, after));
        // A message in Sent Items proves that our step was applied; an item in Deleted Items does so only if a send of ours is in
        // doubt.
        let ours = (self.in_doubt && step.removes_event() || step.sends_meeting_message()) && !stands;
        let trace = if ours { self.find_trace(before, step).await? } else { TraceLookup::NotFound };
        match reconcile(step, before, after, trace) {
            landed @ (Observation::Applied | Observation::AppliedMaybeNotified) => {
                Ok(self.other_claimant(before, step).await?.map_or(landed, Observation::AppliedBy))
            }
            found => Ok(found),
        }
    }

    /// An earlier action that set the same end on the same version and was closed in doubt: its request may have been applied
    /// only now.
    async fn other_claimant(&self, before: &Event, step: &Step) -> Result<Option<ActionId>, CalendarError> {
        let Step::SetEnd { end: wanted, .. } = step else { return Ok(None) };
        let same = |other: &Step| {
            matches!(other, Step::SetEnd { end, .. } if end == wanted) && other.item() == step.item()
        };
        let may_be = |record: &&ActionRecord| {
            record.intent.as_ref().is_some_and(|intent| same(&intent.step))
                && record.action.id != self.action.id
                && matches!(record.outcome, Some(Outcome::NeedsAttention { .. }))
        };
        Ok(self.records_of(before).await?.iter().find(may_be).map(|record| record.action.id))
    }

    /// Another action that made the same change to the same item since this one was accepted, and is known to be done.
    pub(super) async fn done_by_other_since(
        &self,
        record: &ActionRecord,
        before: &Event,
        step: &Step,
    ) -> Result<Option<ActionId>, JournalError> {
        let kind = std::mem::discriminant(step);
        let end = |step: &Step| if let Step::SetEnd { end, .. } = step { Some(*end) } else { None };
        let same = |other: &Step| {
            std::mem::discriminant(other) == kind && other.id() == step.id() && end(other) == end(step)
        };
        let did = |other: &&ActionRecord| {
            other.action.id != record.action.id
                // Actions in one room run one after another: one that ended before this one began is not the cause.
                && other.last_at >= record.accepted_at
                && other.done().is_some()
                && other.intent.as_ref().is_some_and(|intent| same(&intent.step))
        };
        Ok(self.records_of(before).await?.iter().find(did).map(|other| other.action.id))
    }

    /// The event that had this id, if the cache or the journal remembers it.
    pub(super) async fn remembered_event(&self, id: &EventId) -> Result<Option<Event>, CalendarError> {
        let room = &self.action.room;
        if let Some(event) = self.engine.cached_event(room, id) {
            return Ok(Some(event));
        }
        let query = Query { limit: Some(RECENT_ACTIONS_MAX), ..Query::room(room) };
        let records = self.engine.journal().find(&query).await?;
        let had = |record: &ActionRecord| {
            let made = record.done().is_some_and(|done| done.event.id.is_same(id));
            made || record.intent.as_ref().is_some_and(|intent| intent.before.id.is_same(id))
        };
        Ok(records.into_iter().find(had).and_then(|record| record.intent).map(|intent| intent.before))
    }

    /// All actions on this event; empty for an event without a UID.
    async fn records_of(&self, event: &Event) -> Result<Vec<ActionRecord>, JournalError> {
        let Some((uid, start)) = event.identity() else { return Ok(Vec::new()) };
        let query = Query { identity: Some((uid.clone(), start)), ..Query::room(&self.action.room) };
        self.engine.journal().find(&query).await
    }

    /// Whether an event that is gone from the calendar left the item that the step leaves: the message in Sent Items, or, for a
    /// silent removal, the item in Deleted Items. Three cases count as not found: an occurrence that was removed silently leaves no
    /// item, an event without a UID cannot be recognized, and an event that was removed before and restored may have left its
    /// item then.
    pub(super) async fn find_trace(&self, before: &Event, step: &Step) -> Result<TraceLookup, CalendarError> {
        if before.identity().is_none() {
            return Ok(TraceLookup::NotFound);
        }
        let earlier = |record: &ActionRecord| {
            let taken_away = record.intent.as_ref().is_some_and(|intent| intent.step.removes_event());
            let perhaps = matches!(record.outcome, Some(Outcome::Done(_) | Outcome::NeedsAttention { .. }));
            record.action.id != self.action.id && taken_away && perhaps
        };
        if self.records_of(before).await?.iter().any(earlier) {
            return Ok(TraceLookup::NotFound);
        }
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        match step {
            _ if !self.capabilities().can_trace(step) => Ok(TraceLookup::Unknown),
            Step::Decline { .. } | Step::Cancel { .. } => {
                calendar.find_sent_message(room, step, before, self.requested_at).await
            }
            _ if matches!(before.kind, EventKind::Single | EventKind::Series) => {
                Ok((&calendar.find_deleted(room, &EventSnapshot::from(before)).await?).into())
            }
            _ => Ok(TraceLookup::NotFound),
        }
    }
}
