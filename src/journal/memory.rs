//! A journal in memory, for dry runs, demos and tests. It drops the oldest closed actions, so that a demo may run for weeks, and
//! never touches a file.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::personal::Salt;
use super::{
    ADMIN_EVENTS_READ_MAX, ActionEntry, ActionRecord, AdminEntry, AdminPage, AdminQuery, Chain, Fact,
    Journal, JournalEntry, JournalError, Position, Query, RecordPage, SealedEntry, actions_since,
};
use crate::action::ActionId;

/// Limit on closed actions: some days of a demo's rooms.
pub const MEMORY_CLOSED_MAX: usize = 10_000;
/// Limit on entries: three for each of those actions, as most have.
pub const MEMORY_ENTRIES_MAX: usize = 3 * MEMORY_CLOSED_MAX;

/// A journal in memory, with entries sealed like those on disk.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: Mutex<MemoryJournalState>,
}

#[derive(Debug, Default)]
struct MemoryJournalState {
    entries: VecDeque<(JournalEntry, SealedEntry)>,
    chain: Chain,
    records: HashMap<ActionId, ActionRecord>,
    /// In the order in which they were accepted.
    order: VecDeque<ActionId>,
    closed: usize,
    /// The number of dropped actions: the others keep their positions in a page.
    forgotten: usize,
    has_forgotten: bool,
}

impl MemoryJournal {
    /// Everything recorded, in order.
    pub fn facts(&self) -> Vec<(ActionId, Fact)> {
        let kept = self.state();
        let facts = kept.entries.iter().filter_map(|(record, _)| match record {
            JournalEntry::Action(entry) => Some((entry.action, entry.fact.clone())),
            JournalEntry::Admin(_) => None,
        });
        facts.collect()
    }

    fn state(&self) -> MutexGuard<'_, MemoryJournalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryJournalState {
    fn append(&mut self, record: JournalEntry) -> Result<(), JournalError> {
        let mut count = u128::from(self.chain.length) << 64;
        // The HMACs never leave the process, so a counter is random enough.
        let mut salt = || -> Salt {
            count += 1;
            count.to_be_bytes()
        };
        let text = record.to_text(&mut salt).map_err(|error| JournalError::Unusable(error.to_string()))?;
        let sealed = self.chain.seal_text(text);
        self.entries.push_back((record, sealed));
        if self.entries.len() > MEMORY_ENTRIES_MAX {
            self.entries.pop_front();
            self.warn_forgetting();
        }
        Ok(())
    }

    /// Drops the closed action that was accepted first.
    fn forget_closed(&mut self) {
        let is_closed = |id: &ActionId| self.records.get(id).is_none_or(|found| !found.is_open());
        if let Some(oldest) = self.order.iter().position(is_closed).and_then(|at| self.order.remove(at)) {
            self.records.remove(&oldest);
            self.closed -= 1;
            self.forgotten += 1;
            self.warn_forgetting();
        }
    }

    fn warn_forgetting(&mut self) {
        if !std::mem::replace(&mut self.has_forgotten, true) {
            tracing::warn!(
                closed_max = MEMORY_CLOSED_MAX,
                "the in-memory journal is full; it drops the oldest closed actions from now on"
            );
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError> {
        let mut kept = self.state();
        let id = entry.action;
        let before = kept.records.get(&id).cloned();
        let (is_new, was_closed) = (before.is_none(), before.as_ref().is_some_and(|found| !found.is_open()));
        let found = ActionRecord::apply(before, &entry)?;
        kept.append(entry.into())?;
        if is_new {
            kept.order.push_back(id);
        }
        kept.closed += usize::from(!found.is_open() && !was_closed);
        kept.records.insert(id, found);
        if kept.closed > MEMORY_CLOSED_MAX {
            kept.forget_closed();
        }
        Ok(())
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        self.state().append(entry.into())
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        let kept = self.state();
        let newest_first = kept.entries.iter().rev().filter_map(|(record, sealed)| match record {
            JournalEntry::Admin(entry) => Some((sealed.number, entry)),
            JournalEntry::Action(_) => None,
        });
        let asked = newest_first.filter(|(number, _)| query.before.is_none_or(|before| *number < before));
        let mut page = AdminPage::default();
        for (read, (number, entry)) in asked.enumerate() {
            if read >= ADMIN_EVENTS_READ_MAX || page.events.len() >= query.limit {
                page.more = Some(number + 1);
                break;
            }
            if query.matches(entry) {
                page.events.push((number, entry.clone()));
            }
        }
        Ok(page)
    }

    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        Ok(self.state().records.get(&action).cloned())
    }

    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
        let kept = self.state();
        let newest_first = kept.order.iter().rev().filter_map(|id| kept.records.get(id));
        let meant = newest_first.filter(|found| query.matches(found));
        Ok(meant.take(query.limit.unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError> {
        let kept = self.state();
        let records = kept.order.iter().enumerate().filter_map(|(number, id)| {
            let found = kept.records.get(id)?;
            let number = (kept.forgotten + number) as u64;
            Some((Position { at_ms: found.accepted_at.timestamp_millis(), number }, found))
        });
        let mut records: Vec<_> =
            records.filter(|(place, _)| after.is_none_or(|after| *place < after)).collect();
        records.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        let (mut page, max) = (RecordPage::default(), query.limit.unwrap_or(usize::MAX));
        for (position, found) in records.into_iter().take(examine) {
            page.examined += 1;
            if query.matches(found) {
                page.records.push((position, found.clone()));
            }
            page.next = Some(position).filter(|_| page.examined >= examine || page.records.len() >= max);
            if page.next.is_some() {
                break;
            }
        }
        Ok(page)
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError> {
        let kept = self.state();
        let asked = kept.entries.iter().map(|(_, sealed)| sealed).skip_while(|sealed| sealed.number < first);
        Ok(asked.take(max).cloned().collect())
    }

    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError> {
        actions_since(self, since).await
    }

    fn chain(&self) -> Option<Chain> {
        Some(self.state().chain)
    }
}
