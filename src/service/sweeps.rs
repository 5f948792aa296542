//! Sweeps by request or by schedule: planned in the background, kept for review, and applied at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::sweep_counts::SweepOrigin;
use super::{Notice, Service, SweepId, SweepState};
use crate::action::Outcome;
use crate::calendar::{EventId, RoomAddress, Window};
use crate::cleanup::{AppliedAction, PlanStop, Rule, Rules, Sweep, SweepError, SweepPlan, SweepResult};
use crate::engine::Mode;
use crate::progress::ProgressListener;
use crate::shares::{ShareExhausted, ShareLimits, SharePool};

/// Sweeps kept in memory; the oldest finished one is dropped first.
pub const KEPT_MAX: usize = 50;
/// Events in the plans of all kept sweeps; the oldest finished sweep is dropped first, never the newest.
pub const PLANNED_EVENTS_MAX: usize = 100_000;
/// Sweeps kept per caller; the caller's own oldest finished one is dropped first.
pub const KEPT_PER_CALLER: usize = 10;
/// Sweeps that plan or apply at once; each processes many rooms at once.
pub const SWEEP_SHARES: ShareLimits =
    ShareLimits { total: 4, reserve: 1, few: 1, per_key: 2, per_room: 4, per_key_and_room: 2 };

/// The state of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub enum SweepPhase {
    /// Reading rooms and evaluating events.
    Planning,
    /// The plan is ready for review.
    Planned(Arc<SweepPlan>),
    /// The plan is being applied.
    Applying(Arc<SweepPlan>),
    /// The plan was applied.
    Applied(Arc<SweepPlan>, Arc<Vec<AppliedAction>>),
    /// The plan exceeds a limit; nothing was changed.
    Stopped(Arc<SweepPlan>, PlanStop),
    /// The sweep ended early. The actions before that are kept.
    Failed(String, Arc<Vec<AppliedAction>>),
}

impl SweepPhase {
    /// The phase in the API and in notices.
    pub fn state(&self) -> SweepState {
        match self {
            Self::Planning => SweepState::Planning,
            Self::Planned(_) => SweepState::Planned,
            Self::Applying(_) => SweepState::Applying,
            Self::Applied(..) => SweepState::Applied,
            Self::Stopped(..) => SweepState::Stopped,
            Self::Failed(..) => SweepState::Failed,
        }
    }

    /// The number of events in the plan.
    fn events(&self) -> usize {
        match self {
            Self::Planning => 0,
            Self::Planned(plan) | Self::Applying(plan) | Self::Applied(plan, _) | Self::Stopped(plan, _) => {
                plan.rooms.iter().map(|room| 1 + room.events.len()).sum()
            }
            Self::Failed(_, applied) => applied.len(),
        }
    }

    /// The number of planned or finished actions.
    fn actions(&self) -> usize {
        match self {
            Self::Planning => 0,
            Self::Planned(plan) | Self::Applying(plan) | Self::Stopped(plan, _) => plan.actions().count(),
            Self::Applied(_, applied) | Self::Failed(_, applied) => applied.len(),
        }
    }
}

/// A sweep, for callers of the service.
#[derive(Debug, Clone)]
pub struct SweepView {
    /// The sweep's id.
    pub id: SweepId,
    /// The key or schedule that started it.
    pub by: String,
    /// When it was started.
    pub begun_at: DateTime<Utc>,
    /// The sweep's rooms.
    pub rooms: Arc<Vec<RoomAddress>>,
    /// The state.
    pub phase: SweepPhase,
    /// The finished steps and all steps of the present phase.
    pub progress: (usize, usize),
}

struct SweepEntry {
    view: SweepView,
    counter: Arc<ProgressCounter>,
}

/// Why a plan was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// The sweep is not in the state `planned`.
    #[error("only a planned sweep can be applied, and only once")]
    NotPlanned,
    /// Too many sweeps are in progress; the plan is kept.
    #[error(transparent)]
    TooMany(#[from] ShareExhausted),
}

