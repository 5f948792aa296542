//! Finds the event of an action: for the first plan, and again after a conflict, a doubtful write or a restart. Reads only, and
//! never writes to a calendar or the journal.

use super::execution::{Attempt, Execution, LocateFrom, refused};
use super::extend::{booking, repeated_booking};
use super::messages;
use super::plan::{Plan, plan};
use super::reconcile::Observation;
use super::select::{Selected, current, named, times};
use super::undo::{UndoTarget, conflict, time_needed, undo_target};
use super::{CalendarError, DeletedLookup, EventLookup};
use crate::action::{ActionId, ActionKind, NoChangeReason, Outcome, Refusal, Target, TimeRange};
use crate::calendar::occupancy::booking_read_window;
use crate::calendar::{Event, EventId, Window};
use crate::journal::{Archived, Journal, JournalError};

impl Execution<'_> {
    /// Finds the event, or the outcome that ends the action.
    pub(super) async fn locate(
        &self,
        choice: &LocateFrom,
        undo: Option<&UndoTarget>,
    ) -> Result<Selected, Outcome> {
        match choice {
            LocateFrom::Request => {
                let selected = match undo {
                    None => self.select().await,
                    Some(undo) => self.select_undo_target(undo).await,
                };
                selected.map_err(|error| refused(error.into()))
            }
            LocateFrom::Attempt(attempt) => self.locate_again(attempt, undo).await,
        }
    }

    /// Finds the same event again, unless the conflict was with our own write: a proxy delivered the request late or twice.
    async fn locate_again(&self, attempt: &Attempt, undo: Option<&UndoTarget>) -> Result<Selected, Outcome> {
        let Attempt { before, plan: Plan { step, done } } = attempt;
        let nothing_done = self.throttled && !self.in_doubt;
        let unreadable = |error: CalendarError| match nothing_done {
            true => refused(error.into()),
            false => messages::needs_attention(before, step, &error),
        };
        let after = self.find_again(before).await.map_err(unreadable)?;
        let found = self.observe(before, step, after.as_ref()).await.map_err(unreadable)?;
        // A mark without a message is someone else's change, unless one of our sends is in doubt.
        let is_anothers =
            found == Observation::AppliedMaybeNotified && step.sends_meeting_message() && !self.in_doubt;
        if let Some(outcome) = found.outcome(done).filter(|_| !is_anothers) {
            return Err(outcome);
        }
        if found == Observation::Indeterminate && self.in_doubt {
            return Err(self.indeterminate(before, step));
        }
        if let (ActionKind::Book { minutes }, None) = (self.action.kind, &after) {
            // The booking was not made, and the room may be taken by now.
            return match self.select_booking_time(minutes).await.map_err(unreadable)? {
                Selected::Event(draft) if self.in_doubt => {
                    let booking = repeated_booking(*draft, before, self.capabilities());
                    Ok(Selected::Event(Box::new(booking)))
                }
                selected => Ok(selected),
            };
        }
        match (select_again(self.action.kind, before, after), undo) {
            (Selected::Event(event), Some(undo)) => {
                self.if_time_is_free(undo, *event).await.map_err(unreadable)
            }
            (selected, _) => Ok(selected),
        }
    }

    /// What an undo has to revert; `None` for other kinds of action.
    pub(super) async fn undo_target(&self) -> Result<Result<Option<UndoTarget>, Outcome>, JournalError> {
        let ActionKind::Undo { of } = self.action.kind else { return Ok(Ok(None)) };
        let journal = self.engine.journal();
        let Some(record) =
            journal.action_record(of).await?.filter(|record| record.action.room == self.action.room)
        else {
            return Ok(Err(refused(unknown_action(&**journal, of).await?)));
        };
        if let Some(undo) = self.recent_changes().await?.iter().find(|record| record.has_undone(of)) {
            return Ok(Err(Outcome::AlreadyDone {
                why: NoChangeReason::ByAction { action: undo.action.id },
            }));
        }
        Ok(undo_target(&record, self.capabilities()).map(Some).map_err(refused))
    }

    async fn select(&self) -> Result<Selected, CalendarError> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        if let ActionKind::Book { minutes } = self.action.kind {
            return self.select_booking_time(minutes).await;
        }
        match &self.action.target {
            Target::Current => {
                let now = self.engine.clock().now();
                // While the request waited for the room lock or for a restart, another meeting may have begun.
                let meant = |on: Vec<Event>| {
                    let on: Vec<_> = on.into_iter().filter(|event| event.is_on(self.requested_at)).collect();
                    current(&on, now, self.action.all_day)
                };
                let known =
                    self.engine.cache_for(room, self.action.kind).and_then(|known| known.events(room));
                match known.map(meant) {
                    Some(Selected::Event(event)) if self.has_plan(&event) => Ok(Selected::Event(event)),
                    // The cache may be a moment old, so a refusal needs a fresh read.
                    _ => Ok(meant(calendar.events(room, Window::instant(now)).await?.with_stand_ins()?)),
                }
            }
            Target::Event { id, seen } => {
                let known =
                    self.engine.cache_for(room, self.action.kind).and_then(|known| known.event(room, id));
                match named(known, *seen) {
                    Selected::Event(event) if self.has_plan(&event) => Ok(Selected::Event(event)),
                    _ => self.select_named(id, *seen).await,
                }
            }
            Target::Series { id } => self.select_named(id, None).await,
        }
    }

    async fn select_named(&self, id: &EventId, seen: Option<TimeRange>) -> Result<Selected, CalendarError> {
        match self.engine.calendar().event_by_external_id(&self.action.room, id).await? {
            EventLookup::Found(event) => Ok(named(Some(*event), seen)),
            EventLookup::InvalidId { code } => Ok(Selected::Refused(Refusal::InvalidEventId { code })),
            EventLookup::NotFound => self.select_missing(id).await,
        }
    }

    /// The result for an id that the server does not find. That alone does not prove that an event is gone: the id may be mistyped,
    /// belong to a date whose series was changed, or be invisible to the account. An event counts as gone only if journal or cache
    /// remember it under this id, and its UID is nowhere near its time.
    async fn select_missing(&self, id: &EventId) -> Result<Selected, CalendarError> {
        let Some(before) = self.remembered_event(id).await? else {
            return Ok(Selected::Refused(Refusal::EventNotFound));
        };
        Ok(match self.find_by_identity(&before).await? {
            None => Selected::NoChange(NoChangeReason::Gone),
            Some(event) => {
                let (was, is) = (times(&before), Some(times(&event)));
                Selected::Refused(Refusal::ChangedMeanwhile { was, is })
            }
        })
    }

    /// Whether the action has a plan for this event from the cache.
    fn has_plan(&self, event: &Event) -> bool {
        plan(self.action, event, self.engine.clock().now(), self.capabilities()).is_ok()
    }

    /// For a booking: the event to create, if the room is free.
    async fn select_booking_time(&self, minutes: u16) -> Result<Selected, CalendarError> {
        let now = self.engine.clock().now();
        if now - self.requested_at > self.engine.options().resume_within {
            // The person at the door left minutes ago, so the room must not be booked for them any more.
            return Ok(Selected::Refused(Refusal::Interrupted));
        }
        let Some(reach) = booking_read_window(now, minutes) else {
            return Err(CalendarError::configuration("a booking takes at least a minute"));
        };
        let around = self.engine.calendar().events(&self.action.room, reach).await?.with_stand_ins()?;
        let subject = &self.engine.options().booking_subject;
        let booking = booking(self.action.id, subject, (minutes, &around), now);
        Ok(booking.map_or_else(Selected::Refused, |event| Selected::Event(Box::new(event))))
    }

    /// For an undo: the event whose end was changed or that was booked, or the one in Deleted Items, if its time is free.
    async fn select_undo_target(&self, undo: &UndoTarget) -> Result<Selected, CalendarError> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        let (UndoTarget::End(done) | UndoTarget::Removed(done) | UndoTarget::Booked(done)) = undo;
        let own = match undo {
            UndoTarget::End(_) | UndoTarget::Booked(_) => match self.find_changed(&done.event.id).await? {
                Some(event) => event,
                // A booking that is gone needs no removal; an event that is gone cannot get its end back.
                None if matches!(undo, UndoTarget::Booked(_)) => {
                    return Ok(Selected::NoChange(NoChangeReason::Gone));
                }
                None => {
                    let was = TimeRange { start: done.event.start, end: done.event.end };
                    return Ok(Selected::Refused(Refusal::ChangedMeanwhile { was, is: None }));
                }
            },
            UndoTarget::Removed(_) => match calendar.find_deleted(room, &done.event).await? {
                DeletedLookup::Found(event) => *event,
                DeletedLookup::NotFound => return Ok(Selected::Refused(Refusal::LeftDeletedItems)),
                DeletedLookup::Unknown => return Err(messages::deleted_items_unknown()),
            },
        };
        self.if_time_is_free(undo, own).await
    }

    /// The event that an action changed: by its id, or by the identity that the journal recorded.
    async fn find_changed(&self, id: &EventId) -> Result<Option<Event>, CalendarError> {
        if let Some(event) = self.engine.calendar().event(&self.action.room, id).await? {
            return Ok(Some(event));
        }
        match self.remembered_event(id).await? {
            Some(before) => self.find_by_identity(&before).await,
            None => Ok(None),
        }
    }

    /// The event to restore, if no other event is at its time.
    async fn if_time_is_free(&self, undo: &UndoTarget, own: Event) -> Result<Selected, CalendarError> {
        let conflict = match time_needed(undo) {
            Some(window) => {
                let there =
                    self.engine.calendar().events(&self.action.room, window).await?.with_stand_ins()?;
                conflict(&there, &own, &window)
            }
            None => None,
        };
        Ok(conflict.map_or_else(|| Selected::Event(Box::new(own)), Selected::Refused))
    }
}

/// After a conflict: the same event, if its times are unchanged. A meeting that was extended or moved in the meantime is not the
/// meeting that the caller meant. A meeting that is gone needs neither ending nor deleting.
fn select_again(kind: ActionKind, before: &Event, after: Option<Event>) -> Selected {
    let was = times(before);
    match after {
        None if matches!(kind, ActionKind::End(_) | ActionKind::Delete(_)) => {
            Selected::NoChange(NoChangeReason::Gone)
        }
        None => Selected::Refused(Refusal::ChangedMeanwhile { was, is: None }),
        Some(event) if times(&event) == was => Selected::Event(Box::new(event)),
        Some(event) => Selected::Refused(Refusal::ChangedMeanwhile { was, is: Some(times(&event)) }),
    }
}

/// The refusal for an action that the journal does not have: it may be among the archived ones.
pub async fn unknown_action(journal: &dyn Journal, action: ActionId) -> Result<Refusal, JournalError> {
    Ok(match journal.archived().await? {
        Some(Archived { last, file, .. }) => Refusal::MaybeArchived { action, last, file },
        None => Refusal::NoSuchAction { action },
    })
}
