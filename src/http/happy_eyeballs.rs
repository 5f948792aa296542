//! Happy Eyeballs (RFC 8305): connects to a name with several addresses by racing attempts, each started a moment after
//! the one before, so that a dead address costs only that moment. Every outgoing TCP connection uses it, except those
//! to a KDC.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};

/// "Connection Attempt Delay" that RFC 8305 recommends (section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried: all attempts have started after four seconds.
const ADDRESSES_MAX: usize = 16;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The name does not resolve.
    Resolve(io::Error),
    /// No address accepted the connection.
    Connect(io::Error),
}

/// The addresses of a host in the order of the attempts: families alternate, the system's preferred one first (section
/// 4).
pub(crate) async fn addresses(host: &str, port: u16) -> Result<VecDeque<SocketAddr>, ConnectError> {
    let found = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
    let found = interleaved(found);
    if found.is_empty() {
        return Err(ConnectError::Resolve(io::ErrorKind::NotFound.into()));
    }
    Ok(found)
}

fn interleaved(found: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut found = found.peekable();
    let is_first_v6 = found.peek().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        found.partition(|address| address.is_ipv6() == is_first_v6);
    let mut all = VecDeque::new();
    while all.len() < ADDRESSES_MAX && !(first.is_empty() && second.is_empty()) {
        all.extend(first.pop_front());
        all.extend(second.pop_front());
    }
    all.truncate(ADDRESSES_MAX);
    all
}

/// The first connection that succeeds, with its address. A failed attempt starts the next one at once. The caller
/// limits the total time.
pub(crate) async fn connect(addresses: &VecDeque<SocketAddr>) -> Result<(TcpStream, SocketAddr), io::Error> {
    let mut left = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match left.next() {
            Some(address) => attempts.push(async move { (TcpStream::connect(address).await, address) }),
            None if attempts.is_empty() => return Err(refusal),
            None => {}
        }
        let next_begins = Instant::now() + ATTEMPT_DELAY;
        tokio::select! {
            Some((attempt, address)) = attempts.next() => match attempt {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => refusal = error,
            },
            () = sleep_until(next_begins), if left.len() > 0 => {}
            else => return Err(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address with a full accept queue: connection attempts get no response.
    struct Blackhole {
        address: SocketAddr,
        _open: (TcpListener, Vec<tokio::task::JoinHandle<()>>),
    }

    impl Blackhole {
        async fn dig() -> Self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = socket.listen(1).unwrap();
            let address = listener.local_addr().unwrap();
            let fill = (0..8).map(|_| {
                tokio::spawn(async move {
                    let _filled = TcpStream::connect(address).await;
                    std::future::pending().await
                })
            });
            let fill = fill.collect();
            tokio::time::sleep(Duration::from_millis(300)).await;
            Self { address, _open: (listener, fill) }
        }
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_costs_a_moment_only() {
        let (hole, server) = (Blackhole::dig().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
        let alive = server.local_addr().unwrap();
        let begun = Instant::now();
        let addresses = VecDeque::from([hole.address, hole.address, hole.address, alive]);
        let (_, found) = connect(&addresses).await.unwrap();
        assert_eq!(found, alive);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn addresses_that_refuse_are_passed_at_once_and_the_last_refusal_is_the_reason() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let begun = Instant::now();
        let error = connect(&VecDeque::from([closed; 8])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(begun.elapsed() < ATTEMPT_DELAY * 4, "{:?}", begun.elapsed());
        assert!(connect(&VecDeque::new()).await.is_err());
    }

    #[test]
    fn families_alternate_and_their_number_has_a_limit() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"]);
        let expected = addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleaved(found.into_iter()), expected);
        let many = (0..1_000).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(interleaved(many).len(), ADDRESSES_MAX);
    }
}
