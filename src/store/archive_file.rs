//! Archive files: archived entries as JSON lines. The first line names the entry before them, the last line the last entry; a file
//! without its last line is incomplete. Reading never trusts the file: it verifies hashes and numbers.
//!
//! ```text
//! {"adjourn_archive":1,"first":1,"before":"0000…"}
//! {"number":1,"hash":"30ad…","body":"{\"v\":6,…}","personal":[{"pointer":"/fact/…","salt":"…","value":"…"}]}
//! {"last":900,"head":"5d41…"}
//! ```
//!
//! `archive_sections.rs` has the form of a file with several chains.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::{
    AdminEvent, Chain, ChainError, EntryError, ErasureTally, Head, JournalEntry, PersonalValue, SealedEntry,
};

/// Version of the file format of one chain.
pub(super) const VERSION: u32 = 1;
/// Longest accepted line: an entry with many candidates has some hundred kilobytes.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A verified sequence of archive files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedArchive {
    /// The first entry's number.
    pub first: u64,
    /// Number and hash of the last entry.
    pub chain: Chain,
    /// The number of entries.
    pub entries: u64,
    /// Missing personal values, and those recorded as erased.
    pub erasures: ErasureTally,
    /// Whether the hash that the caller gave is among theirs.
    pub holds_known: bool,
}

/// Why an archive file failed verification.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveFileError {
    /// The file cannot be opened, read or written.
    #[error("cannot use {path}: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// A line is invalid.
    #[error("{path}, line {line}: {why}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: u64,
        /// The problem.
        why: String,
    },
}

/// Any file begins with its version.
#[derive(Deserialize)]
pub(super) struct VersionLine {
    pub(super) adjourn_archive: u32,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    adjourn_archive: u32,
    #[serde(flatten)]
    beginning: BeginningOfChain,
}

/// The first entry, and the hash of the entry before it.
#[derive(Serialize, Deserialize)]
pub(super) struct BeginningOfChain {
    pub(super) first: u64,
    pub(super) before: String,
}

#[derive(Serialize, Deserialize)]
struct EntryLine {
    number: u64,
    hash: String,
    body: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    personal: Vec<ValueLine>,
}

#[derive(Serialize, Deserialize)]
struct ValueLine {
    pointer: String,
    salt: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
struct LastLine {
    last: u64,
    head: String,
}

/// Writes an archive file.
pub(super) struct ArchiveWriter {
    file: BufWriter<File>,
}

impl ArchiveWriter {
    /// Starts a file for the entries after `before`. Replaces an existing file.
    pub(super) fn create(path: &Path, before: Chain) -> std::io::Result<Self> {
        let mut writer = Self::open(path)?;
        writer.line(&FirstLine { adjourn_archive: VERSION, beginning: BeginningOfChain::after(before) })?;
        Ok(writer)
    }

    /// Opens an empty file. Replaces an existing one.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        // Not truncated: a stopped process may still hold the existing file open, and would write into this one.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: BufWriter::new(options.open(path)?) })
    }

    pub(super) fn put(&mut self, sealed: &SealedEntry) -> std::io::Result<()> {
        let personal = sealed.personal.iter().map(|kept| ValueLine {
            pointer: kept.pointer.clone(),
            salt: hex(&kept.salt),
            value: kept.value.clone(),
        });
        let (number, hash, body) = (sealed.number, sealed.hash.to_string(), sealed.body.clone());
        self.line(&EntryLine { number, hash, body, personal: personal.collect() })
    }

    /// Writes the last line and syncs the file to disk.
    pub(super) fn finish(mut self, chain: Chain) -> std::io::Result<()> {
        self.end_chain(chain)?;
        self.sync()
    }

    /// Writes the last line of a chain.
    pub(super) fn end_chain(&mut self, chain: Chain) -> std::io::Result<()> {
        self.line(&LastLine { last: chain.length, head: chain.head.to_string() })
    }

    /// Syncs the file to disk.
    pub(super) fn sync(self) -> std::io::Result<()> {
        self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    }

    pub(super) fn line(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let text = serde_json::to_string(line)?;
        writeln!(self.file, "{text}")
    }
}

impl BeginningOfChain {
    pub(super) fn after(before: Chain) -> Self {
        Self { first: before.length + 1, before: before.head.to_string() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..16).map(byte).collect();
    bytes.filter(|_| text.len() == 32)?.try_into().ok()
}

/// Reads archive files in order and verifies that they form one chain.
///
/// # Errors
/// A file cannot be read, was changed, or does not follow the file before it.
pub fn verify_archive(files: &[PathBuf], known: Option<Head>) -> Result<VerifiedArchive, ArchiveFileError> {
    let (mut whole, mut found) = (None, false);
    for path in files {
        let mut reader = ArchiveReader::open(path)?;
        let text = reader.first_line()?;
        whole = Some(reader.read(&text, whole, &mut |chain| found |= known == Some(chain.head))?);
    }
    whole.map(|whole| VerifiedArchive { holds_known: found, ..whole }).ok_or_else(no_file)
}

/// The error where no file was named.
pub(super) fn no_file() -> ArchiveFileError {
    let why = "name at least one archive file".to_owned();
    ArchiveFileError::Line { path: PathBuf::new(), line: 0, why }
}

/// Reads a file line by line.
pub(super) struct ArchiveReader<'p> {
    path: &'p Path,
    file: BufReader<File>,
    line: u64,
}

impl<'p> ArchiveReader<'p> {
    pub(super) fn open(path: &'p Path) -> Result<Self, ArchiveFileError> {
        let file =
            File::open(path).map_err(|error| ArchiveFileError::File { path: path.to_owned(), error })?;
        Ok(Self { path, file: BufReader::new(file), line: 0 })
    }

