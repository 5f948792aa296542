//! The locks of actions: one action at a time in a room and under an idempotency key, first in this process, then among all
//! processes with the same journal. Holds no data.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use crate::journal::{Journal, JournalError, JournalLock, LockName};
use crate::keyed_mutex::KeyedMutex;

/// The locks of one engine.
pub(super) struct Locks {
    journal: Arc<dyn Journal>,
    in_process: KeyedMutex,
}

/// A lock of an action; released when dropped.
#[must_use = "the lock is released when dropped"]
pub(crate) struct ActionLock {
    /// Released first: who waits in this process locks the journal next.
    _journal: JournalLock,
    _in_process: OwnedMutexGuard<()>,
}

impl Locks {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, in_process: KeyedMutex::default() }
    }

    /// Locks `name`. Within this process, first come, first served.
    pub(super) async fn lock(&self, name: &LockName) -> Result<ActionLock, JournalError> {
        let in_process = self.in_process.lock(&name.to_string()).await;
        Ok(ActionLock { _journal: self.journal.lock(name).await?, _in_process: in_process })
    }

    /// Locks `name` if nobody else has locked it.
    pub(super) async fn try_lock(&self, name: &LockName) -> Result<Option<ActionLock>, JournalError> {
        let Some(in_process) = self.in_process.try_lock(&name.to_string()) else { return Ok(None) };
        let journal = self.journal.try_lock(name).await?;
        Ok(journal.map(|journal| ActionLock { _journal: journal, _in_process: in_process }))
    }
}
