//! The recorded decision about a meeting, for the report. In observe mode it is the only trace. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EvaluatedEvent, KeepReason, Verdict};
use crate::calendar::RoomAddress;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The room.
    pub room: RoomAddress,
    /// The meeting's UID; its item id if it has none.
    pub uid: String,
    /// The meeting's start.
    pub start: DateTime<Utc>,
    /// The meeting's planned end.
    pub end: DateTime<Utc>,
    /// When the decision was made.
    pub decided_at: DateTime<Utc>,
    /// The decision.
    pub outcome: DecisionKind,
    /// The proof or the reason, as text.
    pub why: String,
}

/// A kind of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DecisionKind {
    /// A sign shows that people attended.
    Attended,
    /// Absence was proven, and the release was started.
    Released,
    /// Absence was proven; observe mode changed nothing.
    WouldRelease,
    /// Presence is unknown; the meeting was kept.
    Unknown,
}

impl DecisionKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Attended, Self::Released, Self::WouldRelease, Self::Unknown];

    /// The name in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attended => "attended",
            Self::Released => "released",
            Self::WouldRelease => "would-release",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DecisionKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

impl Decision {
    /// The decision that a verdict amounts to; `None` while a check-in is still possible, and for exempt events.
    pub fn of(
        room: &RoomAddress,
        evaluated: &EvaluatedEvent,
        acts: bool,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let EvaluatedEvent { event, verdict, .. } = evaluated;
        let (outcome, why) = match verdict {
            Verdict::Act { proof: Some(proof), .. } if acts => (DecisionKind::Released, proof.to_string()),
            Verdict::Act { proof: Some(proof), .. } => (DecisionKind::WouldRelease, proof.to_string()),
            Verdict::Keep { why: why @ KeepReason::CheckedIn { .. } } if event.start <= now => {
                (DecisionKind::Attended, why.to_string())
            }
            Verdict::Keep { why: KeepReason::Unknown { doubt } } if event.start <= now => {
                (DecisionKind::Unknown, doubt.to_string())
            }
            _ => return None,
        };
        let uid = event.uid.as_ref().map_or_else(|| event.id.to_string(), ToString::to_string);
        let (start, end) = (event.start, event.end);
        Some(Self { room: room.clone(), uid, start, end, decided_at: now, outcome, why })
    }
}
