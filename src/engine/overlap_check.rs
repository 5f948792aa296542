//! Checks for overlapping events after an action that takes more of a room's time, and reverts the action if there are any.
//!
//! Exchange accepts overlapping events when they are written straight to a calendar. So the range is read again after the
//! write, and on overlap our change is reverted: the other event stays. Never changes an event of someone else.

use chrono::{DateTime, Utc};

use super::WriteOutcome;
use super::capabilities::{Capabilities, SilentRemoval};
use super::execution::{Execution, refused};
use super::messages;
use super::undo::{conflict, conflict_with};
use super::{CalendarError, ErrorKind};
use crate::action::{
    ActionKind, Change, Done, Notified, Notify, Outcome, Refusal, RequestIds, ResponsibleParty, Step,
};
use crate::calendar::occupancy::conflicts;
use crate::calendar::{Event, Window};
use crate::journal::{Fact, Intent, JournalError};

impl Execution<'_> {
    /// The outcome after the overlap check.
    pub(super) async fn check_overlap(&mut self, outcome: Outcome) -> Result<Outcome, JournalError> {
        match outcome {
            Outcome::Done(done) if !done.dry_run => match time_added(&done) {
                None => Ok(Outcome::Done(done)),
                Some(window) => match self.busy_events_in(window).await {
                    Ok(events) => self.resolve_overlap(done, (window, &events), false).await,
                    Err(error) => Ok(messages::overlap_unchecked(&done, &error)),
                },
            },
            other => Ok(other),
        }
    }

    /// Continues a revert that the journal recorded before the process ended. Its request may still be in flight. Returns the
    /// error if Exchange cannot be read.
    pub(super) async fn resume_revert(
        mut self,
        intent: &Intent,
        since: DateTime<Utc>,
    ) -> Result<Result<(Outcome, Vec<RequestIds>), CalendarError>, JournalError> {
        self.wait_delivery_window(since).await;
        let done = intent.done.clone();
        let Some(window) = time_added(&done) else { return Ok(Ok((Outcome::Done(done), self.requests))) };
        match self.busy_events_in(window).await {
            Err(error) => Ok(Err(error)),
            Ok(events) => {
                let outcome = self.resolve_overlap(done, (window, &events), true).await?;
                Ok(Ok((outcome, self.requests)))
            }
        }
    }

    async fn resolve_overlap(
        &mut self,
        done: Done,
        (window, events): (Window, &[Event]),
        is_revert: bool,
    ) -> Result<Outcome, JournalError> {
        let Some(own) = events.iter().find(|event| is_own(event, &done)) else {
            // The event is gone. Without a revert, someone else changed it after our write, which was done.
            let reverted = || refused(conflict_with(conflicts(events, None, &window)));
            return Ok(if is_revert { reverted() } else { Outcome::Done(done) });
        };
        let (duplicates, others): (Vec<_>, Vec<_>) =
            events.iter().cloned().partition(|event| event.id != own.id && is_duplicate(event, &done));
        for duplicate in duplicates {
            if let Some(outcome) = self.remove_duplicate(duplicate, &done).await? {
                return Ok(outcome);
            }
        }
        match conflict(&others, own, &window) {
            None => Ok(Outcome::Done(with_id(done, own))),
            Some(refusal) => match (end_state(own, &done), is_revert) {
                (EndState::AsWritten, _) => self.revert(own.clone(), done, refusal).await,
                (EndState::Reverted, true) => Ok(refused(refusal)),
                // Someone else changed the event since; their change is not overwritten.
                (EndState::Reverted | EndState::Modified, _) => Ok(messages::overlap_remains(own)),
            },
        }
    }

    async fn busy_events_in(&self, window: Window) -> Result<Vec<Event>, CalendarError> {
        self.engine.calendar().events(&self.action.room, window).await?.with_stand_ins()
    }

    async fn send(&mut self, step: &Step) -> WriteOutcome {
        let reply = self.engine.calendar().write(&self.action.room, step).await;
        self.requests.extend(reply.requests);
        reply.outcome
    }

    /// Removes the duplicate of a booking; `None` when only the first item is left.
    async fn remove_duplicate(
        &mut self,
        duplicate: Event,
        done: &Done,
    ) -> Result<Option<Outcome>, JournalError> {
        let Some(step) = removal_step(&duplicate, self.capabilities()) else {
            return Ok(Some(messages::overlap_remains(&duplicate)));
        };
        let outcome = self.record_and_send(&duplicate, &step, done.clone()).await?;
        Ok(self.revert_failure(outcome, &duplicate, &step).await)
    }

    /// The outcome of a failed revert; `None` when the revert succeeded.
    async fn revert_failure(&mut self, outcome: WriteOutcome, own: &Event, step: &Step) -> Option<Outcome> {
        match outcome {
            WriteOutcome::Done => None,
            WriteOutcome::Gone => match self.find_again(own).await {
                Ok(Some(event)) if event.id == own.id && event.change_key == own.change_key => {
                    Some(messages::needs_attention(own, step, &messages::not_writable()))
                }
                Ok(_) => None,
                Err(unreadable) => Some(messages::needs_attention(own, step, &unreadable)),
            },
            WriteOutcome::Conflict => Some(messages::needs_attention(own, step, &changed_before_revert())),
            WriteOutcome::Throttled(error)
            | WriteOutcome::NotApplied(error)
            | WriteOutcome::Unproven(error)
            | WriteOutcome::InDoubt(error) => Some(messages::needs_attention(own, step, &error)),
        }
    }

    async fn revert(&mut self, own: Event, done: Done, refusal: Refusal) -> Result<Outcome, JournalError> {
        let Some(step) = revert_step(&own, &done, self.capabilities()) else {
            return Ok(messages::overlap_remains(&own));
        };
        let outcome = self.record_and_send(&own, &step, done).await?;
        Ok(self.revert_failure(outcome, &own, &step).await.unwrap_or_else(|| refused(refusal)))
    }

    async fn record_and_send(
        &mut self,
        own: &Event,
        step: &Step,
        done: Done,
    ) -> Result<WriteOutcome, JournalError> {
        let before = Box::new(self.engine.as_journalled(own.clone()));
        let intended = Fact::Intended { step: step.clone(), before, done: Box::new(done) };
        self.engine.record(self.action.id, intended).await?;
        let mut outcome = self.send(step).await;
        for _ in 0..REVERT_SENDS_MAX {
            if !matches!(outcome, WriteOutcome::Throttled(_)) {
                break;
            }
            // The same version: a late delivery overwrites no other change.
            tokio::time::sleep(self.engine.options().settle_delay).await;
            outcome = self.send(step).await;
        }
        Ok(outcome)
    }
}

