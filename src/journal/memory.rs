//! A journal that lasts as long as the process: for rehearsals, demos and tests. It forgets the oldest closed actions, so that
//! a demo may run for weeks.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::personal::Salt;
use super::{
    ADMIN_EVENTS_READ_MAX, AdminEntry, AdminPage, AdminQuery, Chain, Entry, Fact, Journal, JournalError,
    Life, Page, Position, Query, Record, Sealed,
};
use crate::action::ActionId;

/// Closed actions that are remembered: some days of a demo's rooms.
pub const MEMORY_CLOSED_MAX: usize = 10_000;
/// Entries that are remembered: three for each of those actions, as most have.
pub const MEMORY_ENTRIES_MAX: usize = 3 * MEMORY_CLOSED_MAX;

/// Keeps facts in memory, sealed like those on disk.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<(Record, Sealed)>,
    chain: Chain,
    lives: HashMap<ActionId, Life>,
    /// In the order they were taken on.
    order: VecDeque<ActionId>,
    closed: usize,
    /// Actions that were forgotten; those that are left keep their places in a page.
    forgotten: usize,
    has_forgotten: bool,
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

impl Kept {
    fn put(&mut self, record: Record) -> Result<(), JournalError> {
        let mut count = u128::from(self.chain.length) << 64;
        // Nothing leaves the process: a count is random enough.
        let mut salt = || -> Salt {
            count += 1;
            count.to_be_bytes()
        };
        let text = record.text(&mut salt).map_err(|error| JournalError::Unusable(error.to_string()))?;
        let sealed = self.chain.seal_text(text);
        self.entries.push_back((record, sealed));
        if self.entries.len() > MEMORY_ENTRIES_MAX {
            self.entries.pop_front();
            self.say_forgotten();
        }
        Ok(())
    }

    /// Forgets the action that was taken on first among those that are closed.
    fn forget_closed(&mut self) {
        let is_closed = |id: &ActionId| self.lives.get(id).is_none_or(|life| !life.is_open());
        if let Some(oldest) = self.order.iter().position(is_closed).and_then(|at| self.order.remove(at)) {
            self.lives.remove(&oldest);
            self.closed -= 1;
            self.forgotten += 1;
            self.say_forgotten();
        }
    }

    fn say_forgotten(&mut self) {
        if !std::mem::replace(&mut self.has_forgotten, true) {
            tracing::warn!(
                closed_max = MEMORY_CLOSED_MAX,
                "the journal in memory is full; it forgets the oldest closed actions from now on"
            );
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn record(&self, entry: Entry) -> Result<(), JournalError> {
        let mut kept = self.kept();
        let id = entry.action;
        let before = kept.lives.get(&id).cloned();
        let (is_new, was_closed) = (before.is_none(), before.as_ref().is_some_and(|life| !life.is_open()));
        let life = Life::after(before, &entry)?;
        kept.put(entry.into())?;
        if is_new {
            kept.order.push_back(id);
        }
        kept.closed += usize::from(!life.is_open() && !was_closed);
        kept.lives.insert(id, life);
        if kept.closed > MEMORY_CLOSED_MAX {
            kept.forget_closed();
        }
        Ok(())
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        self.kept().put(entry.into())
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
            let number = (kept.forgotten + number) as u64;
            Some((Position { at_ms: life.accepted_at.timestamp_millis(), number }, life))
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
        let asked = kept.entries.iter().map(|(_, sealed)| sealed).skip_while(|sealed| sealed.number < first);
        Ok(asked.take(max).cloned().collect())
    }

    fn chain(&self) -> Option<Chain> {
        Some(self.kept().chain)
    }
}
