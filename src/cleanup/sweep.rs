//! Runs a sweep: asks the calendars for what [`judge`] needs, and hands what it decided to the engine.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::task::JoinSet;

use super::came_back::after_return;
use super::judge::organizer_in;
use super::plan::{Judged, Plan, RoomPlan, Stop};
use super::{EvidenceLog, Judgement, Rule, Rules, Verdict, judge};
use crate::action::{Action, ActionId, Actor, AllDay, Outcome, Refusal, Seen, Target, Times};
use crate::calendar::{Event, RoomAddress, Window};
use crate::engine::{Busy, Calendar, Directory, Engine, Guard, Mode, Trouble};
use crate::journal::{JournalError, Query};

/// One sweep over rooms: rules and evidence, and the engine that acts.
pub struct Sweep {
    engine: Arc<Engine>,
    rules: Arc<Rules>,
    evidence: Arc<EvidenceLog>,
    rooms_at_once: usize,
    people: People,
}

/// What the directory said of each organizer, asked once per address and sweep.
type People = Arc<Mutex<HashMap<String, Arc<OnceCell<Directory>>>>>;

/// Told while a sweep goes on.
pub trait Progress: Send + Sync {
    /// So many steps lie ahead.
    fn begin(&self, what: &str, total: usize);
    /// One step is done.
    fn step(&self);
}

/// What became of one planned action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// In which room.
    pub room: RoomAddress,
    /// The event as it was planned for.
    pub event: Seen,
    /// The rule that chose it.
    pub rule: Rule,
    /// Its name in the journal.
    pub action: ActionId,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Why a plan was not applied, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// It would touch too much; nothing was touched.
    #[error("{0}; nothing was touched")]
    Stopped(Stop),
    /// It was written by another version.
    #[error("the plan has format {0}, this Adjourn applies format {format}; make a new plan", format = Plan::VERSION)]
    Format(u32),
    /// The journal failed.
    #[error("failed to journal; the sweep stopped there")]
    Journal(#[from] JournalError),
}

/// GetUserAvailability takes at most this many mailboxes (`ErrorMailboxDataArrayTooBig`).
const BUSY_GROUP: usize = 100;

impl Sweep {
    /// A sweep that looks at `rooms_at_once` rooms concurrently.
    pub fn new(engine: Arc<Engine>, rules: Rules, evidence: EvidenceLog, rooms_at_once: usize) -> Self {
        let people = People::default();
        Self {
            engine,
            rules: Arc::new(rules),
            evidence: Arc::new(evidence),
            rooms_at_once: rooms_at_once.max(1),
            people,
        }
    }

    /// Looks at every room and judges its events. Touches nothing.
    pub async fn plan(&self, rooms: &[RoomAddress], window: Window, progress: &dyn Progress) -> Plan {
        let made_at = self.engine.clock().now();
        progress.begin("looking at rooms", rooms.len());
        let looks = self.find_busy(rooms, window).await;
        let mut plans: Vec<Option<RoomPlan>> = rooms.iter().map(|_| None).collect();
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.rooms_at_once));
        for (index, (room, look)) in rooms.iter().cloned().zip(looks).enumerate() {
            if look == Busy::Empty {
                plans[index] = Some(RoomPlan { room, events: Vec::new(), trouble: None });
                progress.step();
                continue;
            }
            let judge = self.room_judge();
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
        let rooms =
            plans.into_iter().zip(rooms).map(|(plan, room)| plan.unwrap_or_else(|| lost(room))).collect();
        let mut plan = Plan { version: Plan::VERSION, made_at, window, rooms, stop: None };
        plan.stop = plan.check(&self.rules.limits);
        plan
    }

    /// Does what the plan says, unless it says too much. Every event is read and judged again first.
    pub async fn apply(
        &self,
        plan: &Plan,
        mode: Mode,
        progress: &dyn Progress,
    ) -> Result<Vec<Applied>, SweepError> {
        if plan.version != Plan::VERSION {
            return Err(SweepError::Format(plan.version));
        }
        if let Some(stop) = plan.check(&self.rules.limits) {
            return Err(SweepError::Stopped(stop));
        }
        let actions: Vec<_> = plan.actions().collect();
        progress.begin("acting on events", actions.len());
        let mut applied: Vec<Option<Applied>> = actions.iter().map(|_| None).collect();
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.rooms_at_once));
        for (index, (room, judged)) in actions.into_iter().enumerate() {
            let Verdict::Act { rule, how, why } = judged.verdict.clone() else { continue };
            let (engine, judge, places) = (self.engine.clone(), self.room_judge(), places.clone());
            let (room, event) = (room.clone(), judged.event.clone());
            let action = Action {
                id: ActionId::random(),
                room: room.clone(),
                target: Target::Event {
                    id: event.id.clone(),
                    seen: Some(Times { start: event.start, end: event.end }),
                },
                ask: how.ask(),
                actor: Actor::Sweep { rule: rule.to_string() },
                reason: Some(format!("This room was released automatically: {why}.")),
                all_day: AllDay::Include,
                key: None,
            };
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                let guard = StillAbandoned { judge, room: room.clone(), rule };
                let answer = engine.perform_guarded(action, mode, &guard).await;
                (
                    index,
                    answer.map(|answer| Applied {
                        room,
                        event,
                        rule,
                        action: answer.action,
                        outcome: answer.outcome,
                    }),
                )
            });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((index, outcome)) = joined {
                applied[index] = Some(outcome?);
            }
            progress.step();
        }
        Ok(applied.into_iter().flatten().collect())
    }

    /// Asks once per hundred rooms which of them have anything. A room the server would not speak of is looked at.
    async fn find_busy(&self, rooms: &[RoomAddress], window: Window) -> Vec<Busy> {
        let mut looks = vec![Busy::Look; rooms.len()];
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.rooms_at_once));
        for (number, group) in rooms.chunks(BUSY_GROUP).enumerate() {
            if !group.iter().all(|room| self.engine.scope().holds(room)) {
                continue;
            }
            let (engine, places, group) = (self.engine.clone(), places.clone(), group.to_vec());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                (number * BUSY_GROUP, group.len(), engine.calendar().busy(&group, window).await)
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

    fn room_judge(&self) -> RoomJudge {
        RoomJudge {
            engine: self.engine.clone(),
            rules: self.rules.clone(),
            evidence: self.evidence.clone(),
            people: self.people.clone(),
        }
    }
}

