//! What sweeps go by, checked: rules, exceptions, limits, and what is different where.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::error::{ConfigError, SourceText};
use super::file::{self, Spanned};
use super::{MINUTES_MAX, in_range, in_range_ref, minutes, room_patterns_of};
use crate::cleanup::{
    CancelledLeftover, Exceptions, NoCheckIn, OrganizerGone, ReleaseMethod, RoomGroup, Rules, SweepLimits,
};
use crate::presence::SilenceLimits;

/// More dates of a series in a row than anybody waits for.
const STRIKES_MAX: u32 = 100;

pub(super) fn check_room_group(
    source: &SourceText<'_>,
    file: file::RoomGroupSection,
) -> Result<RoomGroup, ConfigError> {
    let optional =
        |value: &Option<Spanned<i64>>| value.as_ref().map(|value| minutes(source, value)).transpose();
    if let Some(zone) = &file.time_zone {
        let known = zone.get_ref().parse::<Tz>();
        known.map_err(|_| source.error_at(zone, format!("`{}` is no time zone", zone.get_ref())))?;
    }
    let mut names = BTreeMap::new();
    for (room, name) in file.names {
        names.insert(room.get_ref().parse().map_err(|error| source.error_at(&room, error))?, name);
    }
    Ok(RoomGroup {
        grace: optional(&file.grace_minutes)?,
        early: optional(&file.early_minutes)?,
        presence_after: optional(&file.presence_after_minutes)?,
        name: file.name,
        rooms: room_patterns_of(&file.rooms),
        mode: file.mode,
        check_in: file.check_in,
        release_by: file.how,
        walk_in_grace: optional(&file.walk_in_grace_minutes)?,
        auto_check_in: file.auto_check_in.map(lower_case),
        strikes: file
            .strikes
            .as_ref()
            .map(|strikes| in_range(source, strikes, 0, STRIKES_MAX))
            .transpose()?,
        on_last_strike: file.strikes_then,
        building: file.building,
        time_zone: file.time_zone.map(Spanned::into_inner),
        names,
    })
}

pub(super) fn check_rules(
    source: &SourceText<'_>,
    file: file::CleanupSection,
    places: Vec<RoomGroup>,
) -> Result<Rules, ConfigError> {
    let no_check_in = match file.no_check_in {
        None => None,
        Some(rule) => Some(NoCheckIn {
            grace: minutes(source, &rule.grace_minutes)?,
            early: minutes(source, &rule.early_minutes)?,
            presence_after: minutes(source, &rule.presence_after_minutes)?,
            release_by: rule.how,
            walk_in_grace: Some(minutes(source, &rule.walk_in_grace_minutes)?)
                .filter(|grace| !grace.is_zero()),
            auto_check_in: lower_case(rule.auto_check_in),
            strikes: in_range(source, &rule.strikes, 0, STRIKES_MAX)?,
            on_last_strike: rule.strikes_then,
        }),
    };
    let organizer_gone = match file.organizer_gone {
        None => None,
        Some(rule) => Some(check_organizer_gone(source, rule)?),
    };
    let share = file.limits.share_max;
    if !(0.0..=1.0).contains(share.get_ref()) {
        return Err(source.error_at(&share, "a share lies between 0 and 1"));
    }
    Ok(Rules {
        mode: file.mode,
        silence: check_watching(source, &file.watching)?,
        no_check_in,
        cancelled_leftover: file.cancelled_leftover.then_some(CancelledLeftover),
        organizer_gone,
        room_groups: places,
        exceptions: check_exceptions(source, file.exceptions)?,
        on_reappearance: file.came_back,
        limits: SweepLimits {
            actions_max: file.limits.actions_max,
            max_fraction: share.into_inner(),
            min_events: file.limits.share_from,
            series_max: file.limits.series_max,
        },
    })
}

fn check_watching(
    source: &SourceText<'_>,
    file: &file::WatchingSection,
) -> Result<SilenceLimits, ConfigError> {
    let default = SilenceLimits::default().feeds;
    let stated = file.sources.iter().map(|(name, time)| Ok((name.clone(), minutes(source, time)?)));
    let stated: BTreeMap<_, _> = stated.collect::<Result<_, ConfigError>>()?;
    Ok(SilenceLimits {
        display: minutes(source, &file.display_silent_after_minutes)?,
        feed: minutes(source, &file.silent_after_minutes)?,
        feeds: default.into_iter().chain(stated).collect(),
    })
}

fn check_organizer_gone(
    source: &SourceText<'_>,
    rule: file::OrganizerGoneSection,
) -> Result<OrganizerGone, ConfigError> {
    if rule.domains.get_ref().is_empty() {
        return Err(source.error_at(
            &rule.domains,
            "name your own mail domains: only their people can be known to be gone",
        ));
    }
    if *rule.how.get_ref() == ReleaseMethod::End {
        return Err(source.error_at(&rule.how, "events ahead cannot be ended; choose remove or decline"));
    }
    Ok(OrganizerGone { domains: lower_case(rule.domains.into_inner()), release_by: rule.how.into_inner() })
}

fn check_exceptions(
    source: &SourceText<'_>,
    file: file::ExceptionsSection,
) -> Result<Exceptions, ConfigError> {
    let limit = |value: &Option<Spanned<i64>>, unit: fn(i64) -> TimeDelta| match value {
        None => Ok(None),
        Some(value) => match *in_range_ref(source, value, 0, MINUTES_MAX)? {
            0 => Ok(None),
            value => Ok(Some(unit(value))),
        },
    };
    Ok(Exceptions {
        all_day: file.all_day,
        longer_than: limit(&file.longer_than_hours, TimeDelta::hours)?,
        shorter_than: limit(&file.shorter_than_minutes, TimeDelta::minutes)?,
        created_within: limit(&file.created_within_minutes, TimeDelta::minutes)?,
        organizers: lower_case(file.organizers),
        private: file.private,
    })
}

fn lower_case(names: Vec<String>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.trim_start_matches('@').to_lowercase()).collect()
}
