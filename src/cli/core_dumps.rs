//! Disables core dumps: the process's memory holds passwords and tokens. Changes nothing else about the process.

use std::io;

/// Disables core dumps of this process and its children, to files and to collectors such as systemd-coredump; on Linux only root
/// can read its memory.
pub(super) fn forbid() -> io::Result<()> {
    // A limit of zero does not stop the kernel from piping a dump to a program; marking the process as not dumpable does.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    #[cfg(unix)]
    rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    )?;
    Ok(())
}
