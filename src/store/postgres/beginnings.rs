//! Verifies the archived beginnings of chains: the rows of the table `archived`, the event that records them, and the archive files if they
//! are given. Never changes anything.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::archived_chains::ArchivedChains;
use super::connection::Connection;
use super::database::VERIFY_LIMIT;
use super::schema::column;
use crate::journal::{Anchor, Archived, Chain, ErasureTally, Head};
use crate::store::archive_file::VerifiedArchive;
use crate::store::archive_sections::{FirstFile, VerifiedSections, verify_sections};
use crate::store::archived::ArchivedPart;
use crate::store::verify_error::VerifyError;

/// Anchors that one statement reads.
const CHUNK: i64 = 1_000;

/// Archive files that were verified for themselves.
pub(super) struct Archives {
    sections: VerifiedSections,
    /// Whether they have the hash from an earlier time.
    holds_known: bool,
    /// An end that an anchor names and they do not have: the anchor, the writer and the number.
    absent: Option<(u64, i32, u64)>,
}

/// The hashes of archived entries that anchors name, by writer and number; and the number of an anchor. They stay in memory while the files
/// are read: about 100 bytes for each chain that grew between two anchors.
type AnchoredEnds = HashMap<(i32, u64), (Head, u64)>;

/// Verifies the archive files. They may be large, and the server ends a transaction that is idle meanwhile.
pub(super) async fn read_archives(
    connection: &Connection,
    files: &[PathBuf],
    known: Option<Head>,
) -> Result<Option<Archives>, VerifyError> {
    if files.is_empty() {
        return Ok(None);
    }
    let ends = anchored_ends(connection).await?;
    let files = files.to_vec();
    let verified = tokio::task::spawn_blocking(move || read_files(&files, known, ends)).await;
    let verified =
        verified.map_err(|error| VerifyError::Archive(format!("they could not be read: {error}")))?;
    verified.map(Some)
}

fn read_files(
    files: &[PathBuf],
    known: Option<Head>,
    mut ends: AnchoredEnds,
) -> Result<Archives, VerifyError> {
    let mut holds_known = false;
    let mut compare = |writer: Option<i32>, chain: Chain| {
        holds_known |= known == Some(chain.head);
        let key = (writer.unwrap_or_default(), chain.length);
        if ends.get(&key).is_some_and(|(head, _)| *head == chain.head) {
            ends.remove(&key);
        }
    };
    let sections = verify_sections(files, FirstFile::Whole, &mut compare)?;
    let absent = ends.iter().map(|((writer, number), (_, anchor))| (*anchor, *writer, *number)).min();
    Ok(Archives { sections, holds_known, absent })
}

/// The archived entries that anchors name.
async fn anchored_ends(connection: &Connection) -> Result<AnchoredEnds, VerifyError> {
    let archived = ArchivedChains::read(connection).await?;
    let sql = "SELECT number, body FROM anchors WHERE number > $1 ORDER BY number LIMIT $2";
    let (mut ends, mut after) = (AnchoredEnds::new(), i64::MIN);
    loop {
        let rows = connection.query(sql, &[&after, &CHUNK], VERIFY_LIMIT).await?;
        let Some(last) = rows.last() else { return Ok(ends) };
        after = column(last, 0)?;
        for row in &rows {
            let number = column::<i64>(row, 0)?.unsigned_abs();
            // The pass over the anchors reports one that cannot be read.
            let chains = Anchor::parse(column(row, 1)?).map(|anchor| anchor.chains).unwrap_or_default();
            let chains = chains.into_iter().filter(|chain| chain.length <= archived.end(chain.writer).length);
            ends.extend(chains.map(|chain| ((chain.writer, chain.length), (chain.head, number))));
        }
    }
}

/// The archived beginnings of chains, and the archive files with all of them.
pub(super) struct Beginnings {
    chains: ArchivedChains,
    archives: Option<Archives>,
}

impl Beginnings {
    /// Reads the beginnings, and checks that every chain continues the archive files.
    pub(super) async fn read(
        connection: &Connection,
        archives: Option<Archives>,
    ) -> Result<Self, VerifyError> {
        let chains = ArchivedChains::read(connection).await?;
        if let Some(archives) = &archives {
            archives.check(&chains)?;
        }
        Ok(Self { chains, archives })
    }

    /// The number of archived entries.
    pub(super) fn entries(&self) -> u64 {
        self.chains.entries()
    }

