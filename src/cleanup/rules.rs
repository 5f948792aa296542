//! The rules: when an event counts as abandoned, how it is released, and which events are exempt. Plain values with defaults;
//! this module evaluates nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::action::{ActionKind, DeleteMode, Notify};
use crate::calendar::{RoomAddress, RoomPattern};
use crate::color::Color;
use crate::presence::{CheckInTiming, CrowdLimits, SilenceLimits};

/// The rules of a sweep. A rule that is `None` is off.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// Releases meetings without a check-in.
    pub no_check_in: Option<NoCheckIn>,
    /// Removes cancelled meetings that stayed in the calendar.
    pub cancelled_leftover: Option<CancelledLeftover>,
    /// Releases meetings of organizers who left the organization.
    pub organizer_gone: Option<OrganizerGone>,
    /// Whether the service carries out its own decisions; `None` when the configuration does not set it.
    pub mode: Option<CleanupMode>,
    /// How long evidence sources may be silent.
    pub silence: SilenceLimits,
    /// Settings of some rooms.
    pub room_groups: Vec<RoomGroup>,
    /// Exempt events.
    pub exceptions: Exceptions,
    /// How to treat events that reappear after a release.
    pub on_reappearance: OnReappearance,
    /// The limits of a sweep.
    pub limits: SweepLimits,
}

/// A set of rooms with settings of their own (`[[room_groups]]`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomGroup {
    /// The group's name.
    pub name: String,
    /// The rooms, as patterns.
    pub rooms: Vec<RoomPattern>,
    /// Overrides [`Rules::mode`].
    pub mode: Option<CleanupMode>,
    /// Turns the check-in rule on or off.
    pub check_in: Option<bool>,
    /// Overrides [`NoCheckIn::grace`].
    pub grace: Option<TimeDelta>,
    /// Overrides [`NoCheckIn::early`].
    pub early: Option<TimeDelta>,
    /// Overrides [`NoCheckIn::presence_after`].
    pub presence_after: Option<TimeDelta>,
    /// Overrides [`NoCheckIn::release_by`].
    pub release_by: Option<ReleaseMethod>,
    /// Overrides [`NoCheckIn::walk_in_grace`]; zero exempts walk-ins.
    pub walk_in_grace: Option<TimeDelta>,
    /// Overrides [`NoCheckIn::auto_check_in`].
    pub auto_check_in: Option<BTreeSet<String>>,
    /// Overrides [`NoCheckIn::strikes`].
    pub strikes: Option<u32>,
    /// Overrides [`NoCheckIn::on_last_strike`].
    pub on_last_strike: Option<OnLastStrike>,
    /// The rooms' building.
    pub building: Option<String>,
    /// The rooms' floor.
    pub floor: Option<String>,
    /// The number of people that each room holds.
    pub capacity: Option<u32>,
    /// What each room has; replaces the list of earlier groups.
    pub equipment: Option<Vec<String>>,
    /// The rooms' time zone, as an IANA name.
    pub time_zone: Option<String>,
    /// The language of the rooms' displays, as a BCP 47 tag.
    pub language: Option<String>,
    /// The accent colour of the rooms' displays.
    pub accent: Option<Color>,
    /// The path at which the service serves the logo of the rooms' displays.
    pub logo: Option<String>,
    /// Display names of single rooms.
    pub names: BTreeMap<RoomAddress, String>,
}

/// Whether the service carries out its own decisions (releases, schedules).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(schemars::JsonSchema))]
pub enum CleanupMode {
    /// Evaluates, records and announces; changes no calendar. The default of a new installation.
    #[default]
    Observe,
    /// Carries out its decisions.
    Act,
}

/// The check-in rule: a meeting without a check-in in the grace period is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCheckIn {
    /// The grace period after the start.
    pub grace: TimeDelta,
    /// How long before the start a check-in counts.
    pub early: TimeDelta,
    /// How long after the start a sign without an event counts, since before it, people who leave look like people who arrive.
    /// Zero: such a sign counts as early as a check-in.
    pub presence_after: TimeDelta,
    /// How the meeting is released.
    pub release_by: ReleaseMethod,
    /// The grace period of walk-ins, events that were booked right before their start ([`Exceptions::created_within`]). `None`
    /// exempts them: people who book at the door are at the door.
    pub walk_in_grace: Option<TimeDelta>,
    /// Organizers, by lower-case address, whose meetings need no check-in: people with many meetings in one room.
    pub auto_check_in: BTreeSet<String>,
    /// The number of unattended dates of a series in a row that triggers `on_last_strike`; 0: they are not counted.
    pub strikes: u32,
    /// The consequence of the last strike.
    pub on_last_strike: OnLastStrike,
}

