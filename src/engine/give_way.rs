//! Exchange takes two events at one time when they are written straight to a calendar. So what takes more of a room's time
//! is checked once more after it was written, and taken back if somebody else was there: whoever was not us keeps it.

use chrono::{DateTime, Utc};

use super::Trouble;
use super::Written;
use super::run::{Run, refused};
use super::undo::{collides, taken};
use super::words;
use crate::action::{
    ActionKind, Change, Done, Notified, Notify, Outcome, Refusal, RequestIds, ResponsibleParty, Step,
};
use crate::calendar::occupancy::conflicts;
use crate::calendar::{Event, Window};
use crate::journal::{Fact, Intent, JournalError};

impl Run<'_> {
    /// The outcome, once it is sure that the time is ours alone.
    pub(super) async fn give_way(&mut self, outcome: Outcome) -> Result<Outcome, JournalError> {
        match outcome {
            Outcome::Done(done) if !done.dry_run => match claimed(&done) {
                None => Ok(Outcome::Done(done)),
                Some(window) => match self.taken(window).await {
                    Ok(there) => self.weigh(done, (window, &there), false).await,
                    Err(trouble) => Ok(words::unchecked(&done, &trouble)),
                },
            },
            other => Ok(other),
        }
    }

    /// The same, for an action that was taking its effect back when the process was stopped, and had said so then. What was
    /// sent may be under way still. The trouble, if Exchange cannot be asked.
    pub(super) async fn take_back_again(
        mut self,
        intent: &Intent,
        since: DateTime<Utc>,
    ) -> Result<Result<(Outcome, Vec<RequestIds>), Trouble>, JournalError> {
        self.let_land(since).await;
        let done = intent.done.clone();
        let Some(window) = claimed(&done) else { return Ok(Ok((Outcome::Done(done), self.requests))) };
        match self.taken(window).await {
            Err(trouble) => Ok(Err(trouble)),
            Ok(there) => {
                let outcome = self.weigh(done, (window, &there), true).await?;
                Ok(Ok((outcome, self.requests)))
            }
        }
    }

    async fn weigh(
        &mut self,
        done: Done,
        (window, there): (Window, &[Event]),
        taking_back: bool,
    ) -> Result<Outcome, JournalError> {
        let Some(own) = there.iter().find(|event| is_own(event, &done)) else {
            // Without a take-back somebody else was quick to change it; done it was.
            let taken_back = || refused(taken(conflicts(there, None, &window)));
            return Ok(if taking_back { taken_back() } else { Outcome::Done(done) });
        };
        let (twins, others): (Vec<_>, Vec<_>) =
            there.iter().cloned().partition(|event| event.id != own.id && is_twin(event, &done));
        for twin in twins {
            if let Some(outcome) = self.remove_twin(twin, &done).await? {
                return Ok(outcome);
            }
        }
        match collides(&others, own, &window) {
            None => Ok(Outcome::Done(with_id(done, own))),
            Some(refusal) => match (as_left(own, &done), taking_back) {
                (EndNow::AsLeft, _) => self.take_back(own.clone(), done, refusal).await,
                (EndNow::TakenBack, true) => Ok(refused(refusal)),
                // Another changed it since: that is not overwritten.
                (EndNow::TakenBack | EndNow::Changed, _) => Ok(words::stands_beside(own)),
            },
        }
    }

    async fn taken(&self, window: Window) -> Result<Vec<Event>, Trouble> {
        self.engine.calendar().events(&self.action.room, window).await?.taken()
    }

    async fn send(&mut self, step: &Step) -> Written {
        let reply = self.engine.calendar().write(&self.action.room, step).await;
        self.requests.extend(reply.requests);
        reply.written
    }

    /// Takes away the second item that one booking made; `None` when only the first is left.
    async fn remove_twin(&mut self, twin: Event, done: &Done) -> Result<Option<Outcome>, JournalError> {
        let step = Step::Remove { id: twin.id.clone(), change_key: twin.change_key.clone() };
        let written = self.announce_and_send(&twin, &step, done.clone()).await?;
        Ok(self.taken_away(written, &twin, &step).await)
    }

    /// `None` when what was to be taken back is taken back.
    async fn taken_away(&mut self, written: Written, own: &Event, step: &Step) -> Option<Outcome> {
        match written {
            Written::Done => None,
            Written::Gone => match self.find_again(own).await {
                Ok(Some(event)) if event.id == own.id && event.change_key == own.change_key => {
                    Some(words::needs_attention(own, step, &words::not_writable()))
                }
                Ok(_) => None,
                Err(blind) => Some(words::needs_attention(own, step, &blind)),
            },
            Written::Conflict => Some(words::needs_attention(own, step, &twice())),
            Written::NotYet(trouble)
            | Written::NotDone(trouble)
            | Written::Unproven(trouble)
            | Written::InDoubt(trouble) => Some(words::needs_attention(own, step, &trouble)),
        }
    }

    async fn take_back(&mut self, own: Event, done: Done, refusal: Refusal) -> Result<Outcome, JournalError> {
        let (id, change_key) = (own.id.clone(), own.change_key.clone());
        let step = match done.change {
            Change::Extended { from, .. } | Change::EndRestored { from, .. } => {
                let notify = match done.notified {
                    Notified::Attendees | Notified::Unknown => Notify::Attendees,
                    Notified::Nobody | Notified::Organizer => Notify::Nobody,
                };
                Step::SetEnd { id, change_key, end: from, notify }
            }
            _ => Step::Remove { id, change_key },
        };
        let written = self.announce_and_send(&own, &step, done).await?;
        Ok(self.taken_away(written, &own, &step).await.unwrap_or_else(|| refused(refusal)))
    }

    async fn announce_and_send(
        &mut self,
        own: &Event,
        step: &Step,
        done: Done,
    ) -> Result<Written, JournalError> {
        let before = Box::new(self.engine.as_journalled(own.clone()));
        let intended = Fact::Intended { step: step.clone(), before, done: Box::new(done) };
        self.engine.record(self.action.id, intended).await?;
        let mut written = self.send(step).await;
        for _ in 0..BUSY_MAX {
            if !matches!(written, Written::NotYet(_)) {
                break;
            }
            // The same version: nobody else is overwritten, however late it comes.
            tokio::time::sleep(self.engine.options().settle).await;
            written = self.send(step).await;
        }
        Ok(written)
    }
}

