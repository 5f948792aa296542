//! Settings by place: all rooms, then a building, then a room. The last place that means a room and says something wins.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::OnLastStrike;
use super::rules::{CleanupMode, NoCheckIn, ReleaseMethod, Rules};
use crate::calendar::{RoomAddress, RoomPattern};

/// Some rooms, and what is different there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomGroup {
    /// What people call it.
    pub name: String,
    /// Which rooms.
    pub rooms: Vec<RoomPattern>,
    /// Over [`Rules::mode`].
    pub mode: Option<CleanupMode>,
    /// Whether the rule on check-ins is on.
    pub check_in: Option<bool>,
    /// Over [`NoCheckIn::grace`].
    pub grace: Option<TimeDelta>,
    /// Over [`NoCheckIn::early`].
    pub early: Option<TimeDelta>,
    /// Over [`NoCheckIn::presence_after`].
    pub presence_after: Option<TimeDelta>,
    /// Over [`NoCheckIn::release_by`].
    pub release_by: Option<ReleaseMethod>,
    /// Over [`NoCheckIn::walk_in_grace`]; zero: spared altogether.
    pub walk_in_grace: Option<TimeDelta>,
    /// Over [`NoCheckIn::auto_check_in`].
    pub auto_check_in: Option<BTreeSet<String>>,
    /// Over [`NoCheckIn::strikes`].
    pub strikes: Option<u32>,
    /// Over [`NoCheckIn::on_last_strike`].
    pub on_last_strike: Option<OnLastStrike>,
    /// The building in which they are.
    pub building: Option<String>,
    /// The time zone in which they are, by its IANA name.
    pub time_zone: Option<String>,
    /// What people call rooms.
    pub names: BTreeMap<RoomAddress, String>,
}

/// What people want to know of a room before they go there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomInfo {
    /// What people call it.
    pub name: Option<String>,
    /// Where it is.
    pub building: Option<String>,
    /// Whose clock hangs on its wall, by its IANA name.
    pub time_zone: Option<String>,
}

/// One setting as it holds for a room, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// As it is written in the configuration.
    pub name: &'static str,
    /// In words.
    pub value: String,
    /// `default`, `all rooms`, or the place's name.
    pub from: String,
}

impl RoomGroup {
    fn includes(&self, room: &RoomAddress) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room))
    }
}

impl Rules {
    /// The rule on check-ins as it holds in this room; `None` when it is off there.
    pub fn check_in(&self, room: &RoomAddress) -> Option<NoCheckIn> {
        let (on, rule) = self.resolve_check_in(room);
        on.then_some(rule)
    }

    fn resolve_check_in(&self, room: &RoomAddress) -> (bool, NoCheckIn) {
        let groups = || self.room_groups.iter().filter(|place| place.includes(room));
        let on =
            groups().filter_map(|place| place.check_in).next_back().unwrap_or(self.no_check_in.is_some());
        let mut rule = self.no_check_in.clone().unwrap_or_default();
        for place in groups() {
            rule.grace = place.grace.unwrap_or(rule.grace);
            rule.early = place.early.unwrap_or(rule.early);
            rule.presence_after = place.presence_after.unwrap_or(rule.presence_after);
            rule.release_by = place.release_by.unwrap_or(rule.release_by);
            if let Some(grace) = place.walk_in_grace {
                rule.walk_in_grace = (!grace.is_zero()).then_some(grace);
            }
            rule.strikes = place.strikes.unwrap_or(rule.strikes);
            rule.on_last_strike = place.on_last_strike.unwrap_or(rule.on_last_strike);
            if let Some(organizers) = &place.auto_check_in {
                rule.auto_check_in.clone_from(organizers);
            }
        }
        (on, rule)
    }

    /// What the configuration states about who acts in this room.
    pub fn stated_mode(&self, room: &RoomAddress) -> Option<CleanupMode> {
        let places = self.room_groups.iter().filter(|place| place.includes(room));
        places.filter_map(|place| place.mode).next_back().or(self.mode)
    }

    /// What the service does with its own decisions in this room.
    pub fn mode(&self, room: &RoomAddress) -> CleanupMode {
        self.stated_mode(room).unwrap_or_default()
    }

    /// The group of rooms whose feeds watch this room: those of its building; `None`: those of no building.
    pub fn watch_group(&self, room: &RoomAddress) -> Option<&str> {
        let places = self.room_groups.iter().filter(|place| place.includes(room));
        places.filter_map(|place| place.building.as_deref()).next_back()
    }

    /// What the places say about the room itself.
    pub fn room_info(&self, room: &RoomAddress) -> RoomInfo {
        let mut about = RoomInfo::default();
        for place in self.room_groups.iter().filter(|place| place.includes(room)) {
            let say = |said: Option<&String>, known: &mut Option<String>| {
                if let Some(said) = said {
                    *known = Some(said.clone());
                }
            };
            say(place.names.get(room), &mut about.name);
            say(place.building.as_ref(), &mut about.building);
            say(place.time_zone.as_ref(), &mut about.time_zone);
        }
        about
    }

