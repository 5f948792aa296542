//! What goes on by itself: schedules, and meetings to which nobody comes. One sweep at a time, each over before the next
//! begins.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::{Notice, Schedule, Service};
use crate::calendar::{EventId, RoomAddress, Window};
use crate::cleanup::{Judgement, Kept, Plan, Progress, Rules, Sweep, Swept, Verdict, judge};
use crate::engine::Directory;
use crate::live::{self, Feed, Live};

/// How often it is looked whether something is due: well within a minute of grace.
const TICK: Duration = Duration::from_secs(20);
/// Warnings remembered; more than a day has in the largest building.
const WARNED_MAX: usize = 100_000;

/// Warnings that were given, so that each is given once.
#[derive(Debug, Default)]
pub struct Warned(HashSet<(RoomAddress, EventId, DateTime<Utc>)>);

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: usize) {}
    fn step(&self) {}
}

impl Service {
    /// Watches until it is told to stop. Schedules have a loop of their own, so that a long sweep holds up no release.
    /// What is under way when it is told to stop breaks off between two facts, as in a kill: the journal knows.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut warned = Warned::default();
        let releases = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.release(&mut warned).await;
            }
        };
        let schedules = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.run_schedules().await;
            }
        };
        let turns = async {
            loop {
                let room = self.rooms.next_turned().await;
                self.notices.tell(Notice::Turned { room });
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = releases => {}
            () = schedules => {}
            () = turns => {}
        }
    }

    /// Follows the rooms' calendars until it is told to stop.
    pub async fn follow(
        self: Arc<Self>,
        feed: Arc<dyn Feed>,
        options: live::Options,
        stop: CancellationToken,
    ) {
        let live = Live::new(self.rooms.clone(), feed, options);
        let _ = self.live.set(live.clone());
        let scope = || self.engine.scope().rooms().cloned().collect();
        tokio::select! {
            () = stop.cancelled() => {}
            () = live.run(scope) => {}
        }
    }

    /// Looks once whether anything is due, and does it.
    pub async fn watch_once(&self, warned: &mut Warned) {
        self.release(warned).await;
        self.run_schedules().await;
    }

    async fn run_schedules(&self) {
        for schedule in &self.options().schedules {
            self.run_if_due(schedule).await;
        }
    }

    /// Releases what nobody came to, and warns of what is about to be.
    async fn release(&self, warned: &mut Warned) {
        let options = self.options();
        if !options.rules.check_in_anywhere() {
            return;
        }
        let now = self.now();
        // What is on now is looked at, however late the warning comes.
        let ahead = options.warn.max(TimeDelta::minutes(1));
        let scope = self.engine.scope();
        let rooms: Vec<_> = scope.rooms().filter(|room| self.may_be_released(room, ahead)).cloned().collect();
        let Some(window) = Window::clamped(now, now + ahead) else { return };
        let only = Rules { cancelled_leftover: None, organizer_gone: None, ..options.rules.clone() };
        let sweep = self.sweep(only);
        let plan = sweep.plan(&rooms, window, &Silent).await;
        self.warn(&plan, now, options.warn, warned);
        if plan.actions().next().is_some() {
            self.apply_quietly(&sweep, &plan).await;
        }
    }

    /// Whether it has to be read what becomes of a room: not where it is known that nothing is on that nobody came to.
    fn may_be_released(&self, room: &RoomAddress, ahead: TimeDelta) -> bool {
        let Some(kept) = self.rooms.current(room) else { return true };
        let (now, options, signs) = (self.now(), self.options(), self.evidence.read());
        kept.events.iter().any(|event| {
            let case = Judgement { room, event, evidence: &signs, organizer: Some(Directory::Known), now };
            match judge(&case, &options.rules) {
                Verdict::Act { .. } => true,
                Verdict::Keep { why: Kept::GraceRuns { until } } => until - now <= ahead,
                Verdict::Keep { .. } => false,
            }
        })
    }

    fn warn(&self, plan: &Plan, now: DateTime<Utc>, ahead: TimeDelta, Warned(warned): &mut Warned) {
        for room in &plan.rooms {
            for judged in &room.events {
                let Verdict::Keep { why: Kept::GraceRuns { until } } = &judged.verdict else { continue };
                let seen = (room.room.clone(), judged.event.id.clone(), *until);
                if *until - now > ahead || warned.contains(&seen) {
                    continue;
                }
                if warned.len() >= WARNED_MAX {
                    warned.clear();
                }
                warned.insert(seen);
                self.notices.tell(Notice::ReleaseNear { room: room.room.clone(), at: *until });
            }
        }
    }

    async fn run_if_due(&self, schedule: &Schedule) {
        let now = self.now();
        let last = match self.desk.last_run(schedule.name.clone()).await {
            Ok(Some(last)) => last,
            // Seen for the first time: nothing was missed.
            Ok(None) => return self.remember(schedule, now).await,
            Err(error) => {
                return tracing::error!(schedule = schedule.name, %error, "cannot read its last run");
            }
        };
        if !schedule.is_due(last, now) {
            return;
        }
        if schedule.jitter > TimeDelta::zero() {
            let share = f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
            tokio::time::sleep(schedule.jitter.to_std().unwrap_or_default().mul_f64(share)).await;
        }
        // Before it begins: a run that is killed is not begun again at once, and the next one finds what it left.
        self.remember(schedule, now).await;
        let rooms: Vec<_> =
            self.engine.scope().rooms().filter(|room| is_meant(schedule, room)).cloned().collect();
        let options = self.options();
        let Some(window) = Window::clamped(now, now + options.ahead) else { return };
        let sweep = self.sweep(options.rules.clone());
        let plan = sweep.plan(&rooms, window, &Silent).await;
        tracing::info!(
            schedule = schedule.name,
            rooms = rooms.len(),
            unseen = plan.unseen_rooms(),
            actions = plan.actions().count(),
            "a sweep is planned"
        );
        let (by, rooms) = (schedule.name.clone(), Arc::new(rooms));
        let tell = |state, actions| {
            let (by, rooms) = (by.clone(), rooms.clone());
            self.notices.tell(Notice::Swept { sweep: None, by, rooms, state, actions });
        };
        if plan.stop.is_none() {
            tell("applying", plan.actions().count());
        }
        let (state, actions) = self.apply_quietly(&sweep, &plan).await;
        tell(state, actions);
    }

    async fn remember(&self, schedule: &Schedule, at: DateTime<Utc>) {
        if let Err(error) = self.desk.ran(schedule.name.clone(), at).await {
            tracing::error!(schedule = schedule.name, %error, "cannot remember that it ran");
        }
    }

    /// How it ended, in the words of [`Phase`](super::Phase), and how many actions are planned or over.
    async fn apply_quietly(&self, sweep: &Sweep, plan: &Plan) -> (&'static str, usize) {
        match self.act(sweep, plan, &Silent).await {
            Ok(Swept { broken_off: Some(error), open, unbegun, applied }) => {
                tracing::error!(%error, open = open.len(), unbegun, "a sweep broke off");
                ("failed", applied.len())
            }
            Ok(swept) => ("applied", swept.applied.len()),
            Err(error) => {
                tracing::error!(%error, "a sweep was not applied");
                ("stopped", plan.actions().count())
            }
        }
    }
}

fn is_meant(schedule: &Schedule, room: &RoomAddress) -> bool {
    schedule.rooms.is_empty() || schedule.rooms.iter().any(|pattern| pattern.means(room))
}
