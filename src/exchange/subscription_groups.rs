//! Groups rooms of one server whose mailboxes share a back end, by Autodiscover's `GroupingInformation`, for one
//! streaming connection each. If the server does not support the setting, all rooms form one group. Grouping never
//! prevents a subscription.

use std::collections::BTreeMap;

use super::client::EwsClient;
use super::server_state::ServerKey;
use crate::autodiscover::batch::{ADDRESSES_MAX, BatchError};
use crate::autodiscover::grouping::{grouping_request, parse_grouping};
use crate::calendar::RoomAddress;
use crate::live::SubscriptionGroup;

impl EwsClient {
    /// Groups rooms of one server, each group in the order of its addresses.
    pub(super) async fn group_rooms(
        &self,
        server: &ServerKey,
        mut rooms: Vec<RoomAddress>,
    ) -> Vec<SubscriptionGroup> {
        rooms.sort(); // the first room of a group is its anchor mailbox
        let mut groups: BTreeMap<Option<String>, Vec<RoomAddress>> = BTreeMap::new();
        let mut is_supported = true;
        for rooms in rooms.chunks(ADDRESSES_MAX) {
            let names = if is_supported { self.query_groups(server, rooms).await } else { None };
            is_supported = names.is_some(); // after one failed request the other rooms do not wait for another
            for (at, room) in rooms.iter().enumerate() {
                let group = names.as_ref().and_then(|names| names.get(at)?.clone());
                groups.entry(group).or_default().push(room.clone());
            }
        }
        let group = |(name, rooms): (Option<String>, _)| {
            let key = name.map_or_else(|| server.to_string(), |name| format!("{server} {name}"));
            SubscriptionGroup { key, rooms }
        };
        groups.into_iter().map(group).collect()
    }

    /// Each room's group, if the server answers.
    async fn query_groups(&self, server: &ServerKey, rooms: &[RoomAddress]) -> Option<Vec<Option<String>>> {
        if !self.is_authenticated(server)
            || self.servers.lock().get(server).is_some_and(|server| server.lacks_grouping)
        {
            return None;
        }
        match parse_grouping(
            &self.endpoints.send_discovery(grouping_request(server.as_str(), rooms)?).await,
            rooms.len(),
        ) {
            Ok(groups) => Some(groups),
            Err(BatchError::Transient(why)) => {
                tracing::info!(
                    %server,
                    why,
                    "Autodiscover did not return which rooms share a back end; asking again later"
                );
                None
            }
            Err(BatchError::Permanent(why)) => {
                tracing::info!(
                    %server,
                    why,
                    "this server does not return which rooms share a back end; all its rooms form one group"
                );
                self.servers.lock().server(server).lacks_grouping = true;
                None
            }
        }
    }
}
