//! The service behind every door: what is on in a room, actions that outlive their callers, sweeps on a schedule. Knows
//! no HTTP.
//!
//! ```text
//! api ──► Service ──► Rooms     what a calendar holds, or held             (crate::live; status.rs, pure)
//!            │    ──► Actions   carried out whether anybody waits or not  (actions.rs)
//!            │    ──► Sweeps    planned, applied, watched                 (sweeps.rs)
//!            │    ──► Watch     schedules, and the end of grace           (schedule.rs, watch.rs)
//!            └──────► Notices   who listens, hears                        (notices.rs)
//! ```

mod actions;
mod notices;
mod schedule;
mod status;
mod sweeps;
mod watch;
mod webhook;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};

pub use actions::{Actions, Asked};
pub use notices::{Noted, Notice, Notices, Resumed};
pub use schedule::{Schedule, ScheduleError};
pub use status::{May, Status, status};
pub use sweeps::{Phase, SweepId, SweepView, Sweeps};
pub use watch::Warned;
pub use webhook::{Webhook, WebhookError};

use crate::action::Refusal;
use crate::calendar::{Event, RoomAddress};
use crate::cleanup::{Attendance as _, Evidence, EvidenceLog, Rule, Rules, SharedEvidence};
use crate::engine::{Engine, Trouble};
use crate::journal::{Ending, Query};
use crate::live::{Kept, Live, Rooms, SILENCE};
use crate::store::{Desk, StoreError};

/// A sign that is older when it arrives may be about what was released meanwhile.
const LATE: TimeDelta = TimeDelta::minutes(1);
/// Signs older than this speak for nothing any more.
const EVIDENCE_KEPT: TimeDelta = TimeDelta::days(1);

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
    /// Who came.
    pub evidence: SharedEvidence,
    options: ArcSwap<Options>,
    live: OnceLock<Arc<Live>>,
}

impl Service {
    /// A service over an engine. Reads the evidence of the last day.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(engine: Arc<Engine>, desk: Desk, options: Options) -> Result<Arc<Self>, StoreError> {
        let now = engine.clock().now();
        let mut log = EvidenceLog::default();
        desk.evidence_since(now - EVIDENCE_KEPT).await?.into_iter().for_each(|sign| log.push(sign));
        let notices = Notices::default();
        let rooms = Arc::new(Rooms::new(engine.calendar().clone(), engine.clock().clone(), SILENCE));
        engine.know_by(rooms.clone());
        let service = Arc::new(Self {
            actions: Actions::new(engine.clone(), rooms.clone(), notices.clone()),
            rooms,
            sweeps: Sweeps::default(),
            evidence: SharedEvidence::from(log),
            engine,
            notices,
            desk,
            options: ArcSwap::from_pointee(options),
            live: OnceLock::new(),
        });
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
        status(room, kept, &self.evidence.read(), &self.options().rules, self.now())
    }

    /// Keeps signs that somebody came: first on disk, then in memory.
    ///
    /// # Errors
    /// When they cannot be stored.
    pub async fn add_evidence(&self, signs: Vec<Evidence>) -> Result<(), StoreError> {
        let oldest = self.now() - EVIDENCE_KEPT;
        let signs: Vec<_> = signs.into_iter().filter(|sign| sign.at >= oldest).collect();
        self.desk.add_evidence(signs.clone(), oldest).await?;
        let late = self.now() - LATE;
        let late = signs.iter().filter(|sign| sign.at < late).cloned().collect();
        let rooms: BTreeSet<_> = signs.iter().map(|sign| sign.room.clone()).collect();
        self.evidence.extend(signs, oldest);
        rooms.iter().for_each(|room| self.rooms.turned(room));
        if let Err(trouble) = self.acquit(late, oldest).await {
            tracing::error!(%trouble, "signs that came late are not held against what was released");
        }
        Ok(())
    }

    /// Signs from before a date was released that arrive only now still say that somebody came: its series has no strike for
    /// it.
    async fn acquit(&self, signs: Vec<Evidence>, oldest: DateTime<Utc>) -> Result<(), Trouble> {
        let options = self.options();
        let rooms: BTreeSet<_> = signs.iter().map(|sign| sign.room.clone()).collect();
        let mut log = EvidenceLog::default();
        signs.into_iter().for_each(|sign| log.push(sign));
        for room in rooms {
            let Some(rule) = options.rules.check_in(&room).filter(|rule| rule.strikes > 0) else { continue };
            let released = Some(Rule::NoCheckIn.to_string());
            let query =
                Query { rule: released, since: Some(oldest), ..Query::room(&room) }.ending(Ending::Done);
            for life in self.engine.journal().find(&query).await? {
                let Some(event) = life.intent.as_ref().map(|intent| &intent.before) else { continue };
                if let (true, Some(uid)) = (event.kind.is_date_of_series(), &event.uid)
                    // What comes after the release may be somebody else, in a room that was free.
                    && log.of(&room, event, &rule).is_some_and(|sign| sign.at < life.accepted_at)
                {
                    self.desk.came(&room, uid, event.start).await?;
                }
            }
        }
        Ok(())
    }

    /// Somebody stands at the door for what is on, or for what begins in a moment.
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
        let open = |event: &&Event| event.start - early <= now && now < event.end && !event.is_cancelled;
        let named = |event: &&Event| wanted.is_none_or(|wanted| event.id.as_str() == wanted);
        // Of two that are open, the one nobody has come to yet is meant.
        let has_sign = |event: &&Event| {
            rule.as_ref().is_some_and(|rule| self.evidence.read().of(room, event, rule).is_some())
        };
        let candidates = || kept.events.iter().filter(open).filter(named);
        let event = candidates().find(|event| !has_sign(event)).or_else(|| candidates().next());
        let event = event.ok_or(NoCheckIn::Nothing)?;
        let sign = Evidence {
            room: room.clone(),
            event: Some(event.uid.as_ref().map_or(event.id.as_str(), |uid| uid.as_str()).to_owned()),
            at: now,
            source,
        };
        self.add_evidence(vec![sign.clone()]).await.map_err(NoCheckIn::Store)?;
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
