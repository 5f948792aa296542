//! What happened, for whoever listens now: displays that stay connected, and consoles. Nothing is kept for later; what must
//! not be lost is in the journal.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::sweeps::SweepId;
use crate::action::{ActionId, Outcome, Seen};
use crate::calendar::RoomAddress;

/// Notices a slow listener may be behind; then it hears that it missed some.
const BEHIND_MAX: usize = 1_024;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// An action is over.
    Acted {
        /// In which room.
        room: RoomAddress,
        /// Its name.
        action: ActionId,
        /// How it ended.
        outcome: Box<Outcome>,
    },
    /// Somebody checked in.
    CheckedIn {
        /// In which room.
        room: RoomAddress,
        /// When.
        at: DateTime<Utc>,
        /// By what.
        source: String,
    },
    /// What is on will be released unless somebody checks in.
    ReleaseNear {
        /// In which room.
        room: RoomAddress,
        /// When.
        at: DateTime<Utc>,
    },
    /// Nobody came to a series so often in a row that it may not be needed.
    SeriesMissed {
        /// In which room.
        room: RoomAddress,
        /// The date that was released last.
        event: Seen,
        /// Dates in a row.
        missed: u32,
        /// The whole series was taken off.
        deleted: bool,
    },
    /// A sweep is planned, begins to act, or is over.
    Swept {
        /// Its name; `None` where a schedule began it.
        sweep: Option<SweepId>,
        /// The key or schedule that began it.
        by: String,
        /// The rooms it is about.
        rooms: Arc<Vec<RoomAddress>>,
        /// How far it is.
        state: &'static str,
        /// Actions planned, or done.
        actions: usize,
    },
}

impl Notice {
    /// Its kind, as listeners know it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Acted { .. } => "action",
            Self::CheckedIn { .. } => "check-in",
            Self::ReleaseNear { .. } => "release-near",
            Self::SeriesMissed { .. } => "series-missed",
            Self::Swept { .. } => "sweep",
        }
    }

    /// What is told of it, as a JSON object.
    pub fn told(&self) -> Value {
        match self {
            Self::Acted { room, action, outcome } => {
                json!({ "room": room, "action": action, "message": outcome.to_string() })
            }
            Self::CheckedIn { room, at, source } => json!({ "room": room, "at": at, "source": source }),
            Self::ReleaseNear { room, at } => json!({ "room": room, "release_at": at }),
            Self::SeriesMissed { room, event, missed, deleted } => json!({
                "room": room,
                "organizer": event.organizer,
                "start": event.start,
                "missed": missed,
                "deleted": deleted,
            }),
            Self::Swept { sweep, by, rooms, state, actions } => json!({
                "sweep": sweep,
                "by": by,
                "rooms": rooms.len(),
                "state": state,
                "actions": actions,
            }),
        }
    }

    /// The rooms it is about: who may not know of all of them does not hear it.
    pub fn rooms(&self) -> &[RoomAddress] {
        match self {
            Self::Acted { room, .. }
            | Self::CheckedIn { room, .. }
            | Self::ReleaseNear { room, .. }
            | Self::SeriesMissed { room, .. } => std::slice::from_ref(room),
            Self::Swept { rooms, .. } => rooms,
        }
    }

    /// It is about a sweep as a whole, and for those who may plan one.
    pub fn is_of_sweep(&self) -> bool {
        matches!(self, Self::Swept { .. })
    }
}

/// Where notices are told and heard, until it is closed.
#[derive(Clone)]
pub struct Notices(Arc<RwLock<Option<broadcast::Sender<Notice>>>>);

impl Default for Notices {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Some(broadcast::channel(BEHIND_MAX).0))))
    }
}

impl Notices {
    /// Tells everybody who listens.
    pub fn tell(&self, notice: Notice) {
        if let Some(sender) = &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            // Nobody listening is no error.
            let _ = sender.send(notice);
        }
    }

    /// Listens from now on; `None` when nothing will be told any more.
    pub fn listen(&self) -> Option<broadcast::Receiver<Notice>> {
        let sender = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(sender.as_ref()?.subscribe())
    }

    /// Nothing will be told any more: whoever listens comes to the end.
    pub fn close(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}
