//! The file `moved-to` of a state directory whose journal has moved to a database. Nothing is written to such a directory any more;
//! its files stay readable. Never moves or deletes anything.

#[cfg(all(feature = "postgres", feature = "service"))]
use std::fs;
use std::fs::File;
#[cfg(all(feature = "postgres", feature = "service"))]
use std::io::Write as _;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

#[cfg(all(feature = "postgres", feature = "service"))]
use super::directory::owner_only_options;
use super::directory::{MOVED_TO_FILE, refuse_link};
use super::error::StoreError;

/// Bytes of the file that are read.
const BYTES_MAX: u64 = 4_096;

/// Fails if the journal of this directory has moved. A file that cannot be read fails too.
pub(super) fn refuse(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(MOVED_TO_FILE);
    let unusable = |error| StoreError::Directory { path: path.clone(), error };
    // No file is opened where none is: the service store asks before each write, also when the process can open no more files.
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(());
    }
    refuse_link(&path).map_err(unusable)?;
    let file = File::open(&path).map_err(unusable)?;
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text).map_err(unusable)?;
    let place = String::from_utf8_lossy(&text).trim().to_owned();
    Err(StoreError::Moved { path: directory.to_owned(), place })
}

/// Writes the file. When this returns, the file and its name are on the disk.
#[cfg(all(feature = "postgres", feature = "service"))]
pub(super) fn write(directory: &Path, place: &str) -> Result<(), StoreError> {
    let unusable = |error| StoreError::Directory { path: directory.join(MOVED_TO_FILE), error };
    replace(directory, place).map_err(unusable)
}

/// Removes the file, once the journal is in the directory.
#[cfg(all(feature = "postgres", feature = "service"))]
pub(super) fn remove(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(MOVED_TO_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::Directory { path, error }),
        _ => Ok(()),
    }
}

#[cfg(all(feature = "postgres", feature = "service"))]
fn replace(directory: &Path, place: &str) -> std::io::Result<()> {
    let fresh = directory.join("moved-to-new");
    refuse_link(&fresh)?;
    let mut file = owner_only_options().create(true).truncate(true).open(&fresh)?;
    writeln!(file, "{place}")?;
    file.sync_all()?;
    fs::rename(&fresh, directory.join(MOVED_TO_FILE))?;
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok(())
}
