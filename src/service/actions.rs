//! Actions that outlive whoever asked: each runs to its end in a task of its own, and the caller waits as long as it likes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::notices::{Notice, Notices};
use super::presence::keep_door_sign;
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
pub enum Asked {
    /// The answer.
    Answered(Answer),
    /// It is under way; its name is known.
    UnderWay(ActionId),
    /// The journal failed.
    Failed(JournalError),
    /// It was not taken on: the service is being stopped.
    NotNow,
    /// It was not taken on: too many are under way.
    TooMany(ShareExhausted),
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
struct Known {
    under_way: HashMap<ActionId, (RoomAddress, Actor)>,
    answers: VecDeque<(Action, Answer)>,
}

/// Actions under way.
pub struct Actions {
    engine: Arc<Engine>,
    rooms: Arc<RoomCache>,
    notices: Notices,
    /// Where signs are kept.
    signs: (ServiceStore, SharedPresence),
    tasks: TaskTracker,
    known: Arc<Mutex<Known>>,
    shares: SharePool,
}

impl Actions {
    pub(super) fn new(
        engine: Arc<Engine>,
        rooms: Arc<RoomCache>,
        notices: Notices,
        signs: (ServiceStore, SharedPresence),
    ) -> Self {
        let shares = SharePool::new(ACTION_SHARES);
        Self { engine, rooms, notices, signs, tasks: TaskTracker::new(), known: Arc::default(), shares }
    }

    /// Carries the action out, and waits for its end as long as `patience`.
    pub async fn ask(&self, action: Action, mode: Mode, patience: Duration) -> Asked {
        let (id, room) = (action.id, action.room.clone());
        if self.tasks.is_closed() {
            return Asked::NotNow;
        }
        let share = match self.shares.acquire(caller(&action.actor), Some(room.as_str())) {
            Ok(share) => share,
            Err(exhausted) => return Asked::TooMany(exhausted),
        };
        lock(&self.known).under_way.insert(id, (room.clone(), action.actor.clone()));
        let (engine, rooms, notices, known) =
            (self.engine.clone(), self.rooms.clone(), self.notices.clone(), self.known.clone());
        let (desk, books) = self.signs.clone();
        let (told, answered) = oneshot::channel();
        let span = tracing::info_span!("action", %id, %room, outcome = tracing::field::Empty);
        let work = async move {
            // Whatever becomes of it, it is under way no more.
            let _over = Over { id, known: known.clone(), _share: share };
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
                    keep_door_sign(&engine, &desk, &books, &action, engine.clock().now()).await;
                }
                let (action, outcome) = (answer.action, Box::new(answer.outcome.clone()));
                notices.tell(Notice::Acted { room, action, actor: Some(actor), outcome });
            }
            // Whoever asked may have gone, with the action's name.
            if let Err(Ok(answer)) = told.send(answer) {
                let mut known = lock(&known);
                if known.answers.len() >= ANSWERS_MAX {
                    known.answers.pop_front();
                }
                known.answers.push_back((action, answer));
            }
        };
        self.tasks.spawn(work.instrument(span));
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(Ok(answer))) => Asked::Answered(answer),
            Ok(Ok(Err(error))) => Asked::Failed(error),
            // The task broke off; its life is open in the journal, if it got there.
            Ok(Err(_)) | Err(_) => Asked::UnderWay(id),
        }
    }

    /// The room of an action that is under way, and its caller.
    pub fn under_way(&self, id: ActionId) -> Option<(RoomAddress, Actor)> {
        lock(&self.known).under_way.get(&id).cloned()
    }

    /// The answer that came when nobody waited any more.
    pub fn answered(&self, id: ActionId) -> Option<(Action, Answer)> {
        lock(&self.known).answers.iter().find(|(action, _)| action.id == id).cloned()
    }

    /// Places for actions, by caller and room.
    pub fn shares(&self) -> &SharePool {
        &self.shares
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        lock(&self.known).under_way.len()
    }

    /// Takes nothing more on, and waits until all are over, as long as `patience`; what is not stays open, and the next
    /// process finds out.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

struct Over {
    id: ActionId,
    known: Arc<Mutex<Known>>,
    _share: Share,
}

impl Drop for Over {
    fn drop(&mut self) {
        lock(&self.known).under_way.remove(&self.id);
    }
}

/// Whose share an action takes.
fn caller(actor: &Actor) -> &str {
    match actor {
        Actor::User { name, .. } | Actor::Program { name, .. } => name,
        Actor::Sweep { rule, .. } => rule,
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
