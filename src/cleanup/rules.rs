//! The rules: when an event counts as abandoned, what is then done, and what is spared. Values with their defaults.

use std::collections::BTreeSet;
use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{OnLastStrike, OnReappearance, RoomGroup};
use crate::action::{ActionKind, DeleteMode, Notify};
use crate::calendar::RoomAddress;
use crate::presence::{CheckInTiming, CrowdLimits, SilenceLimits};

/// Everything a sweep goes by. A rule that is `None` is off.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// Nobody checked in.
    pub no_check_in: Option<NoCheckIn>,
    /// The organizer cancelled, the item stayed.
    pub cancelled_leftover: Option<CancelledLeftover>,
    /// The organizer has left.
    pub organizer_gone: Option<OrganizerGone>,
    /// Whether the service carries out by itself what it decides, where that is stated.
    pub mode: Option<CleanupMode>,
    /// How long sources of signs may be silent.
    pub silence: SilenceLimits,
    /// What is different in some rooms.
    pub room_groups: Vec<RoomGroup>,
    /// What is spared.
    pub exceptions: Exceptions,
    /// What to do about events that were acted on before and are there again.
    pub on_reappearance: OnReappearance,
    /// What a sweep may touch at most.
    pub limits: SweepLimits,
}

/// What the service does with its own decisions (releases, schedules).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanupMode {
    /// Judges, records and announces; writes nothing. The default of a new installation.
    #[default]
    Observe,
    /// Carries its decisions out.
    Act,
}

/// Nobody checked in within the grace time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCheckIn {
    /// How long after the start somebody may still come.
    pub grace: TimeDelta,
    /// How long before the start a check-in already counts.
    pub early: TimeDelta,
    /// From how long after the start a sign that names no event counts. Before it, those who leave look like those who
    /// come. Zero: such a sign counts as early as a check-in.
    pub presence_after: TimeDelta,
    /// What to do.
    pub release_by: ReleaseMethod,
    /// The grace of events booked at the last moment, which are spared altogether where this is `None`
    /// ([`Exceptions::created_within`]): whoever books at the door is at the door, and may leave again.
    pub walk_in_grace: Option<TimeDelta>,
    /// Organizers, by lower-case address, who need not check in: who has many meetings in one room.
    pub auto_check_in: BTreeSet<String>,
    /// After so many dates of a series in a row to which nobody came …; 0: they are not counted.
    pub strikes: u32,
    /// … this.
    pub on_last_strike: OnLastStrike,
}

/// The organizer cancelled the meeting but the item still stands in the room. It can only be removed: Exchange refuses
/// to decline what is cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CancelledLeftover;

/// The directory knows nobody by the organizer's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizerGone {
    /// The organization's own mail domains. Only an organizer in one of them can be gone: of people elsewhere the
    /// directory knows nothing, whether they are there or not.
    pub domains: BTreeSet<String>,
    /// What to do; not `WorkResult`, since most such events lie ahead.
    pub release_by: ReleaseMethod,
}

/// What is spared by *no check-in* and *organizer gone*. Not by *cancelled leftovers*: nobody is coming to those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceptions {
    /// Spare all-day events.
    pub all_day: bool,
    /// Spare events longer than this.
    pub longer_than: Option<TimeDelta>,
    /// Spare events shorter than this.
    pub shorter_than: Option<TimeDelta>,
    /// Spare events that were created less than this before their start: whoever books at the door is at the door.
    pub created_within: Option<TimeDelta>,
    /// Spare events of these organizers, by lower-case address.
    pub organizers: BTreeSet<String>,
    /// Spare private events (where the room's calendar processing keeps the mark).
    pub private: bool,
}

/// What a sweep may touch at most. Beyond either limit it touches nothing: a mistaken rule or an evidence feed that
/// went silent looks exactly like a building full of abandoned meetings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SweepLimits {
    /// Actions in one sweep.
    pub actions_max: usize,
    /// Share of the events seen, 0 to 1.
    #[serde(rename = "share_max")]
    pub max_fraction: f64,
    /// From how many events on the share counts: of three events, one is a third.
    #[serde(rename = "share_from")]
    pub min_events: usize,
    /// Whole series within a day, over all sweeps; beyond it only their dates are released.
    #[serde(default = "series_max")]
    pub series_max: usize,
}

fn series_max() -> usize {
    3
}

/// What is done to an abandoned event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseMethod {
    /// Decline (or cancel, where the room organized): the other side is told.
    Decline,
    /// Move to Deleted Items without a word.
    Remove,
    /// Let it end now and keep what has been.
    End,
}

/// The name of a rule, in plans and in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// [`NoCheckIn`].
    NoCheckIn,
    /// [`CancelledLeftover`].
    CancelledLeftover,
    /// [`OrganizerGone`].
    OrganizerGone,
    /// [`NoCheckIn::strikes`].
    Strikes,
}

impl ReleaseMethod {
    /// For a whole series, which cannot be ended early.
    pub(super) fn for_series(self) -> Self {
        match self {
            Self::End => Self::Decline,
            other => other,
        }
    }

    /// As an action's wish.
    pub fn action_kind(self) -> ActionKind {
        match self {
            Self::Decline => ActionKind::Delete(DeleteMode::Notify),
            Self::Remove => ActionKind::Delete(DeleteMode::Silent),
            Self::End => ActionKind::End(Notify::Attendees),
        }
    }
}

impl NoCheckIn {
    /// The times by which presence is judged, with this grace.
    pub fn terms(&self, grace: TimeDelta) -> CheckInTiming {
        CheckInTiming { grace, early: self.early, presence_after: self.presence_after }
    }
}

impl Rules {
    /// Whether a verdict in this room may depend on who the organizer is.
    pub(super) fn depend_on_organizer(&self, room: &RoomAddress) -> bool {
        let auto_check_in = self.check_in(room).is_some_and(|rule| !rule.auto_check_in.is_empty());
        self.organizer_gone.is_some() || !self.exceptions.organizers.is_empty() || auto_check_in
    }
}

impl SweepLimits {
    /// What a crowd of meetings may look like before its absence is believed.
    pub fn crowd(&self) -> CrowdLimits {
        CrowdLimits { max_fraction: self.max_fraction, min_events: self.min_events }
    }
}

impl Default for NoCheckIn {
    /// Ten minutes of grace and of earliness, the commonest settings of room products; declined, so that the organizer
    /// hears of it.
    fn default() -> Self {
        Self {
            grace: TimeDelta::minutes(10),
            early: TimeDelta::minutes(10),
            presence_after: TimeDelta::zero(),
            release_by: ReleaseMethod::Decline,
            walk_in_grace: None,
            auto_check_in: BTreeSet::new(),
            strikes: 0,
            on_last_strike: OnLastStrike::Report,
        }
    }
}

impl Default for Exceptions {
    fn default() -> Self {
        Self {
            all_day: true,
            longer_than: Some(TimeDelta::hours(8)),
            shorter_than: None,
            created_within: Some(TimeDelta::minutes(10)),
            organizers: BTreeSet::new(),
            private: false,
        }
    }
}

impl Default for SweepLimits {
    fn default() -> Self {
        Self { actions_max: 100, max_fraction: 0.5, min_events: 20, series_max: series_max() }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCheckIn => "no-check-in",
            Self::CancelledLeftover => "cancelled-leftover",
            Self::OrganizerGone => "organizer-gone",
            Self::Strikes => "strikes",
        })
    }
}

impl fmt::Display for CleanupMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Act => "act",
        })
    }
}

impl fmt::Display for ReleaseMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decline => "decline",
            Self::Remove => "remove",
            Self::End => "end",
        })
    }
}
