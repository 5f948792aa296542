//! Checks whether other users of this machine can read or replace a file: secret files and the state directory, by
//! owner and mode bits (Unix; elsewhere nothing is checked). Reads metadata only and changes nothing.
//!
//! | file | accepted |
//! | --- | --- |
//! | secret file | mode 0600 or less; 0640 or less where root owns it, as PostgreSQL accepts a server key: the service's group may read it |
//! | configuration | not writable by others; if found in the working directory, owned by this user or by root |
//! | state directory | owned by this user, mode 0700 or less |
//! | database or lock file in it | owned by this user, mode 0600 or less, no symbolic link |
//!
//! A secret file may be a symbolic link, as certbot and Kubernetes make them. The target is checked.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Files of the state directory that one message names.
const NAMED_MAX: usize = 16;

/// A file that other users can access, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} {path} {problem}", path = path.display())]
pub(crate) struct InsecureFile {
    what: &'static str,
    path: PathBuf,
    problem: String,
    /// The command, or the setting of another program, that remedies it.
    pub(crate) remedy: String,
}

/// Checks a secret file; `None` if other users cannot read it, or if it does not exist.
pub(crate) fn secret_file(what: &'static str, path: &Path) -> Option<InsecureFile> {
    let Facts { mode, owner, .. } = facts(std::fs::metadata(path).ok()?)?;
    let problem = secret_problem(mode, owner)?;
    let remedy = if is_of_kubernetes(path) {
        "set `defaultMode: 0400` in the secret's volume".to_owned()
    } else {
        format!("run `chmod 600 {}`", quoted(path))
    };
    Some(InsecureFile { what, path: path.to_owned(), problem, remedy })
}

/// How the configuration file was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfigOrigin {
    /// By name, on the command line or in the environment.
    Named,
    /// Found in the working directory.
    Found,
}

/// Checks the configuration file: a user who can write it, or has placed it in the working directory, chooses the
/// commands that Adjourn runs and the server that gets the password.
pub(crate) fn configuration_file(path: &Path, chosen: ConfigOrigin) -> Option<InsecureFile> {
    let Facts { mode, owner, .. } = facts(std::fs::metadata(path).ok()?)?;
    let insecure = |problem, remedy| {
        Some(InsecureFile { what: "configuration file", path: path.to_owned(), problem, remedy })
    };
    if mode & 0o002 != 0 {
        let problem = format!("can be written by other users (mode {mode:04o})");
        return insecure(problem, format!("run `chmod o-w {}`", quoted(path)));
    }
    if !is_trusted(chosen, owner, own_id(owner)) {
        let problem = format!("lies in the working directory and belongs to another user (uid {owner})");
        return insecure(problem, format!("name it with `--config {}` if you trust it", quoted(path)));
    }
    None
}

/// A named file is trusted. A found one may have been placed there for the next user who starts Adjourn.
fn is_trusted(chosen: ConfigOrigin, owner: u32, us: u32) -> bool {
    chosen == ConfigOrigin::Named || owner == 0 || owner == us
}

/// Checks the state directory and the files in it that `is_state` selects; `None` if they are secure or do not exist.
/// Other files in it belong to the administrator.
pub(crate) fn state_directory(path: &Path, is_state: fn(&OsStr) -> bool) -> Option<InsecureFile> {
    let found = facts(std::fs::metadata(path).ok()?).filter(|found| !found.is_file)?;
    let insecure = |problem, remedy| {
        Some(InsecureFile { what: "state directory", path: path.to_owned(), problem, remedy })
    };
    if let Some(owner) = other_owner(found.owner) {
        let problem = format!("belongs to another user (uid {owner})");
        return insecure(
            problem,
            "choose another directory with --state-dir, or run as that user".to_owned(),
        );
    }
    if found.mode & 0o077 != 0 {
        let problem = format!("is open to other users (mode {:04o})", found.mode);
        return insecure(problem, format!("run `chmod 700 {}`", quoted(path)));
    }
    files_in(path, is_state)
}

fn files_in(directory: &Path, is_state: fn(&OsStr) -> bool) -> Option<InsecureFile> {
    let mut exposed = Vec::new();
    for entry in std::fs::read_dir(directory).ok()?.flatten().filter(|entry| is_state(&entry.file_name())) {
        let path = entry.path();
        // The file may not exist any more: SQLite removes its log when the last connection closes.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_symlink() {
            let problem = "is a symbolic link, which Adjourn does not follow".to_owned();
            let remedy = format!("move the file that it names to {}", quoted(&path));
            return Some(InsecureFile { what: "state file", path, problem, remedy });
        }
        let Some(Facts { mode, owner, is_file: true }) = facts(metadata) else { continue };
        if let Some(owner) = other_owner(owner) {
            let problem = format!("belongs to another user (uid {owner})");
            let remedy = format!("run `chown` on {} as root", quoted(&path));
            return Some(InsecureFile { what: "state file", path, problem, remedy });
        }
        if mode & 0o077 != 0 {
            exposed.push((path, mode));
        }
    }
    exposed.sort();
    let (path, mode) = exposed.first()?.clone();
    let named = exposed.iter().take(NAMED_MAX).map(|(path, _)| quoted(path)).collect::<Vec<_>>().join(" ");
    let problem = format!("is open to other users (mode {mode:04o})");
    Some(InsecureFile { what: "state file", path, problem, remedy: format!("run `chmod 600 {named}`") })
}

