//! A queue of rooms without duplicates: a room that is pushed twice is returned once. Never longer than the scope.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::calendar::RoomAddress;

/// A first-in, first-out queue without duplicates.
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

    /// Drops all other rooms.
    pub(super) fn retain(&self, keep: impl Fn(&RoomAddress) -> bool) {
        let mut waiting = self.waiting();
        waiting.0.retain(|room| keep(room));
        waiting.1.retain(|room| keep(room));
    }

    /// Waits for the next room.
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
        // Several pushes may have stored only one wake-up.
        if !waiting.0.is_empty() {
            self.pushed.notify_one();
        }
        Some(room)
    }

    fn waiting(&self) -> MutexGuard<'_, (VecDeque<RoomAddress>, HashSet<RoomAddress>)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
