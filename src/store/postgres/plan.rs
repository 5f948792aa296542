//! Plans a batch: which waiting entries can follow the stored ones, and what one statement stores of them. Pure except for random salts.

use std::collections::HashMap;

use super::batch::{Batch, BatchEntry};
use super::records::StoredRecord;
use super::removal::Removal;
use crate::action::ActionId;
use crate::journal::{ActionEntry, ActionRecord, Chain, JournalEntry, JournalError, Predecessor};
#[cfg(feature = "service")]
use crate::journal::{ChainError, SealedEntry};
use crate::store::action_row::ActionRow;
use crate::store::personal;

/// A batch in the making.
pub(super) struct Plan {
    writer: i32,
    /// The end of the chain before the batch.
    pub(super) before: Chain,
    chain: Chain,
    pub(super) batch: Batch,
    /// The archived entries that leave with it.
    pub(super) removal: Option<Removal>,
    /// Records after the batch.
    pub(super) updated: HashMap<ActionId, StoredRecord>,
}

impl Plan {
    /// An empty batch behind the end of this writer's chain.
    pub(super) fn new(writer: i32, before: Chain) -> Self {
        let (batch, updated) = (Batch::default(), HashMap::new());
        Self { writer, before, chain: before, batch, removal: None, updated }
    }

    /// The end of the chain after the batch.
    pub(super) fn after(&self) -> Chain {
        self.chain
    }

    /// Adds an entry; `known` is what the journal has of its action.
    pub(super) fn add(
        &mut self,
        entry: &JournalEntry,
        known: Option<&StoredRecord>,
    ) -> Result<(), JournalError> {
        let JournalEntry::Action(fact) = entry else {
            return self.append(entry, None, None).map(|_| ());
        };
        let before = self.updated.get(&fact.action).or(known);
        let (record, after) = (apply(before, fact)?, self.predecessor(before)?);
        let step = before.map_or(0, |before| before.entries);
        let last = self.append(entry, Some((fact.action, step)), after)?;
        let stored = StoredRecord { record, last, entries: step.saturating_add(1), is_sealed: false };
        self.updated.insert(fact.action, stored);
        Ok(())
    }

    /// Adds an entry that this chain has elsewhere already, as it is; `known` is what the journal has of its action.
    #[cfg(feature = "service")]
    pub(super) fn add_sealed(
        &mut self,
        sealed: SealedEntry,
        entry: &JournalEntry,
        known: Option<&StoredRecord>,
    ) -> Result<(), JournalError> {
        let damaged = |error: ChainError| JournalError::Damaged(error.to_string());
        self.chain.check(&sealed).map_err(damaged)?;
        let last = Predecessor { writer: self.writer, number: sealed.number, hash: sealed.hash };
        let step = match entry {
            JournalEntry::Admin(_) => None,
            JournalEntry::Action(fact) => {
                let before = self.updated.get(&fact.action).or(known);
                let (record, step) = (apply(before, fact)?, before.map_or(0, |before| before.entries));
                let entries = step.saturating_add(1);
                self.updated.insert(fact.action, StoredRecord { record, last, entries, is_sealed: false });
                Some((fact.action, step))
            }
        };
        self.batch.entries.push(BatchEntry { sealed, step, at_ms: entry.at().timestamp_millis() });
        Ok(())
    }

    /// The entry to name if the action's last one is on another chain. Only a sealed chain can be continued: its writer could still add an
    /// entry otherwise.
    fn predecessor(&self, before: Option<&StoredRecord>) -> Result<Option<Predecessor>, JournalError> {
        match before {
            Some(before) if before.last.writer != self.writer && before.is_sealed => Ok(Some(before.last)),
            Some(before) if before.last.writer != self.writer => Err(JournalError::OtherProcess(format!(
                "action {} belongs to writer {}, which has not ended",
                before.record.action.id, before.last.writer
            ))),
            _ => Ok(None),
        }
    }

    fn append(
        &mut self,
        entry: &JournalEntry,
        step: Option<(ActionId, i32)>,
        after: Option<Predecessor>,
    ) -> Result<Predecessor, JournalError> {
        let text = entry
            .to_linked_text(after, &mut personal::salt)
            .map_err(|error| JournalError::Unusable(error.to_string()))?;
        let sealed = self.chain.seal_text(text);
        let last = Predecessor { writer: self.writer, number: sealed.number, hash: sealed.hash };
        self.batch.entries.push(BatchEntry { sealed, step, at_ms: entry.at().timestamp_millis() });
        Ok(last)
    }

    /// Adds the rows of the index. Call it after the last entry.
    pub(super) fn index(&mut self) {
        let begun = self.batch.entries.iter().filter_map(|entry| entry.step);
        let begun: Vec<ActionId> = begun.filter(|(_, step)| *step == 0).map(|(action, _)| action).collect();
        for action in &begun {
            let row = self.updated.get(action).map(|stored| ActionRow::from_record(&stored.record, 0));
            self.batch.begun.extend(row);
        }
        let begun: std::collections::HashSet<ActionId> = begun.into_iter().collect();
        let moved = self.updated.iter().filter(|(action, _)| !begun.contains(action));
        self.batch.moved = moved.map(|(_, stored)| ActionRow::from_record(&stored.record, 0)).collect();
        // Two processes then touch rows in one order.
        self.batch.moved.sort_by(|one, other| one.action.cmp(&other.action));
    }
}

fn apply(before: Option<&StoredRecord>, fact: &ActionEntry) -> Result<ActionRecord, JournalError> {
    Ok(ActionRecord::apply(before.map(|before| before.record.clone()), fact)?)
}
