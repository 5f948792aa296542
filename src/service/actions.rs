//! Actions that outlive whoever asked: each runs to its end in a task of its own, and the caller waits as long as it likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::notices::{Notice, Notices};
use crate::action::{Action, ActionId, Answer};
use crate::calendar::RoomAddress;
use crate::engine::{Engine, Mode};
use crate::journal::JournalError;

/// What a caller gets within its time.
#[derive(Debug)]
pub enum Asked {
    /// The answer.
    Answered(Answer),
    /// It is under way; its name is known.
    UnderWay(ActionId),
    /// The journal failed.
    Failed(JournalError),
}

/// Actions under way.
pub struct Actions {
    engine: Arc<Engine>,
    notices: Notices,
    tasks: TaskTracker,
    under_way: Arc<Mutex<HashMap<ActionId, RoomAddress>>>,
}

impl Actions {
    pub(super) fn new(engine: Arc<Engine>, notices: Notices) -> Self {
        Self { engine, notices, tasks: TaskTracker::new(), under_way: Arc::default() }
    }

    /// Carries the action out, and waits for its end as long as `patience`.
    pub async fn ask(&self, action: Action, mode: Mode, patience: Duration) -> Asked {
        let (id, room) = (action.id, action.room.clone());
        let (engine, notices, under_way) =
            (self.engine.clone(), self.notices.clone(), self.under_way.clone());
        lock(&under_way).insert(id, room.clone());
        let (told, answered) = tokio::sync::oneshot::channel();
        self.tasks.spawn(async move {
            let answer = engine.perform(action, mode).await;
            lock(&under_way).remove(&id);
            if let Ok(answer) = &answer
                && mode == Mode::Perform
                && !answer.repeated
            {
                let (action, outcome) = (answer.action, Box::new(answer.outcome.clone()));
                notices.tell(Notice::Acted { room, action, outcome });
            }
            // Whoever asked may have gone.
            let _ = told.send(answer);
        });
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(Ok(answer))) => Asked::Answered(answer),
            Ok(Ok(Err(error))) => Asked::Failed(error),
            // The task broke off; its life is open in the journal, if it got there.
            Ok(Err(_)) | Err(_) => Asked::UnderWay(id),
        }
    }

    /// The room of an action that is under way.
    pub fn under_way(&self, id: ActionId) -> Option<RoomAddress> {
        lock(&self.under_way).get(&id).cloned()
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        lock(&self.under_way).len()
    }

    /// Waits until all are over, as long as `patience`; what is not stays open, and the next process finds out.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
