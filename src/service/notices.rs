//! Notices of what happened, published to event streams and webhooks. The last ones are kept in memory for clients that
//! reconnect. Notices can be lost; the journal cannot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::SweepId;
use super::notice_data::{
    ActionNotice, CheckInNotice, DisplayNotice, JournalHeadNotice, NoticeData, ReleaseStoppedNotice,
    ReleaseWarningNotice, SeriesMissedNotice, StopReason, SweepNotice, SweepState, WouldReleaseNotice,
};
use crate::access::KeyId;
use crate::action::{ActionId, Actor, EventSnapshot, Outcome};
use crate::calendar::RoomAddress;
use crate::clock::{Clock, SystemClock};

/// Notices that a slow subscriber may lag behind; beyond that it receives a `gap`. On the hour, every room may change.
pub const BACKLOG_MAX: usize = 16_384;

/// Bytes of notices kept for clients that reconnect: [`BACKLOG_MAX`] notices of 500 bytes each.
pub const BACKLOG_BYTES_MAX: usize = 8 << 20;

/// A notice.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A room's state changed.
    RoomChanged {
        /// The room.
        room: RoomAddress,
    },
    /// An action ended.
    ActionFinished {
        /// The room.
        room: RoomAddress,
        /// The action's id.
        action: ActionId,
        /// The caller; `None` for a sweep's action.
        actor: Option<Actor>,
        /// The outcome, which all subscribers share.
        outcome: Arc<Outcome>,
    },
    /// A check-in was stored.
    CheckedIn {
        /// The room.
        room: RoomAddress,
        /// The time.
        at: DateTime<Utc>,
        /// The source of the check-in.
        source: String,
    },
    /// The current event will be released without a check-in.
    ReleaseWarning {
        /// The room.
        room: RoomAddress,
        /// The time of the release.
        at: DateTime<Utc>,
    },
    /// A release that was announced or due is cancelled; the meeting is kept.
    ReleaseStopped {
        /// The room.
        room: RoomAddress,
        /// The meeting's start.
        start: DateTime<Utc>,
        /// The reason.
        reason: StopReason,
        /// The reason as text.
        why: String,
    },
    /// Observe mode: the meeting would have been released.
    WouldRelease {
        /// The room.
        room: RoomAddress,
        /// The meeting's start.
        start: DateTime<Utc>,
        /// The meeting's end.
        end: DateTime<Utc>,
        /// The reason.
        why: String,
    },
    /// A series reached its last strike.
    SeriesMissed {
        /// The room.
        room: RoomAddress,
        /// The date that was released last.
        event: EventSnapshot,
        /// Unattended dates in a row.
        missed: u32,
        /// Whether the whole series was removed.
        deleted: bool,
    },
    /// The state of a sweep changed.
    SweepChanged {
        /// The sweep's id; `None` for a scheduled one.
        sweep: Option<SweepId>,
        /// The key or schedule that started it.
        by: String,
        /// The sweep's rooms.
        rooms: Arc<Vec<RoomAddress>>,
        /// The new state.
        state: SweepState,
        /// Planned or finished actions.
        actions: usize,
    },
    /// A paired display has been without contact for too long.
    DisplayLost {
        /// The display's room.
        room: RoomAddress,
        /// The display's id.
        display: KeyId,
        /// The display's name.
        name: String,
        /// Its last contact.
        last_contact: Option<DateTime<Utc>>,
    },
    /// A display that was lost is in contact again.
    DisplayFound {
        /// The display's room.
        room: RoomAddress,
        /// The display's id.
        display: KeyId,
        /// The display's name.
        name: String,
        /// Its last contact.
        last_contact: Option<DateTime<Utc>>,
    },
    /// The journal's last entry, for a copy outside this machine. Only webhooks receive it.
    JournalHead {
        /// The entry's number.
        number: u64,
        /// The entry's hash, which covers all entries before it.
        hash: String,
    },
}

