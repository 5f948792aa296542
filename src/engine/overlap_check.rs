//! Checks for overlapping events after an action that takes more of a room's time, and reverts the action if there are any.
//!
//! Exchange accepts overlapping events when they are written straight to a calendar. So the range is read again after the
//! write, and on overlap our change is reverted: the other event stays. Never changes an event of someone else.

use chrono::{DateTime, Utc};

use super::action_context::ActionContext;
use super::attempt::Before;
use super::capabilities::{Capabilities, SilentRemoval};
use super::early_exit::refused;
use super::reconcile::is_same_version;
use super::send_permission::send_intended;
use super::sends::Sends;
use super::undo::{conflict, conflict_with, notify_again};
use super::verify::find_again;
use super::{CalendarError, ErrorKind, WriteOutcome, messages};
use crate::action::{
    ActionKind, Change, Done, EventSnapshot, Outcome, Refusal, RequestIds, ResponsibleParty, Step,
};
use crate::calendar::occupancy::conflicts;
use crate::calendar::{Event, Window};
use crate::journal::{Intent, JournalError};

/// Whether a revert of the change may have been sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revert {
    NotSent,
    /// An earlier process recorded the intent.
    MaybeSent,
}

/// The outcome after the overlap check. Adds the requests that it sends to `requests`.
pub(super) async fn check_overlap(
    context: &ActionContext<'_>,
    outcome: Outcome,
    requests: &mut Vec<RequestIds>,
) -> Result<Outcome, JournalError> {
    let (done, window) = match outcome {
        Outcome::Done(done) if !done.dry_run => match time_added(&done) {
            Some(window) => (done, window),
            None => return Ok(Outcome::Done(done)),
        },
        other => return Ok(other),
    };
    match context.events(window).await {
        Ok(events) => {
            let done = with_present_id(context, done, &events).await;
            resolve_overlap(context, done, (window, &events), Revert::NotSent, requests).await
        }
        Err(error) => Ok(messages::overlap_unchecked(&done, &error)),
    }
}

/// The change under the id that the room's server has for its event now. The change was settled after a restart if the id differs.
async fn with_present_id(context: &ActionContext<'_>, done: Done, events: &[Event]) -> Done {
    if !has_lasting_id(&done) || events.iter().any(|event| is_own(event, &done)) {
        return done;
    }
    match context.calendar().event(context.room(), &done.event.id).await {
        Ok(Some(event)) if event.uid == done.event.uid => with_id(done, &event),
        _ => done,
    }
}

/// Continues a revert that the journal recorded before the process ended. Its request may still be in flight. Returns the
/// outcome and the requests sent for it.
pub(super) async fn resume_revert(
    context: &ActionContext<'_>,
    intent: &Intent,
    since: DateTime<Utc>,
) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
    context.wait_delivery_window(since).await;
    let (before, mut requests) = (Before::from(intent), Vec::new());
    let Some(window) = time_added(&intent.done) else {
        return Ok((Outcome::Done(intent.done.clone()), requests));
    };
    let unreadable = |error| messages::needs_attention(&before.snapshot(), &intent.step, &error);
    let done = match under_present_id(context, intent.done.clone(), &before).await {
        Ok(PresentId::Known(done)) => done,
        Ok(PresentId::MaybeAnother(event)) => return Ok((messages::overlap_remains(&event), requests)),
        Err(error) => return Ok((unreadable(error), requests)),
    };
    let outcome = match context.events(window).await {
        Err(error) => unreadable(error),
        Ok(events) => {
            resolve_overlap(context, done, (window, &events), Revert::MaybeSent, &mut requests).await?
        }
    };
    Ok((outcome, requests))
}

/// The id that the room's server has now for the event of a change.
enum PresentId {
    /// The change, under that id.
    Known(Done),
    /// An event with the same UID stands under another id, and may be another item.
    MaybeAnother(EventSnapshot),
}

