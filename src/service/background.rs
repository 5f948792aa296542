//! The background tasks: releases, schedules (one sweep at a time), the uptime record, the clock report and room notices. They
//! decide nothing themselves; they call the parts of the service at intervals.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::clock::ReportedDoubt;
use super::sweep_counts::SweepOrigin;
use super::{Notice, ReleaseState, Schedule, Service, SweepState};
use crate::calendar::{RoomAddress, Window};
use crate::cleanup::{CleanupMode, Sweep, SweepPlan, SweepResult, Verdict};
use crate::live::{self, Feed, Live};

/// How often releases and schedules are checked: well within the shortest grace period of a minute.
const TICK: Duration = Duration::from_secs(20);
/// How often the service's uptime is recorded. A crash loses at most this much of it.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// A recorded run further in the future than this was recorded by a wrong clock.
const RAN_AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

impl Service {
    /// Runs the background tasks until `stop`. Schedules have a loop of their own, so that a long sweep does not delay
    /// releases. A stop interrupts work between two journal entries, like a crash, and recovery handles it in the same way.
    pub async fn run_background(self: Arc<Self>, stop: CancellationToken) {
        let mut releases = ReleaseState::default();
        let releases = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.release_abandoned(&mut releases).await;
            }
        };
        let alive = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                self.record_uptime().await;
            }
        };
        let schedules = async {
            loop {
                tokio::time::sleep(TICK).await;
                self.run_schedules().await;
            }
        };
        let clock = async {
            let mut reported = ReportedDoubt::default();
            loop {
                self.note_pauses();
                self.report_clock(&mut reported).await;
                tokio::time::sleep(TICK).await;
            }
        };
        let turns = async {
            loop {
                let room = self.rooms.next_changed().await;
                self.notices.publish(Notice::RoomChanged { room });
            }
        };
        let places = async {
            loop {
                self.read_places().await;
                tokio::time::sleep(super::places::TICK).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = places => {}
            () = releases => {}
            () = alive => {}
            () = schedules => {}
            () = clock => {}
            () = turns => {}
            () = self.keep_displays() => {}
        }
        self.store_display_contacts().await;
    }

    /// Tracks the rooms' calendars until `stop`.
    pub async fn track_calendars(
        self: Arc<Self>,
        feed: Arc<dyn Feed>,
        options: live::LiveOptions,
        stop: CancellationToken,
    ) {
        let live = Live::new(self.rooms.clone(), feed, options);
        let _ = self.live.set(live.clone());
        tokio::select! {
            () = stop.cancelled() => {}
            () = live.run(|| self.followed_rooms()) => {}
            () = self.probe_named_rooms() => {}
        }
    }

    /// Runs each periodic task once, to its end.
    pub async fn run_background_once(self: &Arc<Self>, releases: &mut ReleaseState) {
        self.note_pauses();
        self.record_uptime().await;
        self.release_abandoned(releases).await;
        releases.finish().await;
        self.run_schedules().await;
    }

    async fn run_schedules(&self) {
        for schedule in &self.options().schedules {
            self.run_if_due(schedule).await;
        }
    }

    async fn run_if_due(&self, schedule: &Schedule) {
        // A run recorded in the future would make the schedule skip its runs until then.
        if self.clock_doubt().is_some() {
            return;
        }
        let now = self.now();
        let last = match self.store.last_run(schedule.name.clone()).await {
            Ok(Some(last)) if last > now + RAN_AHEAD_MAX => {
                tracing::warn!(schedule = schedule.name, %last, "the schedule's last run is recorded in the future; counting from now");
                self.claim_run(schedule, Some(last), now).await;
                return;
            }
            Ok(Some(last)) => last,
            Ok(None) => {
                // A new schedule has missed no run.
                self.claim_run(schedule, None, now).await;
                return;
            }
            Err(error) => {
                return tracing::error!(schedule = schedule.name, %error, "cannot read the schedule's last run");
            }
        };
        if !schedule.is_due(last, now) {
            return;
        }
        if schedule.jitter > TimeDelta::zero() {
            let share = f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
            tokio::time::sleep(schedule.jitter.to_std().unwrap_or_default().mul_f64(share)).await;
        }
        // Recorded before the run starts: a run that crashes is not repeated at once; the next run recovers its open actions.
        if !self.claim_run(schedule, Some(last), now).await {
            return;
        }
        let rooms: Vec<_> =
            self.engine.scope().rooms().filter(|room| includes_room(schedule, room)).cloned().collect();
        let options = self.options();
        let Some(window) = Window::clamped(now, now + options.horizon) else { return };
        let sweep = self.sweep(options.rules.clone());
        let plan = sweep.plan(&rooms, window).await;
        let plan = self.announce_observe_only(plan);
        tracing::info!(
            schedule = schedule.name,
            rooms = rooms.len(),
            unseen = plan.unreadable_rooms(),
            actions = plan.actions().count(),
            "scheduled sweep planned"
        );
        let (by, rooms) = (schedule.name.clone(), Arc::new(rooms));
        let count = rooms.len();
        let tell = |state, actions| {
            let (by, rooms) = (by.clone(), rooms.clone());
            self.notices.publish(Notice::SweepChanged { sweep: None, by, rooms, state, actions });
        };
        if plan.stop.is_none() {
            tell(SweepState::Applying, plan.actions().count());
        }
        let (state, actions) = self.apply_scheduled(&sweep, &plan).await;
        self.sweep_counts.add(SweepOrigin::Schedule(&schedule.name), state, count, actions);
        tell(state, actions);
    }

    /// The plan for the rooms in `act` mode; the actions in rooms in observe mode are only announced.
    fn announce_observe_only(&self, plan: SweepPlan) -> SweepPlan {
        let rules = &self.options().rules;
        for (room, evaluated) in plan.actions().filter(|(room, _)| rules.mode(room) == CleanupMode::Observe) {
            let Verdict::Act { why, .. } = &evaluated.verdict else { continue };
            let (room, start, end, why) =
                (room.clone(), evaluated.event.start, evaluated.event.end, why.clone());
            self.notices.publish(Notice::WouldRelease { room, start, end, why });
        }
        plan.retain_rooms(|room| rules.mode(room) == CleanupMode::Act)
    }

    /// Whether this process begins the schedule's run. If that cannot be recorded, the run waits.
    async fn claim_run(&self, schedule: &Schedule, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        self.store.claim_run(schedule.name.clone(), last, now).await.unwrap_or_else(|error| {
            tracing::error!(schedule = schedule.name, %error, "cannot record the schedule's run; it does not begin");
            false
        })
    }

    /// Applies the plan; returns its state and the number of actions.
    async fn apply_scheduled(&self, sweep: &Sweep, plan: &SweepPlan) -> (SweepState, usize) {
        match self.apply_and_publish(sweep, plan).await {
            Ok(SweepResult {
                journal_error: Some(error),
                unfinished: open,
                not_started: unbegun,
                applied,
                ..
            }) => {
                tracing::error!(%error, open = open.len(), unbegun, "scheduled sweep ended early: the journal failed");
                (SweepState::Failed, applied.len())
            }
            Ok(swept) => (SweepState::Applied, swept.applied.len()),
            Err(error) => {
                tracing::error!(%error, "scheduled sweep not applied");
                (SweepState::Stopped, plan.actions().count())
            }
        }
    }
}

fn includes_room(schedule: &Schedule, room: &RoomAddress) -> bool {
    schedule.rooms.is_empty() || schedule.rooms.iter().any(|pattern| pattern.matches(room))
}
