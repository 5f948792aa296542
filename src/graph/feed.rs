//! Implements the feed of calendar changes by polling: Graph's change notifications need an address that Microsoft can reach, so
//! there is no change stream. A poll lists the versions of the room's events; it decides nothing about them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::classify::{RetryDecision, unexpected_response};
use super::connection::Graph;
use super::contents::elements;
use super::decode::decode_element;
use super::effect::Effect;
use super::request;
use super::request_error::RequestError;
use super::resources::{EventVersion, Page};
use super::view::{EVENTS_MAX, PAGES_MAX, calendar_too_large};
use crate::calendar::{RoomAddress, Window, occupancy};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::CalendarError;
use crate::live::{ChangeStream, Feed, PollIntervals, SubscriptionGroup, SyncResult, SyncState};

/// How far ahead changes are noticed: as far as the calendars of the rooms are kept.
const POLLED_AHEAD: TimeDelta = TimeDelta::hours(36);

/// SHA-256 of the polled properties of one event: the events of all rooms are polled at the same time.
type VersionDigest = [u8; 32];

#[async_trait]
impl Feed for Graph {
    /// No room has a change stream.
    async fn group_rooms(&self, _: &[RoomAddress]) -> Vec<SubscriptionGroup> {
        Vec::new()
    }

    fn group_rooms_max(&self) -> usize {
        1
    }

    fn change_stream(&self, _: &[RoomAddress]) -> Option<Box<dyn ChangeStream>> {
        None
    }

    /// The state is a digest of the events from now on and of their versions. An event that begins beyond the reach, and comes into
    /// it, counts as a change too.
    async fn sync_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<SyncResult, CalendarError> {
        let from = occupancy::reading_start(SystemClock.now());
        let window = Window::clamped(from, from + POLLED_AHEAD)
            .ok_or_else(|| CalendarError::configuration("the time to poll is empty"))?;
        let state = digest(&self.event_versions(room, window).await?);
        Ok(SyncResult { changed: since.is_some_and(|since| *since != state), state })
    }

    fn poll_intervals(&self, _: &RoomAddress) -> Option<PollIntervals> {
        Some(self.poll_intervals)
    }
}

impl Graph {
    /// Digests of the polled properties of each event of a window, as the server wrote them.
    async fn event_versions(
        &self,
        room: &RoomAddress,
        window: Window,
    ) -> Result<BTreeSet<VersionDigest>, RequestError> {
        let read =
            |page: &Page<'_>| elements(page)?.iter().map(|one| version(one)).collect::<Result<Vec<_>, _>>();
        let mut all = BTreeSet::new();
        let mut pages = self.pages(room, request::versions_in_view(room, window), PAGES_MAX);
        while let Some(versions) = pages.next(read).await? {
            all.extend(versions);
            if all.len() > EVENTS_MAX {
                return Err(calendar_too_large());
            }
        }
        if pages.is_complete() { Ok(all) } else { Err(calendar_too_large()) }
    }
}

/// The element's digest, if it shows the event's version: without one, a change could look like none, and a cached calendar would count
/// as current.
fn version(element: &RawValue) -> Result<VersionDigest, RetryDecision> {
    let is_missing = |text: Option<&str>| text.is_none_or(str::is_empty);
    let found: EventVersion<'_> =
        decode_element(element).map_err(|error| unexpected_response(Effect::Read, error.to_string()))?;
    match is_missing(found.id.as_deref())
        || is_missing(found.change_key.as_deref()) && is_missing(found.etag.as_deref())
    {
        true => Err(unexpected_response(Effect::Read, "an event without id or version".to_owned())),
        false => Ok(Sha256::digest(element.get()).into()),
    }
}

fn digest(versions: &BTreeSet<VersionDigest>) -> SyncState {
    let mut hash = Sha256::new();
    for version in versions {
        hash.update(version);
    }
    SyncState(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_events_is_no_change_and_any_property_is_one() {
        let set =
            |texts: &[&str]| texts.iter().map(|text| Sha256::digest(text).into()).collect::<BTreeSet<_>>();
        assert_eq!(digest(&set(&["a", "b"])), digest(&set(&["b", "a"])));
        assert_ne!(digest(&set(&["a", "b"])), digest(&set(&["ab"])));
        assert_ne!(digest(&set(&["a"])), digest(&set(&[])));
    }
}
