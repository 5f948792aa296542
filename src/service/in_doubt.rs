//! Re-checks actions in doubt: their reply was lost, and their mailbox could not be read. The engine reads the mailbox at an
//! interval until it shows the result. Later it looks again at actions that were closed as ones that changed nothing. This task
//! never sends an action again itself.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::presence::record_door_sign;
use super::{Notice, Service};
use crate::action::Outcome;
use crate::journal::ActionRecord;

/// The interval of re-checks: an outage of seconds is over by then.
const LOOKS_EVERY: Duration = Duration::from_secs(15);
/// Re-checks in progress at once, so that a mailbox that hangs delays only its own room.
const LOOKS_MAX: usize = 8;

impl Service {
    /// Re-checks actions in doubt at an interval until `stop`, which interrupts a re-check between two journal entries, like a
    /// crash.
    pub async fn recheck_in_doubt(self: Arc<Self>, stop: CancellationToken) {
        let mut checks = JoinSet::new();
        // The first at once: a service that has taken over finds open actions.
        let mut looks = tokio::time::interval(LOOKS_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            while checks.try_join_next().is_some() {}
            if checks.len() < LOOKS_MAX {
                let service = self.clone();
                checks.spawn(async move { service.recheck_in_doubt_once().await });
            }
        }
    }

    /// Re-checks once, and publishes the results.
    pub async fn recheck_in_doubt_once(&self) {
        match self.engine.recover_idle_rooms().await {
            Ok(checked) => {
                self.open_actions.store(checked.still_open.len(), Ordering::Relaxed);
                for record in checked.closed.into_iter().chain(checked.settled) {
                    self.publish_settled(record).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the journal failed during the re-check of actions in doubt")
            }
        }
    }

    /// Looks again at actions that were closed as ones that changed nothing, at an interval until `stop`. Such a look waits for mailboxes
    /// without delaying the re-checks.
    pub async fn take_second_looks(self: Arc<Self>, stop: CancellationToken) {
        let looks = async {
            if let Err(error) = self.engine.resume_second_looks().await {
                tracing::error!(%error, "the journal cannot be read for the second looks of an earlier process");
            }
            loop {
                tokio::time::sleep(LOOKS_EVERY).await;
                for record in self.engine.look_again().await {
                    self.publish_settled(record).await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = looks => {}
        }
    }

    async fn publish_settled(&self, record: ActionRecord) {
        let Some(outcome) = record.reported_outcome().map(Cow::into_owned) else { return };
        let ActionRecord { action, accepted_at, .. } = record;
        self.rooms.invalidate(&action.room);
        if matches!(outcome, Outcome::Done(_)) && action.implies_presence(accepted_at) {
            record_door_sign(&self.engine, &self.store, &self.presence, &action, accepted_at).await;
        }
        let actor = Some(action.actor);
        self.notices.publish(Notice::ActionFinished {
            room: action.room,
            action: action.id,
            actor,
            outcome: Arc::new(outcome),
        });
    }
}
