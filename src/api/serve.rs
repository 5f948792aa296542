//! Connections: taken, limited, served, and ended in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patience::{Patient, Phase};
use super::peer_address::PeerAddress;
use super::tls::Tls;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; who comes then waits.
    pub connections_max: usize,
    /// How long the head of a request may take: who is slower is dropped.
    pub head: Duration,
    /// How long a connection may stand without a request after an answer.
    pub idle: Duration,
    /// How long an answer may wait to be read; on Linux, also how long what was sent may go unacknowledged.
    pub unread: Duration,
    /// How long connections may take to end.
    pub goodbye: Duration,
}

impl Default for Limits {
    /// A thousand displays that stay connected, twice; a head is a few hundred bytes. Proxies keep idle connections for 60 s
    /// (nginx `keepalive_timeout`, AWS ALB `idle_timeout`) and answer 502 where we end one just before they use it.
    fn default() -> Self {
        let (head, unread) = (Duration::from_secs(10), Duration::from_secs(30));
        let idle = Duration::from_secs(75);
        Self { connections_max: 2_000, head, idle, unread, goodbye: Duration::from_secs(15) }
    }
}

/// The largest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers in it.
const HEADERS_MAX: usize = 64;

/// Serves until it is told to stop; then answers what was asked, and takes nothing new.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let connections = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, most likely: taking the next at once would fail like this one.
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        set_up(&stream, limits);
        let (service, stop) = (TowerToHyperService::new(router.clone()), stop.clone());
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        connections.spawn(async move {
            let _place = place;
            match acceptor {
                None => converse(stream, peer, service, limits, stop).await,
                Some(acceptor) => {
                    // Who does not speak TLS, or has no certificate where one is asked for, is no caller.
                    if let Ok(Ok(stream)) = tokio::time::timeout(limits.head, acceptor.accept(stream)).await {
                        converse(stream, peer, service, limits, stop).await;
                    }
                }
            }
        });
    }
    // Who comes now is refused at once, and may go elsewhere.
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.goodbye, connections.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

/// An answer goes out at once, and a caller that vanished without a word (its plug was pulled) does not keep its place:
/// by itself Linux would go on sending for about a quarter of an hour (tcp(7), `tcp_retries2`).
fn set_up(stream: &TcpStream, limits: Limits) {
    // Without either the connection serves all the same.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    if let Ok(millis) = u32::try_from(limits.unread.as_millis()) {
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
    }
}

async fn converse<S>(
    stream: S,
    peer: SocketAddr,
    service: TowerToHyperService<Router>,
    limits: Limits,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Who does not read what was answered is dropped too.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limits.unread));
    let phase = Arc::new(Phase::default());
    let stream = Patient::new(Box::pin(stream), phase.clone(), limits.head, limits.idle);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer.ip()));
        phase.clone().answer(service.call(request))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // `Patient` has one for a head and another for the time between two requests; hyper has one for both.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A peer that breaks off ends its own connection; there is nobody to tell.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_goes_unacknowledged_ends_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        set_up(&stream, Limits::default());
        assert_eq!(rustix::net::sockopt::tcp_user_timeout(&stream).unwrap(), 30_000);
    }
}
