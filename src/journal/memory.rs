//! A journal that lasts as long as the process: for rehearsals, demos and tests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Chain, Entry, Fact, Journal, JournalError, Life, Query, Sealed};
use crate::action::ActionId;

/// Keeps facts in memory, sealed like those on disk.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<(Entry, Sealed)>,
    chain: Chain,
    lives: HashMap<ActionId, Life>,
    /// In the order they were taken on.
    order: Vec<ActionId>,
}

impl MemoryJournal {
    /// Everything recorded, in order.
    pub fn facts(&self) -> Vec<(ActionId, Fact)> {
        self.kept().entries.iter().map(|(entry, _)| (entry.action, entry.fact.clone())).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn record(&self, entry: Entry) -> Result<(), JournalError> {
        let mut kept = self.kept();
        let before = kept.lives.get(&entry.action).cloned();
        let is_new = before.is_none();
        let life = Life::after(before, &entry)?;
        let body = entry.body().map_err(|error| JournalError::Unusable(error.to_string()))?;
        let sealed = kept.chain.seal(body);
        if is_new {
            kept.order.push(entry.action);
        }
        kept.lives.insert(entry.action, life);
        kept.entries.push((entry, sealed));
        Ok(())
    }

    async fn life(&self, action: ActionId) -> Result<Option<Life>, JournalError> {
        Ok(self.kept().lives.get(&action).cloned())
    }

    async fn find(&self, query: &Query) -> Result<Vec<Life>, JournalError> {
        let kept = self.kept();
        let place = |action| kept.order.iter().position(|id| *id == action).unwrap_or(0);
        let before = query.before.map_or(kept.order.len(), place);
        let newest_first = kept.order[..before].iter().rev().filter_map(|id| kept.lives.get(id));
        let meant = newest_first.filter(|life| query.means(life));
        Ok(meant.take(query.limit.unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<Sealed>, JournalError> {
        let kept = self.kept();
        let from = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(kept.entries.iter().skip(from).take(max).map(|(_, sealed)| sealed.clone()).collect())
    }
}
