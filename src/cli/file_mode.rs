//! Makes files that this process creates (journals, archives, reports) readable by its user only. Changes nothing else about the
//! process.

/// Sets umask 077 (Unix): new files and directories of this process and its children are closed to other users.
pub(super) fn restrict() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}
