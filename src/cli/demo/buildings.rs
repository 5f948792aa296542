//! The buildings of the served demo: an office with quiet rooms, and two buildings with simulated meetings. Data only;
//! [`super::people`] simulates the meetings.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::calendar::{RoomAddress, RoomPattern};
use crate::cleanup::RoomGroup;
use crate::cli::exit::{CommandError, Exit};
use crate::sim::{RoomSpec, World};

/// Grace of a meeting in the demo: short, so that one sees the release.
const GRACE: TimeDelta = TimeDelta::seconds(40);
/// How long before the start people may check in.
const EARLY: TimeDelta = TimeDelta::minutes(1);

const OFFICE: Building = Building {
    name: "Main Building",
    time_zone: "Europe/Berlin",
    rooms: &[
        ("room-aurora@example.com", "Aurora"),
        ("room-borealis@example.com", "Borealis"),
        ("room-cirrus@example.com", "Cirrus"),
        ("room-delta@example.com", "Delta"),
        ("room-ember@example.com", "Ember"),
        ("room-fjord@example.com", "Fjord"),
        ("beamer-1@example.com", "Projector 1"),
    ],
};

/// Buildings with simulated meetings.
const LIVELY: [Building; 2] = [
    Building {
        name: "Harbour House",
        time_zone: "Europe/Berlin",
        rooms: &[
            ("room-gull@example.com", "Gull"),
            ("room-heron@example.com", "Heron"),
            ("room-ibis@example.com", "Ibis"),
            ("room-jay@example.com", "Jay"),
            ("room-kestrel@example.com", "Kestrel"),
        ],
    },
    Building {
        name: "Pier 9",
        time_zone: "America/New_York",
        rooms: &[
            ("room-lark@example.com", "Lark"),
            ("room-merlin@example.com", "Merlin"),
            ("room-nightjar@example.com", "Nightjar"),
        ],
    },
];

/// The rooms of the upper floor, and those of Pier 9.
const OVER_GRAPH: [&str; 6] = [
    "room-delta@example.com",
    "room-ember@example.com",
    "room-fjord@example.com",
    "room-lark@example.com",
    "room-merlin@example.com",
    "room-nightjar@example.com",
];

struct Building {
    name: &'static str,
    time_zone: &'static str,
    rooms: &'static [(&'static str, &'static str)],
}

/// Rooms without simulated meetings.
pub(super) fn quiet() -> Result<Vec<RoomAddress>, CommandError> {
    OFFICE.rooms.iter().map(|(room, _)| address(room)).collect()
}

/// Rooms with simulated meetings.
pub(super) fn lively() -> Result<Vec<RoomAddress>, CommandError> {
    LIVELY.iter().flat_map(|building| building.rooms).map(|(room, _)| address(room)).collect()
}

/// Rooms that are reached over Microsoft Graph; all others are reached over EWS.
pub(super) fn over_graph() -> impl Iterator<Item = &'static str> {
    OVER_GRAPH.into_iter()
}

/// Adds the rooms with simulated meetings.
pub(super) fn add_rooms(world: &mut World) {
    for (room, name) in LIVELY.iter().flat_map(|building| building.rooms) {
        let mut spec = RoomSpec::new(format!("Room {name}"), *room);
        // These rooms show subjects; by default Exchange replaces a subject by the organizer's name.
        spec.booking.organizer_as_subject = false;
        world.add_room(spec);
    }
}

/// The room groups of the demo's configuration.
pub(super) fn room_groups() -> Result<Vec<RoomGroup>, CommandError> {
    let lively = LIVELY.iter().map(|building| {
        let place = building.room_group()?;
        Ok(RoomGroup { grace: Some(GRACE), early: Some(EARLY), ..place })
    });
    std::iter::once(OFFICE.room_group()).chain(lively).collect()
}

impl Building {
    fn room_group(&self) -> Result<RoomGroup, CommandError> {
        let mut names = BTreeMap::new();
        for (room, name) in self.rooms {
            names.insert(address(room)?, (*name).to_owned());
        }
        let patterns = self.rooms.iter().map(|(room, _)| room.parse::<RoomPattern>());
        Ok(RoomGroup {
            name: self.name.to_owned(),
            rooms: patterns.flatten().collect(),
            building: Some(self.name.to_owned()),
            time_zone: Some(self.time_zone.to_owned()),
            names,
            ..RoomGroup::default()
        })
    }
}

/// Parses an address of the demo.
pub(super) fn address(text: &str) -> Result<RoomAddress, CommandError> {
    text.parse().map_err(|error| CommandError::from_error(Exit::Usage, error))
}
