//! The filters and the order of the list of rooms. Pure: decides by what the configuration says of a room and by its last known state.
//! A room whose state is unknown or old is neither free nor busy.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::calendar::RoomAddress;
use crate::cleanup::RoomInfo;
use crate::service::{RoomStatus, STALE_STATE_MAX};

/// The longest free time that can be asked for: as far as every calendar is read ahead.
const FREE_FOR_MAX: u16 = 1_440;

/// Parameters of the list of rooms.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomListQuery {
    /// `next_cursor` of the previous page. Send the same filters with it.
    #[param(value_type = Option<String>)]
    pub(super) cursor: Option<String>,
    /// Rooms per page, 1 to 1000. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<usize>,
    /// Only rooms in this building, compared without case.
    #[param(value_type = Option<String>)]
    building: Option<String>,
    /// Only rooms on this floor, compared without case.
    #[param(value_type = Option<String>)]
    floor: Option<String>,
    /// Only rooms that hold at least this many people.
    #[param(minimum = 1, maximum = 65535)]
    capacity_min: Option<u16>,
    /// Only rooms that have all of this, separated by commas: `video,whiteboard`.
    #[param(value_type = Option<String>)]
    equipment: Option<String>,
    /// Only rooms in this state, as known within the last 15 minutes.
    #[param(inline)]
    state: Option<RoomState>,
    /// Only rooms that are free now and for at least this many minutes, as known within the last 15 minutes.
    #[param(minimum = 1, maximum = 1440)]
    free_for: Option<u16>,
    /// SMTP address of a room: the nearest rooms first, by building and floor, then the smallest.
    #[param(value_type = Option<String>)]
    pub(super) near: Option<String>,
}

/// Whether an event takes a room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RoomState {
    /// No event takes it.
    Free,
    /// An event takes it.
    Busy,
}

/// Where a room stands in the list: the distance from another room, then the capacity, then the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(Distance, u32, RoomAddress);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    SameFloor,
    SameBuilding,
    Elsewhere,
}

