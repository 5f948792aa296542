//! Actions whose answer was lost and whose mailbox could not be read: looked up again and again beside everything else, until the
//! mailbox shows what became of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::presence::record_door_sign;
use super::{Notice, Service};
use crate::action::Outcome;
use crate::journal::ActionRecord;

/// How often it is looked whether something is in doubt: an outage of seconds is over by then.
const LOOKS_EVERY: Duration = Duration::from_secs(15);
/// Looks under way at once: a mailbox that hangs holds up its own room only.
const LOOKS_MAX: usize = 8;

impl Service {
    /// Looks again at what is in doubt until it is told to stop. A look that is under way then breaks off between two facts, as
    /// in a kill: the journal knows.
    pub async fn recheck_in_doubt(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOKS_EVERY) => {}
            }
            while looks.try_join_next().is_some() {}
            if looks.len() < LOOKS_MAX {
                let service = self.clone();
                looks.spawn(async move { service.recheck_in_doubt_once().await });
            }
        }
    }

    /// Looks once, and tells what is known now.
    pub async fn recheck_in_doubt_once(&self) {
        match self.engine.recover_idle_rooms().await {
            Ok(looked) => {
                for life in looked.closed.into_iter().chain(looked.settled) {
                    self.publish_settled(life).await;
                }
            }
            Err(error) => tracing::error!(%error, "the journal failed while actions in doubt were looked up"),
        }
    }

    async fn publish_settled(&self, life: ActionRecord) {
        let ActionRecord { action, outcome: Some(outcome), accepted_at, .. } = life else { return };
        tracing::info!(action = %action.id, room = %action.room, "an action in doubt is settled");
        self.rooms.invalidate(&action.room);
        if matches!(outcome, Outcome::Done(_)) && action.kind.implies_presence() {
            record_door_sign(&self.engine, &self.store, &self.presence, &action, accepted_at).await;
        }
        let actor = Some(action.actor);
        self.notices.publish(Notice::ActionFinished {
            room: action.room,
            action: action.id,
            actor,
            outcome: Box::new(outcome),
        });
    }
}