/// A cancelled meeting that is still in the room's calendar. It can only be removed: Exchange refuses to decline a cancelled
/// meeting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CancelledLeftover;

/// A meeting whose organizer is not in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizerGone {
    /// The organization's own mail domains. Only an organizer in one of them can be gone: the directory does not contain people
    /// of other organizations.
    pub domains: BTreeSet<String>,
    /// How such an event is released; never by `End`, since most such events lie ahead.
    pub release_by: ReleaseMethod,
}

/// Events that are exempt from `no_check_in` and `organizer_gone`. Cancelled leftovers are never exempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceptions {
    /// Exempts all-day events.
    pub all_day: bool,
    /// Exempts events longer than this.
    pub longer_than: Option<TimeDelta>,
    /// Exempts events shorter than this.
    pub shorter_than: Option<TimeDelta>,
    /// Exempts events that were created less than this before their start: people who book at the door are at the door.
    pub created_within: Option<TimeDelta>,
    /// Exempts events of these organizers, by lower-case address.
    pub organizers: BTreeSet<String>,
    /// Exempts private events, if the room's calendar processing keeps their sensitivity.
    pub private: bool,
}

/// How a sweep treats an event that it would release and that was released before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(schemars::JsonSchema))]
pub enum OnReappearance {
    /// Keep it and show it in the plan, for a person to decide.
    #[default]
    Report,
    /// Keep it: the organizer wants it.
    Respect,
    /// Release it once more. If it reappears again, keep it and show it in the plan.
    Repeat,
}

/// The consequence of the last strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(schemars::JsonSchema))]
pub enum OnLastStrike {
    /// Release only the date, and send a notice that the series may not be needed.
    #[default]
    Report,
    /// Remove the whole series from the room's calendar: modified dates first, then the series.
    Delete,
}

/// The limits of a sweep. A plan beyond a limit is not applied at all: a mistaken rule, or an evidence feed that went silent,
/// looks exactly like a building full of abandoned meetings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepLimits {
    /// Actions in one sweep.
    pub actions_max: usize,
    /// Fraction of the plan's events, 0 to 1.
    pub max_fraction: f64,
    /// The number of events from which the fraction applies: one of three events is already a third.
    pub min_events: usize,
    /// Removed series within a day, over all sweeps; beyond it only the unattended dates are released.
    pub series_max: usize,
}

/// How an abandoned event is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(schemars::JsonSchema, utoipa::ToSchema))]
#[non_exhaustive]
pub enum ReleaseMethod {
    /// Decline it, or cancel it if the room is the organizer; the other side is notified.
    Decline,
    /// Move it to Deleted Items without notifying anyone.
    Remove,
    /// End it now and keep the elapsed part.
    End,
}

/// The name of a rule, in plans and in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
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
    /// The method for a whole series, which cannot be ended early.
    pub(super) fn for_series(self) -> Self {
        match self {
            Self::End => Self::Decline,
            other => other,
        }
    }

    /// The action that releases an event this way.
    pub fn action_kind(self) -> ActionKind {
        match self {
            Self::Decline => ActionKind::Delete(DeleteMode::Notify),
            Self::Remove => ActionKind::Delete(DeleteMode::Silent),
            Self::End => ActionKind::End(Notify::Attendees),
        }
    }
}

impl RoomGroup {
    pub(super) fn includes(&self, room: &RoomAddress) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room))
    }
}

impl NoCheckIn {
    /// The times that presence is decided by, with this grace period.
    pub fn terms(&self, grace: TimeDelta) -> CheckInTiming {
        CheckInTiming { grace, early: self.early, presence_after: self.presence_after }
    }
}

impl Rules {
    /// Whether a verdict in this room may depend on the organizer.
    pub(super) fn depend_on_organizer(&self, room: &RoomAddress) -> bool {
        let auto_check_in = self.check_in(room).is_some_and(|rule| !rule.auto_check_in.is_empty());
        self.organizer_gone.is_some() || !self.exceptions.organizers.is_empty() || auto_check_in
    }
}

impl SweepLimits {
    /// The limits for a crowd of unattended meetings at one time.
    pub fn crowd(&self) -> CrowdLimits {
        CrowdLimits { max_fraction: self.max_fraction, min_events: self.min_events }
    }
}

impl Default for NoCheckIn {
    /// Ten minutes of grace and ten minutes of early check-in, the commonest defaults of room booking products. The meeting is
    /// declined, so that the organizer is notified.
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
        Self { actions_max: 100, max_fraction: 0.5, min_events: 20, series_max: 3 }
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

impl fmt::Display for OnLastStrike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
            Self::Delete => "delete",
        })
    }
}
