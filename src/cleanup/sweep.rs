//! Runs a sweep: reads the calendars that [`evaluate`](fn@super::evaluate) needs, makes a plan, and applies it through the
//! engine. A sweep never writes to a calendar itself, and never performs an action that its plan does not list.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::executor::{AppliedAction, PlannedAction, UnfinishedAction, WorkResult};
use super::plan::{CrowdContext, PlanStop, RoomPlan, SweepPlan};
use super::room_evaluator::{DirectoryCache, RoomEvaluator, Sightings};
use super::{Attendance, CleanupMode, NoAttendance, PlanEvidence, Rules};
use crate::calendar::{Event, RoomAddress, Window};
use crate::engine::{Engine, Mode, Occupancy};
use crate::journal::JournalError;
use crate::presence::{CrowdLog, SharedPresence};
use crate::progress::{PhaseProgress, ProgressListener};

/// A sweep over rooms: the rules, the evidence, and the engine that performs the actions.
pub struct Sweep {
    engine: Arc<Engine>,
    rules: Arc<Rules>,
    presence: SharedPresence,
    max_concurrent_rooms: usize,
    directory: DirectoryCache,
    attendance: Arc<dyn Attendance>,
    sightings: Option<Arc<dyn Sightings>>,
    crowds: Arc<Mutex<CrowdLog>>,
    progress: Option<Box<ProgressListener>>,
}

/// The result of applying a plan.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SweepResult {
    /// The finished actions, in the order of the plan.
    pub applied: Vec<AppliedAction>,
    /// Planned actions that were not started, because the journal had failed.
    pub not_started: usize,
    /// Planned actions that were skipped, because the configuration sets observe mode for their rooms.
    pub observe_only: usize,
    /// The actions in progress when the journal failed. Their effect is unknown; the next command that acts determines it.
    pub unfinished: Vec<UnfinishedAction>,
    /// The journal failure that ended the sweep early.
    pub journal_error: Option<JournalError>,
}

/// Why a plan was not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The plan exceeds a limit; nothing was changed.
    #[error("{0}; nothing was changed")]
    OverLimit(PlanStop),
    /// The plan was written by another version.
    #[error("the plan has format {0}, this Adjourn applies format {format}; make a new plan", format = SweepPlan::VERSION)]
    UnknownFormat(u32),
}

/// `GetUserAvailability` accepts at most this many mailboxes (`ErrorMailboxDataArrayTooBig`).
const AVAILABILITY_MAILBOXES_MAX: usize = 100;

impl Sweep {
    /// A sweep that reads up to `max_concurrent_rooms` rooms at once.
    pub fn new(
        engine: Arc<Engine>,
        rules: Rules,
        presence: impl Into<SharedPresence>,
        rooms_at_once: usize,
    ) -> Self {
        let people = DirectoryCache::default();
        Self {
            engine,
            rules: Arc::new(rules),
            presence: presence.into(),
            max_concurrent_rooms: rooms_at_once.max(1),
            directory: people,
            attendance: Arc::new(NoAttendance),
            sightings: None,
            crowds: Arc::default(),
            progress: None,
        }
    }

    /// Uses this record of attended dates, for strikes.
    #[must_use]
    pub fn with_attendance(self, attendance: Arc<dyn Attendance>) -> Self {
        Self { attendance, ..self }
    }

    /// Uses this record of when events were first seen.
    #[must_use]
    pub fn with_sightings(self, sightings: Arc<dyn Sightings>) -> Self {
        Self { sightings: Some(sightings), ..self }
    }

    /// Uses these verdicts of the last hours.
    #[must_use]
    pub fn with_crowd_log(self, crowds: Arc<Mutex<CrowdLog>>) -> Self {
        Self { crowds, ..self }
    }

    /// Reports the progress of planning and applying to this listener.
    #[must_use]
    pub fn with_progress(self, listener: Box<ProgressListener>) -> Self {
        Self { progress: Some(listener), ..self }
    }