/// The kept sweeps and their tasks.
pub struct Sweeps {
    entries: Mutex<BTreeMap<(DateTime<Utc>, SweepId), SweepEntry>>,
    tasks: TaskTracker,
    shares: SharePool,
}

impl Default for Sweeps {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            tasks: TaskTracker::default(),
            shares: SharePool::new(SWEEP_SHARES),
        }
    }
}

/// The progress of a sweep's present phase.
#[derive(Default)]
struct ProgressCounter {
    done: AtomicUsize,
    total: AtomicUsize,
}

impl ProgressCounter {
    /// A listener that stores each progress here.
    fn listener(self: Arc<Self>) -> Box<ProgressListener> {
        Box::new(move |progress| {
            self.done.store(progress.done, Ordering::Relaxed);
            self.total.store(progress.total, Ordering::Relaxed);
        })
    }
}

impl Sweeps {
    /// The sweep with its present state and progress.
    pub fn get(&self, id: SweepId) -> Option<SweepView> {
        let all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.values().find(|entry| entry.view.id == id)?;
        let counter = &entry.counter;
        let progress = (counter.done.load(Ordering::Relaxed), counter.total.load(Ordering::Relaxed));
        Some(SweepView { progress, ..entry.view.clone() })
    }

    /// Waits up to `patience` for all sweeps to end. The others are interrupted between two journal entries, and recovery handles
    /// them.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }

    /// The concurrency limits, by caller.
    pub fn shares(&self) -> &SharePool {
        &self.shares
    }

    fn add(&self, view: SweepView) -> Arc<ProgressCounter> {
        let mut all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let of_caller = all.values().filter(|entry| entry.view.by == view.by).count();
        let is_over =
            |entry: &SweepEntry| !matches!(entry.view.phase, SweepPhase::Planning | SweepPhase::Applying(_));
        let may_go = |entry: &SweepEntry| of_caller < KEPT_PER_CALLER || entry.view.by == view.by;
        if all.len() >= KEPT_MAX || of_caller >= KEPT_PER_CALLER {
            let mut oldest = all.iter().filter(|(_, entry)| is_over(entry) && may_go(entry));
            let oldest = oldest.next().map(|(key, _)| *key);
            oldest.map(|key| all.remove(&key));
        }
        let counter = Arc::<ProgressCounter>::default();
        all.insert((view.begun_at, view.id), SweepEntry { view, counter: counter.clone() });
        counter
    }

    /// Changes the state of a sweep if its present state satisfies `from`. Only this function changes a state, so a plan is
    /// applied at most once.
    fn transition(
        &self,
        id: SweepId,
        from: impl Fn(&SweepPhase) -> bool,
        to: SweepPhase,
    ) -> Option<Arc<ProgressCounter>> {
        let mut all = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.values_mut().find(|entry| entry.view.id == id && from(&entry.view.phase))?;
        entry.view.phase = to;
        let counter = entry.counter.clone();
        forget_beyond(&mut all, id, PLANNED_EVENTS_MAX);
        Some(counter)
    }
}

/// Drops finished sweeps, the oldest first, until the plans of the others have at most this many events. The sweep with this id
/// is kept.
fn forget_beyond(all: &mut BTreeMap<(DateTime<Utc>, SweepId), SweepEntry>, id: SweepId, events_max: usize) {
    let mut events: usize = all.values().map(|entry| entry.view.phase.events()).sum();
    while events > events_max {
        let is_over =
            |entry: &SweepEntry| !matches!(entry.view.phase, SweepPhase::Planning | SweepPhase::Applying(_));
        let oldest = all.iter().find(|(_, entry)| entry.view.id != id && is_over(entry));
        let Some(key) = oldest.map(|(key, _)| *key) else { return };
        let forgotten = all.remove(&key).map_or(0, |entry| entry.view.phase.events());
        events -= forgotten;
        tracing::info!(sweep = %key.1, forgotten, "dropped a finished sweep from memory: the limit of planned events is reached");
    }
}

