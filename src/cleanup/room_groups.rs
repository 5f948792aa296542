//! Settings by room group: for all rooms, then for a building, then for a room. The last group that includes the room and sets a
//! value wins. Pure.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::rules::{CleanupMode, NoCheckIn, RoomGroup, Rules};
use crate::calendar::RoomAddress;
use crate::color::Color;

/// Descriptive data of a room, for displays and lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomInfo {
    /// The display name.
    pub name: Option<String>,
    /// The building.
    pub building: Option<String>,
    /// The floor.
    pub floor: Option<String>,
    /// The number of people that the room holds.
    pub capacity: Option<u32>,
    /// What the room has, such as `video`.
    pub equipment: Vec<String>,
    /// The time zone, as an IANA name.
    pub time_zone: Option<String>,
    /// The language of the displays, as a BCP 47 tag.
    pub language: Option<String>,
    /// The accent colour of the displays.
    pub accent: Option<Color>,
    /// The path at which the service serves the logo of the displays.
    pub logo: Option<String>,
}

/// The value of a setting in one room, and where it is set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// The configuration key.
    pub name: &'static str,
    /// The value as text.
    pub value: String,
    /// `default`, `all rooms`, or the name of the room group.
    pub from: String,
}

impl Rules {
    /// The check-in rule in this room; `None` when it is off.
    pub fn check_in(&self, room: &RoomAddress) -> Option<NoCheckIn> {
        let (on, rule) = self.resolve_check_in(room);
        on.then_some(rule)
    }

    fn resolve_check_in(&self, room: &RoomAddress) -> (bool, NoCheckIn) {
        let groups = || self.room_groups.iter().filter(|group| group.includes(room));
        let on =
            groups().filter_map(|group| group.check_in).next_back().unwrap_or(self.no_check_in.is_some());
        let mut rule = self.no_check_in.clone().unwrap_or_default();
        for group in groups() {
            rule.grace = group.grace.unwrap_or(rule.grace);
            rule.early = group.early.unwrap_or(rule.early);
            rule.presence_after = group.presence_after.unwrap_or(rule.presence_after);
            rule.release_by = group.release_by.unwrap_or(rule.release_by);
            if let Some(grace) = group.walk_in_grace {
                rule.walk_in_grace = (!grace.is_zero()).then_some(grace);
            }
            rule.strikes = group.strikes.unwrap_or(rule.strikes);
            rule.on_last_strike = group.on_last_strike.unwrap_or(rule.on_last_strike);
            if let Some(organizers) = &group.auto_check_in {
                rule.auto_check_in.clone_from(organizers);
            }
        }
        (on, rule)
    }

    /// The mode that the configuration sets for this room, if any.
    pub fn stated_mode(&self, room: &RoomAddress) -> Option<CleanupMode> {
        let groups = self.room_groups.iter().filter(|group| group.includes(room));
        groups.filter_map(|group| group.mode).next_back().or(self.mode)
    }

    /// The mode in this room, with the default.
    pub fn mode(&self, room: &RoomAddress) -> CleanupMode {
        self.stated_mode(room).unwrap_or_default()
    }

    /// The group of rooms that share their evidence feeds with this room: its building; `None` for rooms without a building.
    pub fn watch_group(&self, room: &RoomAddress) -> Option<&str> {
        let groups = self.room_groups.iter().filter(|group| group.includes(room));
        groups.filter_map(|group| group.building.as_deref()).next_back()
    }

    /// The room's time zone, as the configuration names it.
    pub fn time_zone(&self, room: &RoomAddress) -> Option<&str> {
        let groups = self.room_groups.iter().filter(|group| group.includes(room));
        groups.filter_map(|group| group.time_zone.as_deref()).next_back()
    }

    /// The room's descriptive data.
    pub fn room_info(&self, room: &RoomAddress) -> RoomInfo {
        let mut info = RoomInfo::default();
        for group in self.room_groups.iter().filter(|group| group.includes(room)) {
            let set = |value: Option<&String>, target: &mut Option<String>| {
                if let Some(value) = value {
                    *target = Some(value.clone());
                }
            };
            set(group.names.get(room), &mut info.name);
            set(group.building.as_ref(), &mut info.building);
            set(group.floor.as_ref(), &mut info.floor);
            info.capacity = group.capacity.or(info.capacity);
            if let Some(equipment) = &group.equipment {
                info.equipment.clone_from(equipment);
            }
            set(group.time_zone.as_ref(), &mut info.time_zone);
            set(group.language.as_ref(), &mut info.language);
            set(group.logo.as_ref(), &mut info.logo);
            info.accent = group.accent.or(info.accent);
        }
        info
    }

    /// The names of all groups that include the room, in the order of the configuration.
    #[cfg(feature = "service")]
    pub(crate) fn group_names(&self, room: &RoomAddress) -> Vec<String> {
        let groups = self.room_groups.iter().filter(|group| group.includes(room));
        groups.map(|group| group.name.clone()).collect()
    }

    /// Whether the check-in rule is on in any room.
    pub fn check_in_anywhere(&self) -> bool {
        self.no_check_in.is_some() || self.room_groups.iter().any(|group| group.check_in == Some(true))
    }

