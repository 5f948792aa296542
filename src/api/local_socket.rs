//! The service's Unix socket in its state directory: the same API for commands of this machine, without a key. Root and the service's
//! own user alone are served. Never replaces a socket at which another process listens, and no file that is no socket.

use std::fs::Permissions;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::{ConnectionLimits, Connections};
use super::local_peer::{LOCAL_CONNECTIONS, LocalPeer};
use super::serve::{ACCEPT_RETRY_DELAY, ConnectionTask, ListenerLimits};

/// The address that stands for this machine where a caller's IP address counts.
const THIS_MACHINE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Every request at the socket is authenticated, and all under one id. An id may have half of the authenticated connections, so
/// [`LOCAL_CONNECTIONS`] with a request are never closed, and as many stay beside them.
const LIMITS: ConnectionLimits = ConnectionLimits {
    total: 3 * LOCAL_CONNECTIONS,
    unauthenticated: LOCAL_CONNECTIONS,
    per_address: Some(LOCAL_CONNECTIONS),
};

/// A listening socket. Dropping it removes its file.
#[derive(Debug)]
pub struct LocalSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl LocalSocket {
    /// Listens at this path. The caller holds the journal's lock, so a socket at which no process listens is of a service that was killed.
    ///
    /// # Errors
    /// When the path is in use, is no socket, is too long for a socket, or the file system has no sockets.
    pub async fn bind(path: &Path) -> Result<Self, Error> {
        remove_stale(path).await?;
        let listener = UnixListener::bind(path)?;
        let socket = Self { listener, path: path.to_owned() };
        // The directory and the umask keep others out before this line.
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(socket)
    }

    /// Serves until `stop`; then completes open requests and accepts no new connections.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let limits = ListenerLimits::with(Connections::new(LIMITS));
        let (open, grace) = (TaskTracker::new(), limits.shutdown_grace);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    drop(open.spawn(serve(stream, router.clone(), limits.clone(), stop.clone())))
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
            }
        }
        // The next service may bind its own socket from here on.
        drop(self);
        open.close();
        if tokio::time::timeout(grace, open.wait()).await.is_err() {
            tracing::warn!("some connections of the local socket did not close in time");
        }
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        // A file that stays is replaced at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn remove_stale(path: &Path) -> Result<(), Error> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(Error::new(ErrorKind::AlreadyExists, "the file is no socket; move it away"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process listens at it")),
    }
}

async fn serve(stream: UnixStream, router: Router, limits: ListenerLimits, stop: CancellationToken) {
    let Some(peer) = allowed_peer(&stream) else { return };
    let connection: Arc<_> = limits.connections.accept(THIS_MACHINE);
    let task = ConnectionTask {
        peer: THIS_MACHINE,
        local: Some(peer),
        connection: connection.clone(),
        router,
        limits,
        stop,
    };
    tokio::select! {
        () = task.serve_http(stream, None) => {}
        () = connection.closed() => {}
    }
}

/// The process at the other end, if it is root's or this service's own user's.
fn allowed_peer(stream: &UnixStream) -> Option<LocalPeer> {
    let peer = stream.peer_cred().ok()?;
    let (uid, own) = (peer.uid(), rustix::process::geteuid().as_raw());
    if uid != 0 && uid != own {
        tracing::warn!(uid, own, "refused a process of another user at the local socket");
        return None;
    }
    Some(LocalPeer { uid, process: peer.pid() })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::super::connections::{AUTHENTICATION_TIME, TrackedConnection};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_a_request_stays_open_beside_many_idle_ones() {
        let table = Connections::new(LIMITS);
        let accept = || table.accept(THIS_MACHINE);
        let busy: Vec<_> = (0..LOCAL_CONNECTIONS).map(|_| accept()).collect();
        busy.iter().for_each(|one| one.authenticate("local"));
        let idle: Vec<_> = (0..4 * LOCAL_CONNECTIONS).map(|_| accept()).collect();
        tokio::time::advance(2 * AUTHENTICATION_TIME).await;
        let _newest = accept();
        let open = |all: &[Arc<TrackedConnection>]| {
            all.iter().filter(|one| one.closed().now_or_never().is_none()).count()
        };
        assert_eq!((open(&busy), open(&idle)), (LOCAL_CONNECTIONS, LOCAL_CONNECTIONS));
    }

    #[tokio::test]
    async fn a_socket_of_a_killed_service_is_replaced_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("adjourn.sock");
        let first = LocalSocket::bind(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(LocalSocket::bind(&path).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        // As after a kill: the file is there, and no process listens.
        let other = directory.path().join("other");
        std::fs::rename(&path, &other).unwrap();
        drop(first);
        std::fs::rename(&other, &path).unwrap();
        drop(LocalSocket::bind(&path).await.unwrap());
        assert!(!path.exists(), "an orderly end removes the file");
        std::fs::write(&path, "a file").unwrap();
        assert_eq!(LocalSocket::bind(&path).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    }
}
