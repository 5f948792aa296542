//! The long-running service: room states, actions that outlive their callers, check-ins, releases and scheduled sweeps. It
//! contains no HTTP, and does not decide who may call it.
//!
//! ```text
//! api ──► Service ──► RoomCache     cached calendars                              (crate::live; status.rs, pure)
//!            │    ──► ActionRunner  runs actions to their end                     (actions.rs)
//!            │    ──► Sweeps        plans and applies cleanup                     (sweeps.rs)
//!            │    ──► FollowedRooms which rooms are tracked                       (followed.rs)
//!            │    ──► background    schedules and periodic tasks                  (schedule.rs, background.rs)
//!            │    ──► ReleaseState  releases unattended meetings                  (release.rs)
//!            │    ──► presence      signs, sources, uptime                        (presence.rs; crate::presence, pure)
//!            │    ──► in doubt      re-checks actions of unknown result           (in_doubt.rs)
//!            │    ──► clock         reports whether the clock is trusted          (clock.rs; crate::clock)
//!            │    ──► readiness     checks journal, keys, Exchange and clock      (readiness.rs)
//!            │    ──► admin events  journals key changes and failed sign-ins      (admin_events.rs, refused_sign_ins.rs)
//!            └──────► NoticeBus     sends notices to event streams and a webhook  (notices.rs, webhook.rs)
//! ```

mod actions;
mod admin_events;
mod aliases;
mod background;
mod check_ins;
mod clock;
mod followed;
mod in_doubt;
mod journal_maintenance;
mod notices;
mod presence;
mod readiness;
mod refused_sign_ins;
mod release;
mod schedule;
mod status;
mod sweeps;
mod webhook;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};

use aliases::Aliases;

pub use actions::{ACTION_SHARES, ActionRunner, Submission};
pub use admin_events::AdminEventsError;
pub use check_ins::{
    CHECK_IN_ANSWERS_MAX, CHECK_IN_ANSWERS_PER_KEY_MAX, CheckInReceipt, CheckInRequest, CheckIns,
};
use followed::FollowedRooms;
pub use journal_maintenance::JournalMaintenance;
pub use notices::{
    BACKLOG_BYTES_MAX, BACKLOG_MAX, Notice, NoticeBus, ResumedSubscription, SequencedNotice, StopReason,
};
pub use presence::{DisplayConnection, Intake, is_display};
pub use readiness::{CheckFinding, Readiness, ReadinessCheck};
pub use refused_sign_ins::ADDRESSES_MAX as REFUSED_ADDRESSES_MAX;
pub use refused_sign_ins::RefusedSignIns;
pub use release::{REMEMBERED_EVENTS_MAX, ReleaseState};
pub use schedule::{Schedule, ScheduleError};
pub use status::{AllowedAction, RoomStatus, StatusInput, status};
pub use sweeps::{
    KEPT_MAX as SWEEPS_KEPT_MAX, KEPT_PER_CALLER as SWEEPS_KEPT_PER_CALLER, NotApplied, PLANNED_EVENTS_MAX,
    SWEEP_SHARES, SweepPhase, SweepView, Sweeps,
};
pub use webhook::{Outbox, WebhookCounts, WebhookError, WebhookSender};

use crate::action::{ActionId, Refusal};
use crate::calendar::{Event, RoomAddress, occupancy};
use crate::cleanup::{Attendance as _, DecisionKind, Rules};
use crate::connection_metrics::ConnectionMetrics;
use crate::engine::{CalendarError, Engine};
use crate::live::{CachedCalendar, Live, RoomCache, SILENCE_MAX};
use crate::presence::{CrowdLog, EvidenceLimit, SharedPresence, Sign};
use crate::store::{ServiceStore, StoreError};

/// The id of a sweep.
pub type SweepId = uuid::Uuid;

/// A calendar that was read longer ago than this is not shown while its server does not respond.
const STALE_STATE_MAX: TimeDelta = TimeDelta::minutes(15);

/// The service's options. Replaced as a whole while it runs ([`Service::set_options`]).
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The cleanup rules.
    pub rules: Rules,
    /// How old a displayed room state may be.
    pub max_state_age: TimeDelta,
    /// How long before a release the warning is sent.
    pub release_warning: TimeDelta,
    /// How far ahead sweeps look.
    pub horizon: TimeDelta,
    /// How many rooms a sweep processes at once.
    pub max_concurrent_rooms: usize,
    /// The schedules of sweeps.
    pub schedules: Vec<Schedule>,
}

impl Default for ServiceOptions {
    /// No rule and no schedule. A display that asks every ten seconds sees a change within half a minute.
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            max_state_age: TimeDelta::seconds(15),
            release_warning: TimeDelta::minutes(3),
            horizon: TimeDelta::hours(24),
            max_concurrent_rooms: 8,
            schedules: Vec::new(),
        }
    }
}

