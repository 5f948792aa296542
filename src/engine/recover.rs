//! After a stop: what becomes of actions that were under way. Looks at the mailbox before it decides anything.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Trouble;
use super::perform::{Engine, Unguarded};
use super::reconcile::Found;
use super::run::{Run, needs_attention, refused, untold};
use crate::action::{Actor, Already, Fault, Outcome, Refusal};
use crate::journal::{Ending, Intent, JournalError, Life, Query, Stage};

/// Rooms looked at together.
const ROOMS_AT_ONCE: usize = 16;

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
        for life in open {
            let (engine, places) = (self.clone(), places.clone());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                let _turn = engine.turn(life.action.room.as_str()).await;
                let id = life.action.id;
                // Somebody may have been faster.
                if let Some(life) = engine.journal().life(id).await?.filter(Life::is_open) {
                    engine.resume(life).await?;
                }
                engine.journal().life(id).await
            });
        }
        let mut recovered = Recovered::default();
        while let Some(joined) = tasks.join_next().await {
            let Ok(life) = joined else { continue };
            let Some(life) = life? else { continue };
            let place = if life.is_open() { &mut recovered.still_open } else { &mut recovered.closed };
            place.push(life);
        }
        Ok(recovered)
    }

    /// Brings one open action to its end and closes it; `None` when its mailbox cannot be looked at now. The caller has
    /// the room's turn.
    pub(super) async fn resume(&self, life: Life) -> Result<Option<Outcome>, JournalError> {
        let id = life.action.id;
        let run = Run::resumed(self, &life, &Unguarded);
        let fresh = self.clock().now() - life.accepted_at <= self.options().resume_within;
        // A sweep's guard is gone with its process, so what it planned is not begun again.
        let may_go_on = fresh && !matches!(life.action.actor, Actor::Sweep { .. });
        let (outcome, requests) = match (life.stage, &life.intent) {
            (Stage::Closed, _) => return Ok(life.outcome),
            (Stage::Accepted, _) | (_, None) if may_go_on => run.finish().await?,
            (Stage::Accepted, _) | (_, None) => (refused(Refusal::Interrupted), Vec::new()),
            (Stage::Intended | Stage::InDoubt, Some(intent)) => {
                match run.look(&intent.before, &intent.step).await {
                    Ok(Found::Landed) => (Outcome::Done(intent.done.clone()), Vec::new()),
                    Ok(Found::Untouched | Found::Edited) if may_go_on => {
                        run.finish_from(intent.before.clone()).await?
                    }
                    Ok(Found::Untouched | Found::Edited) => (refused(Refusal::Interrupted), Vec::new()),
                    Ok(Found::Gone) => (Outcome::AlreadyDone { why: Already::Gone }, Vec::new()),
                    Ok(Found::Untold) => (untold(&intent.before, &intent.step), Vec::new()),
                    Err(trouble) => match self.blind(&life, intent, &trouble) {
                        Some(outcome) => (outcome, Vec::new()),
                        None => return Ok(None),
                    },
                }
            }
        };
        self.close(id, &outcome, requests).await?;
        Ok(Some(outcome))
    }

    /// Exchange cannot be asked: later, or never.
    fn blind(&self, life: &Life, intent: &Intent, trouble: &Trouble) -> Option<Outcome> {
        let passes = matches!(trouble.fault, Fault::Server | Fault::Network);
        let young = self.clock().now() - life.accepted_at < self.options().give_up_after;
        (!(passes && young)).then(|| needs_attention(&intent.before, &intent.step, trouble))
    }
}
