//! The long-running service: room states, actions that outlive their callers, check-ins, releases and scheduled sweeps. It
//! contains no HTTP, and does not decide who may call it.
//!
//! ```text
//! api ──► Service ──► RoomCache     cached calendars                              (crate::live; status.rs, pure)
//!            │    ──► ActionRunner  runs actions to their end                     (actions.rs)
//!            │    ──► EndedActions  logs and counts the actions that ended        (ended_actions.rs)
//!            │    ──► Sweeps        plans and applies cleanup                     (sweeps.rs)
//!            │    ──► FollowedRooms which rooms are tracked                       (followed.rs)
//!            │    ──► background    schedules and periodic tasks                  (schedule.rs, background.rs)
//!            │    ──► ReleaseState  releases unattended meetings                  (release.rs)
//!            │    ──► presence      signs, sources, uptime                        (presence.rs; crate::presence, pure)
//!            │    ──► in doubt      re-checks actions of unknown result           (in_doubt.rs)
//!            │    ──► clock         reports whether the clock is trusted          (clock.rs; crate::clock)
//!            │    ──► readiness     checks journal, keys, Exchange and clock      (readiness.rs, exchange_check.rs)
//!            │    ──► admin events  journals key changes and failed sign-ins      (admin_events.rs, refused_sign_ins.rs)
//!            │    ──► Displays      paired displays: contact, loss, pairing codes   (displays.rs, pairings.rs; display_state.rs, pure)
//!            ├──────► NoticeBus     publishes notices to event streams            (notices.rs)
//!            └──────► Webhooks      sends notices to webhooks, and again          (webhooks/)
//! ```

mod actions;
mod admin_events;
mod aliases;
mod background;
mod check_in_links;
mod check_ins;
mod clock;
mod display_state;
mod displays;
mod ended_actions;
mod exchange_check;
mod followed;
mod in_doubt;
mod journal_maintenance;
mod local_day;
mod notice_data;
mod notices;
mod pairings;
mod places;
mod presence;
mod readiness;
mod refused_sign_ins;
mod release;
mod schedule;
mod status;
mod sweep_counts;
mod sweeps;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};

use aliases::Aliases;
use local_day::local_day;

pub use actions::{ACTION_SHARES, ActionRunner, Submission};
pub use admin_events::AdminEventsError;
pub use check_in_links::LINK_LIFETIME as CHECK_IN_LINK_LIFETIME;
pub use check_ins::{
    CHECK_IN_ANSWERS_MAX, CHECK_IN_ANSWERS_PER_KEY_MAX, CheckInReceipt, CheckInRequest, CheckIns,
};
pub use display_state::DisplayState;
pub use displays::{DisplayStatus, DisplayStream, Displays};
pub use ended_actions::{EndedActions, EndedCounts};
use followed::FollowedRooms;
pub use journal_maintenance::JournalMaintenance;
pub(crate) use notice_data::{
    ActionNotice, CheckInNotice, DisplayNotice, GapNotice, JournalHeadNotice, NoticeData,
    ReleaseStoppedNotice, ReleaseWarningNotice, SeriesMissedNotice, SweepNotice, WouldReleaseNotice,
};
pub use notice_data::{StopReason, SweepState};
pub use notices::{BACKLOG_BYTES_MAX, BACKLOG_MAX, Notice, NoticeBus, ResumedSubscription, SequencedNotice};
pub use pairings::{
    Claim, ClaimError, Claimed, DisplaySecrets, NewPairing, PAIRING_TTL, PAIRINGS_MAX,
    PAIRINGS_PER_ADDRESS_MAX, PairedDisplay, PairingState, Pairings, PairingsFull, WRONG_CODES_MAX,
};
pub use presence::{DisplayConnection, Intake, is_display};
pub use readiness::{CheckFinding, CheckResult, Readiness, ReadinessCheck};
pub use refused_sign_ins::ADDRESSES_MAX as REFUSED_ADDRESSES_MAX;
pub use refused_sign_ins::RefusedSignIns;
pub use release::{REMEMBERED_EVENTS_MAX, ReleaseState};
pub use schedule::{Schedule, ScheduleError};
pub use status::{AllowedAction, RoomStatus, StatusInput, status};
pub use sweep_counts::SweepCounts;
pub use sweeps::{
    KEPT_MAX as SWEEPS_KEPT_MAX, KEPT_PER_CALLER as SWEEPS_KEPT_PER_CALLER, NotApplied, PLANNED_EVENTS_MAX,
    SWEEP_SHARES, SweepPhase, SweepView, Sweeps,
};
pub use webhooks::{
    AttemptResult, BACK_OFF_MAX as WEBHOOK_BACK_OFF_MAX, DELIVERY_MAX as WEBHOOK_DELIVERY_MAX, NoticeFilter,
    TestAnswer, WEBHOOKS_MAX, Webhook, WebhookCounts, WebhookError, WebhookKind, Webhooks,
};

