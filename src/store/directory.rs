//! The state directory: where it is, whose it is at the moment, and how its files are opened: for their owner alone, and never
//! through a symbolic link.

#[cfg(feature = "service")]
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// Whoever holds a lock on this file owns the directory.
const LOCK_FILE: &str = "adjourn.lock";
/// The journal.
pub(super) const JOURNAL_FILE: &str = "journal.sqlite";
/// The number and hash of the journal's last entry.
pub(super) const HEAD_FILE: &str = "journal.head";
/// Between two tries for the lock.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// Where a journal is kept when nobody says otherwise: `$STATE_DIRECTORY` (which systemd sets for a service that has
/// `StateDirectory=`), else the user's own state directory.
pub fn default_directory() -> Option<PathBuf> {
    let by_systemd = std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from);
    by_systemd.or_else(|| Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("adjourn")))
}

/// Whether a file of this name in the directory is Adjourn's: the lock, the journal's head, a database, or what SQLite keeps beside one.
#[cfg(feature = "service")]
pub(crate) fn is_state_file(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name == LOCK_FILE || name.starts_with(HEAD_FILE) || name.contains(".sqlite")
}

/// Makes the directory, readable for its owner alone.
pub(super) fn create(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes the directory for this process, waiting as long as `patience`. Given back when the file is dropped.
pub(super) fn lock(path: &Path, patience: Duration) -> Result<File, StoreError> {
    let unusable = |error| unusable(path, error);
    let lock_file = path.join(LOCK_FILE);
    refuse_link(&lock_file).map_err(unusable)?;
    let mut options = owner_only_options();
    let mut file = options.create(true).truncate(false).open(&lock_file).map_err(unusable)?;
    let begun = now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= patience => {
                let mut owner = String::new();
                // Only for the message: an unreadable file still says that somebody has the lock.
                let _ = Read::by_ref(&mut file).take(32).read_to_string(&mut owner);
                return Err(StoreError::InUse { path: path.to_owned(), owner: owner.trim().to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
        }
    }
    write_process_id(&mut file).map_err(unusable)?;
    Ok(file)
}

/// Opens a database of the directory to write it, and makes it if it is not there.
pub(super) fn open_database(path: &Path) -> Result<Connection, StoreError> {
    let path = resolve_directory(path)?;
    // SQLite gives its log and its index the mode of the database. An existing file is not opened here: closing it would
    // release the locks that another connection of this process holds (SQLite, "How To Corrupt An SQLite Database File", 2.2).
    match owner_only_options().create_new(true).open(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unusable(&path, error)),
        _ => {}
    }
    Ok(Connection::open_with_flags(&path, OpenFlags::default() | OpenFlags::SQLITE_OPEN_NOFOLLOW)?)
}

/// Opens a database of the directory to read it.
pub(super) fn open_database_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Ok(Connection::open_with_flags(resolve_directory(path)?, flags)?)
}

/// The path with the directory's own links followed, since SQLITE_OPEN_NOFOLLOW allows none in it: systemd makes the state
/// directory of a dynamic user a link. The database and the files that SQLite keeps beside it are no links.
fn resolve_directory(path: &Path) -> Result<PathBuf, StoreError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unusable(path, ErrorKind::InvalidInput.into()));
    };
    let directory = directory.canonicalize().map_err(|error| unusable(directory, error))?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = name.to_owned();
        name.push(suffix);
        refuse_link(&directory.join(name)).map_err(|error| unusable(&directory, error))?;
    }
    Ok(directory.join(name))
}

/// A link in the state directory would have this process write to a file that another user chose.
pub(super) fn refuse_link(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {
            let name = path.file_name().unwrap_or_default().display();
            let why =
                format!("{name} is a symbolic link, which is not followed; move the file that it names here");
            Err(std::io::Error::other(why))
        }
        _ => Ok(()),
    }
}

/// How a file is made that only its owner reads and writes.
pub(super) fn owner_only_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options
}

fn unusable(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::Directory { path: path.to_owned(), error }
}

fn write_process_id(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

#[expect(clippy::disallowed_methods, reason = "how long to wait for a lock is no time of the domain")]
fn now() -> Instant {
    Instant::now()
}
