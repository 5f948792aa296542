//! No picture of our memory is written to a disk: there are passwords and tokens in it. Nothing else about the process changes.

use std::io;

/// No core dump of this process and of what it starts, to a file or to a collector such as systemd-coredump, from now on; and
/// nobody but root reads its memory (Linux).
pub(super) fn forbid() -> io::Result<()> {
    // A limit of nothing does not keep the kernel from handing a dump to a program; that the process is not to be dumped does.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    #[cfg(unix)]
    rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    )?;
    Ok(())
}
