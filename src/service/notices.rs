//! What happened, for whoever listens: displays that stay connected, and consoles. Kept for those who were away for a moment;
//! what must not be lost is in the journal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::sweeps::SweepId;
use crate::action::{ActionId, Actor, EventSnapshot, Outcome};
use crate::calendar::RoomAddress;
use crate::clock::{Clock, SystemClock};
use crate::presence::UnknownReason;

/// Notices a slow listener may be behind; then it hears that it missed some. On the hour, something changes in every room.
pub const BACKLOG_MAX: usize = 16_384;

/// Bytes of notices that are kept for listeners who were away for a moment: at 500 bytes each, as many as a listener may be behind.
pub const BACKLOG_BYTES_MAX: usize = 8 << 20;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A room looks different.
    RoomChanged {
        /// Which.
        room: RoomAddress,
    },
    /// An action is over.
    ActionFinished {
        /// In which room.
        room: RoomAddress,
        /// Its name.
        action: ActionId,
        /// Who asked for it; `None` for a sweep's.
        actor: Option<Actor>,
        /// How it ended.
        outcome: Box<Outcome>,
    },
    /// Somebody checked in.
    CheckedIn {
        /// In which room.
        room: RoomAddress,
        /// When.
        at: DateTime<Utc>,
        /// By what.
        source: String,
    },
    /// What is on will be released unless somebody checks in.
    ReleaseWarning {
        /// In which room.
        room: RoomAddress,
        /// When.
        at: DateTime<Utc>,
    },
    /// A release that was announced or due does not take place; the meeting stays.
    ReleaseStopped {
        /// In which room.
        room: RoomAddress,
        /// When the meeting began.
        start: DateTime<Utc>,
        /// The reason.
        reason: StopReason,
        /// The reason in words.
        why: String,
    },
    /// Observe mode: the meeting would have been released.
    WouldRelease {
        /// In which room.
        room: RoomAddress,
        /// When the meeting began.
        start: DateTime<Utc>,
        /// When it is to end.
        end: DateTime<Utc>,
        /// The rule's words.
        why: String,
    },
    /// Nobody came to a series so often in a row that it may not be needed.
    SeriesMissed {
        /// In which room.
        room: RoomAddress,
        /// The date that was released last.
        event: EventSnapshot,
        /// Dates in a row.
        missed: u32,
        /// The whole series was taken off.
        deleted: bool,
    },
    /// A sweep is planned, begins to act, or is over.
    SweepChanged {
        /// Its name; `None` where a schedule began it.
        sweep: Option<SweepId>,
        /// The key or schedule that began it.
        by: String,
        /// The rooms it is about.
        rooms: Arc<Vec<RoomAddress>>,
        /// How far it is.
        state: &'static str,
        /// Actions planned, or done.
        actions: usize,
    },
    /// The journal's last entry, for a copy of it outside this machine: only the webhook receives it.
    JournalHead {
        /// The entry's number.
        number: u64,
        /// The entry's hash, which covers all entries before it.
        hash: String,
    },
}

impl Notice {
    /// Its kind, as listeners know it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RoomChanged { .. } => "room",
            Self::ActionFinished { .. } => "action",
            Self::CheckedIn { .. } => "check-in",
            Self::ReleaseWarning { .. } => "release-near",
            Self::ReleaseStopped { .. } => "release-stopped",
            Self::WouldRelease { .. } => "would-release",
            Self::SeriesMissed { .. } => "series-missed",
            Self::SweepChanged { .. } => "sweep",
            Self::JournalHead { .. } => "journal-head",
        }
    }

    /// What is told of it, as a JSON object.
    pub fn to_json(&self) -> Value {
        match self {
            Self::RoomChanged { room } => json!({ "room": room }),
            Self::ActionFinished { room, action, outcome, .. } => {
                json!({ "room": room, "action": action, "message": outcome.to_string() })
            }
            Self::CheckedIn { room, at, source } => json!({ "room": room, "at": at, "source": source }),
            Self::ReleaseWarning { room, at } => json!({ "room": room, "release_at": at }),
            Self::ReleaseStopped { room, start, reason, why } => {
                json!({ "room": room, "start": start, "reason": reason.as_str(), "message": why })
            }
            Self::WouldRelease { room, start, end, why } => {
                json!({ "room": room, "start": start, "end": end, "message": why })
            }
            Self::SeriesMissed { room, event, missed, deleted } => json!({
                "room": room,
                "organizer": event.organizer,
                "start": event.start,
                "missed": missed,
                "deleted": deleted,
            }),
            Self::SweepChanged { sweep, by, rooms, state, actions } => json!({
                "sweep": sweep,
                "by": by,
                "rooms": rooms.len(),
                "state": state,
                "actions": actions,
            }),
            Self::JournalHead { number, hash } => json!({ "number": number, "hash": hash }),
        }
    }

    /// About the memory that it takes. Shared lists of rooms belong to their sweep.
    fn bytes(&self) -> usize {
        let texts = match self {
            Self::CheckedIn { source, .. } => source.len(),
            Self::ReleaseStopped { why, .. } | Self::WouldRelease { why, .. } => why.len(),
            Self::ActionFinished { outcome, .. } => json_bytes(outcome),
            Self::SeriesMissed { event, .. } => json_bytes(event),
            Self::SweepChanged { by, .. } => by.len(),
            Self::JournalHead { hash, .. } => hash.len(),
            Self::RoomChanged { .. } | Self::ReleaseWarning { .. } => 0,
        };
        let room = self.rooms().first().map_or(0, |room| room.as_str().len());
        size_of::<SequencedNotice>() + room + texts
    }

    /// The rooms it is about: who may not know of all of them does not hear it.
    pub fn rooms(&self) -> &[RoomAddress] {
        match self {
            Self::RoomChanged { room }
            | Self::ActionFinished { room, .. }
            | Self::CheckedIn { room, .. }
            | Self::ReleaseWarning { room, .. }
            | Self::ReleaseStopped { room, .. }
            | Self::WouldRelease { room, .. }
            | Self::SeriesMissed { room, .. } => std::slice::from_ref(room),
            Self::SweepChanged { rooms, .. } => rooms,
            Self::JournalHead { .. } => &[],
        }
    }

    /// It is about a sweep as a whole, and for those who may plan one.
    pub fn concerns_sweep(&self) -> bool {
        matches!(self, Self::SweepChanged { .. })
    }
}

