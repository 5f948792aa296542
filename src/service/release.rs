//! Releases unattended meetings as soon as absence is proven. All rooms are evaluated every few seconds; a mailbox that hangs
//! does not delay other rooms. Nothing is released while presence is unknown.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::notice_data::StopReason;
use super::{Notice, Service};
use crate::action::{EventSnapshot, Outcome};
use crate::calendar::{Event, RoomAddress, Window};
use crate::cleanup::{
    AppliedAction, CleanupMode, Decision, DecisionKind, EvaluatedEvent, KeepReason, RoomPlan, Rules, Sweep,
    SweepError, SweepPlan, SweepResult, Verdict,
};
use crate::engine::Occupancy;
use crate::presence::UnknownReason;

/// How long a round waits for one room's calendar. A slower mailbox is read in the background.
const READ_WITHIN: Duration = Duration::from_secs(8);
/// How long a round waits for all calendars.
const LOOK_WITHIN: Duration = Duration::from_secs(15);
/// The pause before a slow mailbox is read again.
const SLOW_AGAIN: TimeDelta = TimeDelta::seconds(60);
/// How long a round waits for the releases that it started; they continue during the next round.
const ACTS_WITHIN: Duration = Duration::from_secs(5);
/// Rooms in one free/busy request.
const AVAILABILITY_MAILBOXES_MAX: usize = 100;
/// Entries kept of each kind: a day of the largest building.
pub const REMEMBERED_EVENTS_MAX: usize = 100_000;

/// A hash of an event's room, id and start: small enough to keep a day of the largest building.
type EventHash = u64;

/// State that is kept between rounds.
#[derive(Debug, Default)]
pub struct ReleaseState {
    /// Hashes events with a random key of this process.
    hasher: RandomState,
    /// Announced releases, so that each is announced once.
    warned: HashSet<EventHash>,
    /// Cancelled releases, so that each is reported once.
    stopped: HashSet<EventHash>,
    /// Releases with a final outcome, and those that observe mode announced.
    settled: HashSet<EventHash>,
    /// Decisions that were recorded.
    decided: HashMap<EventHash, DecisionKind>,
    /// Slow mailboxes, with the time until which only the background reads them.
    slow_until: HashMap<RoomAddress, DateTime<Utc>>,
    /// Rooms with a release in progress.
    releasing_rooms: HashSet<RoomAddress>,
    /// The tasks of releases in progress.
    tasks: JoinSet<(RoomAddress, Vec<AppliedAction>)>,
}

impl ReleaseState {
    fn hash(&self, room: &RoomAddress, event: &EventSnapshot) -> EventHash {
        self.hasher.hash_one((room.as_str(), event.id.as_str(), event.start))
    }

    /// Waits for the releases in progress.
    pub(super) async fn finish(&mut self) {
        while let Some(act) = self.tasks.join_next().await {
            self.record_finished(act);
        }
    }

    /// Records the releases that have ended.
    fn collect_finished(&mut self) {
        while let Some(act) = self.tasks.try_join_next() {
            self.record_finished(act);
        }
    }

    /// Records final outcomes, so that the same release is not requested from Exchange repeatedly.
    fn record_finished(&mut self, act: Result<(RoomAddress, Vec<AppliedAction>), JoinError>) {
        let Ok((room, applied)) = act else { return };
        self.releasing_rooms.remove(&room);
        for one in applied {
            let is_final = match &one.outcome {
                Outcome::Refused { refusal } => refusal.is_final(),
                Outcome::Done(_) | Outcome::AlreadyDone { .. } | Outcome::NeedsAttention { .. } => true,
            };
            if is_final {
                let hash = self.hash(&one.room, &one.event);
                self.settled.insert(hash);
            }
        }
    }

    fn forget_if_full(&mut self) {
        for set in [&mut self.warned, &mut self.stopped, &mut self.settled] {
            if set.len() >= REMEMBERED_EVENTS_MAX {
                set.clear();
            }
        }
        if self.decided.len() >= REMEMBERED_EVENTS_MAX {
            self.decided.clear();
        }
    }
}

impl Service {
    /// Runs one round: releases unattended meetings, and announces releases that are near.
    pub(super) async fn release_abandoned(self: &Arc<Self>, state: &mut ReleaseState) {
        let options = self.options();
        self.record_rules().await;
        if !options.rules.check_in_anywhere() {
            return;
        }
        state.collect_finished();
        state.forget_if_full();
        let now = self.now();
        // At least a minute, so that current meetings are covered even with a short warning time.
        let Some(window) = Window::clamped(now, now + options.release_warning.max(TimeDelta::minutes(1)))
        else {
            return;
        };
        let only = Rules { cancelled_leftover: None, organizer_gone: None, ..options.rules.clone() };
        let read = self.read_rooms(&only, window, state).await;
        let sweep = Arc::new(self.sweep(only));
        let plan = sweep.plan_from_events(read, window).await;
        self.announce(&plan, now, options.release_warning, state);
        self.record_decisions(&plan, now, state).await;
        self.start_releases(&sweep, plan, state);
        let _ = tokio::time::timeout(ACTS_WITHIN, state.finish()).await;
    }

