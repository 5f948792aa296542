//! After a stop: what becomes of actions that were under way. Looks at the mailbox before it decides anything.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Trouble;
use super::give_way::takes_back;
use super::perform::{Engine, Unguarded};
use super::reconcile::Found;
use super::run::{Run, refused};
use super::words;
use crate::action::{Actor, Ask, Fault, Outcome, Refusal, RequestIds};
use crate::journal::{Ending, Intent, JournalError, Life, Query};

/// Rooms looked at together.
const ROOMS_AT_ONCE: usize = 16;

/// By how much the clock may have been set right while the process was away.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(5);

/// What a recovery came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Actions that are over now.
    pub closed: Vec<Life>,
    /// Actions whose mailbox could not be looked at: they stay open for the next time.
    pub still_open: Vec<Life>,
}

impl Engine {
    /// Brings every open action to its end, as far as Exchange can be asked. To be called once before the first action;
    /// calling it again is harmless.
    pub async fn recover(self: &Arc<Self>) -> Result<Recovered, JournalError> {
        let open = self.journal().find(&Query::default().ending(Ending::Open)).await?;
        let places = Arc::new(Semaphore::new(ROOMS_AT_ONCE));
        let mut tasks = JoinSet::new();
        for life in &open {
            let (engine, places, action) = (self.clone(), places.clone(), life.action.clone());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                let _turn = engine.turn(action.room.as_str()).await;
                // Somebody may have been faster.
                match engine.journal().life(action.id).await?.filter(Life::is_open) {
                    Some(life) => engine.resume(life).await.map(drop),
                    None => Ok(()),
                }
            });
        }
        while let Some(joined) = tasks.join_next().await {
            // One that broke off has closed nothing, which shows below.
            joined.unwrap_or(Ok(()))?;
        }
        let mut recovered = Recovered::default();
        for life in open {
            let Some(life) = self.journal().life(life.action.id).await? else { continue };
            let place = if life.is_open() { &mut recovered.still_open } else { &mut recovered.closed };
            place.push(life);
        }
        Ok(recovered)
    }

    /// Brings one open action to its end and closes it; `None` when its mailbox cannot be looked at now. The caller has
    /// the room's turn.
    pub(super) async fn resume(&self, life: Life) -> Result<Option<Outcome>, JournalError> {
        if !life.is_open() {
            return Ok(life.outcome);
        }
        let run = Run::resumed(self, &life, &Unguarded);
        // Of what comes from the future (the clock was set back) nobody knows how old it is.
        let age = self.clock().now() - life.accepted_at;
        let young = -CLOCK_SLACK <= age && age <= self.options().resume_within;
        // A sweep's guard is gone with its process, so what it planned is not begun again.
        // A booking that may have been sent is never sent again.
        let booking = matches!(life.action.ask, Ask::Book { .. }) && life.intent.is_some();
        let goes_on = young && !booking && !matches!(life.action.actor, Actor::Sweep { .. });
        let over = match &life.intent {
            None if goes_on => Some(run.finish_from(None).await?),
            None => Some((refused(Refusal::Interrupted), Vec::new())),
            Some(intent) => self.resume_intent(run, &life, intent, goes_on).await?,
        };
        let Some((outcome, requests)) = over else { return Ok(None) };
        self.close(life.action.id, &outcome, requests).await?;
        Ok(Some(outcome))
    }

    /// How an action ends that was about to send something, or had sent it.
    async fn resume_intent(
        &self,
        run: Run<'_>,
        life: &Life,
        intent: &Intent,
        goes_on: bool,
    ) -> Result<Option<(Outcome, Vec<RequestIds>)>, JournalError> {
        let Intent { before, step, done } = intent;
        if takes_back(life.action.ask, intent) {
            return Ok(match run.take_back_again(intent, life.last_at).await? {
                Ok(over) => Some(over),
                Err(trouble) => self.blind(life, intent, &trouble).map(|outcome| (outcome, Vec::new())),
            });
        }
        let outcome = match run.look(before, step).await {
            Err(trouble) => self.blind(life, intent, &trouble),
            Ok(Found::Untold) => Some(words::untold(before, step)),
            Ok(found) => match found.settles(done) {
                None if goes_on => return run.finish_from(Some(intent)).await.map(Some),
                None => Some(refused(Refusal::Interrupted)),
                outcome => outcome,
            },
        };
        match outcome {
            Some(outcome) => run.conclude(outcome).await.map(Some),
            None => Ok(None),
        }
    }

    /// Exchange cannot be asked: later, or never.
    fn blind(&self, life: &Life, intent: &Intent, trouble: &Trouble) -> Option<Outcome> {
        let passes = matches!(trouble.fault, Fault::Server | Fault::Network);
        let young = self.clock().now() - life.accepted_at < self.options().give_up_after;
        (!(passes && young)).then(|| words::needs_attention(&intent.before, &intent.step, trouble))
    }
}
