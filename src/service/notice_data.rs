//! The data of notices, as event streams and webhook bodies have it. A notice of one kind always has the same members; a member without
//! a value is null. Publishes nothing.

use serde::Serialize;
use utoipa::ToSchema;

use super::SweepId;
use crate::action::ActionId;
use crate::calendar::RoomAddress;
use crate::presence::UnknownReason;
use crate::timestamp::Timestamp;

/// The data of a notice.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum NoticeData {
    Room { id: RoomAddress },
    Action(ActionNotice),
    CheckIn(CheckInNotice),
    ReleaseWarning(ReleaseWarningNotice),
    ReleaseStopped(ReleaseStoppedNotice),
    WouldRelease(WouldReleaseNotice),
    SeriesMissed(SeriesMissedNotice),
    Sweep(SweepNotice),
    Display(DisplayNotice),
    JournalHead(JournalHeadNotice),
}

/// An action ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionNotice {
    /// The room's SMTP address.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// The action's id; null in event streams of keys that may not read the action.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub action_id: Option<ActionId>,
    /// The outcome in a sentence; null in event streams of keys that may not read the action.
    pub message: Option<String>,
}

/// A check-in was stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckInNotice {
    /// The room's SMTP address.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// Time of the check-in.
    pub at: Timestamp,
    /// The source of the check-in.
    #[schema(example = "panel")]
    pub source: String,
}

/// The current event will be released unless a check-in arrives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReleaseWarningNotice {
    /// The room's SMTP address.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// Time of the release.
    pub release_at: Timestamp,
}

/// A release that was announced or due does not take place: the event is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReleaseStoppedNotice {
    /// The room's SMTP address.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// Start of the event.
    pub start: Timestamp,
    /// Why the event is kept.
    pub reason: StopReason,
    /// The reason in a sentence.
    pub message: String,
}

/// Observe mode: the event would have been released.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WouldReleaseNotice {
    /// The room's SMTP address.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// Start of the event.
    pub start: Timestamp,
    /// End of the event (exclusive).
    pub end: Timestamp,
    /// The reason in a sentence.
    pub message: String,
}

/// A series reached its last strike.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesMissedNotice {
    /// The room's SMTP address.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// The organizer's address, where it is known; always null in event streams.
    pub organizer: Option<String>,
    /// Start of the date that was released last.
    pub start: Timestamp,
    /// Unattended dates in a row.
    pub missed: u32,
    /// Whether the whole series was removed.
    pub deleted: bool,
}

/// The state of a sweep changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SweepNotice {
    /// The sweep's id; null for a scheduled sweep.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub sweep_id: Option<SweepId>,
    /// The new state.
    pub state: SweepState,
    /// The key or schedule that started the sweep.
    pub by: String,
    /// Number of rooms.
    pub rooms: usize,
    /// Number of planned or finished actions.
    pub actions: usize,
}

/// A paired display is lost, or back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DisplayNotice {
    /// SMTP address of the display's room.
    #[schema(value_type = String, example = "room-aurora@example.com")]
    pub room: RoomAddress,
    /// The display's id, which is that of its key.
    #[schema(example = "1f0c9a27be")]
    pub display_id: String,
    /// The display's name.
    #[schema(example = "Aurora, door")]
    pub name: String,
    /// Its last contact.
    pub last_contact_at: Option<Timestamp>,
}

/// The journal's last entry, for a copy outside this machine. Only webhooks receive it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JournalHeadNotice {
    /// Number of the entry.
    pub entry: u64,
    /// Hash of the entry, which covers all entries before it.
    pub hash: String,
}

/// Some notices were lost: read the rooms again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GapNotice {
    /// Number of lost notices; always null in event streams.
    pub missed: Option<u64>,
}

/// The state of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SweepState {
    /// Reading rooms and evaluating events.
    Planning,
    /// The plan is ready for review.
    Planned,
    /// The plan is being applied.
    Applying,
    /// The plan was applied.
    Applied,
    /// The plan exceeds a limit; nothing was changed.
    Stopped,
    /// The sweep ended early. The actions before that are kept.
    Failed,
}

impl SweepState {
    /// The value as the API, the metrics and the log have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Planned => "planned",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// Why a release is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// So many meetings look unattended that the check-in sources may be silent.
    FeedSilent,
    /// The room had no working source throughout the period.
    NotWatched,
    /// A sign matches no event.
    UnmatchedSign,
    /// Evidence of the room was refused because a limit was reached.
    EvidenceRefused,
    /// A property that the decision needs is missing.
    MissingField,
    /// This machine's clock is not trusted.
    Clock,
    /// The meeting ends before the grace period.
    EndsInGrace,
    /// More releases at once than the limits allow.
    Limit,
}

impl StopReason {
    /// The reason for this kind of unknown presence.
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
}
