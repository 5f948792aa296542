//! What the servers' directories have about the rooms: names, buildings, floors, capacities, equipment. Read once a day, and kept in
//! memory only. The configuration goes before it. Decides nothing: no rule depends on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::Service;
use crate::calendar::RoomAddress;
use crate::cleanup::RoomInfo;
use crate::concurrency::ConcurrencyLimit;
use crate::engine::Place;

/// How often rooms are looked for whose place was not read lately.
pub(super) const TICK: Duration = Duration::from_secs(60);
/// The age at which a place is read again.
const READ_AGAIN: TimeDelta = TimeDelta::hours(24);
/// The pause after a failed read.
const RETRY_AFTER: TimeDelta = TimeDelta::hours(1);
/// Places that are read at once.
const MAX_CONCURRENT_READS: usize = 2;
/// A read that takes longer than this gives its concurrency slot back.
const SLOW_AFTER: Duration = Duration::from_secs(3);
/// Time limit of one read.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The places of the followed rooms.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<RoomAddress, KnownPlace>>);

#[derive(Debug, Clone)]
struct KnownPlace {
    place: Option<Place>,
    /// When it is read again.
    due: DateTime<Utc>,
}

impl Places {
    fn get(&self, room: &RoomAddress) -> Option<Place> {
        self.lock().get(room)?.place.clone()
    }

    /// The rooms whose place must be read now. Forgets all other rooms than these.
    fn due(&self, rooms: Vec<RoomAddress>, now: DateTime<Utc>) -> Vec<RoomAddress> {
        let mut known = self.lock();
        known.retain(|room, _| rooms.binary_search(room).is_ok());
        let is_due = |room: &RoomAddress| known.get(room).is_none_or(|known| known.due <= now);
        rooms.into_iter().filter(is_due).collect()
    }

    /// Stores the place that was read, or keeps the earlier one after a failure. Returns whether it changed.
    fn store(&self, room: &RoomAddress, read: Option<Option<Place>>, now: DateTime<Utc>) -> bool {
        let mut known = self.lock();
        let before = known.get(room).and_then(|known| known.place.clone());
        let (place, due) = match read {
            Some(place) => (place.map(Place::bounded), now + READ_AGAIN),
            None => (before.clone(), now + RETRY_AFTER),
        };
        let is_changed = place != before;
        known.insert(room.clone(), KnownPlace { place, due });
        is_changed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RoomAddress, KnownPlace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// The room's descriptive data: by the configuration, else by the directory.
    pub fn room_info(&self, room: &RoomAddress) -> RoomInfo {
        let info = self.options().rules.room_info(room);
        match self.places.get(room) {
            Some(place) => with_place(info, place),
            None => info,
        }
    }

    /// Reads the places of the followed rooms that are due.
    pub async fn read_places(&self) {
        let due = self.places.due(self.followed_rooms(), self.now());
        let limit = ConcurrencyLimit::new(MAX_CONCURRENT_READS, SLOW_AFTER);
        let read = due.iter().map(|room| limit.run(self.read_place(room)));
        join_all(read).await;
    }

    async fn read_place(&self, room: &RoomAddress) {
        let read = timeout(READ_TIMEOUT, self.engine.calendar().place(room)).await;
        let place = match read {
            Ok(Ok(place)) => Some(place),
            Ok(Err(error)) => {
                tracing::debug!(%room, %error, "cannot read the room's entry in the directory");
                None
            }
            Err(_) => None,
        };
        if self.places.store(room, place, self.now()) {
            self.rooms.mark_changed(room);
        }
    }
}

fn with_place(info: RoomInfo, place: Place) -> RoomInfo {
    RoomInfo {
        name: info.name.or(place.name),
        building: info.building.or(place.building),
        floor: info.floor.or(place.floor),
        capacity: info.capacity.or(place.capacity),
        equipment: if info.equipment.is_empty() { place.equipment } else { info.equipment },
        time_zone: info.time_zone,
        language: info.language,
        accent: info.accent,
        logo: info.logo,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomAddress {
        format!("{name}@example.com").parse().unwrap()
    }

    #[test]
    fn a_place_is_read_once_a_day_and_sooner_after_a_failure() {
        let (places, now) = (Places::default(), DateTime::UNIX_EPOCH);
        let rooms = || vec![room("a"), room("b")];
        assert_eq!(places.due(rooms(), now), rooms());
        let place = Place { name: Some("Aurora".to_owned()), ..Place::default() };
        assert!(places.store(&room("a"), Some(Some(place.clone())), now));
        assert!(!places.store(&room("b"), None, now));
        assert_eq!(places.due(rooms(), now + RETRY_AFTER), [room("b")]);
        assert_eq!(places.due(rooms(), now + READ_AGAIN), rooms());
        assert!(!places.store(&room("a"), None, now + READ_AGAIN), "a failure keeps what is known");
        assert_eq!(places.get(&room("a")), Some(place));
        assert_eq!(places.due(vec![room("b")], now), []);
        assert_eq!(places.get(&room("a")), None, "a room that is no longer followed is forgotten");
    }

    #[test]
    fn the_configuration_goes_before_the_directory() {
        let text = |text: &str| Some(text.to_owned());
        let place = Place { name: text("Aurora"), floor: text("3"), capacity: Some(8), ..Place::default() };
        let info = RoomInfo { name: text("Spree"), ..RoomInfo::default() };
        let both = with_place(info, place);
        assert_eq!((both.name, both.floor, both.capacity), (text("Spree"), text("3"), Some(8)));
    }
}
