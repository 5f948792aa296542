//! Runs each action to its end in a task of its own; the caller waits as long as it likes. An action is never cancelled because
//! its caller disconnects.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::notices::{Notice, NoticeBus};
use super::presence::record_door_sign;
use crate::action::{Action, ActionId, Actor, Answer, Outcome};
use crate::engine::{Engine, Mode};
use crate::journal::{ActionStatus, JournalError};
use crate::live::RoomCache;
use crate::presence::SharedPresence;
use crate::shares::{Share, ShareExhausted, ShareLimits, SharePool};
use crate::store::ServiceStore;

/// The result of a submission within the caller's time.
#[derive(Debug)]
pub enum Submission {
    /// The action ended.
    Completed(Answer),
    /// The action is still in progress, under this id.
    InProgress(ActionId),
    /// The journal failed.
    JournalFailed(JournalError),
    /// The action was not accepted: the service is shutting down.
    ShuttingDown,
    /// The action was not accepted: too many are in progress.
    ShareExhausted(ShareExhausted),
}

/// Late answers kept in memory: the caller has the action's id, and the journal may not contain it (a dry run, or a repeated
/// request).
const ANSWERS_MAX: usize = 1_000;
/// Actions that wait or run at once. When a thousand are pending, Exchange hangs, and more would only act late. Actions in one
/// room run one after another, so the ninth would wait longer than people stand at a door. A display that repeats a request
/// under one idempotency key counts each time.
pub const ACTION_SHARES: ShareLimits =
    ShareLimits { total: 1_000, reserve: 200, few: 8, per_key: 250, per_room: 16, per_key_and_room: 8 };

/// State of actions outside the journal.
#[derive(Default)]
struct RunnerState {
    running: HashMap<ActionId, Action>,
    late_answers: VecDeque<(Action, Answer)>,
}

/// Submits actions and tracks those in progress.
pub struct ActionRunner {
    engine: Arc<Engine>,
    rooms: Arc<RoomCache>,
    notices: NoticeBus,
    /// Where signs of presence are stored.
    evidence: (ServiceStore, SharedPresence),
    tasks: TaskTracker,
    state: Arc<Mutex<RunnerState>>,
    shares: SharePool,
}

impl ActionRunner {
    pub(super) fn new(
        engine: Arc<Engine>,
        rooms: Arc<RoomCache>,
        notices: NoticeBus,
        signs: (ServiceStore, SharedPresence),
    ) -> Self {
        let shares = SharePool::new(ACTION_SHARES);
        Self {
            engine,
            rooms,
            notices,
            evidence: signs,
            tasks: TaskTracker::new(),
            state: Arc::default(),
            shares,
        }
    }

    /// Starts the action, and waits up to `patience` for its end.
    pub async fn submit(&self, action: Action, mode: Mode, patience: Duration) -> Submission {
        let (id, room) = (action.id, action.room.clone());
        if self.tasks.is_closed() {
            return Submission::ShuttingDown;
        }
        let share = match self.shares.acquire(share_holder(&action.actor), Some(room.as_str())) {
            Ok(share) => share,
            Err(exhausted) => return Submission::ShareExhausted(exhausted),
        };
        lock(&self.state).running.insert(id, action.clone());
        let (engine, rooms, notices, state) =
            (self.engine.clone(), self.rooms.clone(), self.notices.clone(), self.state.clone());
        let (store, presence) = self.evidence.clone();
        let (sender, answered) = oneshot::channel();
        // Not an error: at this level every filter keeps the id beside the lines of the action.
        let span = tracing::error_span!("action", %id, %room, outcome = tracing::field::Empty);
        let work = async move {
            // Dropped at the end, also after a panic.
            let _running = RunningGuard { id, state: state.clone(), _share: share };
            let actor = action.actor.clone();
            let answer = engine.perform(action.clone(), mode).await;
            rooms.invalidate(&room);
            let ending = match &answer {
                Err(_) => "failed",
                Ok(answer) if answer.is_in_doubt() => ActionStatus::Open.as_str(),
                Ok(answer) => ActionStatus::from(&answer.outcome).as_str(),
            };
            tracing::Span::current().record("outcome", ending);
            if let Ok(answer) = &answer
                && mode == Mode::Perform
                && !answer.repeated
                && !answer.is_in_doubt()
            {
                let now = engine.clock().now();
                if matches!(answer.outcome, Outcome::Done(_)) && action.implies_presence(now) {
                    record_door_sign(&engine, &store, &presence, &action, now).await;
                }
                let (action, outcome) = (answer.action, Arc::new(answer.outcome.clone()));
                notices.publish(Notice::ActionFinished { room, action, actor: Some(actor), outcome });
            }
            // The caller may have stopped waiting; it can still ask by the action's id.
            if let Err(Ok(answer)) = sender.send(answer) {
                let mut state = lock(&state);
                if state.late_answers.len() >= ANSWERS_MAX {
                    state.late_answers.pop_front();
                }
                state.late_answers.push_back((action, answer));
            }
        };
        self.tasks.spawn(work.instrument(span));
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(Ok(answer))) => Submission::Completed(answer),
            Ok(Ok(Err(error))) => Submission::JournalFailed(error),
            // The task panicked; the action is open in the journal, if it got that far.
            Ok(Err(_)) | Err(_) => Submission::InProgress(id),
        }
    }

    /// An action in progress.
    pub fn find_running(&self, id: ActionId) -> Option<Action> {
        lock(&self.state).running.get(&id).cloned()
    }

    /// The answer that came after its caller stopped waiting.
    pub fn late_answer(&self, id: ActionId) -> Option<(Action, Answer)> {
        lock(&self.state).late_answers.iter().find(|(action, _)| action.id == id).cloned()
    }

    /// The concurrency limits, by caller and room.
    pub fn shares(&self) -> &SharePool {
        &self.shares
    }

    /// The number of actions in progress.
    pub fn running_count(&self) -> usize {
        lock(&self.state).running.len()
    }

    /// Accepts no further action, and waits up to `patience` for those in progress. The others stay open in the journal, and the
    /// next process determines their results.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

struct RunningGuard {
    id: ActionId,
    state: Arc<Mutex<RunnerState>>,
    _share: Share,
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        lock(&self.state).running.remove(&self.id);
    }
}

/// The name whose concurrency share an action uses.
fn share_holder(actor: &Actor) -> &str {
    match actor {
        Actor::User { name, .. } | Actor::Program { name, .. } => name,
        Actor::Sweep { rule, .. } => rule,
    }
}

fn lock(state: &Mutex<RunnerState>) -> MutexGuard<'_, RunnerState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
