//! What is asked of a server so that it tells what changes, whichever protocol it speaks. Implementations translate and
//! deliver; what follows from it is decided by whoever listens.

use std::time::Duration;

use async_trait::async_trait;

use crate::calendar::RoomAddress;
use crate::engine::CalendarError;

/// A server's calendars, as something to be followed.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Sorts the rooms into groups that one connection can tell of. Leaves out the rooms whose server is not known (yet), and
    /// returns within seconds: a room that takes longer is left out too.
    async fn group_rooms(&self, rooms: &[RoomAddress]) -> Vec<SubscriptionGroup>;

    /// How many rooms one connection can tell of.
    fn group_rooms_max(&self) -> usize;

    /// Ears for such rooms; `None` where nothing tells of changes.
    fn change_stream(&self, group: &[RoomAddress]) -> Option<Box<dyn ChangeStream>>;

    /// Whether anything changed in the room's calendar since it was asked last; without `since`, from when on it will know.
    async fn sync_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<SyncResult, CalendarError>;
}

/// Rooms that one connection can tell of, and rooms that join them later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionGroup {
    /// Equal for rooms that may share a connection, whenever they are asked about. Opaque.
    pub key: String,
    /// In the order of their addresses; may be more than one connection can tell of.
    pub rooms: Vec<RoomAddress>,
}

/// Listens to a group of rooms. Dropped, it lets the server know that nobody listens any more.
#[async_trait]
pub trait ChangeStream: Send {
    /// Begins to listen, and has heard that it does: what changes from now on will be heard. The rooms that cannot be listened to,
    /// and why. A room that takes long is one of these.
    ///
    /// # Errors
    /// When none can.
    async fn subscribe(&mut self) -> Result<Vec<(RoomAddress, CalendarError)>, CalendarError>;

    /// The next that is heard, if only that the server is still there. Not to be asked again after an error before it is
    /// opened again.
    ///
    /// # Errors
    /// When nothing will be heard any more; what was said meanwhile may be lost.
    async fn next(&mut self) -> Result<ChangeBatch, CalendarError>;

    /// Adds a room to the group. The next [`open`](Self::open) subscribes to it.
    fn add_room(&mut self, room: &RoomAddress);

    /// Takes a room out of the group; its subscription is given back.
    fn remove_room(&mut self, room: &RoomAddress);

    /// How long the server asked to be left alone when it last refused to begin or to go on; `None` when it named no time.
    fn retry_after(&self) -> Option<Duration>;
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeBatch {
    /// Rooms whose calendars changed.
    pub changed: Vec<RoomAddress>,
    /// Rooms of which nothing will be heard any more before the ears are opened again, and perhaps was not.
    pub lost: Vec<RoomAddress>,
    /// The server has said all it will say on this connection: open the ears again.
    pub end_of_stream: bool,
}

/// How far somebody is who asks what changed. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncState(pub String);

/// What changed since then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncResult {
    /// Anything at all.
    pub changed: bool,
    /// For the next time.
    pub state: SyncState,
}