impl Service {
    /// Starts to plan a sweep over these rooms.
    ///
    /// # Errors
    /// When too many sweeps are in progress.
    pub fn plan_sweep(
        self: &Arc<Self>,
        by: String,
        rooms: Vec<RoomAddress>,
    ) -> Result<SweepView, ShareExhausted> {
        let share = self.sweeps.shares.acquire(&by, None)?;
        let rooms = Arc::new(rooms);
        let view = SweepView {
            id: Uuid::new_v4(),
            by,
            begun_at: self.now(),
            rooms: rooms.clone(),
            phase: SweepPhase::Planning,
            progress: (0, rooms.len()),
        };
        let counter = self.sweeps.add(view.clone());
        let (service, id) = (self.clone(), view.id);
        self.sweeps.tasks.spawn(async move {
            let _share = share;
            let options = service.options();
            let sweep = service.sweep(options.rules.clone()).with_progress(counter.listener());
            let now = service.now();
            let phase = match Window::clamped(now, now + options.horizon) {
                Some(window) => SweepPhase::Planned(Arc::new(sweep.plan(&rooms, window).await)),
                None => {
                    SweepPhase::Failed("the time window of the sweep is empty".to_owned(), Arc::default())
                }
            };
            service.transition_sweep(id, |phase| *phase == SweepPhase::Planning, phase);
        });
        Ok(view)
    }

    /// Starts to apply a plan, for this caller. The events that the caller leaves out are kept; they count for the limits all the
    /// same, since leaving some out does not make the rule right that found too many.
    ///
    /// # Errors
    /// When the sweep is not in the state `planned`, or too many sweeps are in progress.
    pub fn apply_sweep(
        self: &Arc<Self>,
        id: SweepId,
        by: &str,
        left_out: &BTreeSet<(RoomAddress, EventId)>,
    ) -> Result<(), NotApplied> {
        let Some(SweepPhase::Planned(complete)) = self.sweeps.get(id).map(|sweep| sweep.phase) else {
            return Err(NotApplied::NotPlanned);
        };
        let plan = match left_out.is_empty() {
            true => complete.clone(),
            false => Arc::new(complete.as_ref().clone().leave_out(left_out, by)),
        };
        let share = self.sweeps.shares.acquire(by, None)?;
        let planned = |phase: &SweepPhase| matches!(phase, SweepPhase::Planned(_));
        let counter = self.transition_sweep(id, planned, SweepPhase::Applying(plan.clone()));
        let counter = counter.ok_or(NotApplied::NotPlanned)?;
        if !left_out.is_empty() {
            tracing::info!(sweep = %id, events = left_out.len(), "applying a plan without the events that its caller left out");
        }
        let service = self.clone();
        self.sweeps.tasks.spawn(async move {
            let _share = share;
            let phase = match complete.check_limits(&service.options().rules.limits) {
                Some(stop) => SweepPhase::Stopped(plan, stop),
                None => service.apply_plan(plan, counter).await,
            };
            service.transition_sweep(id, |phase| matches!(phase, SweepPhase::Applying(_)), phase);
        });
        Ok(())
    }

    /// Changes the state of a sweep and publishes a notice.
    fn transition_sweep(
        &self,
        id: SweepId,
        from: impl Fn(&SweepPhase) -> bool,
        to: SweepPhase,
    ) -> Option<Arc<ProgressCounter>> {
        let (state, actions) = (to.state(), to.actions());
        let counter = self.sweeps.transition(id, from, to)?;
        if let Some(SweepView { by, rooms, .. }) = self.sweeps.get(id) {
            self.sweep_counts.add(SweepOrigin::Request(id), state, rooms.len(), actions);
            self.notices.publish(Notice::SweepChanged { sweep: Some(id), by, rooms, state, actions });
        }
        Some(counter)
    }

