//! Writes the configuration file: whole or not at all, readable by its owner and group, and never over a file that is there unless that
//! is demanded.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::super::exit::{CommandError, Exit};

/// Refuses to replace a file.
pub(super) fn require_absent(path: &Path, force: bool) -> Result<(), CommandError> {
    match path.symlink_metadata() {
        Ok(_) if !force => Err(exists(path)),
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> CommandError {
    CommandError::new(
        Exit::Usage,
        format!("{} exists: name another file with --config, or replace it with --force", path.display()),
    )
}

/// Writes a new file beside the target, and gives it the target's name.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), CommandError> {
    let unwritten = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists if !force => exists(path),
        _ => CommandError::new(Exit::Usage, format!("cannot write {}", path.display())).caused_by(error),
    };
    let new = beside(path);
    let written = write_new(&new, text).and_then(|()| match force {
        true => fs::rename(&new, path),
        // A link fails where a file has come in the meantime; a rename would replace it.
        false => fs::hard_link(&new, path),
    });
    if written.is_err() || !force {
        // What is left over has no name that anything reads.
        let _ = fs::remove_file(&new);
    }
    written.map_err(unwritten)
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The process's own umask closes new files to the group; the service may run as another user of it.
        file.set_permissions(fs::Permissions::from_mode(0o640))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_on_demand_only_and_nothing_is_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("adjourn.toml");
        write(&path, "a", false).unwrap();
        assert!(require_absent(&path, false).is_err());
        assert!(write(&path, "b", false).unwrap_err().message.contains("--force"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        write(&path, "c", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "c");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent").join("adjourn.toml");
        assert!(write(&path, "a", false).unwrap_err().message.contains("cannot write"));
    }
}
