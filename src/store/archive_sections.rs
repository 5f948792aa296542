//! Archive files of a journal with several chains: a section for each chain, in the form of `archive_file.rs`. Reading never trusts the
//! file: it verifies hashes and numbers.
//!
//! ```text
//! {"adjourn_archive":2,"chains":2}
//! {"writer":1,"first":1,"before":"0000…"}
//! {"number":1,"hash":"30ad…",…}
//! {"last":900,"head":"5d41…"}
//! {"writer":2,"first":1,"before":"0000…"}
//! …
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::archive_file::{
    self, ArchiveFileError, ArchiveReader, ArchiveWriter, BeginningOfChain, VerifiedArchive, VersionLine,
};
use crate::journal::{Chain, SealedEntry};

/// Version of the file format of several chains.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct FirstLine {
    adjourn_archive: u32,
    chains: u64,
}

#[derive(Serialize, Deserialize)]
struct SectionLine {
    writer: i32,
    #[serde(flatten)]
    beginning: BeginningOfChain,
}

/// Writes an archive file of several chains.
pub(super) struct SectionsWriter(ArchiveWriter);

impl SectionsWriter {
    /// Starts a file for so many chains. Replaces an existing file.
    pub(super) fn create(path: &Path, chains: usize) -> std::io::Result<Self> {
        let mut writer = ArchiveWriter::open(path)?;
        let chains = u64::try_from(chains).unwrap_or(u64::MAX);
        writer.line(&FirstLine { adjourn_archive: VERSION, chains })?;
        Ok(Self(writer))
    }

    /// Starts the section of a chain, for the entries after `before`.
    pub(super) fn begin(&mut self, writer: i32, before: Chain) -> std::io::Result<()> {
        self.0.line(&SectionLine { writer, beginning: BeginningOfChain::after(before) })
    }

    pub(super) fn put(&mut self, sealed: &SealedEntry) -> std::io::Result<()> {
        self.0.put(sealed)
    }

    /// Ends the section of a chain.
    pub(super) fn end(&mut self, chain: Chain) -> std::io::Result<()> {
        self.0.end_chain(chain)
    }

    /// Syncs the file to disk.
    pub(super) fn finish(self) -> std::io::Result<()> {
        self.0.sync()
    }
}

/// Verified archive files of a journal with several chains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VerifiedSections {
    /// By the number of the process that wrote the chain.
    pub(super) chains: BTreeMap<i32, VerifiedArchive>,
    /// The chain of files from a state directory, which name no writer, if no section continues it.
    pub(super) unnamed: Option<VerifiedArchive>,
}

/// Whether a file may begin in the middle of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstFile {
    /// The files are complete: each chain begins with its first entry.
    Whole,
    /// The files before it are not among the given ones.
    Later,
}

/// Reads archive files in order, and verifies that each chain follows from file to file. Calls `found` with the number and hash of each entry,
/// and with its writer unless the file names none.
pub(super) fn verify_sections(
    files: &[PathBuf],
    first_file: FirstFile,
    found: &mut dyn FnMut(Option<i32>, Chain),
) -> Result<VerifiedSections, ArchiveFileError> {
    let mut all = VerifiedSections::default();
    for path in files {
        let mut reader = ArchiveReader::open(path)?;
        let text = reader.first_line()?;
        let version: VersionLine = reader.parse(&text)?;
        if version.adjourn_archive == archive_file::VERSION {
            let before = all.unnamed.take();
            all.unnamed = Some(reader.read(&text, before, &mut |chain| found(None, chain))?);
        } else {
            all.read(&mut reader, &text, first_file, found)?;
        }
    }
    if files.is_empty() { Err(archive_file::no_file()) } else { Ok(all) }
}

impl VerifiedSections {
    /// Reads a file of several chains, whose first line was read.
    fn read(
        &mut self,
        reader: &mut ArchiveReader<'_>,
        first_line: &str,
        first_file: FirstFile,
        found: &mut dyn FnMut(Option<i32>, Chain),
    ) -> Result<(), ArchiveFileError> {
        let line: FirstLine = reader.parse(first_line)?;
        if line.adjourn_archive != VERSION {
            return Err(reader.error_here("a later version of Adjourn wrote this file"));
        }
        for _ in 0..line.chains {
            let text = reader.require_line()?;
            let SectionLine { writer, beginning } = reader.parse(&text)?;
            let before = self.before(writer, reader.chain_before(&beginning)?);
            if before.is_none() && beginning.first > 1 && first_file == FirstFile::Whole {
                let (first, why) = (beginning.first, "and no file before it has those before");
                return Err(reader.error_here(format!(
                    "the chain of writer {writer} begins at entry {first}, {why}; name all files in order"
                )));
            }
            let archive = reader.begin_chain(&beginning, before)?;
            let archive = reader.read_chain(archive, &mut |chain| found(Some(writer), chain))?;
            self.chains.insert(writer, archive);
        }
        reader.require_end()
    }

    /// What the files so far have of a chain that continues after this entry.
    fn before(&mut self, writer: i32, chain: Chain) -> Option<VerifiedArchive> {
        self.chains
            .get(&writer)
            .copied()
            .or_else(|| self.unnamed.take_if(|unnamed| unnamed.chain == chain && chain.length > 0))
    }
}
