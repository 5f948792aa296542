//! Implements live's `Feed` trait: which rooms can share a streaming connection, and what changed in a calendar since
//! the last `SyncFolderItems`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};

use super::calendar::{Exchange, wrong_response_type};
use super::contents;
use super::request_error::RequestError;
use super::response_messages::unexpected_response;
use super::server_state::ServerKey;
use super::streaming::StreamingSubscriptions;
use crate::calendar::RoomAddress;
use crate::concurrency::ConcurrencyLimit;
use crate::engine::CalendarError;
use crate::engine::ErrorKind;
use crate::ews::codec::SoapBody;
use crate::ews::op::{CHANGES_MAX, DistinguishedFolder, Effect, SUBSCRIPTIONS_MAX, SyncFolderItems};
use crate::live::{ChangeStream, Feed, SubscriptionGroup, SyncResult, SyncState};

/// Pages of changes that one call reads: a calendar of half a million items.
const PAGES_MAX: usize = 1_000;
/// Longest SyncState that is kept for a room; Exchange's have some hundred bytes, and grow with the calendar.
pub(super) const SYNC_STATE_BYTES_MAX: usize = 64 << 10;
/// Concurrent Autodiscover searches, while they are fast.
const RESOLVE_CONCURRENCY: usize = 8;
/// A search that takes longer lets the next one start.
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// Rooms whose server is not found within this time are grouped later.
const GROUPING_TIMEOUT: Duration = Duration::from_secs(20);
/// Rooms that are tried to authenticate to a server before Autodiscover …
const SIGN_IN_ROOMS_MAX: usize = 3;
/// … each within this time.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(5);

impl Exchange {
    /// Groups the rooms of one server.
    async fn group(&self, server: ServerKey, rooms: Vec<RoomAddress>) -> Vec<SubscriptionGroup> {
        // EWS must accept the account before Autodiscover gets its credentials, so that a wrong password costs one
        // attempt. A mailbox that does not respond proves nothing.
        for room in rooms.iter().take(SIGN_IN_ROOMS_MAX) {
            if self.client.is_authenticated(&server)
                || timeout(SIGN_IN_TIMEOUT, self.check_calendar(room)).await.is_ok()
            {
                break;
            }
        }
        self.client.group_rooms(&server, rooms).await
    }

    /// One page of changes with the state after it, and whether another page follows.
    async fn page_of_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<(SyncResult, bool), RequestError> {
        let sync = SyncFolderItems {
            folder: self.client.folder(DistinguishedFolder::Calendar, room),
            sync_state: since.map(|state| state.0.as_str()),
            max_changes: CHANGES_MAX,
        };
        let read = |body: &SoapBody<'_>| {
            let SoapBody::SyncFolderItems(messages) = body else {
                return Err(wrong_response_type(Effect::Read));
            };
            let (state, changed, more) = contents::changes(messages)?;
            if state.len() > SYNC_STATE_BYTES_MAX {
                return Err(unexpected_response(Effect::Read, "a SyncState that is too long".to_owned()));
            }
            Ok((SyncResult { changed, state: SyncState(state.to_owned()) }, more))
        };
        self.client.execute(room, &sync, read).await
    }
}

#[async_trait]
impl Feed for Exchange {
    async fn group_rooms(&self, rooms: &[RoomAddress]) -> Vec<SubscriptionGroup> {
        let (limit, until) =
            (ConcurrencyLimit::new(RESOLVE_CONCURRENCY, SLOW_AFTER), Instant::now() + GROUPING_TIMEOUT);
        let finding = rooms.iter().map(|room| limit.run(timeout_at(until, self.client.find_server(room))));
        let mut servers: BTreeMap<ServerKey, Vec<RoomAddress>> = BTreeMap::new();
        for (room, found) in rooms.iter().zip(join_all(finding).await) {
            if let Ok(Ok(server @ ServerKey::Url(_))) = found {
                servers.entry(server).or_default().push(room.clone());
            }
        }
        let groups = join_all(servers.into_iter().map(|(server, rooms)| self.group(server, rooms))).await;
        groups.into_iter().flatten().collect()
    }

    fn group_rooms_max(&self) -> usize {
        SUBSCRIPTIONS_MAX
    }

    fn change_stream(&self, group: &[RoomAddress]) -> Option<Box<dyn ChangeStream>> {
        Some(Box::new(StreamingSubscriptions::new(self.client.clone(), group, self.stream_idle_timeout)?))
    }

    async fn sync_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<SyncResult, CalendarError> {
        let (mut state, mut changed) = (since.cloned(), false);
        for _ in 0..PAGES_MAX {
            let (page, more) = match self.page_of_changes(room, state.as_ref()).await {
                Ok(page) => page,
                // The server no longer knows the state: everything may have changed.
                Err(RequestError::Refused(ErrorKind::StateExpired, _)) if state.is_some() => {
                    (state, changed) = (None, true);
                    continue;
                }
                Err(failed) => return Err(failed.into()),
            };
            changed |= page.changed;
            // A server that announces more pages and repeats the same state is not asked for ever; it may hold back a
            // change.
            let stuck = more && state.as_ref() == Some(&page.state);
            if !more || stuck {
                return Ok(SyncResult { changed: changed || stuck, state: page.state });
            }
            state = Some(page.state);
        }
        Err(RequestError::InvalidResponse("the server returns pages of changes without end".to_owned())
            .into())
    }
}
