//! Archive files: archived entries as JSON lines. The first line names the entry before them, the last line the last entry; a file
//! without its last line is incomplete. Reading never trusts the file: it verifies hashes and numbers.
//!
//! ```text
//! {"adjourn_archive":1,"first":1,"before":"0000…"}
//! {"number":1,"hash":"30ad…","body":"{\"v\":6,…}","personal":[{"pointer":"/fact/…","salt":"…","value":"…"}]}
//! {"last":900,"head":"5d41…"}
//! ```

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::journal::{
    AdminEvent, Chain, ChainError, EntryError, ErasureTally, Head, JournalEntry, PersonalValue, SealedEntry,
};

/// Version of the file format.
const VERSION: u32 = 1;
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

#[derive(Serialize, Deserialize)]
struct FirstLine {
    adjourn_archive: u32,
    first: u64,
    before: String,
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
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut writer = Self { file: BufWriter::new(options.open(path)?) };
        let (first, before) = (before.length + 1, before.head.to_string());
        writer.line(&FirstLine { adjourn_archive: VERSION, first, before })?;
        Ok(writer)
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
        self.line(&LastLine { last: chain.length, head: chain.head.to_string() })?;
        self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
    }

    fn line(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let text = serde_json::to_string(line)?;
        writeln!(self.file, "{text}")
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
    let mut whole: Option<VerifiedArchive> = None;
    for path in files {
        let file = File::open(path).map_err(|error| ArchiveFileError::File { path: path.clone(), error })?;
        let mut reader = ArchiveReader { path, file: BufReader::new(file), line: 0 };
        whole = Some(reader.read(whole, known)?);
    }
    whole.ok_or_else(|| ArchiveFileError::Line {
        path: PathBuf::new(),
        line: 0,
        why: "name at least one archive file".to_owned(),
    })
}

struct ArchiveReader<'p> {
    path: &'p Path,
    file: BufReader<File>,
    line: u64,
}

impl ArchiveReader<'_> {
    fn read(
        &mut self,
        before: Option<VerifiedArchive>,
        known: Option<Head>,
    ) -> Result<VerifiedArchive, ArchiveFileError> {
        let mut archive = self.read_first_line(before)?;
        loop {
            let text =
                self.next_line()?.ok_or_else(|| self.error_here("the file ends without its last line"))?;
            if let Ok(last) = serde_json::from_str::<LastLine>(&text) {
                self.check_last_line(&archive, &last)?;
                return Ok(archive);
            }
            let line = serde_json::from_str(&text).map_err(|error| self.error_here(error))?;
            self.check_entry(&mut archive, line)?;
            archive.holds_known |= known == Some(archive.chain.head);
        }
    }

    fn read_first_line(
        &mut self,
        before: Option<VerifiedArchive>,
    ) -> Result<VerifiedArchive, ArchiveFileError> {
        let text = self.next_line()?.ok_or_else(|| self.error_here("the file is empty"))?;
        let line: FirstLine = serde_json::from_str(&text).map_err(|error| self.error_here(error))?;
        if line.adjourn_archive != VERSION {
            return Err(self.error_here("a later version of Adjourn wrote this file"));
        }
        let head: Head = line.before.parse().map_err(|error| self.error_here(error))?;
        let length =
            line.first.checked_sub(1).ok_or_else(|| self.error_here("its first entry is entry 0"))?;
        let chain = Chain { length, head };
        match before {
            Some(before) if before.chain == chain => Ok(before),
            Some(before) => Err(self.error_here(format!(
                "it begins at entry {}, but the file before it ends at entry {}",
                line.first, before.chain.length
            ))),
            None if chain == Chain::default() || length > 0 => Ok(VerifiedArchive {
                first: line.first,
                chain,
                entries: 0,
                erasures: ErasureTally::default(),
                holds_known: false,
            }),
            None => Err(self.error_here("its first entry is entry 1, but it names an entry before it")),
        }
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

    fn check_last_line(
        &mut self,
        archive: &VerifiedArchive,
        last: &LastLine,
    ) -> Result<(), ArchiveFileError> {
        if (last.last, last.head.as_str()) != (archive.chain.length, archive.chain.head.to_string().as_str())
        {
            return Err(self.error_here("its last line names another entry or hash"));
        }
        match self.next_line()? {
            None => Ok(()),
            Some(_) => Err(self.error_here("the file continues after its last line")),
        }
    }

    fn next_line(&mut self) -> Result<Option<String>, ArchiveFileError> {
        self.line += 1;
        let mut text = String::new();
        let read = (&mut self.file).take(LINE_BYTES_MAX).read_line(&mut text);
        let read = read.map_err(|error| ArchiveFileError::File { path: self.path.to_owned(), error })? as u64;
        if read >= LINE_BYTES_MAX && !text.ends_with('\n') {
            return Err(self.error_here(format!("the line is longer than {LINE_BYTES_MAX} bytes")));
        }
        Ok((read > 0).then_some(text))
    }

    fn error_here(&self, why: impl std::fmt::Display) -> ArchiveFileError {
        ArchiveFileError::Line { path: self.path.to_owned(), line: self.line, why: why.to_string() }
    }
}