/// How long it is as JSON, which is about what it takes.
fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

/// Why a release does not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// So many meetings look empty that the check-in sources may be silent.
    FeedSilent,
    /// No source watched the room throughout.
    NotWatched,
    /// A sign matches no event.
    UnmatchedSign,
    /// Evidence of the room was refused, since a limit was reached.
    EvidenceRefused,
    /// A property that the decision needs is missing.
    MissingField,
    /// This machine's clock is not believed.
    Clock,
    /// The meeting ends before grace does.
    EndsInGrace,
    /// More releases at once than the limits allow.
    Limit,
}

impl StopReason {
    /// The reason behind a doubt.
    pub fn of(doubt: &UnknownReason) -> Self {
        match doubt {
            UnknownReason::FeedSilent(_) => Self::FeedSilent,
            UnknownReason::NotWatched { .. } => Self::NotWatched,
            UnknownReason::UnmatchedSign { .. } => Self::UnmatchedSign,
            UnknownReason::EvidenceRefused { .. } => Self::EvidenceRefused,
            UnknownReason::MissingField { .. } => Self::MissingField,
            UnknownReason::Clock { .. } => Self::Clock,
            UnknownReason::EndsInGrace { .. } => Self::EndsInGrace,
        }
    }

    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FeedSilent => "feed-silent",
            Self::NotWatched => "not-watched",
            Self::UnmatchedSign => "unmatched-sign",
            Self::EvidenceRefused => "evidence-refused",
            Self::MissingField => "missing-field",
            Self::Clock => "clock",
            Self::EndsInGrace => "ends-in-grace",
            Self::Limit => "limit",
        }
    }
}

/// Where notices are told and heard, until it is closed.
#[derive(Clone)]
pub struct NoticeBus(Arc<SharedBus>);

struct SharedBus {
    clock: Arc<dyn Clock>,
    /// Tells the numbers of this process from those of the one before.
    process: Uuid,
    log: Mutex<NoticeLog>,
}

struct NoticeLog {
    /// The bytes of those that are kept.
    bytes: usize,
    sender: Option<broadcast::Sender<SequencedNotice>>,
    last_number: u64,
    /// The last ones, for those who were away for a moment.
    recent: VecDeque<SequencedNotice>,
}

/// A notice with its number.
#[derive(Debug, Clone)]
pub struct SequencedNotice {
    /// One more than the one before.
    pub number: u64,
    /// The same for everybody who is told of it, and for ever.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub notice: Notice,
}

impl NoticeLog {
    /// Keeps a notice; the oldest go where a limit is reached, and a listener who asks for them hears that it missed some.
    fn keep(&mut self, noted: SequencedNotice) {
        self.bytes += noted.notice.bytes();
        self.recent.push_back(noted);
        while self.recent.len() > BACKLOG_MAX || self.bytes > BACKLOG_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.notice.bytes());
        }
    }
}

/// What somebody hears who was here before.
pub struct ResumedSubscription {
    /// What was told meanwhile; `None` when that is not known any more.
    pub missed: Option<Vec<SequencedNotice>>,
    /// What is told from now on.
    pub receiver: broadcast::Receiver<SequencedNotice>,
    /// The number of the last notice before that.
    pub last_number: u64,
}

impl Default for NoticeBus {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl NoticeBus {
    /// Notices that happen by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let to = Some(broadcast::channel(BACKLOG_MAX).0);
        let told = Mutex::new(NoticeLog { sender: to, last_number: 0, recent: VecDeque::new(), bytes: 0 });
        Self(Arc::new(SharedBus { clock, process: Uuid::new_v4(), log: told }))
    }

