//! Connections: accepted, limited, served, and ended in order.

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
use super::peer_address::PeerAddress;
use super::peer_certificate::PeerCertificate;
use super::request_timeouts::{RequestTimeoutStream, RequestTimeouts};
use super::tls::ServerTls;

/// What connections may take.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// How many there may be, and which are open.
    pub connections: Arc<Connections>,
    /// How long the head of a request may take: who is slower is dropped.
    pub head: Duration,
    /// How long a connection may stand without a request after an answer.
    pub idle: Duration,
    /// The same where no request had a valid key.
    pub idle_unauthenticated: Duration,
    /// How long an answer may wait to be read; on Linux, also how long what was sent may go unacknowledged.
    pub unread: Duration,
    /// How long connections may take to end.
    pub shutdown_grace: Duration,
}

impl Default for ListenerLimits {
    /// A head is a few hundred bytes. Proxies keep idle connections for 60 s (nginx `keepalive_timeout`, AWS ALB `idle_timeout`)
    /// and answer 502 where we end one just before they use it.
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
    /// These connections. A proxy's stay open as long as it keeps them, whether their last request had a key or not.
    pub fn with(connections: Arc<Connections>) -> Self {
        let limits = Self::default();
        let is_proxy = connections.limits().per_address.is_none();
        let idle_unauthenticated = if is_proxy { limits.idle } else { limits.idle_unauthenticated };
        Self { connections, idle_unauthenticated, ..limits }
    }
}

/// The largest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers in it.
const HEADERS_MAX: usize = 64;

/// Before the next `accept` after one that failed. Too many open files, most likely: the next one would fail like it.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Serves until it is told to stop; then answers what was asked, and takes nothing new.
pub async fn serve(
    listener: TcpListener,
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
            let served =
                ConnectionTask { peer: peer.ip(), connection: connection.clone(), router, limits, stop };
            tokio::select! {
                () = served.run(stream, acceptor) => {}
                () = connection.closed() => {}
            }
        });
    }
    // Who comes now is refused at once, and may go elsewhere.
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.shutdown_grace, connections.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

/// Whether `accept` failed since the caller went away before it.
fn is_peer_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// An answer goes out at once, and a caller that vanished without a word (its plug was pulled) does not keep its place:
/// by itself Linux would go on sending for about a quarter of an hour (tcp(7), `tcp_retries2`).
fn set_socket_options(stream: &TcpStream, limits: &ListenerLimits) {
    // Without either the connection serves all the same.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    if let Ok(millis) = u32::try_from(limits.unread.as_millis()) {
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
    }
}

/// One connection and what it is served with.
struct ConnectionTask {
    peer: IpAddr,
    connection: Arc<TrackedConnection>,
    router: Router,
    limits: ListenerLimits,
    stop: CancellationToken,
}

impl ConnectionTask {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        set_socket_options(&stream, &self.limits);
        let Some(acceptor) = acceptor else { return self.serve_http(stream, None).await };
        // Who does not speak TLS, or has no certificate where one is asked for, is no caller.
        if let Ok(Ok(stream)) = tokio::time::timeout(self.limits.head, acceptor.accept(stream)).await {
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let certificate = shown.map(PeerCertificate::of);
            self.serve_http(stream, certificate).await;
        }
    }

    async fn serve_http<S>(self, stream: S, certificate: Option<PeerCertificate>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, connection, router, limits, stop } = self;
        // Who does not read what was answered is dropped too.
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(limits.unread));
        let ListenerLimits { head, idle, idle_unauthenticated, .. } = limits;
        let (phase, waits) = (connection.phase(), RequestTimeouts { head, idle, idle_unauthenticated });
        let stream = RequestTimeoutStream::new(Box::pin(stream), phase.clone(), waits);
        let service = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
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
        // A peer that breaks off ends its own connection; there is nobody to tell.
        let _ = tokio::select! {
            ended = http.as_mut() => ended,
            () = stop.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        };
    }
}

/// Answers one request, with what holds for all of them.
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

/// Middleware behind the one that checks keys: the connection belongs to a caller with a valid key from now on.
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
