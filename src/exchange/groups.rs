//! Which rooms of one server are listened to together: those whose mailboxes the server says share a back end, by
//! Autodiscover's `GroupingInformation`; where it has no word on that, all of them. Never a reason not to listen.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::autodiscover::grouping::{ADDRESSES_MAX, Silence, question, read};
use super::client::Client;
use crate::calendar::RoomAddress;
use crate::live::RoomGroup;

/// Servers of which it is remembered that they do not say; more are forgotten, and asked again.
const MUTE_MAX: usize = 64;

/// What was learnt of the servers' ways.
#[derive(Default)]
pub(super) struct Groups {
    mute: Mutex<HashSet<String>>,
}

impl Groups {
    /// Puts rooms of one server into groups, each in the order of the addresses.
    pub(super) async fn of(&self, client: &Client, ews: &str, mut rooms: Vec<RoomAddress>) -> Vec<RoomGroup> {
        rooms.sort(); // the first of a group is the one that its requests are anchored at
        let mut groups: BTreeMap<Option<String>, Vec<RoomAddress>> = BTreeMap::new();
        let mut says = true;
        for rooms in rooms.chunks(ADDRESSES_MAX) {
            let said = if says { self.ask(client, ews, rooms).await } else { None };
            says = said.is_some(); // who waited for an answer in vain once does not wait again for the others
            for (at, room) in rooms.iter().enumerate() {
                let group = said.as_ref().and_then(|said| said.get(at)?.clone());
                groups.entry(group).or_default().push(room.clone());
            }
        }
        let group = |(said, rooms): (Option<String>, _)| {
            let key = said.map_or_else(|| ews.to_owned(), |said| format!("{ews} {said}"));
            RoomGroup { key, rooms }
        };
        groups.into_iter().map(group).collect()
    }

    /// What is said of each of the rooms, if there is an answer.
    async fn ask(&self, client: &Client, ews: &str, rooms: &[RoomAddress]) -> Option<Vec<Option<String>>> {
        if !client.is_known(ews) || self.mute().contains(ews) {
            return None;
        }
        match read(&client.places.ask(question(ews, rooms)?).await, rooms.len()) {
            Ok(groups) => Some(groups),
            Err(Silence::Passing(why)) => {
                tracing::info!(ews, why, "the server does not say now which rooms share a back end");
                None
            }
            Err(Silence::Lasting(why)) => {
                tracing::info!(ews, why, "the server does not say which rooms share a back end: all may");
                let mut mute = self.mute();
                if mute.len() >= MUTE_MAX {
                    mute.clear();
                }
                mute.insert(ews.to_owned());
                None
            }
        }
    }

    /// Nothing panics while holding it; if it did, what is in it would still be so.
    fn mute(&self) -> MutexGuard<'_, HashSet<String>> {
        self.mute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