/// Counts of decisions about meetings, by kind.
#[derive(Debug)]
pub struct DecisionCounts(BTreeMap<DecisionKind, AtomicU64>);

impl Default for DecisionCounts {
    fn default() -> Self {
        Self(DecisionKind::ALL.into_iter().map(|kind| (kind, AtomicU64::new(0))).collect())
    }
}

impl DecisionCounts {
    fn count(&self, kind: DecisionKind) {
        if let Some(count) = self.0.get(&kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All kinds with their counts.
    pub fn all(&self) -> impl Iterator<Item = (DecisionKind, u64)> {
        self.0.iter().map(|(kind, count)| (*kind, count.load(Ordering::Relaxed)))
    }
}

/// The service, shared by the API and the background tasks.
pub struct Service {
    /// Performs actions.
    pub engine: Arc<Engine>,
    /// The counters of the connections to calendar servers.
    pub connections: Arc<dyn ConnectionMetrics>,
    /// The cached calendars.
    pub rooms: Arc<RoomCache>,
    /// Actions in progress.
    pub actions: ActionRunner,
    /// Answered check-ins, by idempotency key.
    pub check_ins: CheckIns,
    /// Sweeps in progress, and recent ones.
    pub sweeps: Sweeps,
    /// Sends notices to subscribers.
    pub notices: NoticeBus,
    /// The service store on disk.
    pub store: ServiceStore,
    /// Signs of presence, and when rooms had working sources.
    pub presence: SharedPresence,
    /// Decisions about meetings since the start.
    pub decisions: DecisionCounts,
    /// Releases that were announced or due, and cancelled.
    pub stopped_releases: AtomicU64,
    /// Requests without a valid key or token.
    pub refused_sign_ins: RefusedSignIns,
    readiness: readiness::ReadinessState,
    /// Notices waiting for the webhook.
    pub outbox: Outbox,
    /// Refused signs that were logged.
    refused_signs: AtomicU64,
    crowds: Arc<Mutex<CrowdLog>>,
    aliases: Aliases,
    started_at: DateTime<Utc>,
    connected_rooms: presence::ConnectedRooms,
    options: ArcSwap<ServiceOptions>,
    live: OnceLock<Arc<Live>>,
    followed: FollowedRooms,
}

impl Service {
    /// Opens the service: reads the stored signs that still matter, and the sources with their times of contact.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(
        engine: Arc<Engine>,
        connections: Arc<dyn ConnectionMetrics>,
        store: ServiceStore,
        options: ServiceOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let now = engine.clock().now();
        let presence =
            presence::open_presence(&store, &**engine.clock(), options.rules.silence.clone()).await?;
        let notices = NoticeBus::new(engine.clock().clone());
        let rooms = Arc::new(RoomCache::new(engine.calendar().clone(), engine.clock().clone(), SILENCE_MAX));
        engine.set_cache(rooms.clone());
        let service = Arc::new(Self {
            actions: ActionRunner::new(
                engine.clone(),
                rooms.clone(),
                notices.clone(),
                (store.clone(), presence.clone()),
            ),
            rooms,
            check_ins: CheckIns::default(),
            sweeps: Sweeps::default(),
            presence,
            decisions: DecisionCounts::default(),
            stopped_releases: AtomicU64::new(0),
            refused_sign_ins: RefusedSignIns::default(),
            readiness: readiness::ReadinessState::default(),
            outbox: Outbox::new(store.clone()),
            refused_signs: AtomicU64::new(0),
            crowds: Arc::default(),
            aliases: Aliases::default(),
            started_at: now,
            connected_rooms: presence::ConnectedRooms::default(),
            engine,
            connections,
            notices,
            store,
            options: ArcSwap::from_pointee(options),
            live: OnceLock::new(),
            followed: FollowedRooms::default(),
        });
        service.record_uptime().await;
        service.record_rules().await;
        let rules = Arc::downgrade(&service);
        service.rooms.set_extra_deadlines(Box::new(move |room, event| {
            let rule = rules.upgrade().and_then(|service| service.options().rules.check_in(room));
            // The start and the end of the check-in period.
            rule.map_or_else(Vec::new, |rule| vec![event.start - rule.early, event.start + rule.grace])
        }));
        Ok(service)
    }

    /// The tracking of calendars, if it runs.
    pub fn live(&self) -> Option<&Live> {
        self.live.get().map(|live| &**live)
    }

    /// The present options.
    pub fn options(&self) -> Arc<ServiceOptions> {
        self.options.load_full()
    }

    /// Replaces the options; a sweep in progress keeps those it started with.
    pub fn set_options(&self, options: ServiceOptions) {
        self.presence.write().watch.set_silence(options.rules.silence.clone());
        self.options.store(Arc::new(options));
    }

    /// The present time, by the engine's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.engine.clock().now()
    }