    /// The calendars of all rooms with the check-in rule: from the cache if notifications keep it up to date, else read.
    async fn read_rooms(
        self: &Arc<Self>,
        rules: &Rules,
        window: Window,
        state: &mut ReleaseState,
    ) -> Vec<(RoomAddress, Arc<Vec<Event>>)> {
        let (now, mut rooms) = (self.now(), self.followed_rooms());
        rooms.retain(|room| rules.check_in(room).is_some() && !state.releasing_rooms.contains(room));
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for room in rooms {
            match self.rooms.fresh(&room) {
                Some(calendar) => known.push((room, calendar.events)),
                None if state.slow_until.get(&room).is_some_and(|until| now < *until) => {}
                None => unknown.push(room),
            }
        }
        let busy = self.query_occupancy(unknown, window).await;
        known.extend(self.read_calendars(busy, state).await);
        known.sort_by(|(one, _), (other, _)| one.cmp(other));
        known
    }

    /// The rooms that may have an event in the window, by their free/busy data.
    async fn query_occupancy(&self, rooms: Vec<RoomAddress>, window: Window) -> Vec<RoomAddress> {
        let mut busy = Vec::new();
        for group in rooms.chunks(AVAILABILITY_MAILBOXES_MAX) {
            let request = self.engine.calendar().occupancy(group, window);
            let occupancies = match tokio::time::timeout(READ_WITHIN, request).await {
                Ok(Ok(occupancies)) if occupancies.len() == group.len() => occupancies,
                _ => vec![Occupancy::MaybeBusy; group.len()],
            };
            let possibly_busy =
                group.iter().zip(occupancies).filter(|(_, occupancy)| *occupancy != Occupancy::Free);
            busy.extend(possibly_busy.map(|(room, _)| room.clone()));
        }
        busy
    }