    async fn apply_plan(&self, plan: Arc<SweepPlan>, counter: Arc<ProgressCounter>) -> SweepPhase {
        let sweep = self.sweep(self.options().rules.clone()).with_progress(counter.listener());
        match self.apply_and_publish(&sweep, &plan).await {
            Ok(SweepResult { journal_error: Some(error), applied, .. }) => {
                SweepPhase::Failed(error.to_string(), Arc::new(applied))
            }
            Ok(swept) => SweepPhase::Applied(plan, Arc::new(swept.applied)),
            Err(SweepError::OverLimit(stop)) => SweepPhase::Stopped(plan, stop),
            Err(error @ SweepError::UnknownFormat(_)) => {
                SweepPhase::Failed(error.to_string(), Arc::default())
            }
        }
    }

    /// Applies a plan, invalidates the cached calendars of its rooms, and publishes a notice for each finished action.
    pub(super) async fn apply_and_publish(
        &self,
        sweep: &Sweep,
        plan: &SweepPlan,
    ) -> Result<SweepResult, SweepError> {
        let outcome = sweep.apply(plan, Mode::Perform).await;
        plan.actions().for_each(|(room, _)| self.rooms.invalidate(room));
        for one in outcome.iter().flat_map(|swept| &swept.applied) {
            self.publish_series_missed(one);
            let (room, outcome) = (one.room.clone(), Arc::new(one.outcome.clone()));
            self.notices.publish(Notice::ActionFinished { room, action: one.action, actor: None, outcome });
        }
        outcome
    }

    /// Publishes a notice when a series reached its last strike.
    fn publish_series_missed(&self, one: &AppliedAction) {
        let strikes = self.options().rules.check_in(&one.room).map_or(0, |rule| rule.strikes);
        let deleted = one.rule == Rule::Strikes && one.is_whole_series();
        let reported = one.rule == Rule::NoCheckIn && strikes > 0 && one.missed >= strikes;
        if matches!(one.outcome, Outcome::Done(_)) && (deleted || reported) {
            let (room, event, missed) = (one.room.clone(), one.event.clone(), one.missed);
            self.notices.publish(Notice::SeriesMissed { room, event, missed, deleted });
        }
    }

    pub(super) fn sweep(&self, rules: Rules) -> Sweep {
        self.note_pauses();
        Sweep::new(self.engine.clone(), rules, self.presence.clone(), self.options().max_concurrent_rooms)
            .with_attendance(Arc::new(self.store.clone()))
            .with_sightings(self.rooms.clone())
            .with_crowd_log(self.crowds.clone())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::cleanup::RoomPlan;

    fn planned(rooms: usize) -> SweepPhase {
        let now = DateTime::UNIX_EPOCH;
        let room = RoomPlan { room: "r@example.com".parse().unwrap(), events: Vec::new(), trouble: None };
        let window = Window::new(now, now + TimeDelta::hours(1)).unwrap();
        let rooms = vec![room; rooms];
        SweepPhase::Planned(Arc::new(SweepPlan {
            version: 1,
            made_at: now,
            window,
            rooms,
            stop: None,
            signs: None,
            evidence: None,
        }))
    }

    #[test]
    fn the_plans_of_sweeps_are_kept_within_their_bound_and_the_newest_stays() {
        let mut all = BTreeMap::new();
        let mut add = |number: u128, phase| {
            let (id, begun_at) =
                (Uuid::from_u128(number), DateTime::UNIX_EPOCH + TimeDelta::seconds(number as i64));
            let (by, rooms) = ("key".to_owned(), Arc::default());
            let view = SweepView { id, by, begun_at, rooms, phase, progress: (0, 0) };
            all.insert((begun_at, id), SweepEntry { view, counter: Arc::default() });
        };
        add(1, planned(40));
        add(2, SweepPhase::Planning);
        add(3, planned(40));
        add(4, planned(70));
        forget_beyond(&mut all, Uuid::from_u128(4), 100);
        let left = |all: &BTreeMap<_, SweepEntry>| {
            all.values().map(|entry| entry.view.id.as_u128()).collect::<Vec<_>>()
        };
        assert_eq!(left(&all), [2, 4], "those under way are no plans yet");
        forget_beyond(&mut all, Uuid::from_u128(4), 10);
        assert_eq!(left(&all), [2, 4], "the newest is the one that its caller waits for");
    }
}
