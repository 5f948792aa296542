//! The time zone in which times of day in options are meant: the room's, else that of all rooms, else this machine's. Reads no file.

use std::fmt;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::time_argument::{LocalTimeError, TimeArgument};
use crate::calendar::RoomAddress;
use crate::cleanup::Rules;

/// A time zone, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OptionTimeZone {
    /// UTC, while only the forms of times are checked.
    Utc,
    /// That of the room, from its room group.
    Room(Tz, RoomAddress),
    /// The only one that the room groups have.
    AllRooms(Tz),
    /// This machine's.
    Machine,
}

impl OptionTimeZone {
    /// The zone for a command about this room, or about no room in particular.
    pub(super) fn choose(rules: &Rules, room: Option<&RoomAddress>) -> Self {
        let of_room =
            room.and_then(|room| Some(Self::Room(rules.time_zone(room)?.parse().ok()?, room.clone())));
        let of_all = || {
            let mut zones = rules.room_groups.iter().filter_map(|group| group.time_zone.as_deref());
            let first = zones.next()?;
            zones.all(|zone| zone == first).then(|| first.parse().ok().map(Self::AllRooms))?
        };
        of_room.or_else(of_all).unwrap_or(Self::Machine)
    }

    /// The instant that a time means in this zone.
    pub(super) fn resolve(
        &self,
        time: TimeArgument,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, LocalTimeError> {
        match self {
            Self::Utc => time.resolve(now, &Utc, "UTC"),
            Self::Room(zone, _) | Self::AllRooms(zone) => time.resolve(now, zone, zone.name()),
            Self::Machine => time.resolve(now, &Local, "the time zone of this machine"),
        }
    }

    /// The instant as clocks in this zone show it, with its offset.
    pub(super) fn show(&self, at: DateTime<Utc>) -> String {
        match self {
            Self::Utc => at.to_rfc3339_opts(SecondsFormat::Secs, true),
            Self::Room(zone, _) | Self::AllRooms(zone) => {
                at.with_timezone(zone).to_rfc3339_opts(SecondsFormat::Secs, true)
            }
            Self::Machine => at.with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

impl fmt::Display for OptionTimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Room(zone, room) => write!(f, "{zone}, the time zone of {room}"),
            Self::AllRooms(zone) => write!(f, "{zone}, the time zone of the rooms"),
            Self::Machine => f.write_str("the time zone of this machine"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn zone(groups: &[(&str, &str)], room: Option<&str>) -> String {
        let text: String = groups
            .iter()
            .map(|(rooms, zone)| {
                format!(
                    "[[room_groups]]\nname = \"{rooms}\"\nrooms = [\"{rooms}\"]\ntime_zone = \"{zone}\"\n"
                )
            })
            .collect();
        let rules = Config::parse(None, &text, Overrides::default()).unwrap().service.rules;
        let room = room.map(|room| room.parse().unwrap());
        OptionTimeZone::choose(&rules, room.as_ref()).to_string()
    }

    #[test]
    fn the_room_s_zone_comes_first_then_the_only_one_then_the_machine_s() {
        let berlin = ("berlin-*@example.com", "Europe/Berlin");
        let tokyo = ("tokyo-*@example.com", "Asia/Tokyo");
        let machine = "the time zone of this machine";
        assert_eq!(
            zone(&[berlin, tokyo], Some("tokyo-1@example.com")),
            "Asia/Tokyo, the time zone of tokyo-1@example.com"
        );
        assert_eq!(zone(&[berlin, tokyo], None), machine);
        assert_eq!(zone(&[berlin], None), "Europe/Berlin, the time zone of the rooms");
        assert_eq!(zone(&[berlin], Some("paris-1@example.com")), "Europe/Berlin, the time zone of the rooms");
        assert_eq!(zone(&[], Some("paris-1@example.com")), machine);
    }
}