/// The step that reverts our change; `None` where the server would notify people of it, whom nobody wants to notify.
fn revert_step(own: &Event, done: &Done, server: Capabilities) -> Option<Step> {
    let (Change::Extended { from, .. } | Change::EndRestored { from, .. }) = done.change else {
        return removal_step(own, server);
    };
    let wanted = match done.notified {
        Notified::Attendees | Notified::Unknown => Notify::Attendees,
        Notified::Nobody | Notified::Organizer => Notify::Nobody,
    };
    let notify = server.effective_notify(own.copy, wanted);
    Some(Step::SetEnd { id: own.id.clone(), change_key: own.change_key.clone(), end: from, notify })
}

/// The step that removes an event of ours; `None` where the server would send messages.
fn removal_step(own: &Event, server: Capabilities) -> Option<Step> {
    let is_silent = server.silent_removal_of(own.copy) != SilentRemoval::Impossible;
    is_silent.then(|| Step::Remove { id: own.id.clone(), change_key: own.change_key.clone() })
}

/// How often a revert is sent to a busy server.
const REVERT_SENDS_MAX: u32 = 30;

/// Whether the last intent reverts the action's own change.
pub(super) fn is_revert(kind: ActionKind, intent: &Intent) -> bool {
    match (kind, &intent.step, intent.done.change) {
        (ActionKind::Book { .. }, Step::Remove { .. }, _) => true,
        (ActionKind::Extend { .. }, Step::SetEnd { end, .. }, Change::Extended { from, .. })
        | (ActionKind::Undo { .. }, Step::SetEnd { end, .. }, Change::EndRestored { from, .. }) => {
            *end == from
        }
        (ActionKind::Undo { .. }, Step::Remove { .. }, Change::MovedBack) => true,
        _ => false,
    }
}

