//! Groups rooms of one server whose mailboxes share a back end, by Autodiscover's `GroupingInformation`, for one
//! streaming connection each. If the server does not support the setting, all rooms form one group. Grouping never
//! prevents a subscription.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client::EwsClient;
use crate::autodiscover::batch::{ADDRESSES_MAX, BatchError};
use crate::autodiscover::grouping::{grouping_request, parse_grouping};
use crate::calendar::RoomAddress;
use crate::live::SubscriptionGroup;

/// Servers that are known not to support grouping; with more, all are dropped and asked again.
const UNSUPPORTED_MAX: usize = 64;

/// Remembers which servers do not support grouping.
#[derive(Default)]
pub(super) struct SubscriptionGroups {
    unsupported: Mutex<HashSet<String>>,
}

impl SubscriptionGroups {
    /// Groups rooms of one server, each group in the order of its addresses.
    pub(super) async fn group_rooms(
        &self,
        client: &EwsClient,
        ews: &str,
        mut rooms: Vec<RoomAddress>,
    ) -> Vec<SubscriptionGroup> {
        rooms.sort(); // the first room of a group is its anchor mailbox
        let mut groups: BTreeMap<Option<String>, Vec<RoomAddress>> = BTreeMap::new();
        let mut is_supported = true;
        for rooms in rooms.chunks(ADDRESSES_MAX) {
            let names = if is_supported { self.query(client, ews, rooms).await } else { None };
            is_supported = names.is_some(); // after one failed request the other rooms do not wait for another
            for (at, room) in rooms.iter().enumerate() {
                let group = names.as_ref().and_then(|names| names.get(at)?.clone());
                groups.entry(group).or_default().push(room.clone());
            }
        }
        let group = |(name, rooms): (Option<String>, _)| {
            let key = name.map_or_else(|| ews.to_owned(), |name| format!("{ews} {name}"));
            SubscriptionGroup { key, rooms }
        };
        groups.into_iter().map(group).collect()
    }

    /// Each room's group, if the server answers.
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
            Err(BatchError::Transient(why)) => {
                tracing::info!(
                    ews,
                    why,
                    "Autodiscover did not return which rooms share a back end; asking again later"
                );
                None
            }
            Err(BatchError::Permanent(why)) => {
                tracing::info!(
                    ews,
                    why,
                    "this server does not return which rooms share a back end; all its rooms form one group"
                );
                let mut unsupported = self.unsupported();
                if unsupported.len() >= UNSUPPORTED_MAX {
                    unsupported.clear();
                }
                unsupported.insert(ews.to_owned());
                None
            }
        }
    }

    /// No code panics while holding the lock; the set would be valid all the same.
    fn unsupported(&self) -> MutexGuard<'_, HashSet<String>> {
        self.unsupported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