/// Finds the event of a recorded change, which has another id if the room moved to another server.
async fn under_present_id(
    context: &ActionContext<'_>,
    done: Done,
    before: &Before,
) -> Result<PresentId, CalendarError> {
    if !has_lasting_id(&done) {
        return Ok(PresentId::Known(done));
    }
    let found = find_again(context, before).await?;
    Ok(match found.after {
        None => PresentId::Known(done),
        Some(event) => {
            let is_same_version = match &*found.before {
                Before::Event(before) => is_same_version(before, &event),
                Before::Draft(_) => false,
            };
            let is_reverted = matches!(end_state(&event, &done), EndState::Reverted);
            match found.before.id() == Some(&event.id) || is_same_version || is_reverted {
                true => PresentId::Known(with_id(done, &event)),
                false => PresentId::MaybeAnother(EventSnapshot::from(&event)),
            }
        }
    })
}

async fn resolve_overlap(
    context: &ActionContext<'_>,
    done: Done,
    (window, events): (Window, &[Event]),
    earlier: Revert,
    requests: &mut Vec<RequestIds>,
) -> Result<Outcome, JournalError> {
    let Some(own) = events.iter().find(|event| is_own(event, &done)) else {
        // The event is gone. Without a revert, someone else changed it after our write, which was done.
        return Ok(match earlier {
            Revert::NotSent => Outcome::Done(done),
            Revert::MaybeSent => refused(conflict_with(conflicts(events, None, &window))),
        });
    };
    let (duplicates, others): (Vec<_>, Vec<_>) =
        events.iter().cloned().partition(|event| event.id != own.id && is_duplicate(event, &done));
    for duplicate in duplicates {
        if let Some(outcome) = remove_duplicate(context, &duplicate, &done, requests).await? {
            return Ok(outcome);
        }
    }
    let Some(refusal) = conflict(&others, own, &window) else { return Ok(Outcome::Done(with_id(done, own))) };
    match (end_state(own, &done), earlier) {
        (EndState::AsWritten, _) => revert(context, own, done, refusal, requests).await,
        (EndState::Reverted, Revert::MaybeSent) => Ok(refused(refusal)),
        // Someone else changed the event since; their change is not overwritten.
        (EndState::Reverted | EndState::Modified, _) => {
            Ok(messages::overlap_remains(&EventSnapshot::from(own)))
        }
    }
}

/// Removes the duplicate of a booking; `None` when only the first item is left.
async fn remove_duplicate(
    context: &ActionContext<'_>,
    duplicate: &Event,
    done: &Done,
    requests: &mut Vec<RequestIds>,
) -> Result<Option<Outcome>, JournalError> {
    let Some(step) = removal_step(duplicate, context.capabilities()) else {
        return Ok(Some(messages::overlap_remains(&EventSnapshot::from(duplicate))));
    };
    let outcome = record_and_send(context, duplicate, &step, done.clone(), requests).await?;
    Ok(revert_failure(context, outcome, duplicate, &step).await)
}

async fn revert(
    context: &ActionContext<'_>,
    own: &Event,
    done: Done,
    refusal: Refusal,
    requests: &mut Vec<RequestIds>,
) -> Result<Outcome, JournalError> {
    let Some(step) = revert_step(own, &done, context.capabilities()) else {
        return Ok(messages::overlap_remains(&EventSnapshot::from(own)));
    };
    let outcome = record_and_send(context, own, &step, done, requests).await?;
    Ok(revert_failure(context, outcome, own, &step).await.unwrap_or_else(|| refused(refusal)))
}

/// Sends the step of a revert, each time after the journal has stored its intent.
async fn record_and_send(
    context: &ActionContext<'_>,
    own: &Event,
    step: &Step,
    done: Done,
    requests: &mut Vec<RequestIds>,
) -> Result<WriteOutcome, JournalError> {
    let intent = Intent { step: step.clone(), before: own.clone(), done };
    let mut sends = Sends::default();
    loop {
        let stored = context.record_intent(intent.clone()).await?;
        let mut report = send_intended(context, &stored, &mut sends).await?;
        requests.append(&mut report.requests);
        if !matches!(report.outcome, WriteOutcome::Throttled(_)) || !sends.may_wait() {
            return Ok(report.outcome);
        }
        // The same version: a late delivery overwrites no other change.
        tokio::time::sleep(context.options().settle_delay).await;
    }
}

