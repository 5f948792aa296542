//! The service behind every door: what is on in a room, actions that outlive their callers, sweeps on a schedule. Knows
//! no HTTP.
//!
//! ```text
//! api ──► Service ──► Rooms     what a calendar holds, or held             (crate::live; status.rs, pure)
//!            │    ──► Actions   carried out whether anybody waits or not  (actions.rs)
//!            │    ──► Sweeps    planned, applied, watched                 (sweeps.rs)
//!            │    ──► Followed  which rooms are followed                  (followed.rs)
//!            │    ──► Watch     schedules                                 (schedule.rs, watch.rs)
//!            │    ──► Releases  meetings to which nobody comes            (release.rs)
//!            │    ──► Books     signs, sources, up-time                   (presence.rs; crate::presence, pure)
//!            │    ──► Doubts    looked up until they are known            (doubts.rs)
//!            │    ──► Clock     believed, or not and why                  (clock.rs; crate::clock)
//!            │    ──► Ready     tried, for whoever asks                    (readiness.rs)
//!            │    ──► Admin     keys changed, sign-ins refused: on record (admin_events.rs, refused_sign_ins.rs)
//!            └──────► Notices   who listens, hears                        (notices.rs)
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
    SWEEP_SHARES, SweepId, SweepPhase, SweepView, Sweeps,
};
pub use webhook::{Outbox, WebhookCounts, WebhookError, WebhookSender};

use crate::action::{ActionId, Refusal};
use crate::calendar::{Event, RoomAddress, occupancy};
use crate::cleanup::{Attendance as _, DecisionKind, Rules};
use crate::engine::{CalendarError, Engine};
use crate::live::{CachedCalendar, Live, RoomCache, SILENCE_MAX};
use crate::presence::{CrowdLog, EvidenceLimit, SharedPresence, Sign};
use crate::store::{ServiceStore, StoreError};

/// What was read longer ago than this says nothing of a room any more, where its server does not answer.
const STALE_STATE_MAX: TimeDelta = TimeDelta::minutes(15);

/// How the service behaves. Replaced as a whole while it runs ([`Service::set_options`]).
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// What counts as abandoned.
    pub rules: Rules,
    /// How old what is shown of a room may be.
    pub max_state_age: TimeDelta,
    /// How long before it may be released somebody is warned.
    pub release_warning: TimeDelta,
    /// How far ahead sweeps look.
    pub horizon: TimeDelta,
    /// How many rooms a sweep works on at once.
    pub max_concurrent_rooms: usize,
    /// When sweeps run by themselves.
    pub schedules: Vec<Schedule>,
}

/// How many decisions about meetings were made, by kind.
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

    /// Each kind with its count.
    pub fn all(&self) -> impl Iterator<Item = (DecisionKind, u64)> {
        self.0.iter().map(|(kind, count)| (*kind, count.load(Ordering::Relaxed)))
    }
}