impl Notice {
    /// The name of the notice's kind in event streams and webhook bodies.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RoomChanged { .. } => "room",
            Self::ActionFinished { .. } => "action",
            Self::CheckedIn { .. } => "check-in",
            Self::ReleaseWarning { .. } => "release-warning",
            Self::ReleaseStopped { .. } => "release-stopped",
            Self::WouldRelease { .. } => "would-release",
            Self::SeriesMissed { .. } => "series-missed",
            Self::SweepChanged { .. } => "sweep",
            Self::DisplayLost { .. } => "display-lost",
            Self::DisplayFound { .. } => "display-found",
            Self::JournalHead { .. } => "journal-head",
        }
    }

    /// The data of the notice, as far as every subscriber that receives it may see it, or a webhook.
    pub(crate) fn data(&self) -> NoticeData {
        match self {
            Self::RoomChanged { room } => NoticeData::Room { id: room.clone() },
            Self::ActionFinished { room, action, outcome, .. } => NoticeData::Action(ActionNotice {
                room: room.clone(),
                action_id: Some(*action),
                message: Some(outcome.to_string()),
            }),
            Self::CheckedIn { room, at, source } => NoticeData::CheckIn(CheckInNotice {
                room: room.clone(),
                at: (*at).into(),
                source: source.clone(),
            }),
            Self::ReleaseWarning { room, at } => {
                let (room, release_at) = (room.clone(), (*at).into());
                NoticeData::ReleaseWarning(ReleaseWarningNotice { room, release_at })
            }
            Self::ReleaseStopped { room, start, reason, why } => {
                let (room, start, message) = (room.clone(), (*start).into(), why.clone());
                NoticeData::ReleaseStopped(ReleaseStoppedNotice { room, start, reason: *reason, message })
            }
            Self::WouldRelease { room, start, end, why } => {
                let (room, start, end) = (room.clone(), (*start).into(), (*end).into());
                NoticeData::WouldRelease(WouldReleaseNotice { room, start, end, message: why.clone() })
            }
            Self::SeriesMissed { room, event, missed, deleted } => {
                NoticeData::SeriesMissed(SeriesMissedNotice {
                    room: room.clone(),
                    organizer: event.organizer.clone(),
                    start: event.start.into(),
                    missed: *missed,
                    deleted: *deleted,
                })
            }
            Self::SweepChanged { sweep, by, rooms, state, actions } => NoticeData::Sweep(SweepNotice {
                sweep_id: *sweep,
                by: by.clone(),
                rooms: rooms.len(),
                state: *state,
                actions: *actions,
            }),
            Self::DisplayLost { room, display, name, last_contact }
            | Self::DisplayFound { room, display, name, last_contact } => {
                NoticeData::Display(DisplayNotice {
                    room: room.clone(),
                    display_id: display.to_string(),
                    name: name.clone(),
                    last_contact_at: last_contact.map(Into::into),
                })
            }
            Self::JournalHead { number, hash } => {
                NoticeData::JournalHead(JournalHeadNotice { entry: *number, hash: hash.clone() })
            }
        }
    }

    /// The data of the notice as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.data()).unwrap_or_default()
    }

    /// The approximate memory of the notice, without the list of rooms, which it shares with its sweep.
    fn bytes(&self) -> usize {
        let texts = match self {
            Self::CheckedIn { source, .. } => source.len(),
            Self::ReleaseStopped { why, .. } | Self::WouldRelease { why, .. } => why.len(),
            Self::ActionFinished { outcome, .. } => json_bytes(&**outcome),
            Self::SeriesMissed { event, .. } => json_bytes(event),
            Self::SweepChanged { by, .. } => by.len(),
            Self::JournalHead { hash, .. } => hash.len(),
            Self::DisplayLost { name, .. } | Self::DisplayFound { name, .. } => name.len(),
            Self::RoomChanged { .. } | Self::ReleaseWarning { .. } => 0,
        };
        let room = self.rooms().first().map_or(0, |room| room.as_str().len());
        size_of::<SequencedNotice>() + room + texts
    }

    /// The rooms that the notice concerns: only subscribers that may see all of them receive it.
    pub fn rooms(&self) -> &[RoomAddress] {
        match self {
            Self::RoomChanged { room }
            | Self::ActionFinished { room, .. }
            | Self::CheckedIn { room, .. }
            | Self::ReleaseWarning { room, .. }
            | Self::ReleaseStopped { room, .. }
            | Self::WouldRelease { room, .. }
            | Self::SeriesMissed { room, .. }
            | Self::DisplayLost { room, .. }
            | Self::DisplayFound { room, .. } => std::slice::from_ref(room),
            Self::SweepChanged { rooms, .. } => rooms,
            Self::JournalHead { .. } => &[],
        }
    }

    /// Whether the notice concerns a display, and is only for keys that may manage displays.
    pub fn concerns_display(&self) -> bool {
        matches!(self, Self::DisplayLost { .. } | Self::DisplayFound { .. })
    }

    /// Whether the notice concerns a whole sweep, and is only for keys that may sweep.
    pub fn concerns_sweep(&self) -> bool {
        matches!(self, Self::SweepChanged { .. })
    }
}

/// The length as JSON, an approximation of the memory.
fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

/// Publishes notices to subscribers until it is closed. Cheap to clone.
#[derive(Clone)]
pub struct NoticeBus(Arc<SharedBus>);

struct SharedBus {
    clock: Arc<dyn Clock>,
    /// Distinguishes this process's numbers from those of an earlier one.
    process: Uuid,
    log: Mutex<NoticeLog>,
}

struct NoticeLog {
    /// The bytes of the notices in `recent`.
    bytes: usize,
    sender: Option<broadcast::Sender<SequencedNotice>>,
    last_number: u64,
    /// The latest notices, for clients that reconnect.
    recent: VecDeque<SequencedNotice>,
}

