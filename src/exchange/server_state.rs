//! The state of each server of a connection: its connections and its sign-in state. One entry for each server, in one map with a
//! limit. Sends nothing; `endpoints.rs` opens the connections, and `lockout.rs` decides about sign-ins.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::sign_in_failures::{FailureRecord, RoomFailureRecords};
use crate::http::connection_pool::ConnectionPool;

/// Servers whose state is kept; a directory that names more is not believed. With more, the state of all is dropped: requests under
/// way keep their connections, and each server is authenticated anew.
pub(super) const SERVERS_MAX: usize = 64;

/// Which server a request goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ServerKey {
    /// The server is not known yet: Autodiscover has to find it.
    Autodiscover,
    /// The server with this EWS URL.
    Url(Arc<str>),
}

/// All servers of one connection. Its users share it.
#[derive(Clone, Default)]
pub(super) struct ServerStates(Arc<Mutex<ServerMap>>);

/// The servers, and what concerns all of them.
#[derive(Default)]
pub(super) struct ServerMap {
    pub(super) servers: HashMap<ServerKey, ServerState>,
    /// Rejections by any server while no server accepted the account.
    pub(super) account_wide: FailureRecord,
}

/// One server.
#[derive(Default)]
pub(super) struct ServerState {
    /// The connections to it, once one was needed.
    pub(super) connections: Option<Arc<ConnectionPool>>,
    /// Its Autodiscover does not answer for many rooms at once.
    pub(super) lacks_batches: bool,
    /// Its Autodiscover does not return which rooms share a back end.
    pub(super) lacks_grouping: bool,
    pub(super) is_authenticated: bool,
    pub(super) failures: FailureRecord,
    pub(super) room_failures: RoomFailureRecords,
    /// Rooms whose requests were accepted, the latest first.
    pub(super) proven: VecDeque<String>,
    /// Start of the latest accepted request that carried credentials.
    pub(super) proven_at: Option<Instant>,
    /// Serializes sign-ins while other servers accept the account and this one does not.
    pub(super) sign_in_lock: Arc<AsyncMutex<()>>,
    /// Held by the one probe under way.
    pub(super) probe_lock: Arc<AsyncMutex<()>>,
}

impl ServerKey {
    /// The EWS URL, or a word for Autodiscover.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Autodiscover => "autodiscover",
            Self::Url(url) => url,
        }
    }
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ServerStates {
    /// No code panics while holding the lock; the state would be valid all the same.
    pub(super) fn lock(&self) -> MutexGuard<'_, ServerMap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerMap {
    pub(super) fn get(&self, server: &ServerKey) -> Option<&ServerState> {
        self.servers.get(server)
    }

    /// The state of this server, which may be new.
    pub(super) fn server(&mut self, server: &ServerKey) -> &mut ServerState {
        if self.servers.len() >= SERVERS_MAX && !self.servers.contains_key(server) {
            self.servers.clear();
        }
        self.servers.entry(server.clone()).or_default()
    }

    pub(super) fn is_authenticated(&self, server: &ServerKey) -> bool {
        self.get(server).is_some_and(|server| server.is_authenticated)
    }

    pub(super) fn is_authenticated_anywhere(&self) -> bool {
        self.servers.values().any(|server| server.is_authenticated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_number_do_not_fill_the_memory() {
        let states = ServerStates::default();
        for number in 0..3 * SERVERS_MAX {
            let key = ServerKey::Url(format!("https://{number}.example/").into());
            states.lock().server(&key).is_authenticated = true;
            assert!(states.lock().servers.len() <= SERVERS_MAX);
            assert!(states.lock().is_authenticated(&key));
        }
    }
}
