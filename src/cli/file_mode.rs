//! Files that this process makes (journals, archives, reports) belong to its user alone. Nothing else about the process changes.

/// No file or directory made from now on, by this process or by what it starts, is open to other users (umask 077, Unix).
pub(super) fn restrict() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}
