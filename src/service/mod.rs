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
//!            └──────► Notices   who listens, hears                        (notices.rs)
//! ```

mod actions;
mod aliases;
mod followed;
mod notices;
mod presence;
mod release;
mod schedule;
mod status;
mod sweeps;
mod watch;
mod webhook;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};

use aliases::Aliases;

pub use actions::{Actions, Asked};
use followed::FollowedRooms;
pub use notices::{Noted, Notice, Notices, Resumed, StopReason};
pub use presence::{DisplayConnection, Intake, is_display};
pub use release::Releases;
pub use schedule::{Schedule, ScheduleError};
pub use status::{May, Status, View, status};
pub use sweeps::{Phase, SweepId, SweepView, Sweeps};
pub use webhook::{Webhook, WebhookError};

use crate::action::Refusal;
use crate::calendar::{Event, RoomAddress, occupancy};
use crate::cleanup::{Attendance as _, DecisionKind, Rules};
use crate::engine::{Engine, Trouble};
use crate::live::{Kept, Live, Rooms, SILENCE};
use crate::presence::{CrowdLog, SharedBooks, Sign};
use crate::store::{Desk, StoreError};

/// How the service behaves. Replaced as a whole while it runs ([`Service::set_options`]).
#[derive(Debug, Clone)]
pub struct Options {
    /// What counts as abandoned.
    pub rules: Rules,
    /// How old what is shown of a room may be.
    pub state_age: TimeDelta,
    /// How long before it may be released somebody is warned.
    pub warn: TimeDelta,
    /// How far ahead sweeps look.
    pub ahead: TimeDelta,
    /// How many rooms a sweep works on at once.
    pub rooms_at_once: usize,
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
    pub rooms: Arc<Rooms>,
    /// Actions under way.
    pub actions: Actions,
    /// Sweeps under way, and the last ones.
    pub sweeps: Sweeps,
    /// Who listens.
    pub notices: Notices,
    /// What is remembered on disk.
    pub desk: Desk,
    /// Who came, and when that would have been known.
    pub books: SharedBooks,
    /// What was decided about meetings since the service began.
    pub decisions: DecisionCounts,
    /// Releases that were announced or due, and stopped.
    pub stopped_releases: AtomicU64,
    crowds: Arc<Mutex<CrowdLog>>,
    aliases: Aliases,
    started_at: DateTime<Utc>,
    options: ArcSwap<Options>,
    live: OnceLock<Arc<Live>>,
    followed: FollowedRooms,
}

impl Service {
    /// A service over an engine. Reads the signs that still matter, and which sources were in contact when.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(engine: Arc<Engine>, desk: Desk, options: Options) -> Result<Arc<Self>, StoreError> {
        let now = engine.clock().now();
        let books = presence::open_books(&desk, now, options.rules.silence.clone()).await?;
        let notices = Notices::default();
        let rooms = Arc::new(Rooms::new(engine.calendar().clone(), engine.clock().clone(), SILENCE));
        engine.know_by(rooms.clone());
        let service = Arc::new(Self {
            actions: Actions::new(
                engine.clone(),
                rooms.clone(),
                notices.clone(),
                (desk.clone(), books.clone()),
            ),
            rooms,
            sweeps: Sweeps::default(),
            books,
            decisions: DecisionCounts::default(),
            stopped_releases: AtomicU64::new(0),
            crowds: Arc::default(),
            aliases: Aliases::default(),
            started_at: now,
            engine,
            notices,
            desk,
            options: ArcSwap::from_pointee(options),
            live: OnceLock::new(),
            followed: FollowedRooms::default(),
        });
        service.record_alive().await;
        service.record_rules().await;
        let rules = Arc::downgrade(&service);
        service.rooms.turn_at(Box::new(move |room, event| {
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
    pub fn options(&self) -> Arc<Options> {
        self.options.load_full()
    }

    /// Behaves like this from now on; a sweep under way ends as it began.
    pub fn set_options(&self, options: Options) {
        self.books.write().watch.set_silence(options.rules.silence.clone());
        self.options.store(Arc::new(options));
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        self.engine.clock().now()
    }

    /// The room as far as it is known, read again when that is too old.
    pub async fn status(&self, room: &RoomAddress) -> Result<Status, Trouble> {
        let kept = self.rooms.get(room, self.options().state_age).await?;
        Ok(self.judge(room, &kept))
    }

    /// The room as it was read last, if it ever was.
    pub fn known(&self, room: &RoomAddress) -> Option<Status> {
        self.rooms.known(room).map(|kept| self.judge(room, &kept))
    }

    fn judge(&self, room: &RoomAddress, kept: &Kept) -> Status {
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let view = View { kept, books: &self.books.read(), seen_since: &seen_since };
        status(room, &view, &self.options().rules, self.now())
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
        source: String,
    ) -> Result<Event, NoCheckIn> {
        let now = self.now();
        let options = self.options();
        let kept = self.rooms.get(room, options.state_age).await.map_err(NoCheckIn::Trouble)?;
        let rule = options.rules.check_in(room);
        let early = rule.as_ref().map_or(TimeDelta::zero(), |rule| rule.early);
        let seen_since = |event: &Event| self.rooms.seen_since(room, event);
        let waits = |event: &Event| {
            let view = View { kept: &kept, books: &self.books.read(), seen_since: &seen_since };
            view.waits_for_check_in(room, event, &options.rules, now)
        };
        let event = match wanted {
            Some(name) => occupancy::named_check_in(&kept.events, now, early, name),
            None => occupancy::check_in_event(&kept.events, now, early, waits),
        };
        let event = event.ok_or(NoCheckIn::Nothing)?;
        let sign = Sign::new(room.clone(), now, source).for_event(event);
        self.add_signs(vec![sign.clone()]).await.map_err(NoCheckIn::Store)?;
        if let (true, Some(uid)) = (event.kind.is_date_of_series(), &event.uid) {
            self.desk.came(room, uid, event.start).await.map_err(NoCheckIn::Trouble)?;
        }
        self.notices.tell(Notice::CheckedIn { room: room.clone(), at: now, source: sign.source });
        Ok(event.clone())
    }
}

/// Why a check-in was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NoCheckIn {
    /// Nothing that could be checked in to.
    #[error("{}", Refusal::NothingOn)]
    Nothing,
    /// The calendar could not be read.
    #[error(transparent)]
    Trouble(Trouble),
    /// It could not be kept.
    #[error(transparent)]
    Store(StoreError),
}