    /// Every setting in this room, and where it is set.
    pub fn explain(&self, room: &RoomAddress) -> Vec<Setting> {
        let everywhere = if self.no_check_in.is_some() { "all rooms" } else { "default" };
        let from = |sets: fn(&RoomGroup) -> bool| {
            let mut groups = self.room_groups.iter().filter(|group| group.includes(room) && sets(group));
            groups.next_back().map_or_else(|| everywhere.to_owned(), |group| group.name.clone())
        };
        let minutes = |time: TimeDelta| format!("{} min", time.num_minutes());
        let (on, rule) = self.resolve_check_in(room);
        let on = if on { "on" } else { "off" };
        type Sets = fn(&RoomGroup) -> bool;
        let mode = self.stated_mode(room).map_or_else(|| "observe".to_owned(), |mode| mode.to_string());
        let all: [(&'static str, String, Sets); 10] = [
            ("mode", mode, |group| group.mode.is_some()),
            ("check_in", on.to_owned(), |group| group.check_in.is_some()),
            ("grace_minutes", minutes(rule.grace), |group| group.grace.is_some()),
            ("early_minutes", minutes(rule.early), |group| group.early.is_some()),
            ("presence_after_minutes", minutes(rule.presence_after), |group| group.presence_after.is_some()),
            ("release_by", rule.release_by.to_string(), |group| group.release_by.is_some()),
            ("walk_in_grace_minutes", rule.walk_in_grace.map_or("exempt".to_owned(), minutes), |group| {
                group.walk_in_grace.is_some()
            }),
            ("auto_check_in", organizers(&rule.auto_check_in), |group| group.auto_check_in.is_some()),
            ("strikes", rule.strikes.to_string(), |group| group.strikes.is_some()),
            ("on_last_strike", rule.on_last_strike.to_string(), |group| group.on_last_strike.is_some()),
        ];
        let settings = all.into_iter().map(|(name, value, sets)| Setting { name, value, from: from(sets) });
        settings.collect()
    }
}

fn organizers(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "none".to_owned() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cleanup::{OnLastStrike, ReleaseMethod};

    fn group(name: &str, rooms: &str) -> RoomGroup {
        let rooms = vec![rooms.parse().unwrap_or_else(|never| match never {})];
        RoomGroup { name: name.to_owned(), rooms, ..RoomGroup::default() }
    }

    #[test]
    fn the_last_place_that_says_something_wins() {
        let berlin = RoomGroup {
            strikes: Some(3),
            grace: Some(TimeDelta::minutes(20)),
            ..group("Berlin", "berlin-*@x.example")
        };
        let board = RoomGroup {
            check_in: Some(false),
            release_by: Some(ReleaseMethod::End),
            on_last_strike: Some(OnLastStrike::Delete),
            ..group("board", "berlin-board@x.example")
        };
        let rules = Rules {
            no_check_in: Some(NoCheckIn::default()),
            room_groups: vec![berlin, board],
            ..Rules::default()
        };
        let of = |room: &str| rules.check_in(&room.parse().unwrap());
        assert_eq!(of("paris-1@x.example").unwrap().grace, TimeDelta::minutes(10));
        assert_eq!(of("berlin-1@x.example").unwrap().grace, TimeDelta::minutes(20));
        assert_eq!(of("berlin-board@x.example"), None);
        let value: Vec<_> = rules
            .explain(&"berlin-board@x.example".parse().unwrap())
            .into_iter()
            .map(|setting| format!("{} = {} ({})", setting.name, setting.value, setting.from))
            .collect();
        assert_eq!(
            value,
            [
                "mode = observe (all rooms)",
                "check_in = off (board)",
                "grace_minutes = 20 min (Berlin)",
                "early_minutes = 10 min (all rooms)",
                "presence_after_minutes = 0 min (all rooms)",
                "release_by = end (board)",
                "walk_in_grace_minutes = exempt (all rooms)",
                "auto_check_in = none (all rooms)",
                "strikes = 3 (Berlin)",
                "on_last_strike = delete (board)",
            ]
        );
    }

    #[test]
    fn a_room_is_where_the_last_place_says() {
        let zone = |name: &str| Some(name.to_owned());
        let names = BTreeMap::from([("berlin-1@x.example".parse().unwrap(), "Spree".to_owned())]);
        let all = RoomGroup { time_zone: zone("Europe/London"), ..group("all", "*") };
        let berlin = RoomGroup {
            building: Some("Mitte".to_owned()),
            floor: Some("2".to_owned()),
            capacity: Some(12),
            equipment: Some(vec!["video".to_owned()]),
            time_zone: zone("Europe/Berlin"),
            names,
            ..group("Berlin", "berlin-*@x.example")
        };
        let small = RoomGroup { capacity: Some(4), ..group("small", "berlin-1@x.example") };
        let rules = Rules { room_groups: vec![all, berlin, small], ..Rules::default() };
        let info = rules.room_info(&"berlin-1@x.example".parse().unwrap());
        assert_eq!(info.name.as_deref(), Some("Spree"));
        assert_eq!((info.building.as_deref(), info.time_zone), (Some("Mitte"), zone("Europe/Berlin")));
        assert_eq!((info.floor.as_deref(), info.capacity, info.equipment.len()), (Some("2"), Some(4), 1));
        let other = rules.room_info(&"paris@x.example".parse().unwrap());
        assert_eq!(other, RoomInfo { time_zone: zone("Europe/London"), ..RoomInfo::default() });
    }

    #[test]
    fn a_place_can_have_the_rule_on_its_own() {
        let rules = Rules {
            room_groups: vec![RoomGroup { check_in: Some(true), ..group("lab", "lab@x.example") }],
            ..Rules::default()
        };
        assert!(rules.check_in_anywhere());
        assert!(rules.check_in(&"lab@x.example".parse().unwrap()).is_some());
        assert!(rules.check_in(&"other@x.example".parse().unwrap()).is_none());
    }
}
