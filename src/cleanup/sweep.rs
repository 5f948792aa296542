//! Runs a sweep: asks the calendars for what [`evaluate`] needs, and hands what it decided to the engine.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::evaluate::is_zero;
use super::executor::{PlannedAction, WorkResult};
use super::plan::{CrowdContext, PlanStop, RoomPlan, SweepPlan};
use super::room_evaluator::{DirectoryCache, RoomEvaluator};
use super::{Attendance, CleanupMode, NoAttendance, Rule, Rules};
use crate::action::{ActionId, EventSnapshot, Outcome};
use crate::calendar::{Event, EventKind, RoomAddress, Window};
use crate::engine::{Engine, Mode, Occupancy};
use crate::journal::JournalError;
use crate::presence::{CrowdLog, SharedPresence};

/// One sweep over rooms: rules and evidence, and the engine that acts.
pub struct Sweep {
    engine: Arc<Engine>,
    rules: Arc<Rules>,
    presence: SharedPresence,
    max_concurrent_rooms: usize,
    directory: DirectoryCache,
    attendance: Arc<dyn Attendance>,
    sightings: Option<Arc<dyn Sightings>>,
    crowds: Arc<Mutex<CrowdLog>>,
}

/// Where it is known since when an event stands at its present time.
pub trait Sightings: Send + Sync {
    /// When the event was first seen at its present start; `None` where it was there from the first look on.
    fn seen_since(&self, room: &RoomAddress, event: &Event) -> Option<DateTime<Utc>>;
}

/// Told while a sweep goes on.
pub trait Progress: Send + Sync {
    /// So many steps lie ahead.
    fn begin(&self, what: &str, total: usize);
    /// One step is done.
    fn step(&self);
}

/// What became of one planned action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedAction {
    /// In which room.
    pub room: RoomAddress,
    /// The event as it was planned for.
    pub event: EventSnapshot,
    /// The rule that chose it.
    pub rule: Rule,
    /// Dates in a row to which nobody came, this one included; 0 where they are not counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u32,
    /// Its name in the journal.
    pub action: ActionId,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl AppliedAction {
    /// What was done, was done to a series as a whole.
    pub fn is_whole_series(&self) -> bool {
        matches!(&self.outcome, Outcome::Done(done) if done.event.kind == EventKind::Series)
    }
}

/// What a sweep came to.
#[derive(Debug, Clone, Default)]
pub struct SweepResult {
    /// Every action that is over, in the order of the plan.
    pub applied: Vec<AppliedAction>,
    /// Planned actions that were never begun, because the journal had failed.
    pub not_started: usize,
    /// Planned actions that were left out, since the configuration states observe mode for their rooms.
    pub observe_only: usize,
    /// Those under way when it failed: they may have been done, and the next command that acts finds out.
    pub unfinished: Vec<UnfinishedAction>,
    /// Why the sweep stopped before its end. What was under way is settled by the next command that acts.
    pub journal_error: Option<JournalError>,
}

/// A planned action that was under way when the journal failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfinishedAction {
    /// In which room.
    pub room: RoomAddress,
    /// The event as it was planned for.
    pub event: EventSnapshot,
    /// Its name in the journal, if the journal got that far.
    pub action: ActionId,
}

/// Why a plan was not applied.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// It would touch too much; nothing was touched.
    #[error("{0}; nothing was touched")]
    OverLimit(PlanStop),
    /// It was written by another version.
    #[error("the plan has format {0}, this Adjourn applies format {format}; make a new plan", format = SweepPlan::VERSION)]
    UnknownFormat(u32),
}

/// GetUserAvailability takes at most this many mailboxes (`ErrorMailboxDataArrayTooBig`).
const AVAILABILITY_MAILBOXES_MAX: usize = 100;

