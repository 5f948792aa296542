//! The state directory: where it is, and whose it is at the moment.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::StoreError;

/// Whoever holds a lock on this file owns the directory.
const LOCK_FILE: &str = "adjourn.lock";
/// The journal.
pub(super) const JOURNAL_FILE: &str = "journal.sqlite";
/// Between two tries for the lock.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// Where a journal is kept when nobody says otherwise: `$STATE_DIRECTORY` (which systemd sets for a service that has
/// `StateDirectory=`), else the user's own state directory.
pub fn default_directory() -> Option<PathBuf> {
    let by_systemd = std::env::var_os("STATE_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from);
    by_systemd.or_else(|| Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("adjourn")))
}

/// Makes the directory, readable for its owner alone.
pub(super) fn make(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes the directory for this process, waiting as long as `patience`. Given back when the file is dropped.
pub(super) fn lock(path: &Path, patience: Duration) -> Result<File, StoreError> {
    let unusable = |error| StoreError::Directory { path: path.to_owned(), error };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK_FILE))
        .map_err(unusable)?;
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
    sign(&mut file).map_err(unusable)?;
    Ok(file)
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

#[expect(clippy::disallowed_methods, reason = "how long to wait for a lock is no time of the domain")]
fn now() -> Instant {
    Instant::now()
}
