//! What the rooms' calendars held a moment ago. A hundred displays that look at one room cost one request.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Event, RoomAddress, Window};
use crate::engine::{Engine, Trouble};
use crate::turns::Turns;

/// How far ahead a room's calendar is read: a display shows the day.
const AHEAD: TimeDelta = TimeDelta::hours(24);

/// A calendar as it was read.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Everything that touches the next hours.
    pub events: Arc<Vec<Event>>,
    /// When.
    pub read_at: DateTime<Utc>,
}

/// The rooms of the scope, as they were read last.
pub struct Rooms {
    engine: Arc<Engine>,
    kept: RwLock<HashMap<RoomAddress, Kept>>,
    /// One reading at a time for each room.
    reading: Turns,
}

impl Rooms {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, kept: RwLock::default(), reading: Turns::default() }
    }

    /// What is known, however old.
    pub fn known(&self, room: &RoomAddress) -> Option<Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).get(room).cloned()
    }

    /// What is known, read again when it is too old. The caller has checked that the room is in scope.
    pub async fn get(&self, room: &RoomAddress, now: DateTime<Utc>, age: TimeDelta) -> Result<Kept, Trouble> {
        let fresh = |kept: &Kept| now - kept.read_at <= age;
        if let Some(kept) = self.known(room).filter(fresh) {
            return Ok(kept);
        }
        let _turn = self.reading.take(room.as_str()).await;
        // Somebody may have read it while we waited.
        if let Some(kept) = self.known(room).filter(fresh) {
            return Ok(kept);
        }
        let window = Window::clamped(now, now + AHEAD).ok_or_else(|| Trouble::ours("no time ahead"))?;
        let events = Arc::new(self.engine.calendar().events(room, window).await?);
        let kept = Kept { events, read_at: now };
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(room.clone(), kept.clone());
        Ok(kept)
    }

    /// Something was done in the room: what was read before is not what is there.
    pub fn forget(&self, room: &RoomAddress) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(room);
    }
}