    /// Tells everybody who listens.
    pub fn publish(&self, notice: Notice) {
        let at = self.0.clock.now();
        let mut told = self.log();
        let Some(to) = told.sender.clone() else { return };
        told.last_number += 1;
        // The process's own id with the number in its last bits.
        let id = Uuid::from_u128(self.0.process.as_u128() ^ u128::from(told.last_number));
        let noted = SequencedNotice { number: told.last_number, id, at, notice };
        told.keep(noted.clone());
        // Nobody listening is no error.
        let _ = to.send(noted);
    }

    /// Listens from now on; `None` when nothing will be told any more.
    pub fn subscribe(&self) -> Option<broadcast::Receiver<SequencedNotice>> {
        Some(self.log().sender.as_ref()?.subscribe())
    }

    /// The same, for somebody who will want to [`resume`](Self::resume) before anything was told.
    pub fn subscribe_resumable(&self) -> Option<ResumedSubscription> {
        let told = self.log();
        let from_now_on = told.sender.as_ref()?.subscribe();
        Some(ResumedSubscription {
            missed: Some(Vec::new()),
            receiver: from_now_on,
            last_number: told.last_number,
        })
    }

    /// Listens on, after the notice of this name; `None` when nothing will be told any more.
    pub fn resume(&self, last: &str) -> Option<ResumedSubscription> {
        let told = self.log();
        let from_now_on = told.sender.as_ref()?.subscribe();
        let number = last
            .rsplit_once('-')
            .filter(|(process, _)| *process == self.0.process.simple().to_string())
            .and_then(|(_, number)| number.parse::<u64>().ok())
            .filter(|number| *number <= told.last_number);
        let oldest = told.recent.front().map_or(told.last_number + 1, |noted| noted.number);
        let meanwhile = number
            .filter(|number| number + 1 >= oldest)
            .map(|number| told.recent.iter().filter(|noted| noted.number > number).cloned().collect());
        Some(ResumedSubscription { missed: meanwhile, receiver: from_now_on, last_number: told.last_number })
    }

    /// A notice's name, by which to [`resume`](Self::resume).
    pub fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.0.process.simple())
    }

    /// Nothing will be told any more: whoever listens comes to the end.
    pub fn close(&self) {
        self.log().sender.take();
    }

    fn log(&self) -> MutexGuard<'_, NoticeLog> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(room: &str) -> Notice {
        Notice::RoomChanged { room: room.parse().unwrap() }
    }

    #[test]
    fn who_was_away_for_a_moment_hears_what_was_told_and_who_was_away_too_long_is_told_so() {
        let notices = NoticeBus::default();
        notices.publish(notice("a@x.y"));
        let seen = notices.event_id(1);
        notices.publish(notice("b@x.y"));
        notices.publish(notice("c@x.y"));
        let meanwhile = |last: &str| {
            let resumed = notices.resume(last).unwrap();
            resumed.missed.map(|all| all.iter().map(|noted| noted.number).collect::<Vec<_>>())
        };
        assert_eq!(meanwhile(&seen), Some(vec![2, 3]));
        assert_eq!(meanwhile(&notices.event_id(3)), Some(vec![]));
        for unknown in [NoticeBus::default().event_id(1), notices.event_id(4), "1".to_owned(), String::new()]
        {
            assert_eq!(meanwhile(&unknown), None, "{unknown}");
        }
        (0..BACKLOG_MAX).for_each(|_| notices.publish(notice("d@x.y")));
        assert_eq!(meanwhile(&seen), None);
        assert_eq!(meanwhile(&notices.event_id(3)).map(|all| all.len()), Some(BACKLOG_MAX));
        notices.close();
        assert!(notices.resume(&seen).is_none());
    }

    #[test]
    fn long_notices_are_kept_within_their_bytes_and_who_resumes_before_them_hears_of_the_gap() {
        let notices = NoticeBus::default();
        notices.publish(notice("a@x.y"));
        let seen = notices.event_id(1);
        let long = |_| {
            let (room, start) = ("a@x.y".parse().unwrap(), DateTime::UNIX_EPOCH);
            let (reason, why) = (StopReason::Limit, "x".repeat(100_000));
            notices.publish(Notice::ReleaseStopped { room, start, reason, why });
        };
        (0..200).for_each(long);
        let kept: usize = notices.log().recent.iter().map(|noted| noted.notice.bytes()).sum();
        assert_eq!(kept, notices.log().bytes);
        assert!((BACKLOG_BYTES_MAX - 200_000..=BACKLOG_BYTES_MAX).contains(&kept), "{kept}");
        assert!(notices.resume(&seen).unwrap().missed.is_none(), "the gap is told");
        assert_eq!(notices.resume(&notices.event_id(200)).unwrap().missed.map(|all| all.len()), Some(1));
    }
}
