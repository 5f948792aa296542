//! The traits through which `live` receives calendar changes from a server, whatever its protocol. Implementations subscribe and
//! translate; they decide nothing about events or rooms.

use std::time::Duration;

use async_trait::async_trait;

use crate::calendar::RoomAddress;
use crate::engine::CalendarError;

/// A source of calendar changes.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Groups the rooms that may share a streaming connection. Omits rooms whose server is not known yet, and rooms that do not
    /// resolve within seconds.
    async fn group_rooms(&self, rooms: &[RoomAddress]) -> Vec<SubscriptionGroup>;

    /// The most rooms that one streaming connection can carry.
    fn group_rooms_max(&self) -> usize;

    /// A change stream for the rooms of one group; `None` where the server supports no streaming.
    fn change_stream(&self, group: &[RoomAddress]) -> Option<Box<dyn ChangeStream>>;

    /// Whether the room's calendar changed after `since`. Without `since`, returns the initial sync state.
    async fn sync_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<SyncResult, CalendarError>;

    /// How often the room is polled, where its server never has a change stream and limits polls itself; else the interval and the
    /// limit of [`LiveOptions`](super::LiveOptions) count.
    fn poll_intervals(&self, _room: &RoomAddress) -> Option<PollIntervals> {
        None
    }
}

/// How often a room is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollIntervals {
    /// Interval of a room that is in use, or has an event within the hour.
    pub busy: Duration,
    /// Interval of any other room.
    pub idle: Duration,
}

/// Rooms that may share a streaming connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionGroup {
    /// Equal for all rooms that may share a connection, in this call and in later ones. Opaque.
    pub key: String,
    /// In the order of their addresses; may exceed the limit of one connection.
    pub rooms: Vec<RoomAddress>,
}

/// The change notifications of a group of rooms. Unsubscribes when it is dropped.
#[async_trait]
pub trait ChangeStream: Send {
    /// Subscribes to all rooms, and returns after the server confirmed it: every later change is delivered. Returns the rooms
    /// that could not be subscribed to, with the reason; a room that takes too long is one of them.
    ///
    /// # Errors
    /// When no room could be subscribed to.
    async fn subscribe(&mut self) -> Result<Vec<(RoomAddress, CalendarError)>, CalendarError>;

    /// The next batch of changes; an empty batch is a heartbeat. After an error, call `subscribe` before the next call.
    ///
    /// # Errors
    /// When the stream failed; changes since the last batch may be lost.
    async fn next(&mut self) -> Result<ChangeBatch, CalendarError>;

    /// Adds a room to the group. The next [`subscribe`](Self::subscribe) includes it.
    fn add_room(&mut self, room: &RoomAddress);

    /// Removes a room from the group and unsubscribes from it.
    fn remove_room(&mut self, room: &RoomAddress);

    /// The `Retry-After` of the server's last rejection; `None` when it named no time.
    fn retry_after(&self) -> Option<Duration>;
}

/// One batch of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeBatch {
    /// Rooms whose calendars changed.
    pub changed: Vec<RoomAddress>,
    /// Rooms whose subscription is lost: some of their changes may be missing, and none come before the next `subscribe`.
    pub lost: Vec<RoomAddress>,
    /// The server ended the stream in order: subscribe again.
    pub end_of_stream: bool,
}

/// The position of a poller in a calendar's changes (EWS: `SyncState`). Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncState(pub String);

/// The result of one poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncResult {
    /// Whether the calendar changed.
    pub changed: bool,
    /// The position for the next poll.
    pub state: SyncState,
}
