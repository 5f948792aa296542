//! Maps other addresses of a room to the configured one: an alias, or the new primary address of a renamed room. The answers of
//! Exchange's directory are cached; an address never adds a room to the scope.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::Service;
use crate::calendar::RoomAddress;
use crate::engine::AddressLookup;

/// How long an answer of the directory is cached.
const BELIEVED: TimeDelta = TimeDelta::hours(1);
/// Addresses cached.
const REMEMBERED_MAX: usize = 10_000;
/// Addresses looked up for one request.
const LOOKUPS_MAX: usize = 20;

/// The cached answers of the directory, by address.
#[derive(Debug, Default)]
pub(super) struct Aliases(Mutex<HashMap<RoomAddress, LookupResult>>);

/// The time of the lookup, and the room that the address belongs to.
type LookupResult = (DateTime<Utc>, Option<RoomAddress>);

impl Aliases {
    fn known(&self, address: &RoomAddress, now: DateTime<Utc>) -> Option<Option<RoomAddress>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked_at, room) = known.get(address)?;
        (now - *asked_at <= BELIEVED).then(|| room.clone())
    }

    fn remember(&self, address: RoomAddress, room: Option<RoomAddress>, now: DateTime<Utc>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(address, (now, room));
    }
}

impl Service {
    /// The rooms in scope that these addresses belong to, each with the given address.
    pub async fn rooms_by_alias(&self, addresses: &[String]) -> Vec<(String, RoomAddress)> {
        let mut found = Vec::new();
        for text in addresses.iter().take(LOOKUPS_MAX) {
            let Ok(address) = text.parse::<RoomAddress>() else { continue };
            if let Some(room) = self.room_by_alias(&address).await {
                found.push((text.clone(), room));
            }
        }
        found
    }

    async fn room_by_alias(&self, address: &RoomAddress) -> Option<RoomAddress> {
        let now = self.now();
        if let Some(known) = self.aliases.known(address, now) {
            return known;
        }
        let scope = self.engine.scope();
        let asking = scope.rooms().next()?;
        let room = match self.engine.calendar().resolve_address(asking, address.as_str()).await {
            Ok(AddressLookup::Found(mailbox)) => {
                scope.rooms().find(|room| mailbox.include(room.as_str())).cloned()
            }
            Ok(AddressLookup::NotFound) => None,
            Ok(AddressLookup::Unknown) | Err(_) => return None,
        };
        self.aliases.remember(address.clone(), room.clone(), now);
        room
    }
}