use crate::access::{CheckInLinkError, CheckInLinkKey};
use crate::action::{ActionId, Refusal};
use crate::calendar::{Event, RoomAddress, Window, occupancy};
use crate::cleanup::{Attendance as _, DecisionKind, RoomInfo, Rules};
use crate::connection_metrics::ConnectionMetrics;
use crate::engine::{CalendarError, Engine};
use crate::live::{CachedCalendar, Live, RoomCache, RoomEvents, SILENCE_MAX};
use crate::presence::{CrowdLog, EvidenceLimit, SharedPresence, Sign};
use crate::store::{ServiceStore, StoreError};

/// The id of a sweep.
pub type SweepId = uuid::Uuid;

/// A calendar that was read longer ago than this is not shown while its server does not respond.
pub const STALE_STATE_MAX: TimeDelta = TimeDelta::minutes(15);

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
    /// Whether reports may name organizers.
    pub report_organizers: bool,
    /// How long a display is without contact before it counts as lost.
    pub display_lost_after: TimeDelta,
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
            report_organizers: false,
            display_lost_after: TimeDelta::minutes(10),
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
    /// Logs and counts the actions that ended.
    pub ended_actions: Arc<EndedActions>,
    /// Actions that were open in the journal at the last re-check, those in progress included.
    pub open_actions: AtomicUsize,
    /// Answered check-ins, by idempotency key.
    pub check_ins: CheckIns,
    /// Signs check-in links.
    check_in_link_key: CheckInLinkKey,
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
    /// Sweeps that ended since the start.
    pub sweep_counts: SweepCounts,
    /// Requests without a valid key or token.
    pub refused_sign_ins: RefusedSignIns,
    /// The paired displays.
    pub displays: Displays,
    /// Displays that wait to be paired.
    pub pairings: Pairings,
    readiness: readiness::ReadinessState,
    /// The webhooks, with the notices that wait for them.
    pub webhooks: Arc<Webhooks>,
    /// Refused signs that were logged.
    refused_signs: AtomicU64,
    crowds: Arc<Mutex<CrowdLog>>,
    aliases: Aliases,
    started_at: DateTime<Utc>,
    /// From when on every sign reaches this process.
    receiving_since: DateTime<Utc>,
    connected_rooms: presence::ConnectedRooms,
    options: ArcSwap<ServiceOptions>,
    live: OnceLock<Arc<Live>>,
    followed: FollowedRooms,
    places: places::Places,
}