    /// Reads these rooms' calendars. A room that times out is left to the background.
    async fn read_calendars(
        self: &Arc<Self>,
        rooms: Vec<RoomAddress>,
        state: &mut ReleaseState,
    ) -> Vec<(RoomAddress, Arc<Vec<Event>>)> {
        let permits = Arc::new(Semaphore::new(self.options().max_concurrent_rooms));
        let mut waiting: HashSet<_> = rooms.iter().cloned().collect();
        let mut tasks = JoinSet::new();
        for room in rooms {
            let (service, permits) = (self.clone(), permits.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                let read =
                    tokio::time::timeout(READ_WITHIN, service.rooms.get(&room, TimeDelta::zero())).await;
                (room, read.map(|read| read.map(|calendar| calendar.events)))
            });
        }
        let mut read = Vec::new();
        let all = async {
            while let Some(joined) = tasks.join_next().await {
                match joined {
                    Ok((room, Ok(Ok(events)))) => {
                        waiting.remove(&room);
                        read.push((room, events));
                    }
                    // The read failed: the next round retries it.
                    Ok((room, Ok(Err(error)))) => {
                        waiting.remove(&room);
                        tracing::warn!(%room, %error, "cannot read the room's calendar; its meetings are kept");
                    }
                    Ok((_, Err(_))) | Err(_) => {}
                }
            }
        };
        let _ = tokio::time::timeout(LOOK_WITHIN, all).await;
        self.mark_slow(waiting, state);
        read
    }

    fn mark_slow(self: &Arc<Self>, rooms: HashSet<RoomAddress>, state: &mut ReleaseState) {
        let now = self.now();
        state.slow_until.retain(|_, until| now < *until);
        for room in rooms {
            tracing::warn!(%room, "the room's mailbox does not respond; its meetings are kept");
            state.slow_until.insert(room, now + SLOW_AGAIN);
        }
    }

    /// Announces releases that are near, and cancels announced ones that will not happen; each once.
    fn announce(&self, plan: &SweepPlan, now: DateTime<Utc>, ahead: TimeDelta, state: &mut ReleaseState) {
        let rules = &self.options().rules;
        for (RoomPlan { room, .. }, evaluated) in events_of(plan) {
            let hash = state.hash(room, &evaluated.event);
            match &evaluated.verdict {
                Verdict::Keep { why: KeepReason::GraceRuns { until } } => {
                    let watched = || self.presence.read().is_watched(room, rules.watch_group(room), now);
                    let acts = rules.mode(room) == CleanupMode::Act && watched();
                    if acts && *until - now <= ahead && state.warned.insert(hash) {
                        self.notices.publish(Notice::ReleaseWarning { room: room.clone(), at: *until });
                    }
                }
                Verdict::Keep { why: KeepReason::Unknown { doubt } } => {
                    let is_silent = matches!(doubt, UnknownReason::FeedSilent(_));
                    if (is_silent || state.warned.contains(&hash)) && state.stopped.insert(hash) {
                        self.stop_release(room, &evaluated.event, StopReason::of(doubt), doubt.to_string());
                    }
                }
                Verdict::Keep { why: KeepReason::ClockInDoubt { why } } => {
                    if state.warned.contains(&hash) && state.stopped.insert(hash) {
                        self.stop_release(room, &evaluated.event, StopReason::Clock, why.clone());
                    }
                }
                Verdict::Keep { .. } | Verdict::Act { .. } => {}
            }
        }
    }

    fn stop_release(&self, room: &RoomAddress, event: &EventSnapshot, reason: StopReason, why: String) {
        tracing::warn!(%room, start = %event.start, %why, "release cancelled; the meeting is kept");
        self.stopped_releases.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (room, start) = (room.clone(), event.start);
        self.notices.publish(Notice::ReleaseStopped { room, start, reason, why });
    }

    /// Stores decisions, once per meeting and outcome.
    async fn record_decisions(&self, plan: &SweepPlan, now: DateTime<Utc>, state: &mut ReleaseState) {
        let rules = &self.options().rules;
        let mut new = Vec::new();
        for (RoomPlan { room, .. }, evaluated) in events_of(plan) {
            let acts = rules.mode(room) == CleanupMode::Act;
            let Some(decision) = Decision::of(room, evaluated, acts, now) else { continue };
            let hash = state.hash(room, &evaluated.event);
            let known = state.decided.get(&hash);
            if known.is_none_or(|known| *known != decision.outcome) {
                state.decided.insert(hash, decision.outcome);
                self.decisions.count(decision.outcome);
                new.push(decision);
            }
        }
        if !new.is_empty()
            && let Err(error) = self.store.add_decisions(new, now).await
        {
            tracing::error!(%error, "cannot store decisions");
        }
    }

    /// Starts the releases of a plan, one task per room; observe mode only announces them.
    fn start_releases(self: &Arc<Self>, sweep: &Arc<Sweep>, plan: SweepPlan, state: &mut ReleaseState) {
        let rules = &self.options().rules;
        if let Some(stop) = &plan.stop {
            for (room, evaluated) in plan.actions() {
                let hash = state.hash(room, &evaluated.event);
                if state.stopped.insert(hash) {
                    self.stop_release(room, &evaluated.event, StopReason::Limit, stop.to_string());
                }
            }
            return;
        }
        for room in &plan.rooms {
            let mut one = RoomPlan { trouble: None, ..room.clone() };
            let acts = rules.mode(&room.room) == CleanupMode::Act;
            one.events.retain(|evaluated| {
                let hash = state.hash(&room.room, &evaluated.event);
                matches!(evaluated.verdict, Verdict::Act { .. }) && !state.settled.contains(&hash)
            });
            if one.events.is_empty() {
                continue;
            }
            if acts {
                self.start_release(sweep, plan.for_room(one), state);
            } else {
                self.observe(&one, state);
            }
        }
    }

    fn observe(&self, RoomPlan { room, events, .. }: &RoomPlan, state: &mut ReleaseState) {
        for evaluated in events {
            let Verdict::Act { why, .. } = &evaluated.verdict else { continue };
            tracing::info!(%room, start = %evaluated.event.start, %why, "observe mode: the meeting would be released");
            let hash = state.hash(room, &evaluated.event);
            state.settled.insert(hash);
            let (room, start, end) = (room.clone(), evaluated.event.start, evaluated.event.end);
            self.notices.publish(Notice::WouldRelease { room, start, end, why: why.clone() });
        }
    }

    fn start_release(self: &Arc<Self>, sweep: &Arc<Sweep>, plan: SweepPlan, state: &mut ReleaseState) {
        let Some(room) = plan.rooms.first().map(|room| room.room.clone()) else { return };
        let (service, sweep) = (self.clone(), sweep.clone());
        state.releasing_rooms.insert(room.clone());
        state.tasks.spawn(async move {
            let applied = service.apply_release(&sweep, &plan).await;
            (room, applied)
        });
    }

    async fn apply_release(&self, sweep: &Sweep, plan: &SweepPlan) -> Vec<AppliedAction> {
        match self.apply_and_publish(sweep, plan).await {
            Ok(SweepResult {
                journal_error: Some(error),
                unfinished: open,
                not_started: unbegun,
                applied,
                ..
            }) => {
                tracing::error!(%error, open = open.len(), unbegun, "release ended early: the journal failed");
                applied
            }
            Ok(swept) => swept.applied,
            Err(error @ (SweepError::OverLimit(_) | SweepError::UnknownFormat(_))) => {
                tracing::error!(%error, "release not applied");
                Vec::new()
            }
        }
    }
}

fn events_of(plan: &SweepPlan) -> impl Iterator<Item = (&RoomPlan, &EvaluatedEvent)> {
    plan.rooms.iter().flat_map(|room| room.events.iter().map(move |evaluated| (room, evaluated)))
}
