//! Concurrency limits by API key and by room: how many operations run at once in total, for one key, and in one room. A key that
//! floods the service, or a room whose mailbox hangs, exhausts its own share and leaves the others theirs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How many operations may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareLimits {
    /// In total.
    pub total: usize,
    /// The last part of `total`, reserved for keys that have fewer than `few` operations running.
    pub reserve: usize,
    /// A key with fewer running operations than this may use the reserve.
    pub few: usize,
    /// For one key.
    pub per_key: usize,
    /// In one room.
    pub per_room: usize,
    /// For one key in one room.
    pub per_key_and_room: usize,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ShareExhausted {
    /// The limit of all callers together.
    #[error("the service runs as many operations at once as it allows")]
    Total,
    /// The limit of this key.
    #[error("this key runs as many operations at once as one key may")]
    Key,
    /// The limit of this room.
    #[error("this room has as many operations in progress as one room may")]
    Room,
}

impl ShareExhausted {
    /// All limits.
    pub const ALL: [Self; 3] = [Self::Total, Self::Key, Self::Room];

    /// The value of the metrics' label `limit`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Key => "key",
            Self::Room => "room",
        }
    }
}

/// The running operations of one kind, held against their limits.
#[derive(Debug, Clone)]
pub struct SharePool {
    limits: ShareLimits,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    usage: Mutex<ShareUsage>,
    /// An operation ended.
    freed: Notify,
    refused: [AtomicU64; 3],
}

#[derive(Debug, Default)]
struct ShareUsage {
    total: usize,
    per_key: HashMap<Arc<str>, usize>,
    per_room: HashMap<Arc<str>, usize>,
    per_key_and_room: HashMap<(Arc<str>, Arc<str>), usize>,
}

/// The right to run one operation; dropping it ends the operation's count.
#[derive(Debug)]
pub struct Share {
    key: Arc<str>,
    room: Option<Arc<str>>,
    inner: Arc<Inner>,
}

impl SharePool {
    /// A pool with these limits.
    pub fn new(limits: ShareLimits) -> Self {
        Self { limits, inner: Arc::default() }
    }

    /// The limits.
    pub fn limits(&self) -> &ShareLimits {
        &self.limits
    }

    /// Counts one more operation of this key, and in this room if the operation concerns one.
    ///
    /// # Errors
    /// When a limit is reached.
    pub fn acquire(&self, key: &str, room: Option<&str>) -> Result<Share, ShareExhausted> {
        self.try_acquire(key, room).inspect_err(|exhausted| {
            self.inner.refused[*exhausted as usize].fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Like [`acquire`](Self::acquire), but waits up to `patience` while a limit is reached.
    ///
    /// # Errors
    /// When the limit is still reached then.
    pub async fn acquire_within(
        &self,
        key: &str,
        room: Option<&str>,
        patience: Duration,
    ) -> Result<Share, ShareExhausted> {
        let waited = tokio::time::timeout(patience, async {
            loop {
                let freed = self.inner.freed.notified();
                tokio::pin!(freed);
                // Registered before the check, so that no operation that ends after it is missed.
                freed.as_mut().enable();
                if let Ok(share) = self.try_acquire(key, room) {
                    return share;
                }
                freed.await;
            }
        });
        match waited.await {
            Ok(share) => Ok(share),
            Err(_) => self.acquire(key, room),
        }
    }

    /// How many operations run.
    pub fn in_use(&self) -> usize {
        self.inner.lock().total
    }

    /// How often this limit refused an operation.
    pub fn refused_count(&self, share: ShareExhausted) -> u64 {
        self.inner.refused[share as usize].load(Ordering::Relaxed)
    }

    fn try_acquire(&self, key: &str, room: Option<&str>) -> Result<Share, ShareExhausted> {
        let mut taken = self.inner.lock();
        let (key, room) = (Arc::<str>::from(key), room.map(Arc::<str>::from));
        self.check(&taken, &key, room.as_ref())?;
        taken.total += 1;
        *taken.per_key.entry(key.clone()).or_default() += 1;
        if let Some(room) = &room {
            *taken.per_room.entry(room.clone()).or_default() += 1;
            *taken.per_key_and_room.entry((key.clone(), room.clone())).or_default() += 1;
        }
        drop(taken);
        Ok(Share { key, room, inner: self.inner.clone() })
    }

    fn check(
        &self,
        taken: &ShareUsage,
        key: &Arc<str>,
        room: Option<&Arc<str>>,
    ) -> Result<(), ShareExhausted> {
        let limits = &self.limits;
        let of_key = count(&taken.per_key, key);
        if of_key >= limits.per_key {
            return Err(ShareExhausted::Key);
        }
        if let Some(room) = room {
            if count(&taken.per_room, room) >= limits.per_room {
                return Err(ShareExhausted::Room);
            }
            if count(&taken.per_key_and_room, &(key.clone(), room.clone())) >= limits.per_key_and_room {
                return Err(ShareExhausted::Key);
            }
        }
        let for_all = limits.total.saturating_sub(limits.reserve);
        let is_full = taken.total >= limits.total || (taken.total >= for_all && of_key >= limits.few);
        if is_full { Err(ShareExhausted::Total) } else { Ok(()) }
    }
}

fn count<K: Hash + Eq>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or(0)
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, ShareUsage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.inner.lock();
        taken.total = taken.total.saturating_sub(1);
        decrement(&mut taken.per_key, &self.key);
        if let Some(room) = &self.room {
            decrement(&mut taken.per_room, room);
            decrement(&mut taken.per_key_and_room, &(self.key.clone(), room.clone()));
        }
        drop(taken);
        self.inner.freed.notify_waiters();
    }
}

/// Subtracts one, and removes a count that reaches zero.
pub(crate) fn decrement<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ShareLimits =
        ShareLimits { total: 10, reserve: 4, few: 1, per_key: 4, per_room: 3, per_key_and_room: 2 };

