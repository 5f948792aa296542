//! What is asked of a server so that it tells what changes, whichever protocol it speaks. Implementations translate and
//! deliver; what follows from it is decided by whoever listens.

use async_trait::async_trait;

use crate::calendar::RoomAddress;
use crate::engine::Trouble;

/// A server's calendars, as something to be followed.
#[async_trait]
pub trait Feed: Send + Sync {
    /// The rooms, in groups that one connection can tell of. Those of which nobody knows where they live are left out.
    async fn groups(&self, rooms: &[RoomAddress]) -> Vec<Vec<RoomAddress>>;

    /// Ears for one such group; `None` where nothing tells of changes.
    fn ears(&self, group: &[RoomAddress]) -> Option<Box<dyn Ears>>;

    /// Whether anything changed in the room's calendar since it was asked last; without `since`, from when on it will know.
    async fn changed(&self, room: &RoomAddress, since: Option<&SyncState>) -> Result<Synced, Trouble>;
}

/// Listens to a group of rooms. Dropped, it lets the server know that nobody listens any more.
#[async_trait]
pub trait Ears: Send {
    /// Begins to listen, and has heard that it does: what changes from now on will be heard. The rooms that cannot be listened to,
    /// and why.
    ///
    /// # Errors
    /// When none can.
    async fn open(&mut self) -> Result<Vec<(RoomAddress, Trouble)>, Trouble>;

    /// The next that is heard, if only that the server is still there. Not to be asked again after an error before it is
    /// opened again.
    ///
    /// # Errors
    /// When nothing will be heard any more; what was said meanwhile may be lost.
    async fn hear(&mut self) -> Result<Heard, Trouble>;
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Rooms whose calendars changed.
    pub changed: Vec<RoomAddress>,
    /// Rooms of which nothing will be heard any more before the ears are opened again, and perhaps was not.
    pub lost: Vec<RoomAddress>,
    /// The server has said all it will say on this connection: open the ears again.
    pub closed: bool,
}

/// How far somebody is who asks what changed. Opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncState(pub String);

/// What changed since then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// Anything at all.
    pub changed: bool,
    /// For the next time.
    pub state: SyncState,
}