/// The outcome of a failed revert; `None` when the revert succeeded.
async fn revert_failure(
    context: &ActionContext<'_>,
    outcome: WriteOutcome,
    own: &Event,
    step: &Step,
) -> Option<Outcome> {
    let failed =
        |error: &CalendarError| Some(messages::needs_attention(&EventSnapshot::from(own), step, error));
    match outcome {
        WriteOutcome::Done => None,
        WriteOutcome::Gone => {
            let before = Before::Event(Box::new(own.clone()));
            match find_again(context, &before).await {
                Ok(found) if found.is_unchanged() => failed(&messages::not_writable()),
                Ok(_) => None,
                Err(unreadable) => failed(&unreadable),
            }
        }
        WriteOutcome::Conflict => failed(&changed_before_revert()),
        WriteOutcome::Throttled(error)
        | WriteOutcome::NotApplied(error)
        | WriteOutcome::Unproven(error)
        | WriteOutcome::InDoubt(error) => failed(&error),
    }
}

/// The step that reverts our change; `None` where the server would send messages about a removal that has to be silent.
fn revert_step(own: &Event, done: &Done, server: Capabilities) -> Option<Step> {
    let (Change::Extended { from, .. } | Change::EndRestored { from, .. }) = done.change else {
        return removal_step(own, server);
    };
    let notify = server.effective_notify(own.copy, notify_again(done.notified));
    Some(Step::SetEnd { id: own.id.clone(), change_key: own.change_key.clone(), end: from, notify })
}

/// The step that removes an event of ours; `None` where the server would send messages.
fn removal_step(own: &Event, server: Capabilities) -> Option<Step> {
    let is_silent = server.silent_removal_of(own.copy) != SilentRemoval::Impossible;
    is_silent.then(|| Step::Remove { id: own.id.clone(), change_key: own.change_key.clone() })
}

/// Whether the last intent reverts the action's own change.
pub(super) fn is_revert(kind: ActionKind, intent: &Intent) -> bool {
    match (kind, &intent.step, intent.done.change) {
        (ActionKind::Book(_), Step::Remove { .. }, _) => true,
        (ActionKind::Extend(_), Step::SetEnd { end, .. }, Change::Extended { from, .. })
        | (ActionKind::Undo { .. }, Step::SetEnd { end, .. }, Change::EndRestored { from, .. }) => {
            *end == from
        }
        (ActionKind::Undo { .. }, Step::Remove { .. }, Change::MovedBack | Change::Booked) => true,
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
    let has_uid = event.uid.is_some() && event.uid == done.event.uid;
    match has_lasting_id(done) {
        false => has_uid,
        // A date of a series may get another id by its change, but never another start.
        true if event.kind.is_date_of_series() && has_uid => event.start == done.event.start,
        true => event.id == done.event.id,
    }
}

/// Whether the journal has the id of the event after the change: created or moved items get a new one.
fn has_lasting_id(done: &Done) -> bool {
    !matches!(done.change, Change::Booked | Change::MovedBack)
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
    use super::*;
    use crate::action::{Notified, Notify, Reversibility};
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
        let noisy =
            SilentRemovals { organizer: SilentRemoval::Impossible, ..Capabilities::ALL.silent_removal };
        let noisy = Capabilities { silent_removal: noisy, ..Capabilities::ALL };
        for (copy, server, is_removed) in [
            (Some(Copy::Plain), noisy, true),
            (Some(Copy::Organizer), noisy, false),
            (None, noisy, false),
            (None, Capabilities::ALL, true),
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
