//! Which rooms of one server are listened to together: those whose mailboxes the server says share a back end, by
//! Autodiscover's `GroupingInformation`; where it has no word on that, all of them. Never a reason not to listen.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::autodiscover::grouping::{ADDRESSES_MAX, GroupingError, grouping_request, parse_grouping};
use super::client::EwsClient;
use crate::calendar::RoomAddress;
use crate::live::SubscriptionGroup;

/// Servers of which it is remembered that they do not say; more are forgotten, and asked again.
const UNSUPPORTED_MAX: usize = 64;

/// What was learnt of the servers' ways.
#[derive(Default)]
pub(super) struct SubscriptionGroups {
    unsupported: Mutex<HashSet<String>>,
}

impl SubscriptionGroups {
    /// Puts rooms of one server into groups, each in the order of the addresses.
    pub(super) async fn group_rooms(
        &self,
        client: &EwsClient,
        ews: &str,
        mut rooms: Vec<RoomAddress>,
    ) -> Vec<SubscriptionGroup> {
        rooms.sort(); // the first of a group is the one that its requests are anchored at
        let mut groups: BTreeMap<Option<String>, Vec<RoomAddress>> = BTreeMap::new();
        let mut says = true;
        for rooms in rooms.chunks(ADDRESSES_MAX) {
            let said = if says { self.query(client, ews, rooms).await } else { None };
            says = said.is_some(); // who waited for an answer in vain once does not wait again for the others
            for (at, room) in rooms.iter().enumerate() {
                let group = said.as_ref().and_then(|said| said.get(at)?.clone());
                groups.entry(group).or_default().push(room.clone());
            }
        }
        let group = |(said, rooms): (Option<String>, _)| {
            let key = said.map_or_else(|| ews.to_owned(), |said| format!("{ews} {said}"));
            SubscriptionGroup { key, rooms }
        };
        groups.into_iter().map(group).collect()
    }

    /// What is said of each of the rooms, if there is an answer.
    async fn query(
        &self,
        client: &EwsClient,
        ews: &str,
        rooms: &[RoomAddress],
    ) -> Option<Vec<Option<String>>> {
        if !client.is_authenticated(ews) || self.unsupported().contains(ews) {
            return None;
        }
        match parse_grouping(
            &client.endpoints.send_discovery(grouping_request(ews, rooms)?).await,
            rooms.len(),
        ) {
            Ok(groups) => Some(groups),
            Err(GroupingError::Transient(why)) => {
                tracing::info!(ews, why, "the server does not say now which rooms share a back end");
                None
            }
            Err(GroupingError::Permanent(why)) => {
                tracing::info!(ews, why, "the server does not say which rooms share a back end: all may");
                let mut mute = self.unsupported();
                if mute.len() >= UNSUPPORTED_MAX {
                    mute.clear();
                }
                mute.insert(ews.to_owned());
                None
            }
        }
    }

    /// Nothing panics while holding it; if it did, what is in it would still be so.
    fn unsupported(&self) -> MutexGuard<'_, HashSet<String>> {
        self.unsupported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
