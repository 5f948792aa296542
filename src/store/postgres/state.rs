//! What the parts of one writing process share: the acknowledged end of its chain, the locks to give back, and the reason why it may
//! never write again. Never talks to the database.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::batch::LockToken;
use crate::journal::{Chain, JournalError};

/// The state of this process as a writer.
#[derive(Debug, Default)]
pub(super) struct WriterState {
    chain: Mutex<Chain>,
    /// Set once: the writer is sealed, or its chain is damaged.
    ended: OnceLock<JournalError>,
    releases: Mutex<Vec<LockToken>>,
    has_releases: Notify,
    tokens: AtomicI64,
}

impl WriterState {
    /// The acknowledged end of the chain.
    pub(super) fn chain(&self) -> Chain {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_chain(&self, chain: Chain) {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
    }

    /// Fails if this process may never write again.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        self.ended.get().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// From now on every write fails with the first such error.
    pub(super) fn end(&self, why: JournalError) -> JournalError {
        let ended = self.ended.get_or_init(|| {
            tracing::error!(error = %why, "this process writes no more facts");
            why
        });
        ended.clone()
    }

    /// The process ends in order; nothing can be written any more.
    pub(super) fn close(&self) {
        let _ = self.ended.set(JournalError::Unusable("it is closed".to_owned()));
    }

    /// This process only reads.
    pub(super) fn refuse_writes(&self) {
        let _ = self.ended.set(JournalError::Unusable("this process opened it read-only".to_owned()));
    }

    /// A token for one more lock.
    pub(super) fn token(&self, name: String) -> LockToken {
        LockToken { name, token: self.tokens.fetch_add(1, Ordering::Relaxed) }
    }

    /// The locks to give back.
    pub(super) fn take_releases(&self) -> Vec<LockToken> {
        std::mem::take(&mut *self.releases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are locks to give back.
    pub(super) fn has_releases(&self) -> bool {
        !self.releases.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Keeps locks that could not be given back, for the next time. Once the process may write no more, others can take them anyway.
    pub(super) fn put_back(&self, tokens: impl IntoIterator<Item = LockToken>) {
        if self.ended.get().is_none() {
            self.releases.lock().unwrap_or_else(PoisonError::into_inner).extend(tokens);
        }
    }

    /// Gives a lock back soon.
    fn release(&self, token: Option<LockToken>) {
        self.put_back(token);
        self.has_releases.notify_one();
    }

    /// Waits until there is a lock to give back.
    pub(super) async fn wait_for_release(&self) {
        self.has_releases.notified().await;
    }
}

/// A lock that this process holds in the database. It is given back when dropped.
pub(super) struct HeldLock {
    state: Arc<WriterState>,
    token: Option<LockToken>,
}

impl HeldLock {
    pub(super) fn new(state: Arc<WriterState>, token: LockToken) -> Self {
        Self { state, token: Some(token) }
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.state.release(self.token.take());
    }
}
