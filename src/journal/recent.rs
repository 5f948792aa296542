//! The actions with recent entries, from the end of a chain. For journals that have no index of the times of entries.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Journal, JournalEntry, JournalError};
use crate::action::ActionId;

/// Entries that are read from the end: those of ten minutes at thirty actions a second.
const ENTRIES_READ_MAX: u64 = 60_000;
/// Entries of one read.
const CHUNK: u64 = 1_000;

/// The actions that have an entry of `since` or later, among the last entries of this process's chain.
pub(crate) async fn actions_since<J: Journal + ?Sized>(
    journal: &J,
    since: DateTime<Utc>,
) -> Result<Vec<ActionId>, JournalError> {
    let end = journal.chain().map_or(0, |chain| chain.length);
    let (mut first, mut found) = (end + 1, BTreeSet::new());
    while first > 1 && end + 1 - first < ENTRIES_READ_MAX {
        let last = first - 1;
        first = last.saturating_sub(CHUNK - 1).max(1);
        let mut is_older = false;
        for sealed in journal.entries(first, CHUNK as usize).await? {
            let entry = sealed
                .parse()
                .map_err(|error| JournalError::Damaged(format!("entry {}: {error}", sealed.number)))?;
            match entry {
                entry if entry.at() < since => is_older = true,
                JournalEntry::Action(entry) => drop(found.insert(entry.action)),
                JournalEntry::Admin(_) => {}
            }
        }
        if is_older {
            break;
        }
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::action::{Action, ActionKind, Actor, Notify};
    use crate::journal::{ActionEntry, Fact, MemoryJournal};

    #[tokio::test]
    async fn the_end_of_the_chain_is_read_until_entries_are_older() {
        let (journal, begin) = (MemoryJournal::default(), DateTime::<Utc>::UNIX_EPOCH);
        let mut ids = Vec::new();
        for number in 0..2_500 {
            let room = "room@example.com".parse().unwrap();
            let action = Action::new(
                ActionId::random(),
                room,
                ActionKind::End(Notify::Nobody),
                Actor::program("door"),
            );
            let (id, at) = (action.id, begin + TimeDelta::seconds(number));
            let fact = Fact::Accepted { action: Box::new(action) };
            journal.record(ActionEntry { action: id, at, fact }).await.unwrap();
            ids.push(id);
        }
        for kept in [0, 1, 999, 1_000, 1_001, 2_400] {
            let mut expected = ids[2_500 - kept..].to_vec();
            expected.sort();
            let since = begin + TimeDelta::seconds(2_500 - kept as i64);
            assert_eq!(actions_since(&journal, since).await.unwrap(), expected, "{kept}");
        }
        assert_eq!(actions_since(&MemoryJournal::default(), begin).await.unwrap(), []);
    }
}
