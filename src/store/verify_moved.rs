//! Verifies the part of a journal file that came from a database: every chain, the entries that continue another chain, and the anchors.
//! Never changes the journal.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::archived::ArchivedPart;
use super::beginning::{self, MovedChain};
use super::error::journal_error;
use super::verify_error::VerifyError;
use crate::journal::{Anchor, Chain, Head, SealedEntry};

/// The chains, as far as they are verified.
pub(super) struct MovedChains {
    /// Where the file's own chain begins.
    pub(super) beginning: Chain,
    chains: Vec<MovedChain>,
    ends: BTreeMap<i64, Chain>,
}

impl MovedChains {
    /// Reads which chains there must be; `None` for a journal that never was in a database.
    pub(super) fn read(
        connection: &Connection,
        archived: Option<&ArchivedPart>,
    ) -> Result<Option<Self>, VerifyError> {
        let Some(beginning) = beginning::read(connection).map_err(journal_error)? else { return Ok(None) };
        let chains = beginning::chains(connection).map_err(journal_error)?;
        let ends: BTreeMap<i64, Chain> =
            chains.iter().map(|chain| (chain.writer, chain.first_after)).collect();
        let first_after: Vec<Chain> = ends.values().copied().filter(|end| *end != Chain::default()).collect();
        if !first_after.iter().copied().eq(archived.map(|part| part.chain)) {
            return Err(VerifyError::Archive("the archived part belongs to none of the chains".to_owned()));
        }
        Ok(Some(Self { beginning, chains, ends }))
    }

    /// Checks an entry of the file as the next one of its chain; returns it with its number there.
    pub(super) fn check(
        &mut self,
        connection: &Connection,
        sealed: SealedEntry,
    ) -> Result<SealedEntry, VerifyError> {
        let entry = i64::try_from(sealed.number).unwrap_or(i64::MAX);
        let place = beginning::place(connection, entry).map_err(journal_error)?;
        let (writer, number) = place.ok_or_else(|| wrong(sealed.number, "it belongs to no chain"))?;
        let end = self.ends.get_mut(&writer).ok_or_else(|| wrong(sealed.number, "its chain is gone"))?;
        let sealed = SealedEntry { number, ..sealed };
        end.check(&sealed).map_err(|error| in_chain(writer, error.into()))?;
        let after = sealed.predecessor().map_err(|error| VerifyError::of(number, error))?;
        if let Some(after) = after
            && beginning::hash(connection, after.writer.into(), after.number).map_err(journal_error)?
                != Some(after.hash)
        {
            let why =
                format!("it continues the chain of writer {}, which has another entry there", after.writer);
            return Err(in_chain(writer, wrong(number, &why)));
        }
        Ok(sealed)
    }

    /// Checks that every chain ends where it did, and that the anchors name all ends. Calls `found` with each anchor's hash.
    pub(super) fn finish(
        &self,
        connection: &Connection,
        mut found: impl FnMut(Head),
    ) -> Result<(), VerifyError> {
        for MovedChain { writer, end, .. } in &self.chains {
            if self.ends.get(writer) != Some(end) {
                return Err(in_chain(
                    *writer,
                    wrong(end.length, "the chain had this entry, and ends earlier"),
                ));
            }
        }
        let sql = "SELECT number, body, hash FROM anchors ORDER BY number";
        let mut statement = connection.prepare(sql).map_err(journal_error)?;
        let mut rows = statement.query([]).map_err(journal_error)?;
        let (mut anchors, mut covered) = (Chain::default(), BTreeMap::new());
        while let Some(row) = rows.next().map_err(journal_error)? {
            let sealed = read_anchor(row).map_err(journal_error)?;
            check_anchor(connection, &mut anchors, &mut covered, &sealed)?;
            found(anchors.head);
        }
        self.check_covered(anchors, &covered)
    }

    fn check_covered(&self, anchors: Chain, covered: &BTreeMap<i64, u64>) -> Result<(), VerifyError> {
        if anchors.head != self.beginning.head {
            return Err(anchor(anchors.length, "the journal does not continue after this anchor"));
        }
        let is_covered =
            |chain: &&MovedChain| chain.end.length == covered.get(&chain.writer).copied().unwrap_or_default();
        match self.chains.iter().find(|chain| !is_covered(chain)) {
            None => Ok(()),
            Some(chain) => {
                let why = format!("no anchor names the end of the chain of writer {}", chain.writer);
                Err(anchor(anchors.length, &why))
            }
        }
    }
}

fn read_anchor(row: &Row<'_>) -> rusqlite::Result<SealedEntry> {
    let number = row.get::<_, i64>(0)?.unsigned_abs();
    Ok(SealedEntry { number, body: row.get(1)?, hash: Head(row.get(2)?), personal: Vec::new() })
}

/// Checks that an anchor follows the one before it, and that the chains have the entries that it names.
fn check_anchor(
    connection: &Connection,
    anchors: &mut Chain,
    covered: &mut BTreeMap<i64, u64>,
    sealed: &SealedEntry,
) -> Result<(), VerifyError> {
    let number = sealed.number;
    anchors
        .check(sealed)
        .map_err(|_| anchor(number, "it was changed, or anchors before it were removed or inserted"))?;
    let read = Anchor::parse(&sealed.body).map_err(|error| anchor(number, &error.to_string()))?;
    for named in read.chains {
        let writer = i64::from(named.writer);
        let hash = beginning::hash(connection, writer, named.length).map_err(journal_error)?;
        if hash != Some(named.head) {
            let why = format!("the chain of writer {writer} had another entry {}", named.length);
            return Err(anchor(number, &why));
        }
        covered.insert(writer, named.length);
    }
    Ok(())
}

fn in_chain(writer: i64, error: VerifyError) -> VerifyError {
    VerifyError::InChain { writer: i32::try_from(writer).unwrap_or(i32::MAX), error: Box::new(error) }
}

fn wrong(number: u64, why: &str) -> VerifyError {
    VerifyError::Entry { number, why: why.to_owned() }
}

fn anchor(number: u64, why: &str) -> VerifyError {
    VerifyError::Anchor { number, why: why.to_owned() }
}
