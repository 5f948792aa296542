//! What was decided about a meeting, as it is recorded for the report: in observe mode nothing else is left of it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EvaluatedEvent, KeepReason, Verdict};
use crate::calendar::RoomAddress;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// In which room.
    pub room: RoomAddress,
    /// The meeting's UID, or its id where it has none.
    pub uid: String,
    /// When it began.
    pub start: DateTime<Utc>,
    /// When it was to end.
    pub end: DateTime<Utc>,
    /// When this was decided.
    pub decided_at: DateTime<Utc>,
    /// What was decided.
    pub outcome: DecisionKind,
    /// The proof or the reason, in words.
    pub why: String,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionKind {
    /// People came.
    Attended,
    /// Nobody came, and the release was begun.
    Released,
    /// Nobody came, and observe mode wrote nothing.
    WouldRelease,
    /// Presence is not known; the meeting stayed.
    Unknown,
}

impl DecisionKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Attended, Self::Released, Self::WouldRelease, Self::Unknown];

    /// As it is stored.
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
    /// The decision that a verdict stands for; `None` while people may still come, and for events that are spared.
    pub fn of(room: &RoomAddress, judged: &EvaluatedEvent, acts: bool, now: DateTime<Utc>) -> Option<Self> {
        let EvaluatedEvent { event, verdict } = judged;
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