/// A notice with its number, id and time.
#[derive(Debug, Clone)]
pub struct SequencedNotice {
    /// One more than the number of the notice before.
    pub number: u64,
    /// The notice's id: the same for every subscriber and for every delivery.
    pub id: Uuid,
    /// When it was published.
    pub at: DateTime<Utc>,
    /// The notice.
    pub notice: Notice,
}

impl NoticeLog {
    /// Keeps a notice, and drops the oldest ones beyond the limits; a client that resumes before them receives a `gap`.
    fn keep(&mut self, sequenced: SequencedNotice) {
        self.bytes += sequenced.notice.bytes();
        self.recent.push_back(sequenced);
        while self.recent.len() > BACKLOG_MAX || self.bytes > BACKLOG_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.notice.bytes());
        }
    }
}

/// A subscription of a client that was connected before.
pub struct ResumedSubscription {
    /// The notices since the client disconnected; `None` when some are no longer kept.
    pub missed: Option<Vec<SequencedNotice>>,
    /// The notices from now on.
    pub receiver: broadcast::Receiver<SequencedNotice>,
    /// The number of the last notice before this subscription.
    pub last_number: u64,
}

impl Default for NoticeBus {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl NoticeBus {
    /// A bus whose notices carry this clock's time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let sender = Some(broadcast::channel(BACKLOG_MAX).0);
        let log = Mutex::new(NoticeLog { sender, last_number: 0, recent: VecDeque::new(), bytes: 0 });
        Self(Arc::new(SharedBus { clock, process: Uuid::new_v4(), log }))
    }

    /// Publishes a notice to all subscribers.
    pub fn publish(&self, notice: Notice) {
        let at = self.0.clock.now();
        let mut log = self.log();
        let Some(sender) = log.sender.clone() else { return };
        log.last_number += 1;
        // The process's own id with the number in its last bits.
        let id = Uuid::from_u128(self.0.process.as_u128() ^ u128::from(log.last_number));
        let sequenced = SequencedNotice { number: log.last_number, id, at, notice };
        log.keep(sequenced.clone());
        // Having no subscriber is no error.
        let _ = sender.send(sequenced);
    }

    /// Subscribes; `None` after the bus was closed.
    pub fn subscribe(&self) -> Option<broadcast::Receiver<SequencedNotice>> {
        Some(self.log().sender.as_ref()?.subscribe())
    }

    /// Subscribes with a position from which the client can [`resume`](Self::resume), even before the first notice.
    pub fn subscribe_resumable(&self) -> Option<ResumedSubscription> {
        let log = self.log();
        let receiver = log.sender.as_ref()?.subscribe();
        Some(ResumedSubscription { missed: Some(Vec::new()), receiver, last_number: log.last_number })
    }

    /// Resumes after the notice with this event id; `None` after the bus was closed.
    pub fn resume(&self, last: &str) -> Option<ResumedSubscription> {
        let log = self.log();
        let receiver = log.sender.as_ref()?.subscribe();
        let number = last
            .rsplit_once('-')
            .filter(|(process, _)| *process == self.0.process.simple().to_string())
            .and_then(|(_, number)| number.parse::<u64>().ok())
            .filter(|number| *number <= log.last_number);
        let oldest = log.recent.front().map_or(log.last_number + 1, |sequenced| sequenced.number);
        let missed = number
            .filter(|number| number + 1 >= oldest)
            .map(|number| log.recent.iter().filter(|sequenced| sequenced.number > number).cloned().collect());
        Some(ResumedSubscription { missed, receiver, last_number: log.last_number })
    }

    /// The event id of a notice, from which a client can [`resume`](Self::resume).
    pub fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.0.process.simple())
    }

    /// Closes the bus: all subscriptions end.
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
        let missed = |last: &str| {
            let resumed = notices.resume(last).unwrap();
            resumed.missed.map(|all| all.iter().map(|sequenced| sequenced.number).collect::<Vec<_>>())
        };
        assert_eq!(missed(&seen), Some(vec![2, 3]));
        assert_eq!(missed(&notices.event_id(3)), Some(vec![]));
        for unknown in [NoticeBus::default().event_id(1), notices.event_id(4), "1".to_owned(), String::new()]
        {
            assert_eq!(missed(&unknown), None, "{unknown}");
        }
        (0..BACKLOG_MAX).for_each(|_| notices.publish(notice("d@x.y")));
        assert_eq!(missed(&seen), None);
        assert_eq!(missed(&notices.event_id(3)).map(|all| all.len()), Some(BACKLOG_MAX));
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
        let kept: usize = notices.log().recent.iter().map(|sequenced| sequenced.notice.bytes()).sum();
        assert_eq!(kept, notices.log().bytes);
        assert!((BACKLOG_BYTES_MAX - 200_000..=BACKLOG_BYTES_MAX).contains(&kept), "{kept}");
        assert!(notices.resume(&seen).unwrap().missed.is_none(), "the gap is told");
        assert_eq!(notices.resume(&notices.event_id(200)).unwrap().missed.map(|all| all.len()), Some(1));
    }
}