    pub(super) fn has_archives(&self) -> bool {
        self.archives.is_some()
    }

    /// The archived entries for people: number and hash.
    pub(super) fn summary(&self, archived_here: bool) -> Option<Chain> {
        let first = self.chains.parts.values().next()?;
        let all = Chain { length: self.chains.entries(), head: self.chains.hash() };
        Some(if archived_here { all } else { first.chain })
    }

    /// Whether this hash is that of an archived entry, as far as the files were given.
    pub(super) fn hold(&self, known: Option<Head>) -> bool {
        self.archives.as_ref().is_some_and(|archives| archives.holds_known)
            || self.chains.parts.values().any(|part| known == Some(part.chain.head))
            || known == Some(self.chains.hash())
    }

    /// The ends of the archived parts, by chain.
    pub(super) fn ends(&self) -> BTreeMap<i32, Chain> {
        self.chains.parts.iter().map(|(writer, part)| (*writer, part.chain)).collect()
    }

    /// The erasures that were recorded up to the archived ends.
    pub(super) fn erasures(&self) -> ErasureTally {
        let mut tally = ErasureTally::default();
        let Some(archives) = &self.archives else {
            for part in self.chains.parts.values() {
                tally.announced += part.erased;
                tally.through = tally.through.max(part.erased_through);
            }
            return tally;
        };
        for (writer, part) in &self.chains.parts {
            let Some(VerifiedArchive { erasures, .. }) = archives.of(*writer, part) else { continue };
            tally.announced += erasures.announced;
            tally.missing += erasures.missing;
            tally.through = tally.through.max(erasures.through);
            tally.missing_last = tally.missing_last.max(erasures.missing_last);
        }
        tally
    }

    /// Checks that an `archived` event records the beginnings: the newest one all of them, or, where they were archived in a state directory,
    /// the newest of the chain. Returns whether it records all.
    pub(super) fn check(&self, events: &BTreeMap<i32, (i64, Archived)>) -> Result<bool, VerifyError> {
        let newest = events.values().max_by_key(|(position, _)| *position);
        if newest.is_some_and(|(_, event)| self.chains.is_announced_by(event)) {
            return Ok(true);
        }
        let is_announced = |(writer, part): (&i32, &ArchivedPart)| {
            events.get(writer).is_some_and(|(_, event)| part.is_announced_by(event))
        };
        match self.chains.parts.iter().find(|part| !is_announced(*part)) {
            None => Ok(false),
            Some((writer, _)) => {
                let error =
                    VerifyError::Archive("no admin event in the journal records the archiving".to_owned());
                Err(VerifyError::InChain { writer: *writer, error: Box::new(error) })
            }
        }
    }
}

impl Archives {
    /// The files of a chain, if they end where its archived beginning does.
    fn of(&self, writer: i32, part: &ArchivedPart) -> Option<&VerifiedArchive> {
        let named = self.sections.chains.get(&writer);
        named.or(self.sections.unnamed.as_ref()).filter(|archive| archive.chain == part.chain)
    }

    /// Checks that the files have the archived beginnings, all of them and nothing else, and every entry of them that an anchor names.
    fn check(&self, chains: &ArchivedChains) -> Result<(), VerifyError> {
        for (writer, part) in &chains.parts {
            if self.of(*writer, part).is_none() {
                return Err(VerifyError::Archive(format!(
                    "entries up to {} of the chain of writer {writer} are archived, and the files do not end there; name all files in \
                     order",
                    part.chain.length
                )));
            }
        }
        let sections = self.sections.chains.iter().map(|(writer, archive)| (Some(*writer), archive));
        let unnamed = self.sections.unnamed.iter().map(|archive| (None, archive));
        for (writer, archive) in sections.chain(unnamed) {
            if archive.first != 1 {
                let why = format!("they begin at entry {}; name all files in order", archive.first);
                return Err(VerifyError::Archive(why));
            }
            let continues = |(of, part): (&i32, &ArchivedPart)| {
                writer.is_none_or(|writer| writer == *of) && part.chain == archive.chain
            };
            if !chains.parts.iter().any(continues) {
                let why = format!("they end at entry {}, where no chain continues", archive.chain.length);
                return Err(VerifyError::Archive(why));
            }
        }
        match self.absent {
            None => Ok(()),
            Some((number, writer, length)) => {
                let why = format!(
                    "the chain of writer {writer} had another entry {length}, and the archive files do not have it"
                );
                Err(VerifyError::Anchor { number, why })
            }
        }
    }
}