/// Everything a caller of the service can reach.
pub struct Service {
    /// Who acts.
    pub engine: Arc<Engine>,
    /// What the rooms' calendars hold.
    pub rooms: Arc<RoomCache>,
    /// Actions under way.
    pub actions: ActionRunner,
    /// Check-ins that were answered under a key.
    pub check_ins: CheckIns,
    /// Sweeps under way, and the last ones.
    pub sweeps: Sweeps,
    /// Who listens.
    pub notices: NoticeBus,
    /// What is remembered on disk.
    pub store: ServiceStore,
    /// Who came, and when that would have been known.
    pub presence: SharedPresence,
    /// What was decided about meetings since the service began.
    pub decisions: DecisionCounts,
    /// Releases that were announced or due, and stopped.
    pub stopped_releases: AtomicU64,
    /// Requests without a valid key or token.
    pub refused_sign_ins: RefusedSignIns,
    readiness: readiness::ReadinessState,
    /// What waits for the webhook.
    pub outbox: Outbox,
    /// Refused signs that the log told of.
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
    /// A service over an engine. Reads the signs that still matter, and which sources were in contact when.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(
        engine: Arc<Engine>,
        desk: ServiceStore,
        options: ServiceOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let now = engine.clock().now();
        let books = presence::open_presence(&desk, &**engine.clock(), options.rules.silence.clone()).await?;
        let notices = NoticeBus::new(engine.clock().clone());
        let rooms = Arc::new(RoomCache::new(engine.calendar().clone(), engine.clock().clone(), SILENCE_MAX));
        engine.set_cache(rooms.clone());
        let service = Arc::new(Self {
            actions: ActionRunner::new(
                engine.clone(),
                rooms.clone(),
                notices.clone(),
                (desk.clone(), books.clone()),
            ),
            rooms,
            check_ins: CheckIns::default(),
            sweeps: Sweeps::default(),
            presence: books,
            decisions: DecisionCounts::default(),
            stopped_releases: AtomicU64::new(0),
            refused_sign_ins: RefusedSignIns::default(),
            readiness: readiness::ReadinessState::default(),
            outbox: Outbox::new(desk.clone()),
            refused_signs: AtomicU64::new(0),
            crowds: Arc::default(),
            aliases: Aliases::default(),
            started_at: now,
            connected_rooms: presence::ConnectedRooms::default(),
            engine,
            notices,
            store: desk,
            options: ArcSwap::from_pointee(options),
            live: OnceLock::new(),
            followed: FollowedRooms::default(),
        });
        service.record_uptime().await;
        service.record_rules().await;
        let rules = Arc::downgrade(&service);
        service.rooms.set_extra_deadlines(Box::new(move |room, event| {
            let rule = rules.upgrade().and_then(|service| service.options().rules.check_in(room));
            // One may check in, and the room is released.
            rule.map_or_else(Vec::new, |rule| vec![event.start - rule.early, event.start + rule.grace])
        }));
        Ok(service)
    }

    /// How the following of calendars goes, if it does.
    pub fn live(&self) -> Option<&Live> {
        self.live.get().map(|live| &**live)
    }

    /// How it behaves now.
    pub fn options(&self) -> Arc<ServiceOptions> {
        self.options.load_full()
    }

    /// Behaves like this from now on; a sweep under way ends as it began.
    pub fn set_options(&self, options: ServiceOptions) {
        self.presence.write().watch.set_silence(options.rules.silence.clone());
        self.options.store(Arc::new(options));
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        self.engine.clock().now()
    }

    /// The room as far as it is known, read again when that is too old. Where the server does not answer within `patience`, as
    /// it was known last: its `as_of` says when.
    ///
    /// # Errors
    /// When it has to be read and cannot be, or is not known from the last quarter of an hour either.
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

    /// The room as it was read last, if it ever was.
    pub fn last_known_status(&self, room: &RoomAddress) -> Option<RoomStatus> {
        self.rooms.any(room).map(|kept| self.status_from(room, &kept))
    }

    fn status_from(&self, room: &RoomAddress, kept: &CachedCalendar) -> RoomStatus {
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let view = StatusInput { calendar: kept, presence: &self.presence.read(), seen_since: &seen_since };
        let mut status = status(room, &view, &self.options().rules, self.now());
        if self.clock_doubt().is_some() {
            // Nothing is released by a clock that may be wrong, and so nothing is announced.
            status.release_at = None;
        }
        status
    }

    /// Keeps a sign of people at the door: for the event of this id or UID, else for the one that the display shows and that
    /// waits for a check-in.
    ///
    /// # Errors
    /// When nothing is on, or the calendar cannot be read, or the sign not stored.
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

/// Why it is not known how a room is.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The calendar could not be read.
    #[error(transparent)]
    Calendar(CalendarError),
    /// The server did not answer in time, and nothing recent is known.
    #[error("Exchange did not answer in time")]
    Timeout,
}

impl From<StatusError> for CheckInError {
    fn from(unknown: StatusError) -> Self {
        match unknown {
            StatusError::Calendar(trouble) => Self::Calendar(trouble),
            StatusError::Timeout => Self::Timeout,
        }
    }
}

/// Why a check-in was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CheckInError {
    /// Nothing that could be checked in to.
    #[error("{}", Refusal::NoCurrentEvent)]
    NoEvent,
    /// An action that was under way when the check-in came took the event off the calendar.
    #[error("the event was taken off the calendar while the check-in came; the room is free")]
    EventRemoved {
        /// Which action, where it was one of ours.
        action: Option<ActionId>,
    },
    /// An action that was under way when the check-in came was not over in time.
    #[error(
        "the check-in is kept, but another action in this room is not over yet: it may take the event away"
    )]
    ActionPending,
    /// The idempotency key belongs to another request.
    #[error("the idempotency key belongs to another request; use a new one")]
    KeyReused,
    /// The calendar could not be read.
    #[error(transparent)]
    Calendar(CalendarError),
    /// The server did not answer in time.
    #[error("{}", StatusError::Timeout)]
    Timeout,
    /// A limit on evidence is reached. No meeting that the check-in may be about is released.
    #[error("the check-in is not kept: {}; the meeting stays", .0.reason())]
    EvidenceRefused(EvidenceLimit),
    /// It could not be kept.
    #[error(transparent)]
    Store(StoreError),
}