/// How often a take-back is tried that a busy server put off.
const BUSY_MAX: u32 = 30;

/// Whether what was intended last takes back what the action had done.
pub(super) fn takes_back(ask: ActionKind, intent: &Intent) -> bool {
    match (ask, &intent.step, intent.done.change) {
        (ActionKind::Book { .. }, Step::Remove { .. }, _) => true,
        (ActionKind::Extend { .. }, Step::SetEnd { end, .. }, Change::Extended { from, .. })
        | (ActionKind::Undo { .. }, Step::SetEnd { end, .. }, Change::EndRestored { from, .. }) => {
            *end == from
        }
        (ActionKind::Undo { .. }, Step::Remove { .. }, Change::MovedBack) => true,
        _ => false,
    }
}

/// The time that was added.
fn claimed(done: &Done) -> Option<Window> {
    match done.change {
        Change::Extended { from, to } | Change::EndRestored { from, to } => Window::clamped(from, to),
        Change::Booked | Change::MovedBack => Window::clamped(done.event.start, done.event.end),
        _ => None,
    }
}

fn is_own(event: &Event, done: &Done) -> bool {
    match done.change {
        // Under another id than it was seen with.
        Change::Booked | Change::MovedBack => event.uid.is_some() && event.uid == done.event.uid,
        _ => event.id == done.event.id,
    }
}

/// Of one booking, Exchange made this item too: the request was delivered twice.
fn is_twin(event: &Event, done: &Done) -> bool {
    done.change == Change::Booked && is_own(event, done)
}

/// The end of an event whose end was moved, before it is taken back.
enum EndNow {
    AsLeft,
    TakenBack,
    Changed,
}

fn as_left(own: &Event, done: &Done) -> EndNow {
    match done.change {
        Change::Extended { to, .. } | Change::EndRestored { to, .. } if own.end == to => EndNow::AsLeft,
        Change::Extended { from, .. } | Change::EndRestored { from, .. } if own.end == from => {
            EndNow::TakenBack
        }
        Change::Extended { .. } | Change::EndRestored { .. } => EndNow::Changed,
        _ => EndNow::AsLeft,
    }
}

/// A booking gets its id only when it is made.
pub(super) fn with_id(mut done: Done, own: &Event) -> Done {
    done.event.id = own.id.clone();
    done
}

fn twice() -> Trouble {
    Trouble {
        fault: ResponsibleParty::Nobody,
        advice: "Two events stand at one time, and somebody changed ours before it could be taken back"
            .to_owned(),
        code: "collides".to_owned(),
    }
}
