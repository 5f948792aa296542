//! The rows of the table `archived`: where each chain continues after its archived beginning. One admin event records all of them, by a hash.
//! Never reads an archive file.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use super::connection::Connection;
use super::database::VERIFY_LIMIT;
use super::error::PostgresError;
use super::writers;
use crate::journal::{Archived, Chain, Head};
use crate::store::archived::ArchivedPart;

/// The archived beginnings, by writer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ArchivedChains {
    pub(super) parts: BTreeMap<i32, ArchivedPart>,
}

impl ArchivedChains {
    pub(super) async fn read(connection: &Connection) -> Result<Self, PostgresError> {
        Self::of(&connection.query(writers::ARCHIVED, &[], VERIFY_LIMIT).await?)
    }

    /// Reads the rows of [`writers::ARCHIVED`].
    pub(super) fn of(rows: &[Row]) -> Result<Self, PostgresError> {
        let parts = rows.iter().map(writers::archived_part).collect::<Result<_, PostgresError>>()?;
        Ok(Self { parts })
    }

    /// The end of the archived beginning of a chain.
    pub(super) fn end(&self, writer: i32) -> Chain {
        self.parts.get(&writer).map_or_else(Chain::default, |part| part.chain)
    }

    /// The number of archived entries.
    pub(super) fn entries(&self) -> u64 {
        self.parts.values().map(|part| part.chain.length).sum()
    }

    /// A hash over all rows.
    pub(super) fn hash(&self) -> Head {
        let mut rows = Chain::default();
        for (writer, ArchivedPart { chain, file, erased, erased_through }) in &self.parts {
            let Chain { length, head } = chain;
            rows.seal(format!("{writer} {length} {head} {erased} {erased_through} {file}"));
        }
        rows.head
    }

    /// The admin event that records all rows: the entries of all chains are counted, from `first` on those of this file.
    pub(super) fn event(&self, first: u64, file: &str) -> Archived {
        Archived {
            first,
            last: self.entries(),
            head: self.hash().to_string(),
            file: file.to_owned(),
            erased: self.parts.values().map(|part| part.erased).sum(),
            erased_through: self.parts.values().map(|part| part.erased_through).max().unwrap_or_default(),
        }
    }

    /// Whether this event records these rows.
    pub(super) fn is_announced_by(&self, event: &Archived) -> bool {
        self.event(event.first, &event.file) == *event
    }

    /// A note for people about the archived entries; it names all files.
    pub(super) fn summary(&self) -> Option<Archived> {
        match self.parts.values().collect::<Vec<_>>().as_slice() {
            [] => None,
            [part] => Some(part.event(1)),
            parts => {
                let files: BTreeSet<&str> = parts.iter().map(|part| part.file.as_str()).collect();
                Some(self.event(1, &files.into_iter().collect::<Vec<_>>().join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(length: u64) -> ArchivedPart {
        let chain = Chain { length, head: Head([7; 32]) };
        ArchivedPart { chain, file: "2025.jsonl".to_owned(), erased: -2, erased_through: 0 }
    }

    #[test]
    fn an_event_records_exactly_the_rows_that_it_was_made_of() {
        let chains = ArchivedChains { parts: BTreeMap::from([(1, part(4)), (3, part(5))]) };
        let event = chains.event(1, "2025.jsonl");
        assert_eq!((event.last, event.erased), (9, -4));
        assert!(chains.is_announced_by(&event));
        let changes: [fn(&mut ArchivedChains); 5] = [
            |chains| drop(chains.parts.remove(&3)),
            |chains| drop(chains.parts.insert(4, part(5))),
            |chains| drop(chains.parts.insert(1, part(3))),
            |chains| drop(chains.parts.insert(3, ArchivedPart { file: "other".to_owned(), ..part(5) })),
            |chains| {
                chains.parts.insert(1, ArchivedPart { erased: -1, ..part(4) });
                chains.parts.insert(3, ArchivedPart { erased: -3, ..part(5) });
            },
        ];
        for change in changes {
            let mut changed = chains.clone();
            change(&mut changed);
            assert!(!changed.is_announced_by(&event), "{changed:?}");
        }
    }
}
