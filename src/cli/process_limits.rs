//! What the operating system lets this process have: open files, and the size of a file. A limit that is reached is an error in
//! one place; it does not end the process, and callers without a key do not take the files that Exchange and the journal need.

use std::io;

use crate::api::ConnectionLimits;
use crate::config::Config;

/// Files besides connections: the databases, the log, the runtime, certificates that are read again, a command that prints a
/// secret, the health listener, the webhook and the provider of tokens. Counted about 50, with some to spare.
const OTHER_FILES: usize = 128;

/// The fewest connections that a service is started with, however few files there may be.
const CONNECTIONS_MIN: usize = 16;

/// A write beyond the limit for a file's size (`ulimit -f`, `LimitFSIZE=`) is an error (EFBIG), as on a full disk. Without a
/// handler the kernel ends the process (setrlimit(2), SIGXFSZ), as a closed pipe would (SIGPIPE, which Rust ignores).
#[cfg(unix)]
pub(super) fn handle_file_size_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // The handler stays when the listener is dropped.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(not(unix))]
pub(super) fn handle_file_size_signal() -> io::Result<()> {
    Ok(())
}

/// Raises the number of open files as far as this process may, and returns it; `None` where there is no limit.
#[cfg(unix)]
pub(super) fn raise_open_files() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    // Some systems have a limit above which none may go, whatever the hard limit says.
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    files.map(|files| usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
pub(super) fn raise_open_files() -> Option<usize> {
    None
}

/// Open files that Exchange may take: requests to each server, twice since one that hangs gives its place up while its
/// connection is still open, and the connections on which changes are streamed.
fn files_for_exchange(config: &Config) -> usize {
    let servers = config.server.iter().chain(config.connections.iter().map(|one| &one.server));
    servers.map(|server| server.max_concurrent_requests.saturating_mul(2)).sum::<usize>()
        + config.live.connections_max
}

/// The connections that fit into so many open files beside Exchange and our own; and the number of files that all of the
/// configured ones need, where they do not fit.
pub(super) fn fit_connections(
    wanted: ConnectionLimits,
    files: Option<usize>,
    config: &Config,
) -> (ConnectionLimits, Option<usize>) {
    fit_connections_beside(wanted, files, files_for_exchange(config).saturating_add(OTHER_FILES))
}

fn fit_connections_beside(
    wanted: ConnectionLimits,
    files: Option<usize>,
    others: usize,
) -> (ConnectionLimits, Option<usize>) {
    let needed = wanted.total.saturating_add(others);
    let Some(files) = files.filter(|files| *files < needed) else { return (wanted, None) };
    // Where there are few, half of them are for connections: the others are used seldom all at once.
    let total = files.saturating_sub(others.min(files / 2)).max(CONNECTIONS_MIN).min(wanted.total);
    let unauthenticated = wanted.unauthenticated.min(total / 4).max(1);
    let per_address = wanted.per_address.map(|max| max.min(unauthenticated.div_ceil(2)));
    (ConnectionLimits { total, unauthenticated, per_address }, Some(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_exchange_and_the_journal() {
        let wanted = ConnectionLimits { total: 2_500, unauthenticated: 250, per_address: Some(64) };
        let others = 198;
        for enough in [None, Some(2_698), Some(1 << 20)] {
            assert_eq!(fit_connections_beside(wanted, enough, others), (wanted, None));
        }
        for (files, total, unauthenticated, per_address) in
            [(2_697, 2_499, 250, 64), (1_024, 826, 206, 64), (256, 128, 32, 16), (8, 16, 4, 2)]
        {
            let lowered = ConnectionLimits { total, unauthenticated, per_address: Some(per_address) };
            assert_eq!(
                fit_connections_beside(wanted, Some(files), others),
                (lowered, Some(2_698)),
                "{files}"
            );
        }
    }
}