    /// Whether the rule is on in any room.
    pub fn check_in_anywhere(&self) -> bool {
        self.no_check_in.is_some() || self.room_groups.iter().any(|place| place.check_in == Some(true))
    }

    /// Every setting as it holds in this room, and where it comes from.
    pub fn explain(&self, room: &RoomAddress) -> Vec<Setting> {
        let everywhere = if self.no_check_in.is_some() { "all rooms" } else { "default" };
        let from = |says: fn(&RoomGroup) -> bool| {
            let mut places = self.room_groups.iter().filter(|place| place.includes(room) && says(place));
            places.next_back().map_or_else(|| everywhere.to_owned(), |place| place.name.clone())
        };
        let minutes = |time: TimeDelta| format!("{} min", time.num_minutes());
        let (on, rule) = self.resolve_check_in(room);
        let on = if on { "on" } else { "off" };
        type Says = fn(&RoomGroup) -> bool;
        let mode = self.stated_mode(room).map_or_else(|| "observe".to_owned(), |mode| mode.to_string());
        let all: [(&'static str, String, Says); 10] = [
            ("mode", mode, |place| place.mode.is_some()),
            ("check_in", on.to_owned(), |place| place.check_in.is_some()),
            ("grace_minutes", minutes(rule.grace), |place| place.grace.is_some()),
            ("early_minutes", minutes(rule.early), |place| place.early.is_some()),
            ("presence_after_minutes", minutes(rule.presence_after), |place| place.presence_after.is_some()),
            ("how", rule.release_by.to_string(), |place| place.release_by.is_some()),
            ("walk_in_grace_minutes", rule.walk_in_grace.map_or("spared".to_owned(), minutes), |place| {
                place.walk_in_grace.is_some()
            }),
            ("auto_check_in", organizers(&rule.auto_check_in), |place| place.auto_check_in.is_some()),
            ("strikes", rule.strikes.to_string(), |place| place.strikes.is_some()),
            ("strikes_then", rule.on_last_strike.to_string(), |place| place.on_last_strike.is_some()),
        ];
        let settings = all.into_iter().map(|(name, value, says)| Setting { name, value, from: from(says) });
        settings.collect()
    }
}

fn organizers(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, rooms: &str) -> RoomGroup {
        let rooms = vec![rooms.parse().unwrap_or_else(|never| match never {})];
        RoomGroup { name: name.to_owned(), rooms, ..RoomGroup::default() }
    }

    #[test]
    fn the_last_place_that_says_something_wins() {
        let berlin = RoomGroup {
            strikes: Some(3),
            grace: Some(TimeDelta::minutes(20)),
            ..place("Berlin", "berlin-*@x.example")
        };
        let board = RoomGroup {
            check_in: Some(false),
            release_by: Some(ReleaseMethod::End),
            on_last_strike: Some(OnLastStrike::Delete),
            ..place("board", "berlin-board@x.example")
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
        let said: Vec<_> = rules
            .explain(&"berlin-board@x.example".parse().unwrap())
            .into_iter()
            .map(|setting| format!("{} = {} ({})", setting.name, setting.value, setting.from))
            .collect();
        assert_eq!(
            said,
            [
                "mode = observe (all rooms)",
                "check_in = off (board)",
                "grace_minutes = 20 min (Berlin)",
                "early_minutes = 10 min (all rooms)",
                "presence_after_minutes = 0 min (all rooms)",
                "how = end (board)",
                "walk_in_grace_minutes = spared (all rooms)",
                "auto_check_in = nobody (all rooms)",
                "strikes = 3 (Berlin)",
                "strikes_then = delete (board)",
            ]
        );
    }

    #[test]
    fn a_room_is_where_the_last_place_says() {
        let zone = |name: &str| Some(name.to_owned());
        let names = BTreeMap::from([("berlin-1@x.example".parse().unwrap(), "Spree".to_owned())]);
        let all = RoomGroup { time_zone: zone("Europe/London"), ..place("all", "*") };
        let berlin = RoomGroup {
            building: Some("Mitte".to_owned()),
            time_zone: zone("Europe/Berlin"),
            names,
            ..place("Berlin", "berlin-*@x.example")
        };
        let rules = Rules { room_groups: vec![all, berlin], ..Rules::default() };
        let about = rules.room_info(&"berlin-1@x.example".parse().unwrap());
        assert_eq!(about.name.as_deref(), Some("Spree"));
        assert_eq!((about.building.as_deref(), about.time_zone), (Some("Mitte"), zone("Europe/Berlin")));
        let other = rules.room_info(&"paris@x.example".parse().unwrap());
        assert_eq!(other, RoomInfo { time_zone: zone("Europe/London"), ..RoomInfo::default() });
    }

    #[test]
    fn a_place_can_have_the_rule_on_its_own() {
        let rules = Rules {
            room_groups: vec![RoomGroup { check_in: Some(true), ..place("lab", "lab@x.example") }],
            ..Rules::default()
        };
        assert!(rules.check_in_anywhere());
        assert!(rules.check_in(&"lab@x.example".parse().unwrap()).is_some());
        assert!(rules.check_in(&"other@x.example".parse().unwrap()).is_none());
    }
}
