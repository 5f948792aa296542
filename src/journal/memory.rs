//! A journal that lasts as long as the process: for rehearsals, demos and tests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    ADMIN_EVENTS_READ_MAX, AdminEntry, AdminPage, AdminQuery, Chain, Entry, Fact, Journal, JournalError,
    Life, Page, Position, Query, Record, Sealed,
};
use crate::action::ActionId;

/// Keeps facts in memory, sealed like those on disk.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<(Record, Sealed)>,
    chain: Chain,
    lives: HashMap<ActionId, Life>,
    /// In the order they were taken on.
    order: Vec<ActionId>,
}

impl MemoryJournal {
    /// Everything recorded, in order.
    pub fn facts(&self) -> Vec<(ActionId, Fact)> {
        let kept = self.kept();
        let facts = kept.entries.iter().filter_map(|(record, _)| match record {
            Record::Action(entry) => Some((entry.action, entry.fact.clone())),
            Record::Admin(_) => None,
        });
        facts.collect()
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
        kept.entries.push((entry.into(), sealed));
        Ok(())
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        let body = entry.body().map_err(|error| JournalError::Unusable(error.to_string()))?;
        let mut kept = self.kept();
        let sealed = kept.chain.seal(body);
        kept.entries.push((entry.into(), sealed));
        Ok(())
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        let kept = self.kept();
        let newest_first = kept.entries.iter().rev().filter_map(|(record, sealed)| match record {
            Record::Admin(entry) => Some((sealed.number, entry)),
            Record::Action(_) => None,
        });
        let asked = newest_first.filter(|(number, _)| query.before.is_none_or(|before| *number < before));
        let mut page = AdminPage::default();
        for (read, (number, entry)) in asked.enumerate() {
            if read >= ADMIN_EVENTS_READ_MAX || page.events.len() >= query.limit {
                page.more = Some(number + 1);
                break;
            }
            if query.means(entry) {
                page.events.push((number, entry.clone()));
            }
        }
        Ok(page)
    }

    async fn life(&self, action: ActionId) -> Result<Option<Life>, JournalError> {
        Ok(self.kept().lives.get(&action).cloned())
    }

    async fn find(&self, query: &Query) -> Result<Vec<Life>, JournalError> {
        let kept = self.kept();
        let newest_first = kept.order.iter().rev().filter_map(|id| kept.lives.get(id));
        let meant = newest_first.filter(|life| query.means(life));
        Ok(meant.take(query.limit.unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<Page, JournalError> {
        let kept = self.kept();
        let lives = kept.order.iter().enumerate().filter_map(|(number, id)| {
            let life = kept.lives.get(id)?;
            Some((Position { at_ms: life.accepted_at.timestamp_millis(), number: number as u64 }, life))
        });
        let mut lives: Vec<_> = lives.filter(|(place, _)| after.is_none_or(|after| *place < after)).collect();
        lives.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        let (mut page, max) = (Page::default(), query.limit.unwrap_or(usize::MAX));
        for (position, life) in lives.into_iter().take(examine) {
            page.examined += 1;
            if query.means(life) {
                page.lives.push((position, life.clone()));
            }
            page.next = Some(position).filter(|_| page.examined >= examine || page.lives.len() >= max);
            if page.next.is_some() {
                break;
            }
        }
        Ok(page)
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<Sealed>, JournalError> {
        let kept = self.kept();
        let from = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(kept.entries.iter().skip(from).take(max).map(|(_, sealed)| sealed.clone()).collect())
    }
}