impl RoomListQuery {
    /// Checks the parameters that have limits.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.capacity_min == Some(0) {
            return Err(Problem::bad_request("`capacity_min` must be at least 1."));
        }
        match self.free_for {
            Some(minutes) if !(1..=FREE_FOR_MAX).contains(&minutes) => {
                Err(Problem::bad_request(format!("`free_for` must be between 1 and {FREE_FOR_MAX}.")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a room with these data is wanted.
    pub(super) fn wants(&self, info: &RoomInfo) -> bool {
        is_at(self.building.as_deref(), info.building.as_deref())
            && is_at(self.floor.as_deref(), info.floor.as_deref())
            && self
                .capacity_min
                .is_none_or(|least| info.capacity.is_some_and(|holds| holds >= u32::from(least)))
            && self.equipment.as_deref().is_none_or(|all| has_all(info, all))
    }

    /// Whether a room in this state is wanted.
    pub(super) fn wants_state(&self, status: Option<&RoomStatus>, now: DateTime<Utc>) -> bool {
        if self.state.is_none() && self.free_for.is_none() {
            return true;
        }
        let Some(status) = status.filter(|status| now - status.as_of <= STALE_STATE_MAX) else {
            return false;
        };
        let is_wanted = match self.state {
            None => true,
            Some(RoomState::Free) => !status.is_busy(),
            Some(RoomState::Busy) => status.is_busy(),
        };
        is_wanted && self.free_for.is_none_or(|minutes| is_free_for(status, minutes, now))
    }
}

/// The rank of a room in a list of the rooms near another one.
pub(super) fn rank(room: &RoomAddress, info: &RoomInfo, near: &RoomInfo) -> Rank {
    let is_same = |one: &Option<String>, other: &Option<String>| match (one, other) {
        (Some(one), Some(other)) => is_alike(one, other),
        _ => false,
    };
    let distance = match is_same(&info.building, &near.building) {
        true if is_same(&info.floor, &near.floor) => Distance::SameFloor,
        true => Distance::SameBuilding,
        false => Distance::Elsewhere,
    };
    Rank(distance, info.capacity.unwrap_or(u32::MAX), room.clone())
}

fn is_at(wanted: Option<&str>, is: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| is.is_some_and(|is| is_alike(is, wanted.trim())))
}

fn has_all(info: &RoomInfo, wanted: &str) -> bool {
    let mut wanted = wanted.split(',').map(str::trim).filter(|one| !one.is_empty());
    wanted.all(|wanted| info.equipment.iter().any(|has| is_alike(has, wanted)))
}

/// Whether two names are the same without case.
fn is_alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn is_free_for(status: &RoomStatus, minutes: u16, now: DateTime<Utc>) -> bool {
    let until = now + TimeDelta::minutes(minutes.into());
    !status.is_busy() && status.free_until.is_none_or(|ends| until <= ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(building: &str, floor: &str, capacity: Option<u32>) -> RoomInfo {
        let equipment = vec!["Video".to_owned(), "whiteboard".to_owned()];
        let (building, floor) = (Some(building.to_owned()), Some(floor.to_owned()));
        RoomInfo { building, floor, capacity, equipment, ..RoomInfo::default() }
    }

    fn query(text: &str) -> RoomListQuery {
        axum::extract::Query::try_from_uri(&format!("/?{text}").parse().unwrap()).unwrap().0
    }

    #[test]
    fn a_room_is_wanted_if_it_has_all_that_is_asked_for() {
        let room = info("Mitte", "2", Some(8));
        for text in ["", "building=mitte", "building=Mitte&floor=2&capacity_min=8&equipment=video,Whiteboard"]
        {
            assert!(query(text).wants(&room), "{text}");
        }
        for text in ["building=Mitt", "floor=3", "capacity_min=9", "equipment=video,phone"] {
            assert!(!query(text).wants(&room), "{text}");
        }
        let unknown = RoomInfo::default();
        for text in ["building=Mitte", "floor=2", "capacity_min=1", "equipment=video"] {
            assert!(!query(text).wants(&unknown), "{text}");
        }
        assert!(query("free_for=0").check().is_err() && query("free_for=1440").check().is_ok());
    }

    #[test]
    fn the_nearest_rooms_come_first_and_of_those_the_smallest() {
        let here = info("Mitte", "2", None);
        let rooms = [
            ("far@x.example", info("Ost", "2", Some(2))),
            ("floor@x.example", info("Mitte", "3", Some(2))),
            ("large@x.example", info("Mitte", "2", Some(20))),
            ("small@x.example", info("Mitte", "2", Some(4))),
            ("unknown@x.example", info("Mitte", "2", None)),
            ("nowhere@x.example", RoomInfo::default()),
        ];
        let mut ranks: Vec<_> =
            rooms.iter().map(|(room, info)| rank(&room.parse().unwrap(), info, &here)).collect();
        ranks.sort();
        let order: Vec<_> = ranks.iter().map(|rank| rank.2.as_str().split('@').next().unwrap()).collect();
        assert_eq!(order, ["small", "large", "unknown", "floor", "far", "nowhere"]);
        let lost = rank(&"a@x.example".parse().unwrap(), &RoomInfo::default(), &RoomInfo::default());
        assert_eq!(lost.0, Distance::Elsewhere, "two unknown buildings are not the same one");
    }

    #[test]
    fn buildings_and_floors_are_compared_without_case_as_in_the_filter() {
        let here = info("Mitte", "EG", None);
        let room = "a@x.example".parse().unwrap();
        for (building, floor, distance) in [
            ("MITTE", "eg", Distance::SameFloor),
            ("mitte", "OG", Distance::SameBuilding),
            ("Mitt", "EG", Distance::Elsewhere),
        ] {
            let there = info(building, floor, None);
            assert_eq!(rank(&room, &there, &here).0, distance, "{building} {floor}");
            let is_listed = query(&format!("building={building}")).wants(&here);
            assert_eq!(is_listed, distance != Distance::Elsewhere, "{building}");
        }
    }
}