/// PostgreSQL's rule for a server key (libpq, "ssl_key_file"): root's files may be readable by their group.
fn secret_problem(mode: u32, owner: u32) -> Option<String> {
    let forbidden = if owner == 0 { 0o037 } else { 0o077 };
    (mode & forbidden != 0).then(|| format!("is open to other users (mode {mode:04o})"))
}

#[derive(Debug, Clone, Copy)]
struct Facts {
    mode: u32,
    owner: u32,
    is_file: bool,
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "there are systems without owners and modes")]
fn facts(metadata: std::fs::Metadata) -> Option<Facts> {
    use std::os::unix::fs::MetadataExt as _;
    Some(Facts { mode: metadata.mode() & 0o777, owner: metadata.uid(), is_file: metadata.is_file() })
}

#[cfg(not(unix))]
fn facts(_: std::fs::Metadata) -> Option<Facts> {
    None
}

/// The owner, if it is another user than this process's. Root may access any user's state, as with `sudo adjourn
/// audit`.
fn other_owner(owner: u32) -> Option<u32> {
    let us = own_id(owner);
    (us != 0 && us != owner).then_some(owner)
}

/// This process's user id; on systems without user ids, the owner itself.
#[cfg(unix)]
fn own_id(_: u32) -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn own_id(owner: u32) -> u32 {
    owner
}

/// Kubernetes links each file of a volume into `..data`.
fn is_of_kubernetes(path: &Path) -> bool {
    std::fs::read_link(path).is_ok_and(|target| target.starts_with("..data"))
}

/// A path as a POSIX shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%,:=".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn is_state(name: &OsStr) -> bool {
        name.to_string_lossy().starts_with("journal")
    }

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_is_its_owners_and_of_a_group_only_where_root_gave_it() {
        for (owner, mode, accepted) in [
            (1000, 0o600, true),
            (1000, 0o400, true),
            (1000, 0o640, false),
            (1000, 0o604, false),
            (1000, 0o620, false),
            (0, 0o640, true),
            (0, 0o440, true),
            (0, 0o660, false),
            (0, 0o644, false),
            (0, 0o641, false),
        ] {
            assert_eq!(secret_problem(mode, owner).is_none(), accepted, "{owner} {mode:o}");
        }
    }

    #[test]
    fn a_configuration_that_was_found_is_ours_or_roots() {
        for (chosen, owner, us, accepted) in [
            (ConfigOrigin::Found, 1000, 1000, true),
            (ConfigOrigin::Found, 0, 1000, true),
            (ConfigOrigin::Found, 1001, 1000, false),
            (ConfigOrigin::Found, 1000, 0, false),
            (ConfigOrigin::Named, 1001, 1000, true),
        ] {
            assert_eq!(is_trusted(chosen, owner, us), accepted, "{chosen:?} {owner} {us}");
        }
    }

    #[test]
    fn the_remedy_of_a_secret_is_a_command_or_the_volumes_mode() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pass word");
        assert_eq!(secret_file("password file", &file), None, "reading it says that it is not there");
        std::fs::write(&file, "x").unwrap();
        set(&file, 0o604);
        let insecure = secret_file("password file", &file).unwrap();
        assert_eq!(insecure.remedy, format!("run `chmod 600 '{}'`", file.display()));
        assert!(insecure.to_string().contains("(mode 0604)"), "{insecure}");
        set(&file, 0o600);
        assert_eq!(secret_file("password file", &file), None);

        std::fs::create_dir(directory.path().join("..data")).unwrap();
        std::fs::write(directory.path().join("..data/key"), "x").unwrap();
        set(&directory.path().join("..data/key"), 0o644);
        symlink("..data/key", directory.path().join("key")).unwrap();
        let insecure = secret_file("private key", &directory.path().join("key")).unwrap();
        assert!(insecure.remedy.contains("defaultMode: 0400"), "{}", insecure.remedy);
    }

    #[test]
    fn a_state_directory_and_its_files_are_their_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (path, journal) = (directory.path(), directory.path().join("journal.sqlite"));
        assert_eq!(state_directory(&path.join("none yet"), is_state), None);
        std::fs::write(&journal, "").unwrap();
        set(&journal, 0o600);
        set(path, 0o700);
        assert_eq!(state_directory(path, is_state), None);
        for mode in [0o750, 0o705, 0o770] {
            set(path, mode);
            let insecure = state_directory(path, is_state).unwrap();
            assert_eq!(insecure.remedy, format!("run `chmod 700 {}`", path.display()));
        }
        set(path, 0o700);
        for mode in [0o640, 0o604, 0o660] {
            set(&journal, mode);
            let insecure = state_directory(path, is_state).unwrap();
            assert_eq!(insecure.remedy, format!("run `chmod 600 {}`", journal.display()));
        }
        set(&journal, 0o600);
        let log = path.join("journal.sqlite-wal");
        std::fs::write(path.join("adjourn.toml"), "").unwrap();
        set(&path.join("adjourn.toml"), 0o644);
        assert_eq!(state_directory(path, is_state), None, "what others keep there is not judged");
        symlink("/dev/null", &log).unwrap();
        let insecure = state_directory(path, is_state).unwrap().to_string();
        assert!(insecure.contains("journal.sqlite-wal is a symbolic link"), "{insecure}");
    }
}