    /// Reads every room and evaluates its events. Changes nothing.
    pub async fn plan(&self, rooms: &[RoomAddress], window: Window) -> SweepPlan {
        let made_at = self.engine.clock().now();
        let mut progress = PhaseProgress::begin(self.progress.as_deref(), "reading rooms", rooms.len());
        let occupancies = self.query_occupancy(rooms, window).await;
        let mut plans: Vec<Option<RoomPlan>> = rooms.iter().map(|_| None).collect();
        let mut tasks = JoinSet::new();
        let permits = Arc::new(Semaphore::new(self.max_concurrent_rooms));
        for (index, (room, occupancy)) in rooms.iter().cloned().zip(occupancies).enumerate() {
            if occupancy == Occupancy::Free {
                plans[index] = Some(RoomPlan { room, events: Vec::new(), trouble: None });
                progress.step();
                continue;
            }
            let evaluator = self.room_evaluator();
            let permits = permits.clone();
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                (index, evaluator.plan_room(room, window, made_at).await)
            });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((index, plan)) = joined {
                plans[index] = Some(plan);
            }
            progress.step();
        }
        let rooms: Vec<RoomPlan> = plans
            .into_iter()
            .zip(rooms)
            .map(|(plan, room)| plan.unwrap_or_else(|| failed_room_plan(room)))
            .collect();
        let evidence = Some(self.evidence(&rooms, made_at));
        SweepPlan { evidence, ..self.finish_plan(rooms, window, made_at) }
    }

    /// The evidence for these rooms now.
    fn evidence(&self, rooms: &[RoomPlan], now: DateTime<Utc>) -> PlanEvidence {
        let rooms = rooms.iter().map(|room| &room.room);
        let rooms = rooms.filter(|room| self.rules.check_in(room).is_some());
        PlanEvidence::of(&self.presence.read(), rooms.map(|room| (room, self.rules.watch_group(room))), now)
    }

    /// Makes a plan from events that were read before, in the order of the rooms.
    pub async fn plan_from_events(
        &self,
        rooms: Vec<(RoomAddress, Arc<Vec<Event>>)>,
        window: Window,
    ) -> SweepPlan {
        let (made_at, evaluator) = (self.engine.clock().now(), self.room_evaluator());
        let mut plans = Vec::new();
        for (room, events) in rooms {
            plans.push(evaluator.plan_room_from(room, &events, window, made_at).await);
        }
        self.finish_plan(plans, window, made_at)
    }

    /// Makes a plan of these verdicts and checks it against the limits.
    fn finish_plan(&self, rooms: Vec<RoomPlan>, window: Window, made_at: DateTime<Utc>) -> SweepPlan {
        let version = SweepPlan::VERSION;
        let mut plan = SweepPlan { version, made_at, window, rooms, stop: None, signs: None, evidence: None };
        let group = |room: &RoomAddress| self.rules.watch_group(room).map(str::to_owned);
        let any_sign = |of: Option<&str>, from, to| {
            let presence = self.presence.read();
            presence.watch.is_forced()
                || presence.signs.has_any((from, to), |room| self.rules.watch_group(room) == of)
        };
        let hold = CrowdContext { limits: self.rules.limits.crowd(), group: &group, any_sign: &any_sign };
        plan.apply_crowd_limits(&mut self.crowds.lock().unwrap_or_else(PoisonError::into_inner), &hold);
        plan.limit_series(self.rules.limits.series_max, |room| Some(self.rules.check_in(room)?.release_by));
        plan.stop = plan.check_limits(&self.rules.limits);
        plan
    }

    /// Applies the plan, unless it exceeds a limit. Each event is read and evaluated again right before its action. When the
    /// journal fails, no further action is started, and those in progress run to their end.
    pub async fn apply(&self, plan: &SweepPlan, mode: Mode) -> Result<SweepResult, SweepError> {
        if plan.version != SweepPlan::VERSION {
            return Err(SweepError::UnknownFormat(plan.version));
        }
        if let Some(stop) = plan.check_limits(&self.rules.limits) {
            return Err(SweepError::OverLimit(stop));
        }
        let is_observed = |room: &RoomAddress| self.rules.stated_mode(room) == Some(CleanupMode::Observe);
        let (observed, acted): (Vec<_>, Vec<_>) = plan.actions().partition(|(room, _)| is_observed(room));
        let planned: Vec<_> = acted
            .into_iter()
            .filter_map(|(room, evaluated)| PlannedAction::from_verdict(room, evaluated))
            .collect();
        let mut progress = PhaseProgress::begin(self.progress.as_deref(), "releasing events", planned.len());
        let permits = Arc::new(Semaphore::new(self.max_concurrent_rooms));
        let journal_error = Arc::new(OnceLock::new());
        let mut tasks = JoinSet::new();
        // `None`: the task panicked.
        let mut results: Vec<Option<WorkResult>> = planned.iter().map(|_| None).collect();
        for (index, planned) in planned.iter().cloned().enumerate() {
            let (engine, evaluator) = (self.engine.clone(), self.room_evaluator());
            let (permits, journal_error) = (permits.clone(), journal_error.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                if journal_error.get().is_some() {
                    return (index, WorkResult::default());
                }
                let result = planned.perform(&engine, evaluator, mode).await;
                if let Some(error) = &result.journal_error {
                    // The first failure is the one reported.
                    let _ = journal_error.set(error.clone());
                }
                (index, result)
            });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((index, result)) = joined {
                results[index] = Some(result);
            }
            progress.step();
        }
        let mut swept = SweepResult {
            journal_error: journal_error.get().cloned(),
            observe_only: observed.len(),
            ..SweepResult::default()
        };
        for (result, planned) in results.into_iter().zip(planned) {
            match result {
                None => swept.applied.push(planned.after_panic()),
                Some(WorkResult { started: false, .. }) => swept.not_started += 1,
                Some(result) => {
                    swept.applied.extend(result.applied);
                    swept.unfinished.extend(result.journal_error.map(|_| planned.unfinished()));
                }
            }
        }
        Ok(swept)
    }

    /// Requests free/busy of a hundred rooms at a time. A room without an answer counts as possibly busy and is read.
    async fn query_occupancy(&self, rooms: &[RoomAddress], window: Window) -> Vec<Occupancy> {
        let mut occupancies = vec![Occupancy::MaybeBusy; rooms.len()];
        let mut tasks = JoinSet::new();
        let permits = Arc::new(Semaphore::new(self.max_concurrent_rooms));
        for (number, group) in rooms.chunks(AVAILABILITY_MAILBOXES_MAX).enumerate() {
            if !group.iter().all(|room| self.engine.scope().contains(room)) {
                continue;
            }
            let (engine, permits, group) = (self.engine.clone(), permits.clone(), group.to_vec());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                (
                    number * AVAILABILITY_MAILBOXES_MAX,
                    group.len(),
                    engine.calendar().occupancy(&group, window).await,
                )
            });
        }
        while let Some(joined) = tasks.join_next().await {
            let Ok((first, len, Ok(answers))) = joined else { continue };
            if answers.len() == len
                && let Some(slots) = occupancies.get_mut(first..first + len)
            {
                slots.copy_from_slice(&answers);
            }
        }
        occupancies
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
        trouble: Some("the task that read the room ended unexpectedly".to_owned()),
    }
}
