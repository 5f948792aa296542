//! `[cleanup]`, `[[room_groups]]` and `[[schedules]]` as they are written, with the defaults of their keys. What the keys mean
//! together is checked in `config/rules.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Bounded, Fraction, Located, Minutes};
use crate::cleanup::{self, CleanupMode, OnLastStrike, OnReappearance, ReleaseMethod, SweepLimits};
use crate::presence::SilenceLimits;
use crate::service::ServiceOptions;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct CleanupSection {
    /// Rooms that a sweep works on at once.
    pub(in crate::config) max_concurrent_rooms: Bounded<1, 1_000>,
    /// How far ahead a sweep looks.
    pub(in crate::config) horizon_hours: Bounded<1, 8_784>,
    /// What the service does with its own decisions: `observe` records and announces them, `act` carries them out. Not set: the
    /// service observes, and `adjourn cleanup --apply` acts. With `observe`, `cleanup --apply` is refused.
    #[schemars(example = &"observe")]
    pub(in crate::config) mode: Option<CleanupMode>,
    /// How long a source of evidence may be silent and still count as alive. A room that no live source watches keeps its
    /// meetings.
    pub(in crate::config) evidence: EvidenceSection,
    /// The rule on meetings without a check-in or another sign of presence.
    pub(in crate::config) no_check_in: Option<NoCheckInSection>,
    /// The rule on cancelled meetings: removes an event that its organizer cancelled and that still stands in the room's
    /// calendar.
    pub(in crate::config) cancelled_leftover: bool,
    /// The rule on organizers who left: removes events whose organizer the directory does not find.
    pub(in crate::config) organizer_gone: Option<OrganizerGoneSection>,
    /// What to do with an event that was released before and is there again, such as after Exchange's calendar repair: `report`
    /// leaves it and lists it in the plan, `respect` leaves it, `repeat` releases it once more.
    pub(in crate::config) on_reappearance: OnReappearance,
    /// Events that sweeps leave alone. The rule on cancelled meetings ignores them.
    pub(in crate::config) exceptions: ExceptionsSection,
    /// What one sweep may touch at most. A sweep that would touch more touches nothing: a silent sensor feed looks like an empty
    /// building.
    pub(in crate::config) limits: LimitsSection,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct EvidenceSection {
    /// Silence after which a display no longer watches its door.
    pub(in crate::config) display_silent_after_minutes: Minutes,
    /// Silence after which a sensor feed no longer watches its rooms.
    pub(in crate::config) source_silent_after_minutes: Minutes,
    /// The same for feeds by name. They are added to the default.
    pub(in crate::config) sources: BTreeMap<String, Minutes>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct NoCheckInSection {
    /// Time after the start of a meeting within which people may still come.
    pub(in crate::config) grace_minutes: Minutes,
    /// Time before the start from which a check-in counts.
    pub(in crate::config) early_minutes: Minutes,
    /// Time after the start from which a sensor signal that names no event counts. Before it, people who leave look like people
    /// who come. 0: such a signal counts as early as a check-in.
    pub(in crate::config) presence_after_minutes: Minutes,
    /// What to do with an abandoned meeting: `decline` sends the organizer a decline, `remove` moves the event to
    /// Deleted Items without a message, `end` ends it now. A sent decline cannot be undone.
    pub(in crate::config) release_by: ReleaseMethod,
    /// Grace of meetings booked shortly before their start (`cleanup.exceptions.created_within_minutes`). 0: they are never
    /// released.
    pub(in crate::config) walk_in_grace_minutes: Minutes,
    /// SMTP addresses of organizers who need not check in.
    #[schemars(example = ["boss@example.com"])]
    pub(in crate::config) auto_check_in: Vec<String>,
    /// Dates of a series in a row that may be missed before `on_last_strike` applies. 0: dates are not counted.
    #[schemars(example = 3)]
    pub(in crate::config) strikes: Strikes,
    /// What to do at the last strike: `report` releases the date and sends a notice, `delete` takes the whole series off the
    /// room's calendar.
    pub(in crate::config) on_last_strike: OnLastStrike,
}

/// Dates of a series in a row.
pub(in crate::config) type Strikes = Bounded<0, 100>;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OrganizerGoneSection {
    /// The organization's own mail domains. Only organizers in one of them can be known to be gone.
    #[schemars(example = ["example.com"])]
    pub(in crate::config) domains: Located<Vec<String>>,
    /// What to do with their events: `remove` or `decline`. `end` is refused, since most of these events lie ahead.
    #[serde(default = "default_release_by")]
    pub(in crate::config) release_by: Located<ReleaseMethod>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ExceptionsSection {
    /// Leaves all-day events alone.
    pub(in crate::config) all_day: bool,
    /// Leaves events alone that are longer than this. 0: no such exception.
    pub(in crate::config) longer_than_hours: Minutes,
    /// Leaves events alone that are shorter than this. 0: no such exception.
    #[schemars(example = 15)]
    pub(in crate::config) shorter_than_minutes: Minutes,
    /// Leaves events alone that were created this shortly before their start: people who book at the door are at the door. 0: no
    /// such exception.
    pub(in crate::config) created_within_minutes: Minutes,
    /// Leaves events of these organizers alone, by SMTP address.
    #[schemars(example = ["boss@example.com"])]
    pub(in crate::config) organizers: Vec<String>,
    /// Leaves private events alone, where the room's calendar processing keeps the mark (`RemovePrivateProperty`).
    pub(in crate::config) private: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct LimitsSection {
    /// Actions of one sweep.
    pub(in crate::config) max_actions: usize,
    /// Fraction of the events seen, 0 to 1. Among meetings whose grace ended at the same time, more that look empty are not
    /// released.
    pub(in crate::config) max_fraction: Fraction,
    /// Events from which on `max_fraction` counts: of three events, one is a third.
    pub(in crate::config) min_events: usize,
    /// Whole series taken off calendars within a day, over all sweeps. Beyond it only their dates are released.
    pub(in crate::config) max_series: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RoomGroupSection {
    /// Name of the group, as `adjourn config explain` shows it.
    #[schemars(example = &"Berlin")]
    pub(in crate::config) name: String,
    /// The rooms of the group: SMTP addresses, or patterns with `*` and `?`.
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
    /// `cleanup.mode` in these rooms.
    #[schemars(example = &"act")]
    pub(in crate::config) mode: Option<CleanupMode>,
    /// Turns the rule `no_check_in` on or off in these rooms.
    #[schemars(example = true)]
    pub(in crate::config) check_in: Option<bool>,
    /// `cleanup.no_check_in.grace_minutes` in these rooms.
    #[schemars(example = 15)]
    pub(in crate::config) grace_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.early_minutes` in these rooms.
    #[schemars(example = 5)]
    pub(in crate::config) early_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.presence_after_minutes` in these rooms.
    #[schemars(example = 4)]
    pub(in crate::config) presence_after_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.release_by` in these rooms.
    #[schemars(example = &"end")]
    pub(in crate::config) release_by: Option<ReleaseMethod>,
    /// `cleanup.no_check_in.walk_in_grace_minutes` in these rooms.
    #[schemars(example = 20)]
    pub(in crate::config) walk_in_grace_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.auto_check_in` in these rooms. It replaces the list, so an empty list exempts no organizer.
    #[schemars(example = ["board@example.com"])]
    pub(in crate::config) auto_check_in: Option<Vec<String>>,
    /// `cleanup.no_check_in.strikes` in these rooms.
    #[schemars(example = 2)]
    pub(in crate::config) strikes: Option<Strikes>,
    /// `cleanup.no_check_in.on_last_strike` in these rooms.
    #[schemars(example = &"delete")]
    pub(in crate::config) on_last_strike: Option<OnLastStrike>,
    /// Building of these rooms, shown by the API and the console. Sensor feeds watch the rooms of one building.
    #[schemars(example = &"Berlin, Mitte")]
    pub(in crate::config) building: Option<String>,
    /// Floor of these rooms, shown by the API. Callers find rooms by it.
    #[schemars(example = &"3")]
    pub(in crate::config) floor: Option<String>,
    /// Number of people that each of these rooms holds.
    #[schemars(example = 8)]
    pub(in crate::config) capacity: Option<Bounded<1, 10_000>>,
    /// What each of these rooms has. It replaces the list of earlier groups.
    #[schemars(example = ["video", "whiteboard"])]
    pub(in crate::config) equipment: Option<Vec<String>>,
    /// Time zone of these rooms, by its IANA name. Displays show times in it.
    #[schemars(example = &"Europe/Berlin")]
    pub(in crate::config) time_zone: Option<Located<String>>,
    /// Language of the displays of these rooms, as a tag such as `de` or `en-US`: ar, de, en, es, fr, he, ja, nl, pl. Without it, English.
    #[schemars(example = &"de")]
    pub(in crate::config) language: Option<Located<String>>,
    /// Accent colour of the displays of these rooms, as `#rrggbb`: the background of the main button. Its text is black or white,
    /// whichever has more contrast.
    #[schemars(example = &"#005a9c")]
    pub(in crate::config) accent: Option<Located<String>>,
    /// File with a logo for the displays of these rooms: an SVG or PNG image of 64 KiB at most. The service reads it at its start and on a
    /// reload (SIGHUP).
    #[schemars(example = &"/etc/adjourn/logo.svg")]
    pub(in crate::config) logo: Option<PathBuf>,
    /// Names of rooms by SMTP address, shown by the API and the console.
    #[serde(default)]
    #[schemars(example = names_example())]
    pub(in crate::config) names: BTreeMap<Located<String>, String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ScheduleSection {
    /// Name of the schedule, unique. The journal names it as the one who asked.
    #[schemars(example = &"night")]
    pub(in crate::config) name: Located<String>,
    /// When the sweep runs: a cron expression of five fields.
    #[schemars(example = &"30 2 * * *")]
    pub(in crate::config) cron: Located<String>,
    /// Time zone of the expression, by its IANA name.
    #[schemars(example = &"Europe/Berlin")]
    pub(in crate::config) time_zone: Located<String>,
    /// Rooms that the sweep looks at: SMTP addresses, or patterns with `*` and `?`. Empty: all rooms in scope.
    #[serde(default)]
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
    /// Time over which starts are spread, so that not all sites begin at once.
    #[serde(default = "zero_minutes")]
    pub(in crate::config) jitter_minutes: Minutes,
}

fn names_example() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([("berlin-1@example.com", "Spree")])
}

fn default_release_by() -> Located<ReleaseMethod> {
    Located::unwritten(ReleaseMethod::Remove)
}

fn zero_minutes() -> Minutes {
    Bounded::clamped(0)
}

impl Default for CleanupSection {
    fn default() -> Self {
        let service = ServiceOptions::default();
        Self {
            max_concurrent_rooms: Bounded::of_count(service.max_concurrent_rooms),
            horizon_hours: Bounded::clamped(service.horizon.num_hours()),
            mode: None,
            evidence: EvidenceSection::default(),
            no_check_in: None,
            cancelled_leftover: false,
            organizer_gone: None,
            on_reappearance: OnReappearance::default(),
            exceptions: ExceptionsSection::default(),
            limits: LimitsSection::default(),
        }
    }
}

impl Default for EvidenceSection {
    fn default() -> Self {
        let SilenceLimits { display, feed, feeds } = SilenceLimits::default();
        Self {
            display_silent_after_minutes: Bounded::of_minutes(display),
            source_silent_after_minutes: Bounded::of_minutes(feed),
            sources: feeds.into_iter().map(|(name, time)| (name, Bounded::of_minutes(time))).collect(),
        }
    }
}

impl Default for NoCheckInSection {
    fn default() -> Self {
        let rule = cleanup::NoCheckIn::default();
        Self {
            grace_minutes: Bounded::of_minutes(rule.grace),
            early_minutes: Bounded::of_minutes(rule.early),
            presence_after_minutes: Bounded::of_minutes(rule.presence_after),
            release_by: rule.release_by,
            walk_in_grace_minutes: Bounded::of_minutes(rule.walk_in_grace.unwrap_or_default()),
            auto_check_in: rule.auto_check_in.into_iter().collect(),
            strikes: Bounded::clamped(rule.strikes.into()),
            on_last_strike: rule.on_last_strike,
        }
    }
}

impl Default for ExceptionsSection {
    fn default() -> Self {
        let spared = cleanup::Exceptions::default();
        let minutes = |time: Option<TimeDelta>| Bounded::of_minutes(time.unwrap_or_default());
        Self {
            all_day: spared.all_day,
            longer_than_hours: Bounded::clamped(spared.longer_than.unwrap_or_default().num_hours()),
            shorter_than_minutes: minutes(spared.shorter_than),
            created_within_minutes: minutes(spared.created_within),
            organizers: spared.organizers.into_iter().collect(),
            private: spared.private,
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        let SweepLimits { actions_max, max_fraction, min_events, series_max } = SweepLimits::default();
        Self {
            max_actions: actions_max,
            max_fraction: Fraction::clamped(max_fraction),
            min_events,
            max_series: series_max,
        }
    }
}
