//! Actions that outlive whoever asked: each runs to its end in a task of its own, and the caller waits as long as it likes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::notices::{Notice, NoticeBus};
use super::presence::record_door_sign;
use crate::action::{Action, ActionId, Actor, Answer, Outcome};
use crate::calendar::RoomAddress;
use crate::engine::{Engine, Mode};
use crate::journal::{ActionStatus, JournalError};
use crate::live::RoomCache;
use crate::presence::SharedPresence;
use crate::shares::{Share, ShareExhausted, ShareLimits, SharePool};
use crate::store::ServiceStore;

/// What a caller gets within its time.
#[derive(Debug)]
pub enum Submission {
    /// The answer.
    Completed(Answer),
    /// It is under way; its name is known.
    InProgress(ActionId),
    /// The journal failed.
    JournalFailed(JournalError),
    /// It was not taken on: the service is being stopped.
    ShuttingDown,
    /// It was not taken on: too many are under way.
    ShareExhausted(ShareExhausted),
}

/// Answers of late actions remembered: those whose name the caller has, and the journal may not (a rehearsal, or the same
/// wish again).
const ANSWERS_MAX: usize = 1_000;
/// Actions that wait or run at once. Beyond a thousand Exchange hangs, and more of them would only act late. In one room they
/// run one after another, so whoever is the ninth there waits longer than anybody stands at a door; a display that repeats a
/// request (under one idempotency key) waits each time.
pub const ACTION_SHARES: ShareLimits =
    ShareLimits { total: 1_000, reserve: 200, few: 8, per_key: 250, per_room: 16, per_key_and_room: 8 };

/// What is known of actions that are not, or not only, in the journal.
#[derive(Default)]
struct RunnerState {
    running: HashMap<ActionId, (RoomAddress, Actor)>,
    late_answers: VecDeque<(Action, Answer)>,
}

/// Actions under way.
pub struct ActionRunner {
    engine: Arc<Engine>,
    rooms: Arc<RoomCache>,
    notices: NoticeBus,
    /// Where signs are kept.
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

    /// Carries the action out, and waits for its end as long as `patience`.
    pub async fn submit(&self, action: Action, mode: Mode, patience: Duration) -> Submission {
        let (id, room) = (action.id, action.room.clone());
        if self.tasks.is_closed() {
            return Submission::ShuttingDown;
        }
        let share = match self.shares.acquire(share_holder(&action.actor), Some(room.as_str())) {
            Ok(share) => share,
            Err(exhausted) => return Submission::ShareExhausted(exhausted),
        };
        lock(&self.state).running.insert(id, (room.clone(), action.actor.clone()));
        let (engine, rooms, notices, known) =
            (self.engine.clone(), self.rooms.clone(), self.notices.clone(), self.state.clone());
        let (desk, books) = self.evidence.clone();
        let (sender, answered) = oneshot::channel();
        let span = tracing::info_span!("action", %id, %room, outcome = tracing::field::Empty);
        let work = async move {
            // Whatever becomes of it, it is under way no more.
            let _running = RunningGuard { id, state: known.clone(), _share: share };
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
                if matches!(answer.outcome, Outcome::Done(_)) && action.kind.implies_presence() {
                    record_door_sign(&engine, &desk, &books, &action, engine.clock().now()).await;
                }
                let (action, outcome) = (answer.action, Box::new(answer.outcome.clone()));
                notices.publish(Notice::ActionFinished { room, action, actor: Some(actor), outcome });
            }
            // Whoever asked may have gone, with the action's name.
            if let Err(Ok(answer)) = sender.send(answer) {
                let mut known = lock(&known);
                if known.late_answers.len() >= ANSWERS_MAX {
                    known.late_answers.pop_front();
                }
                known.late_answers.push_back((action, answer));
            }
        };
        self.tasks.spawn(work.instrument(span));
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(Ok(answer))) => Submission::Completed(answer),
            Ok(Ok(Err(error))) => Submission::JournalFailed(error),
            // The task broke off; its life is open in the journal, if it got there.
            Ok(Err(_)) | Err(_) => Submission::InProgress(id),
        }
    }

    /// The room of an action that is under way, and its caller.
    pub fn find_running(&self, id: ActionId) -> Option<(RoomAddress, Actor)> {
        lock(&self.state).running.get(&id).cloned()
    }

    /// The answer that came when nobody waited any more.
    pub fn late_answer(&self, id: ActionId) -> Option<(Action, Answer)> {
        lock(&self.state).late_answers.iter().find(|(action, _)| action.id == id).cloned()
    }

    /// Places for actions, by caller and room.
    pub fn shares(&self) -> &SharePool {
        &self.shares
    }

    /// How many are under way.
    pub fn running_count(&self) -> usize {
        lock(&self.state).running.len()
    }

    /// Takes nothing more on, and waits until all are over, as long as `patience`; what is not stays open, and the next
    /// process finds out.
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

/// Whose share an action takes.
fn share_holder(actor: &Actor) -> &str {
    match actor {
        Actor::User { name, .. } | Actor::Program { name, .. } => name,
        Actor::Sweep { rule, .. } => rule,
    }
}

fn lock(known: &Mutex<RunnerState>) -> MutexGuard<'_, RunnerState> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