/// How long a service that is sealed may not know it yet, and still accept signs: two renewals, the time limit of one, and the interval at
/// which it checks.
const FORMER_SERVICE_ANSWERS_FOR: TimeDelta = TimeDelta::seconds(15);

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
        Self::open_receiving(engine, connections, store, options, now).await
    }

    /// The same in a process that takes over from another one, which may still accept signs for some seconds: no meeting is released
    /// because of what this process does not know.
    ///
    /// # Errors
    /// The presence data cannot be read.
    pub async fn open_at_takeover(
        engine: Arc<Engine>,
        connections: Arc<dyn ConnectionMetrics>,
        store: ServiceStore,
        options: ServiceOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let from = engine.clock().now() + FORMER_SERVICE_ANSWERS_FOR;
        Self::open_receiving(engine, connections, store, options, from).await
    }

    /// `receiving_since` is from when on every sign reaches this process.
    async fn open_receiving(
        engine: Arc<Engine>,
        connections: Arc<dyn ConnectionMetrics>,
        store: ServiceStore,
        options: ServiceOptions,
        receiving_since: DateTime<Utc>,
    ) -> Result<Arc<Self>, StoreError> {
        let now = engine.clock().now();
        let silence = options.rules.silence.clone();
        let presence = presence::open_presence(&store, &**engine.clock(), silence, receiving_since).await?;
        let notices = NoticeBus::new(engine.clock().clone());
        let rooms = Arc::new(RoomCache::new(engine.calendar().clone(), engine.clock().clone(), SILENCE_MAX));
        engine.set_cache(rooms.clone());
        let ended_actions = Arc::<EndedActions>::default();
        engine.set_observer(ended_actions.clone());
        let service = Arc::new(Self {
            actions: ActionRunner::new(
                engine.clone(),
                rooms.clone(),
                notices.clone(),
                (store.clone(), presence.clone()),
            ),
            rooms,
            ended_actions,
            open_actions: AtomicUsize::new(0),
            check_ins: CheckIns::default(),
            check_in_link_key: CheckInLinkKey::generate(),
            sweeps: Sweeps::default(),
            presence,
            decisions: DecisionCounts::default(),
            stopped_releases: AtomicU64::new(0),
            sweep_counts: SweepCounts::default(),
            refused_sign_ins: RefusedSignIns::default(),
            displays: Displays::default(),
            pairings: Pairings::default(),
            readiness: readiness::ReadinessState::default(),
            webhooks: Arc::new(Webhooks::new(store.clone(), engine.clock().clone())),
            refused_signs: AtomicU64::new(0),
            crowds: Arc::default(),
            aliases: Aliases::default(),
            started_at: now,
            receiving_since,
            connected_rooms: presence::ConnectedRooms::default(),
            engine,
            connections,
            notices,
            store,
            options: ArcSwap::from_pointee(options),
            live: OnceLock::new(),
            followed: FollowedRooms::default(),
            places: places::Places::default(),
        });
        service.refresh_displays().await?;
        service.record_uptime().await;
        service.record_rules().await;
        let rules = Arc::downgrade(&service);
        service.rooms.set_extra_deadlines(Box::new(move |room, event| {
            let rule = rules.upgrade().and_then(|service| service.options().rules.check_in(room));
            // The start and the end of the check-in period.
            rule.map_or_else(Vec::new, |rule| vec![event.start - rule.early, event.start + rule.grace])
        }));
        let zones = Arc::downgrade(&service);
        service.rooms.set_local_days(Box::new(move |room, now| match zones.upgrade() {
            Some(service) => service.local_day(room, now),
            None => local_day(None, now),
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

    /// When the service started.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
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
        Ok(self.status_from(room, self.room_info(room), &kept))
    }

    /// The room's local day that contains this time.
    pub fn local_day(&self, room: &RoomAddress, now: DateTime<Utc>) -> Window {
        local_day(self.options().rules.time_zone(room), now)
    }

    /// The events that occupy the room within a window.
    ///
    /// # Errors
    /// When the calendar must be read and the read fails, or the server does not respond within `patience`.
    pub async fn events(
        &self,
        room: &RoomAddress,
        window: Window,
        patience: Duration,
    ) -> Result<RoomEvents, StatusError> {
        let read = self.rooms.events_within(room, window, self.options().max_state_age);
        match tokio::time::timeout(patience, read).await {
            Ok(read) => read.map_err(StatusError::Calendar),
            Err(_) => Err(StatusError::Timeout),
        }
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
        self.rooms.any(room).map(|kept| self.status_from(room, self.room_info(room), &kept))
    }

    /// The same for a caller that has the room's descriptive data.
    pub(crate) fn last_known_status_of(&self, room: &RoomAddress, info: &RoomInfo) -> Option<RoomStatus> {
        self.rooms.any(room).map(|kept| self.status_from(room, info.clone(), &kept))
    }

    fn status_from(&self, room: &RoomAddress, info: RoomInfo, kept: &CachedCalendar) -> RoomStatus {
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let view = StatusInput { calendar: kept, presence: &self.presence.read(), seen_since: &seen_since };
        let mut status = status(room, &view, (info, &self.options().rules), self.now());
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
        let kept = self.calendar(room, patience).await?;
        let event = self.event_to_check_in(room, &kept, wanted).ok_or(CheckInError::NoEvent)?;
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

    /// The event that a check-in is for now: the one with this id or UID, else the displayed one that waits for a check-in.
    fn event_to_check_in<'c>(
        &self,
        room: &RoomAddress,
        kept: &'c CachedCalendar,
        wanted: Option<&str>,
    ) -> Option<&'c Event> {
        let (now, options) = (self.now(), self.options());
        let rule = options.rules.check_in(room);
        let early = rule.as_ref().map_or(TimeDelta::zero(), |rule| rule.early);
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let waits = |event: &Event| {
            let view =
                StatusInput { calendar: kept, presence: &self.presence.read(), seen_since: &seen_since };
            view.waits_for_check_in(room, event, &options.rules, now)
        };
        match wanted {
            Some(name) => occupancy::named_check_in_event(&kept.events, now, early, name),
            None => occupancy::check_in_event(&kept.events, now, early, waits),
        }
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
    /// The check-in link permits no check-in.
    #[error(transparent)]
    LinkRefused(CheckInLinkError),
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