    fn refusal(taken: Result<Share, ShareExhausted>) -> Option<ShareExhausted> {
        taken.err()
    }

    #[test]
    fn a_key_a_room_and_all_together_have_their_shares() {
        let shares = SharePool::new(LIMITS);
        let in_room: Vec<_> = (0..2).map(|_| shares.acquire("a", Some("hall")).unwrap()).collect();
        assert_eq!(
            refusal(shares.acquire("a", Some("hall"))),
            Some(ShareExhausted::Key),
            "two of one key in one room"
        );
        let other = shares.acquire("b", Some("hall")).unwrap();
        assert_eq!(refusal(shares.acquire("c", Some("hall"))), Some(ShareExhausted::Room));
        let elsewhere: Vec<_> = (0..2).map(|_| shares.acquire("a", Some("attic")).unwrap()).collect();
        assert_eq!(refusal(shares.acquire("a", None)), Some(ShareExhausted::Key), "four of one key");
        assert_eq!(ShareExhausted::ALL.map(|share| shares.refused_count(share)), [0, 2, 1]);
        drop((in_room, other, elsewhere));
        assert_eq!(shares.in_use(), 0);
        let taken = shares.inner.lock();
        assert!(taken.per_key.is_empty() && taken.per_room.is_empty() && taken.per_key_and_room.is_empty());
    }

    #[test]
    fn the_last_places_are_for_keys_that_have_few() {
        let shares = SharePool::new(LIMITS);
        let flood: Vec<_> =
            ["a", "a", "a", "b", "b", "b"].map(|key| shares.acquire(key, None).unwrap()).into();
        assert_eq!(refusal(shares.acquire("b", None)), Some(ShareExhausted::Total));
        let others: Vec<_> = ["c", "d", "e", "f"].map(|key| shares.acquire(key, None).unwrap()).into();
        assert_eq!(refusal(shares.acquire("g", None)), Some(ShareExhausted::Total));
        drop((flood, others));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_place_that_is_given_back_and_not_for_ever() {
        let shares = SharePool::new(LIMITS);
        let mut mine: Vec<_> = (0..4).map(|_| shares.acquire("a", None).unwrap()).collect();
        let second = Duration::from_secs(1);
        assert_eq!(refusal(shares.acquire_within("a", None, second).await), Some(ShareExhausted::Key));
        let waiting = shares.acquire_within("a", None, second);
        let giving = async {
            tokio::time::sleep(second / 2).await;
            drop(mine.pop());
        };
        let (waited, _) = tokio::join!(waiting, giving);
        assert!(waited.is_ok());
        assert_eq!(shares.refused_count(ShareExhausted::Key), 1);
    }
}
