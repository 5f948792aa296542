//! The state directory: its location, its owner lock, and how its files are opened: readable by their owner alone, and never
//! through a symbolic link.

#[cfg(feature = "service")]
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// The process that locks this file owns the directory.
const LOCK_FILE: &str = "adjourn.lock";
/// The Unix socket of a running service.
#[cfg(feature = "service")]
pub(crate) const SOCKET_FILE: &str = "adjourn.sock";
/// The journal's database.
pub(super) const JOURNAL_FILE: &str = "journal.sqlite";
/// Number and hash of the journal's last entry.
pub(super) const HEAD_FILE: &str = "journal.head";
/// Says that the journal has moved to a database.
pub(super) const MOVED_TO_FILE: &str = "moved-to";
/// Pause between two attempts to lock.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// The default state directory: `$STATE_DIRECTORY` (systemd sets it for a service with `StateDirectory=`), else the user's own
/// state directory.
pub fn default_directory() -> Option<PathBuf> {
    systemd_directory().or_else(|| Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("adjourn")))
}

/// The directory of the unit of systemd in which this process runs.
pub(crate) fn systemd_directory() -> Option<PathBuf> {
    std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Whether Adjourn owns a file of this name in the directory: the lock, the socket, the journal's head, the mark
/// of a journal that moved, a database, or SQLite's files beside one.
#[cfg(feature = "service")]
pub(crate) fn is_state_file(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let begins = |with: &str| name.starts_with(with);
    name == LOCK_FILE
        || name == SOCKET_FILE
        || begins(MOVED_TO_FILE)
        || begins(HEAD_FILE)
        || name.contains(".sqlite")
}

/// Creates the directory, accessible to its owner alone.
pub(crate) fn create(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Locks the directory for this process, waiting as long as `patience`. Dropping the file releases the lock.
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
                // Only for the message: if the owner's id is unreadable, the error names no process.
                let _ = Read::by_ref(&mut file).take(32).read_to_string(&mut owner);
                return Err(StoreError::InUse { path: path.to_owned(), owner: owner.trim().to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_RETRY),
        }
    }
    write_process_id(&mut file).map_err(unusable)?;
    Ok(file)
}

/// Opens a database of the directory for writing. Creates it if it is missing.
pub(super) fn open_database(path: &Path) -> Result<Connection, StoreError> {
    let path = resolve_directory(path)?;
    // SQLite gives its log and index files the database's mode. An existing database is not opened here: closing the file would release
    // the locks of this process's other connections (SQLite, "How To Corrupt An SQLite Database File", 2.2).
    match owner_only_options().create_new(true).open(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unusable(&path, error)),
        _ => {}
    }
    Ok(Connection::open_with_flags(&path, OpenFlags::default() | OpenFlags::SQLITE_OPEN_NOFOLLOW)?)
}

/// Opens a database of the directory for reading.
pub(super) fn open_database_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Ok(Connection::open_with_flags(resolve_directory(path)?, flags)?)
}

/// Resolves links in the directory's own path, because SQLITE_OPEN_NOFOLLOW allows none and systemd makes the state directory of a
/// dynamic user a link. Refuses links in place of the database and of SQLite's files beside it.
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

/// Refuses a symbolic link: it would make this process write to a file that another user chose.
pub(super) fn refuse_link(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => {
            let name = path.file_name().unwrap_or_default().display();
            let why = format!(
                "{name} is a symbolic link, which Adjourn does not follow; move the target file here"
            );
            Err(std::io::Error::other(why))
        }
        _ => Ok(()),
    }
}

/// Options that create a file which only its owner can read and write.
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