/// The time that the change added.
fn time_added(done: &Done) -> Option<Window> {
    match done.change {
        Change::Extended { from, to } | Change::EndRestored { from, to } => Window::clamped(from, to),
        Change::Booked | Change::MovedBack => Window::clamped(done.event.start, done.event.end),
        _ => None,
    }
}

fn is_own(event: &Event, done: &Done) -> bool {
    match done.change {
        // The id is not the one in the journal: created or moved items get a new one.
        Change::Booked | Change::MovedBack => event.uid.is_some() && event.uid == done.event.uid,
        _ => event.id == done.event.id,
    }
}

/// Whether Exchange created this item for the same booking: the request was delivered twice.
fn is_duplicate(event: &Event, done: &Done) -> bool {
    done.change == Change::Booked && is_own(event, done)
}

/// The end of our event now, compared with what the action wrote.
enum EndState {
    AsWritten,
    Reverted,
    Modified,
}

fn end_state(own: &Event, done: &Done) -> EndState {
    match done.change {
        Change::Extended { to, .. } | Change::EndRestored { to, .. } if own.end == to => EndState::AsWritten,
        Change::Extended { from, .. } | Change::EndRestored { from, .. } if own.end == from => {
            EndState::Reverted
        }
        Change::Extended { .. } | Change::EndRestored { .. } => EndState::Modified,
        _ => EndState::AsWritten,
    }
}

/// The change with the event's id: Exchange assigns the id of a booking when it creates the item.
pub(super) fn with_id(mut done: Done, own: &Event) -> Done {
    done.event.id = own.id.clone();
    done
}

fn changed_before_revert() -> CalendarError {
    CalendarError::new(
        ErrorKind::Conflict,
        ResponsibleParty::Nobody,
        "Two events overlap, and Adjourn's own was changed by someone else before it could be reverted",
        "collides",
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::capabilities::SilentRemovals;
    use super::super::capabilities::tests::ALL;
    use super::*;
    use crate::action::{EventSnapshot, Reversibility};
    use crate::calendar::Copy;

    fn done(own: &Event, change: Change) -> Done {
        Done {
            event: EventSnapshot::from(own),
            copy: Copy::Plain,
            change,
            notified: Notified::Nobody,
            reversibility: Reversibility::Reversible,
            dry_run: false,
        }
    }

    #[test]
    fn our_event_stays_where_its_removal_would_send_messages() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let own = |copy| Event { copy, ..Event::sample("A", start, start + TimeDelta::hours(1)) };
        let noisy = SilentRemovals { organizer: SilentRemoval::Impossible, ..ALL.silent_removal };
        let noisy = Capabilities { silent_removal: noisy, ..ALL };
        for (copy, server, is_removed) in [
            (Some(Copy::Plain), noisy, true),
            (Some(Copy::Organizer), noisy, false),
            (None, noisy, false),
            (None, ALL, true),
        ] {
            let own = own(copy);
            let step = revert_step(&own, &done(&own, Change::Booked), server);
            assert_eq!(step.is_some(), is_removed, "{copy:?}");
        }
        let (own, to) = (own(Some(Copy::Organizer)), start + TimeDelta::hours(1));
        let change = Change::Extended { from: start + TimeDelta::minutes(30), to };
        let step = revert_step(&own, &done(&own, change), Capabilities { can_mute_updates: false, ..noisy });
        assert!(matches!(step, Some(Step::SetEnd { notify: Notify::Attendees, .. })), "{step:?}");
    }
}
