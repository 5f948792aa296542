//! Limits of the operating system: open files, and file size. Reaching a limit is an error in one place and does not end the
//! process; connections leave enough files for Exchange and the journal.

use std::io;

use crate::api::ConnectionLimits;
use crate::config::Config;

/// Files besides connections: databases, log, runtime, certificates, secret commands, health listener, OpenID provider, and four
/// connections of each webhook. About 50 were counted without webhooks; sixteen webhooks have 64.
const OTHER_FILES: usize = 128;

/// The service starts with at least this many connections, however few files it may open.
const CONNECTIONS_MIN: usize = 16;

/// Turns a write beyond the file size limit (`ulimit -f`, `LimitFSIZE=`) into an error (EFBIG), like a full disk. Without a
/// handler the kernel ends the process (setrlimit(2), SIGXFSZ).
#[cfg(unix)]
pub(super) fn handle_file_size_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // The handler stays installed when the stream is dropped.
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

#[cfg(not(unix))]
pub(super) fn handle_file_size_signal() -> io::Result<()> {
    Ok(())
}

/// Raises the limit of open files to the hard limit and returns it; `None` if unlimited.
#[cfg(unix)]
pub(super) fn raise_open_files() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    // Some systems have a maximum below the hard limit.
    let files = if raised.is_ok() { limit.maximum } else { limit.current };
    files.map(|files| usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
pub(super) fn raise_open_files() -> Option<usize> {
    None
}

/// Open files for Exchange: requests to each server, twice, since a hanging request releases its permit before its connection is
/// closed, and the streaming connections.
fn files_for_exchange(config: &Config) -> usize {
    config.exchanges().map(|exchange| exchange.max_concurrent_requests().saturating_mul(2)).sum::<usize>()
        + config.live.connections_max
}

/// Lowers the connection limits to the open files that are left. Also returns the number of files that the configured limits
/// need, where they do not fit.
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
    // With few files, half of them are for connections; the other half is rarely in use at the same time.
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