    /// The room's state, read again if the cached one is too old. When the server does not respond within `patience`, returns the
    /// last known state; its `as_of` shows its age.
    ///
    /// # Errors
    /// When the read fails, or times out and the last known state is older than 15 minutes.
    pub async fn status(&self, room: &RoomAddress, patience: Duration) -> Result<RoomStatus, StatusError> {
        let kept = self.calendar(room, patience).await?;
        Ok(self.status_from(room, &kept))
    }

    async fn calendar(&self, room: &RoomAddress, patience: Duration) -> Result<CachedCalendar, StatusError> {
        match self.rooms.get_within(room, self.options().max_state_age, patience).await {
            Some(read) => read.map_err(StatusError::Calendar),
            None => {
                let known = self.rooms.any(room);
                known.filter(|kept| kept.is_younger(STALE_STATE_MAX, self.now())).ok_or(StatusError::Timeout)
            }
        }
    }

    /// The room's state from the last read, if there was one.
    pub fn last_known_status(&self, room: &RoomAddress) -> Option<RoomStatus> {
        self.rooms.any(room).map(|kept| self.status_from(room, &kept))
    }

    fn status_from(&self, room: &RoomAddress, kept: &CachedCalendar) -> RoomStatus {
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let view = StatusInput { calendar: kept, presence: &self.presence.read(), seen_since: &seen_since };
        let mut status = status(room, &view, &self.options().rules, self.now());
        if self.clock_doubt().is_some() {
            // Nothing is released while the clock is not trusted, so no release is shown.
            status.release_at = None;
        }
        status
    }

    /// Stores a check-in: for the event with this id or UID, else for the displayed event that waits for one.
    ///
    /// # Errors
    /// When there is no such event, the calendar cannot be read, or the check-in cannot be stored.
    pub async fn check_in(
        &self,
        room: &RoomAddress,
        wanted: Option<&str>,
        (source, reporter): (String, &str),
        patience: Duration,
    ) -> Result<Event, CheckInError> {
        let now = self.now();
        let options = self.options();
        let kept = self.calendar(room, patience).await?;
        let rule = options.rules.check_in(room);
        let early = rule.as_ref().map_or(TimeDelta::zero(), |rule| rule.early);
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let waits = |event: &Event| {
            let view =
                StatusInput { calendar: &kept, presence: &self.presence.read(), seen_since: &seen_since };
            view.waits_for_check_in(room, event, &options.rules, now)
        };
        let event = match wanted {
            Some(name) => occupancy::named_check_in_event(&kept.events, now, early, name),
            None => occupancy::check_in_event(&kept.events, now, early, waits),
        };
        let event = event.ok_or(CheckInError::NoEvent)?;
        let sign = Sign::new(room.clone(), now, source).for_event(event).reported_by(reporter);
        let intake = self.ingest_signs(vec![sign.clone()]).await.map_err(CheckInError::Store)?;
        if let Some((_, bound)) = intake.refused.first() {
            return Err(CheckInError::EvidenceRefused(*bound));
        }
        if let (true, Some(uid)) = (event.kind.is_date_of_series(), &event.uid) {
            self.store.record_attended(room, uid, event.start).await.map_err(CheckInError::Calendar)?;
        }
        self.notices.publish(Notice::CheckedIn { room: room.clone(), at: now, source: sign.source });
        Ok(event.clone())
    }
}

/// Why a room's state is unknown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The calendar could not be read.
    #[error(transparent)]
    Calendar(CalendarError),
    /// The server did not respond in time, and there is no recent state.
    #[error("Exchange did not respond in time")]
    Timeout,
}

impl From<StatusError> for CheckInError {
    fn from(unknown: StatusError) -> Self {
        match unknown {
            StatusError::Calendar(error) => Self::Calendar(error),
            StatusError::Timeout => Self::Timeout,
        }
    }
}

/// Why a check-in failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckInError {
    /// There is no event to check in to.
    #[error("{}", Refusal::NoCurrentEvent)]
    NoEvent,
    /// An action that was in progress during the check-in removed the event.
    #[error("the event was removed from the calendar during the check-in; the room is free")]
    EventRemoved {
        /// The action, if it was one of Adjourn's.
        action: Option<ActionId>,
    },
    /// An action that was in progress during the check-in did not end in time.
    #[error(
        "the check-in is stored, but another action in this room is still in progress and may remove the event"
    )]
    ActionPending,
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for another request; use a new one")]
    KeyReused,
    /// The calendar could not be read.
    #[error(transparent)]
    Calendar(CalendarError),
    /// The server did not respond in time.
    #[error("{}", StatusError::Timeout)]
    Timeout,
    /// A limit on evidence is reached. No meeting that the check-in may concern is released.
    #[error("the check-in was not stored: {}; the meeting is kept", .0.reason())]
    EvidenceRefused(EvidenceLimit),
    /// The check-in could not be stored.
    #[error(transparent)]
    Store(StoreError),
}