/// Judges a room's events, asking the directory where a rule needs it.
#[derive(Clone)]
struct RoomJudge {
    engine: Arc<Engine>,
    rules: Arc<Rules>,
    evidence: Arc<EvidenceLog>,
    people: People,
}

impl RoomJudge {
    async fn plan_room(&self, room: RoomAddress, window: Window, now: DateTime<Utc>) -> RoomPlan {
        if !self.engine.scope().holds(&room) {
            let trouble = Some(Refusal::OutOfScope { room: room.clone() }.to_string());
            return RoomPlan { room, events: Vec::new(), trouble };
        }
        match self.judge_room(&room, window, now).await {
            Ok(events) => RoomPlan { room, events, trouble: None },
            Err(trouble) => RoomPlan { room, events: Vec::new(), trouble: Some(trouble.to_string()) },
        }
    }

    async fn judge_room(
        &self,
        room: &RoomAddress,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<Vec<Judged>, Trouble> {
        let mut judged = Vec::new();
        for event in self.engine.calendar().events(room, window).await? {
            let organizer = self.find_organizer(room, &event).await?;
            let case = Judgement { room, event: &event, evidence: &self.evidence, organizer, now };
            let verdict = self.after_return(&event, room, judge(&case, &self.rules)).await?;
            judged.push(Judged { event: Seen::from(&event), verdict });
        }
        Ok(judged)
    }

    /// What the journal adds to a verdict: was this event acted on before?
    async fn after_return(
        &self,
        event: &Event,
        room: &RoomAddress,
        verdict: Verdict,
    ) -> Result<Verdict, Trouble> {
        let (Verdict::Act { .. }, Some((uid, start))) = (&verdict, event.identity()) else {
            return Ok(verdict);
        };
        let query = Query { identity: Some((uid.clone(), start)), ..Query::room(room) };
        let lives = self.engine.journal().find(&query).await?;
        Ok(after_return(verdict, &lives, self.rules.came_back))
    }

    async fn find_organizer(&self, room: &RoomAddress, event: &Event) -> Result<Option<Directory>, Trouble> {
        let Some(rule) = &self.rules.organizer_gone else { return Ok(None) };
        let Some(address) = organizer_in(event, rule) else { return Ok(None) };
        let cell = self.people.lock().await.entry(address.clone()).or_default().clone();
        let calendar: &Arc<dyn Calendar> = self.engine.calendar();
        cell.get_or_try_init(|| calendar.find_person(room, &address)).await.map(|found| Some(*found))
    }
}

/// Lets an action through only while the rule that planned it still applies to the event as it is now.
struct StillAbandoned {
    judge: RoomJudge,
    room: RoomAddress,
    rule: Rule,
}

#[async_trait::async_trait]
impl Guard for StillAbandoned {
    async fn allows(&self, event: &Event, now: DateTime<Utc>) -> Result<(), Refusal> {
        let organizer = self.judge.find_organizer(&self.room, event).await.map_err(Refusal::from)?;
        let case = Judgement { room: &self.room, event, evidence: &self.judge.evidence, organizer, now };
        match judge(&case, &self.judge.rules) {
            Verdict::Act { rule, .. } if rule == self.rule => Ok(()),
            Verdict::Act { rule, .. } => {
                Err(Refusal::NoLongerApplies { why: format!("now it is a case of {rule}") })
            }
            Verdict::Keep { why } => Err(Refusal::NoLongerApplies { why: why.to_string() }),
        }
    }
}

fn lost(room: &RoomAddress) -> RoomPlan {
    RoomPlan {
        room: room.clone(),
        events: Vec::new(),
        trouble: Some("looking at the room broke off".to_owned()),
    }
}
