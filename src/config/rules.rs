//! Checks `[cleanup]` and `[[room_groups]]`: rules, exceptions, limits, and the settings that differ in some rooms. Decides
//! nothing about events.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::error::{ConfigError, SourceText};
use super::file::{self, Bounded, Located, Minutes};
use super::room_patterns_of;
use crate::cleanup::{
    CancelledLeftover, Exceptions, NoCheckIn, OrganizerGone, ReleaseMethod, RoomGroup, Rules, SweepLimits,
};
use crate::color::{Color, ColorError};
use crate::console;
use crate::presence::SilenceLimits;

pub(super) fn check_room_group(
    source: &SourceText<'_>,
    file: file::RoomGroupSection,
) -> Result<RoomGroup, ConfigError> {
    if let Some(zone) = &file.time_zone {
        let known = zone.get_ref().parse::<Tz>();
        let why = format!("`{}` is no time zone of the IANA database, such as Europe/Berlin", zone.get_ref());
        known.map_err(|_| source.error_at(zone, why))?;
    }
    if let Some(tag) = file.language.as_ref().filter(|tag| !console::has_language(tag.get_ref())) {
        let why =
            format!("displays have no language `{}`; they have {}", tag.get_ref(), console::languages());
        return Err(source.error_at(tag, why));
    }
    let accent = file.accent.as_ref().map(|accent| parse_accent(source, accent)).transpose()?;
    let mut names = BTreeMap::new();
    for (room, name) in file.names {
        names.insert(room.get_ref().parse().map_err(|error| source.error_at(&room, error))?, name);
    }
    Ok(RoomGroup {
        grace: file.grace_minutes.map(Minutes::as_minutes),
        early: file.early_minutes.map(Minutes::as_minutes),
        presence_after: file.presence_after_minutes.map(Minutes::as_minutes),
        name: file.name,
        rooms: room_patterns_of(&file.rooms),
        mode: file.mode,
        check_in: file.check_in,
        release_by: file.release_by,
        walk_in_grace: file.walk_in_grace_minutes.map(Minutes::as_minutes),
        auto_check_in: file.auto_check_in.map(lower_case),
        strikes: file.strikes.map(Bounded::as_u32),
        on_last_strike: file.on_last_strike,
        building: file.building,
        floor: file.floor,
        capacity: file.capacity.map(Bounded::as_u32),
        equipment: file.equipment,
        time_zone: file.time_zone.map(Located::into_inner),
        language: file.language.map(Located::into_inner),
        accent,
        // The command that serves sets it, when it has read the file.
        logo: None,
        names,
    })
}

fn parse_accent(source: &SourceText<'_>, accent: &Located<String>) -> Result<Color, ConfigError> {
    let why = |error: ColorError| source.error_at(accent, format!("`{}`: {error}", accent.get_ref()));
    accent.get_ref().parse().map_err(why)
}

pub(super) fn check_rules(
    source: &SourceText<'_>,
    file: file::CleanupSection,
    room_groups: Vec<RoomGroup>,
) -> Result<Rules, ConfigError> {
    let organizer_gone = file.organizer_gone.map(|rule| check_organizer_gone(source, rule)).transpose()?;
    Ok(Rules {
        mode: file.mode,
        silence: silence_limits(&file.evidence),
        no_check_in: file.no_check_in.map(no_check_in),
        cancelled_leftover: file.cancelled_leftover.then_some(CancelledLeftover),
        organizer_gone,
        room_groups,
        exceptions: exceptions(file.exceptions),
        on_reappearance: file.on_reappearance,
        limits: SweepLimits {
            actions_max: file.limits.max_actions,
            max_fraction: file.limits.max_fraction.get(),
            min_events: file.limits.min_events,
            series_max: file.limits.max_series,
        },
    })
}

fn no_check_in(rule: file::NoCheckInSection) -> NoCheckIn {
    NoCheckIn {
        grace: rule.grace_minutes.as_minutes(),
        early: rule.early_minutes.as_minutes(),
        presence_after: rule.presence_after_minutes.as_minutes(),
        release_by: rule.release_by,
        walk_in_grace: unless_zero(rule.walk_in_grace_minutes.as_minutes()),
        auto_check_in: lower_case(rule.auto_check_in),
        strikes: rule.strikes.as_u32(),
        on_last_strike: rule.on_last_strike,
    }
}

/// Named feeds of the file are added to those that have a limit by default.
fn silence_limits(file: &file::EvidenceSection) -> SilenceLimits {
    let written = file.sources.iter().map(|(name, time)| (name.clone(), time.as_minutes()));
    SilenceLimits {
        display: file.display_silent_after_minutes.as_minutes(),
        feed: file.source_silent_after_minutes.as_minutes(),
        feeds: SilenceLimits::default().feeds.into_iter().chain(written).collect(),
    }
}

fn check_organizer_gone(
    source: &SourceText<'_>,
    rule: file::OrganizerGoneSection,
) -> Result<OrganizerGone, ConfigError> {
    if rule.domains.get_ref().is_empty() {
        return Err(source.error_at(
            &rule.domains,
            "list your own mail domains; only organizers in one of them can be known to be gone",
        ));
    }
    if *rule.release_by.get_ref() == ReleaseMethod::End {
        let why = "`end` cannot apply to events that lie ahead; choose `remove` or `decline`";
        return Err(source.error_at(&rule.release_by, why));
    }
    Ok(OrganizerGone {
        domains: lower_case(rule.domains.into_inner()),
        release_by: rule.release_by.into_inner(),
    })
}

fn exceptions(file: file::ExceptionsSection) -> Exceptions {
    Exceptions {
        all_day: file.all_day,
        longer_than: unless_zero(TimeDelta::hours(file.longer_than_hours.get())),
        shorter_than: unless_zero(file.shorter_than_minutes.as_minutes()),
        created_within: unless_zero(file.created_within_minutes.as_minutes()),
        organizers: lower_case(file.organizers),
        private: file.private,
    }
}

/// 0 in the file means: no such limit.
fn unless_zero(time: TimeDelta) -> Option<TimeDelta> {
    (!time.is_zero()).then_some(time)
}

fn lower_case(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.trim_start_matches('@').to_lowercase()).collect()
}
