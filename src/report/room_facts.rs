//! The groups, the name and the time zone of a room, from the configuration. Remembers them while a report is made, and never
//! reads a file.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::dimension::ROWS_MAX;
use crate::calendar::RoomAddress;
use crate::cleanup::Rules;

/// What the configuration has about a room.
#[derive(Debug, Clone, Default)]
pub(super) struct RoomFacts {
    /// The display name.
    pub(super) name: Option<String>,
    /// The time zone.
    pub(super) zone: Option<Tz>,
    /// The names of the groups that include the room.
    pub(super) groups: Vec<String>,
}

/// The facts about rooms. At [`ROWS_MAX`] rooms it begins anew.
pub(super) struct RoomDirectory<'a> {
    rules: &'a Rules,
    known: HashMap<RoomAddress, RoomFacts>,
}

impl<'a> RoomDirectory<'a> {
    pub(super) fn new(rules: &'a Rules) -> Self {
        Self { rules, known: HashMap::new() }
    }

    /// The facts about this room.
    pub(super) fn facts(&mut self, room: &RoomAddress) -> &RoomFacts {
        if self.known.len() >= ROWS_MAX {
            self.known.clear();
        }
        let rules = self.rules;
        self.known.entry(room.clone()).or_insert_with(|| {
            let info = rules.room_info(room);
            let zone = info.time_zone.and_then(|zone| zone.parse().ok());
            RoomFacts { name: info.name, zone, groups: rules.group_names(room) }
        })
    }
}