    /// Reads a file of one chain, whose first line was read. Calls `found` with the number and hash of each entry.
    pub(super) fn read(
        &mut self,
        first_line: &str,
        before: Option<VerifiedArchive>,
        found: &mut dyn FnMut(Chain),
    ) -> Result<VerifiedArchive, ArchiveFileError> {
        let version: VersionLine = self.parse(first_line)?;
        if version.adjourn_archive != VERSION {
            return Err(self.error_here(
                "the file has the chains of a database, or a later version of Adjourn wrote it",
            ));
        }
        let line: FirstLine = self.parse(first_line)?;
        let archive = self.begin_chain(&line.beginning, before)?;
        let archive = self.read_chain(archive, found)?;
        self.require_end()?;
        Ok(archive)
    }

    /// Reads the entries of a chain, and its last line.
    pub(super) fn read_chain(
        &mut self,
        mut archive: VerifiedArchive,
        found: &mut dyn FnMut(Chain),
    ) -> Result<VerifiedArchive, ArchiveFileError> {
        loop {
            let text = self.require_line()?;
            if let Ok(last) = serde_json::from_str::<LastLine>(&text) {
                self.check_last_line(&archive, &last)?;
                return Ok(archive);
            }
            let line = self.parse(&text)?;
            self.check_entry(&mut archive, line)?;
            found(archive.chain);
        }
    }

    /// Begins a chain, or continues that of the file before.
    pub(super) fn begin_chain(
        &self,
        line: &BeginningOfChain,
        before: Option<VerifiedArchive>,
    ) -> Result<VerifiedArchive, ArchiveFileError> {
        let chain = self.chain_before(line)?;
        match before {
            Some(before) if before.chain == chain => Ok(before),
            Some(before) => Err(self.error_here(format!(
                "it begins at entry {}, but the file before it ends at entry {}",
                line.first, before.chain.length
            ))),
            None if chain == Chain::default() || chain.length > 0 => Ok(VerifiedArchive {
                first: line.first,
                chain,
                entries: 0,
                erasures: ErasureTally::default(),
                holds_known: false,
            }),
            None => Err(self.error_here("its first entry is entry 1, but it names an entry before it")),
        }
    }

    /// Number and hash of the entry before the first one.
    pub(super) fn chain_before(&self, line: &BeginningOfChain) -> Result<Chain, ArchiveFileError> {
        let head: Head = line.before.parse().map_err(|error| self.error_here(error))?;
        let length =
            line.first.checked_sub(1).ok_or_else(|| self.error_here("its first entry is entry 0"))?;
        Ok(Chain { length, head })
    }

    pub(super) fn first_line(&mut self) -> Result<String, ArchiveFileError> {
        self.next_line()?.ok_or_else(|| self.error_here("the file is empty"))
    }

    pub(super) fn require_line(&mut self) -> Result<String, ArchiveFileError> {
        self.next_line()?.ok_or_else(|| self.error_here("the file ends without its last line"))
    }

    pub(super) fn require_end(&mut self) -> Result<(), ArchiveFileError> {
        match self.next_line()? {
            None => Ok(()),
            Some(_) => Err(self.error_here("the file continues after its last line")),
        }
    }

    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T, ArchiveFileError> {
        serde_json::from_str(text).map_err(|error| self.error_here(error))
    }

    fn check_entry(&self, archive: &mut VerifiedArchive, line: EntryLine) -> Result<(), ArchiveFileError> {
        let hash = line.hash.parse().map_err(|error| self.error_here(error))?;
        let personal = line.personal.into_iter().map(|kept| {
            let salt = unhex(&kept.salt)?;
            Some(PersonalValue { pointer: kept.pointer, salt, value: kept.value })
        });
        let personal: Option<Vec<_>> = personal.collect();
        let personal = personal.ok_or_else(|| self.error_here("a salt is not 32 hexadecimal digits"))?;
        let sealed = SealedEntry { number: line.number, body: line.body, hash, personal };
        archive.chain.check(&sealed).map_err(|error: ChainError| self.error_here(error))?;
        let (record, missing) = JournalEntry::parse_counting_erased(&sealed.body, &sealed.personal)
            .map_err(|error: EntryError| self.error_here(error))?;
        archive.entries += 1;
        archive.erasures.add_missing(sealed.number, missing);
        if let JournalEntry::Admin(entry) = record
            && let AdminEvent::Erased { values, through } = entry.event
        {
            archive.erasures.add_announced(values, through);
        }
        Ok(())
    }

    fn check_last_line(&self, archive: &VerifiedArchive, last: &LastLine) -> Result<(), ArchiveFileError> {
        if (last.last, last.head.as_str()) != (archive.chain.length, archive.chain.head.to_string().as_str())
        {
            return Err(self.error_here("its last line names another entry or hash"));
        }
        Ok(())
    }

    fn next_line(&mut self) -> Result<Option<String>, ArchiveFileError> {
        self.line += 1;
        let mut text = String::new();
        let read = (&mut self.file).take(LINE_BYTES_MAX).read_line(&mut text);
        let read = read.map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => self.error_here("the line is not UTF-8"),
            _ => ArchiveFileError::File { path: self.path.to_owned(), error },
        })? as u64;
        if read >= LINE_BYTES_MAX && !text.ends_with('\n') {
            return Err(self.error_here(format!("the line is longer than {LINE_BYTES_MAX} bytes")));
        }
        Ok((read > 0).then_some(text))
    }

    pub(super) fn error_here(&self, why: impl std::fmt::Display) -> ArchiveFileError {
        ArchiveFileError::Line { path: self.path.to_owned(), line: self.line, why: why.to_string() }
    }
}
