//! The HTTP server: accepts connections, applies limits and timeouts, serves requests, and shuts down in order. Knows nothing
//! about routes.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract;
use axum::http::{Request, Response, StatusCode};
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::Caller;
use super::connections::{ConnectionLimits, Connections, TrackedConnection};
use super::http_rules;
use super::local_peer::LocalPeer;
use super::peer_address::PeerAddress;
use super::peer_certificate::PeerCertificate;
use super::request_timeouts::{RequestTimeoutStream, RequestTimeouts};
use super::tls::ServerTls;

/// Address and port of a listener for which the administrator sets no other: what others can reach is their decision.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8480";

/// Limits of a listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// The open connections and their limits.
    pub connections: Arc<Connections>,
    /// Timeout of a request's head. A slower client is disconnected.
    pub head: Duration,
    /// Timeout between a response and the next request.
    pub idle: Duration,
    /// The same on a connection without a valid key.
    pub idle_unauthenticated: Duration,
    /// Timeout of writing a response that the client does not read; on Linux, also how long sent data may stay unacknowledged.
    pub unread: Duration,
    /// How long open connections may take to finish at shutdown.
    pub shutdown_grace: Duration,
}

impl Default for ListenerLimits {
    /// A request's head is a few hundred bytes. Proxies keep idle connections for 60 s (nginx `keepalive_timeout`, AWS ALB
    /// `idle_timeout`) and return 502 if the server closes one just before they use it.
    fn default() -> Self {
        let (head, unread) = (Duration::from_secs(10), Duration::from_secs(30));
        let (idle, idle_unauthenticated) = (Duration::from_secs(75), Duration::from_secs(10));
        let connections = Connections::new(ConnectionLimits::default());
        Self {
            connections,
            head,
            idle,
            idle_unauthenticated,
            unread,
            shutdown_grace: Duration::from_secs(15),
        }
    }
}

impl ListenerLimits {
    /// The defaults with these connections. Behind a proxy, connections stay open as long as the proxy keeps them, with a key or
    /// without.
    pub fn with(connections: Arc<Connections>) -> Self {
        let limits = Self::default();
        let is_proxy = connections.limits().per_address.is_none();
        let idle_unauthenticated = if is_proxy { limits.idle } else { limits.idle_unauthenticated };
        Self { connections, idle_unauthenticated, ..limits }
    }
}

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Pause after a failed `accept`. Most likely too many files are open, and the next call would fail too.
pub(super) const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves until `stop`; then completes open requests and accepts no new connections.
pub async fn serve(
    listener: Arc<TcpListener>,
    tls: Option<Arc<ServerTls>>,
    router: Router,
    limits: ListenerLimits,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_peer_error(&error) => continue,
            Err(error) => {
                limits.connections.release_file_descriptor(&error);
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        let connection = limits.connections.accept(peer.ip());
        let (router, limits, stop) = (router.clone(), limits.clone(), stop.clone());
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        connections.spawn(async move {
            let served = ConnectionTask {
                peer: peer.ip(),
                local: None,
                connection: connection.clone(),
                router,
                limits,
                stop,
            };
            tokio::select! {
                () = served.run(stream, acceptor) => {}
                () = connection.closed() => {}
            }
        });
    }
    // New connections are refused from here on, so that clients can try another server.
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.shutdown_grace, connections.wait()).await.is_err() {
        tracing::warn!("some connections did not close in time");
    }
}

/// Whether `accept` failed because the client closed the connection first.
fn is_peer_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Disables Nagle's algorithm, and limits how long a vanished client (power lost) holds its connection: Linux alone would
/// retransmit for about a quarter of an hour (tcp(7), `tcp_retries2`).
fn set_socket_options(stream: &TcpStream, limits: &ListenerLimits) {
    // The connection works without either option.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    if let Ok(millis) = u32::try_from(limits.unread.as_millis()) {
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
    }
}

/// Serves one connection.
pub(super) struct ConnectionTask {
    pub(super) peer: IpAddr,
    /// The process at the other end of the Unix socket.
    pub(super) local: Option<LocalPeer>,
    pub(super) connection: Arc<TrackedConnection>,
    pub(super) router: Router,
    pub(super) limits: ListenerLimits,
    pub(super) stop: CancellationToken,
}

impl ConnectionTask {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        set_socket_options(&stream, &self.limits);
        let Some(acceptor) = acceptor else { return self.serve_http(stream, None).await };
        // A client without TLS, or without a required certificate, is disconnected.
        if let Ok(Ok(stream)) = tokio::time::timeout(self.limits.head, acceptor.accept(stream)).await {
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let certificate = shown.map(PeerCertificate::of);
            self.serve_http(stream, certificate).await;
        }
    }

    pub(super) async fn serve_http<S>(self, stream: S, certificate: Option<PeerCertificate>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, local, connection, router, limits, stop } = self;
        // A client that does not read its response is disconnected too.
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(limits.unread));
        let ListenerLimits { head, idle, idle_unauthenticated, .. } = limits;
        let (phase, waits) = (connection.phase(), RequestTimeouts { head, idle, idle_unauthenticated });
        let stream = RequestTimeoutStream::new(Box::pin(stream), phase.clone(), waits);
        let service = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
            local.map(|local| request.extensions_mut().insert(local));
            phase.clone().while_busy(respond(service.clone(), request, connection.clone(), certificate))
        });
        let http = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            // `RequestTimeoutStream` has one for a head and another for the time between two requests; hyper has one for both.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut http = std::pin::pin!(http);
        // A client that disconnects ends its own connection; there is nothing to report.
        let _ = tokio::select! {
            ended = http.as_mut() => ended,
            () = stop.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
    }
}

/// Handles one request, with the rules that apply to all of them.
async fn respond(
    service: TowerToHyperService<Router>,
    request: Request<Incoming>,
    connection: Arc<TrackedConnection>,
    certificate: Option<PeerCertificate>,
) -> Result<Response<Body>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let mut response = match http_rules::check_host(&parts) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            parts.extensions.insert(connection.clone());
            certificate.map(|certificate| parts.extensions.insert(certificate));
            service.call(Request::from_parts(parts, body)).await?
        }
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        connection.deauthenticate();
    }
    http_rules::protect(response.headers_mut());
    Ok(response)
}

/// Middleware after authentication: marks the connection as authenticated.
pub(super) async fn mark_authenticated(
    caller: Caller,
    request: extract::Request,
    next: Next,
) -> axum::response::Response {
    if let Some(connection) = request.extensions().get::<Arc<TrackedConnection>>() {
        connection.authenticate(&caller.id().0);
    }
    next.run(request).await
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_unacknowledged_ends_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        set_socket_options(&stream, &ListenerLimits::default());
        assert_eq!(rustix::net::sockopt::tcp_user_timeout(&stream).unwrap(), 30_000);
    }
}
