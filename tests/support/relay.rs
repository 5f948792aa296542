//! A TCP relay in front of a server of this machine: a test holds what passes, cuts every connection, or has it hold by itself what
//! follows certain bytes. What is held is not lost: it arrives when the relay is released, as after a network that stood still.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What a relay does with what passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flow {
    holds_to_server: bool,
    holds_to_client: bool,
    /// How often every connection was cut.
    cuts: u64,
}

impl Flow {
    fn holds(self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.holds_to_server,
            Direction::ToClient => self.holds_to_client,
        }
    }
}

/// Bytes from the client at which the relay begins to hold: them, or the reply to them.
struct HoldPoint {
    bytes: &'static str,
    held: Direction,
    reached: oneshot::Sender<()>,
}

struct Shared {
    flow: watch::Sender<Flow>,
    hold_point: Mutex<Option<HoldPoint>>,
}

/// A running relay. It ends when it is dropped.
pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

impl Relay {
    /// Relays to this port of the loopback interface.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { flow: watch::channel(Flow::default()).0, hold_point: Mutex::default() });
        let for_connections = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, server, for_connections.clone()));
            }
        });
        Self { port, shared, listener: accepting.abort_handle() }
    }

    /// Holds the bytes in this direction, on every connection.
    pub fn hold(&self, direction: Direction) {
        self.shared.hold(direction);
    }

    /// Lets everything pass.
    pub fn release(&self) {
        self.shared.flow.send_modify(|flow| *flow = Flow { cuts: flow.cuts, ..Flow::default() });
    }

    /// Closes every connection; new ones are relayed.
    pub fn cut(&self) {
        self.shared.flow.send_modify(|flow| *flow = Flow { cuts: flow.cuts + 1, ..Flow::default() });
    }

    /// Holds the next request of a client with these bytes (`ToServer`), or the reply to it (`ToClient`). The receiver learns when it
    /// is held.
    pub fn hold_at(&self, bytes: &'static str, held: Direction) -> oneshot::Receiver<()> {
        let (reached, receiver) = oneshot::channel();
        *self.shared.hold_point() = Some(HoldPoint { bytes, held, reached });
        receiver
    }

    /// Forgets the point at which it was to hold.
    pub fn forget_hold_point(&self) {
        *self.shared.hold_point() = None;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

impl Shared {
    fn hold(&self, direction: Direction) {
        self.flow.send_modify(|flow| match direction {
            Direction::ToServer => flow.holds_to_server = true,
            Direction::ToClient => flow.holds_to_client = true,
        });
    }

    fn hold_point(&self) -> std::sync::MutexGuard<'_, Option<HoldPoint>> {
        self.hold_point.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds if these bytes of a client are those at which to hold.
    fn pass_hold_point(&self, bytes: &[u8]) {
        let mut hold_point = self.hold_point();
        let is_there = |point: &HoldPoint| {
            bytes.windows(point.bytes.len()).any(|window| window == point.bytes.as_bytes())
        };
        if hold_point.as_ref().is_some_and(is_there)
            && let Some(point) = hold_point.take()
        {
            self.hold(point.held);
            let _ = point.reached.send(());
        }
    }
}

async fn connection(client: TcpStream, server: u16, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut flow = shared.flow.subscribe();
    let cuts = flow.borrow().cuts;
    tokio::select! {
        () = pump(from_client, to_server, Direction::ToServer, &shared) => {}
        () = pump(from_server, to_client, Direction::ToClient, &shared) => {}
        _ = flow.wait_for(|flow| flow.cuts != cuts) => {}
    }
}

/// Copies one direction until an end closes.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, direction: Direction, shared: &Shared) {
    let mut flow = shared.flow.subscribe();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = match from.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        if direction == Direction::ToServer {
            shared.pass_hold_point(&bytes[..count]);
        }
        if flow.wait_for(|flow| !flow.holds(direction)).await.is_err()
            || to.write_all(&bytes[..count]).await.is_err()
        {
            return;
        }
    }
}