impl Sweep {
    /// A sweep that looks at `max_concurrent_rooms` rooms concurrently.
    pub fn new(
        engine: Arc<Engine>,
        rules: Rules,
        books: impl Into<SharedPresence>,
        rooms_at_once: usize,
    ) -> Self {
        let people = DirectoryCache::default();
        Self {
            engine,
            rules: Arc::new(rules),
            presence: books.into(),
            max_concurrent_rooms: rooms_at_once.max(1),
            directory: people,
            attendance: Arc::new(NoAttendance),
            sightings: None,
            crowds: Arc::default(),
        }
    }

    /// With this memory of who came to which series.
    #[must_use]
    pub fn with_attendance(self, attendance: Arc<dyn Attendance>) -> Self {
        Self { attendance, ..self }
    }

    /// With this knowledge of when events were seen.
    #[must_use]
    pub fn with_sightings(self, sightings: Arc<dyn Sightings>) -> Self {
        Self { sightings: Some(sightings), ..self }
    }

    /// With these verdicts of the last hours.
    #[must_use]
    pub fn with_crowd_log(self, crowds: Arc<Mutex<CrowdLog>>) -> Self {
        Self { crowds, ..self }
    }

    /// Looks at every room and judges its events. Touches nothing.
    pub async fn plan(&self, rooms: &[RoomAddress], window: Window, progress: &dyn Progress) -> SweepPlan {
        let made_at = self.engine.clock().now();
        progress.begin("looking at rooms", rooms.len());
        let looks = self.query_occupancy(rooms, window).await;
        let mut plans: Vec<Option<RoomPlan>> = rooms.iter().map(|_| None).collect();
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.max_concurrent_rooms));
        for (index, (room, look)) in rooms.iter().cloned().zip(looks).enumerate() {
            if look == Occupancy::Free {
                plans[index] = Some(RoomPlan { room, events: Vec::new(), trouble: None });
                progress.step();
                continue;
            }
            let judge = self.room_evaluator();
            let places = places.clone();
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                (index, judge.plan_room(room, window, made_at).await)
            });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((index, plan)) = joined {
                plans[index] = Some(plan);
            }
            progress.step();
        }
        let rooms = plans
            .into_iter()
            .zip(rooms)
            .map(|(plan, room)| plan.unwrap_or_else(|| failed_room_plan(room)))
            .collect();
        self.finish_plan(rooms, window, made_at)
    }

    /// The verdicts on events that were read before, in the order of the rooms.
    pub async fn plan_from_events(
        &self,
        rooms: Vec<(RoomAddress, Arc<Vec<Event>>)>,
        window: Window,
    ) -> SweepPlan {
        let (made_at, judge) = (self.engine.clock().now(), self.room_evaluator());
        let mut plans = Vec::new();
        for (room, events) in rooms {
            plans.push(judge.plan_room_from(room, &events, window, made_at).await);
        }
        self.finish_plan(plans, window, made_at)
    }

    /// A plan of these verdicts, held against the limits.
    fn finish_plan(&self, rooms: Vec<RoomPlan>, window: Window, made_at: DateTime<Utc>) -> SweepPlan {
        let mut plan =
            SweepPlan { version: SweepPlan::VERSION, made_at, window, rooms, stop: None, signs: None };
        let group = |room: &RoomAddress| self.rules.watch_group(room).map(str::to_owned);
        let any_sign = |of: Option<&str>, from, to| {
            let books = self.presence.read();
            books.watch.is_forced()
                || books.signs.has_any((from, to), |room| self.rules.watch_group(room) == of)
        };
        let hold = CrowdContext { limits: self.rules.limits.crowd(), group: &group, any_sign: &any_sign };
        plan.apply_crowd_limits(&mut self.crowds.lock().unwrap_or_else(PoisonError::into_inner), &hold);
        plan.limit_series(self.rules.limits.series_max, |room| Some(self.rules.check_in(room)?.release_by));
        plan.stop = plan.check_limits(&self.rules.limits);
        plan
    }

    /// Does what the plan says, unless it says too much. Every event is read and judged again first. When the journal
    /// fails, nothing more is begun; what is under way ends first.
    pub async fn apply(
        &self,
        plan: &SweepPlan,
        mode: Mode,
        progress: &dyn Progress,
    ) -> Result<SweepResult, SweepError> {
        if plan.version != SweepPlan::VERSION {
            return Err(SweepError::UnknownFormat(plan.version));
        }
        if let Some(stop) = plan.check_limits(&self.rules.limits) {
            return Err(SweepError::OverLimit(stop));
        }
        let is_observed = |room: &RoomAddress| self.rules.stated_mode(room) == Some(CleanupMode::Observe);
        let (observed, acted): (Vec<_>, Vec<_>) = plan.actions().partition(|(room, _)| is_observed(room));
        let work: Vec<_> = acted
            .into_iter()
            .filter_map(|(room, judged)| PlannedAction::from_verdict(room, judged))
            .collect();
        progress.begin("acting on events", work.len());
        let places = Arc::new(Semaphore::new(self.max_concurrent_rooms));
        let broken_off = Arc::new(OnceLock::new());
        let mut tasks = JoinSet::new();
        // `None`: its task ended in a panic.
        let mut ends: Vec<Option<WorkResult>> = work.iter().map(|_| None).collect();
        for (index, work) in work.iter().cloned().enumerate() {
            let (engine, judge) = (self.engine.clone(), self.room_evaluator());
            let (places, broken_off) = (places.clone(), broken_off.clone());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                if broken_off.get().is_some() {
                    return (index, WorkResult::default());
                }
                let end = work.perform(&engine, judge, mode).await;
                if let Some(error) = &end.journal_error {
                    // The first one to fail says why.
                    let _ = broken_off.set(error.clone());
                }
                (index, end)
            });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((index, end)) = joined {
                ends[index] = Some(end);
            }
            progress.step();
        }
        let mut swept = SweepResult {
            journal_error: broken_off.get().cloned(),
            observe_only: observed.len(),
            ..SweepResult::default()
        };
        for (end, work) in ends.into_iter().zip(work) {
            match end {
                None => swept.applied.push(work.after_panic()),
                Some(WorkResult { started: false, .. }) => swept.not_started += 1,
                Some(end) => {
                    swept.applied.extend(end.applied);
                    swept.unfinished.extend(end.journal_error.map(|_| work.unfinished()));
                }
            }
        }
        Ok(swept)
    }

    /// Asks once per hundred rooms which of them have anything. A room the server would not speak of is looked at.
    async fn query_occupancy(&self, rooms: &[RoomAddress], window: Window) -> Vec<Occupancy> {
        let mut looks = vec![Occupancy::MaybeBusy; rooms.len()];
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.max_concurrent_rooms));
        for (number, group) in rooms.chunks(AVAILABILITY_MAILBOXES_MAX).enumerate() {
            if !group.iter().all(|room| self.engine.scope().contains(room)) {
                continue;
            }
            let (engine, places, group) = (self.engine.clone(), places.clone(), group.to_vec());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                (
                    number * AVAILABILITY_MAILBOXES_MAX,
                    group.len(),
                    engine.calendar().occupancy(&group, window).await,
                )
            });
        }
        while let Some(joined) = tasks.join_next().await {
            let Ok((first, len, Ok(told))) = joined else { continue };
            if told.len() == len
                && let Some(places) = looks.get_mut(first..first + len)
            {
                places.copy_from_slice(&told);
            }
        }
        looks
    }

    fn room_evaluator(&self) -> RoomEvaluator {
        RoomEvaluator {
            engine: self.engine.clone(),
            rules: self.rules.clone(),
            presence: self.presence.clone(),
            directory: self.directory.clone(),
            attendance: self.attendance.clone(),
            sightings: self.sightings.clone(),
        }
    }
}

fn failed_room_plan(room: &RoomAddress) -> RoomPlan {
    RoomPlan {
        room: room.clone(),
        events: Vec::new(),
        trouble: Some("looking at the room broke off".to_owned()),
    }
}
