//! Rooms that wait for something, each once however often it is named: no longer than the scope.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::calendar::RoomAddress;

/// First come, first served.
#[derive(Debug, Default)]
pub(super) struct UniqueQueue {
    waiting: Mutex<(VecDeque<RoomAddress>, HashSet<RoomAddress>)>,
    pushed: Notify,
}

impl UniqueQueue {
    pub(super) fn push(&self, room: &RoomAddress) {
        let mut waiting = self.waiting();
        if waiting.1.insert(room.clone()) {
            waiting.0.push_back(room.clone());
            self.pushed.notify_one();
        }
    }

    /// Only these go on waiting.
    pub(super) fn retain(&self, keep: impl Fn(&RoomAddress) -> bool) {
        let mut waiting = self.waiting();
        waiting.0.retain(|room| keep(room));
        waiting.1.retain(|room| keep(room));
    }

    /// Waits for the next.
    pub(super) async fn next(&self) -> RoomAddress {
        loop {
            let came = self.pushed.notified();
            if let Some(room) = self.pop() {
                return room;
            }
            came.await;
        }
    }

    fn pop(&self) -> Option<RoomAddress> {
        let mut waiting = self.waiting();
        let room = waiting.0.pop_front()?;
        waiting.1.remove(&room);
        // Of several that come at once, one wakes us.
        if !waiting.0.is_empty() {
            self.pushed.notify_one();
        }
        Some(room)
    }

    fn waiting(&self) -> MutexGuard<'_, (VecDeque<RoomAddress>, HashSet<RoomAddress>)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
