//! A simulated HTTP proxy for clients that reach Exchange only through one: CONNECT (RFC 9110, 9.3.6), with Basic
//! authentication if configured. Never reads the tunnelled bytes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use super::listener::ListenerTask;

/// Limit of a request head; that of a CONNECT has a few hundred bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Limit of recorded tunnels.
const TUNNELS_MAX: usize = 10_000;

/// The proxy's policy.
#[derive(Clone, Default)]
pub struct ProxyOptions {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Name and password (Basic); requests without them get 407.
    pub credentials: Option<(String, String)>,
    /// The permitted `host:port` targets, others get 403; `None` permits all.
    pub allowed: Option<Vec<String>>,
}

/// A running proxy.
pub struct ProxyServer {
    listening: ListenerTask,
    shared: Arc<ProxyService>,
}

struct ProxyService {
    authorization: Option<String>,
    allowed: Option<Vec<String>>,
    state: Mutex<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    tunnels: Vec<String>,
    refuses_all: bool,
}

impl ProxyServer {
    /// Starts to listen.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(options: ProxyOptions) -> io::Result<Self> {
        let pair = options.credentials.map(|(name, password)| format!("{name}:{password}"));
        let shared = Arc::new(ProxyService {
            authorization: pair.map(|pair| format!("Basic {}", BASE64_STANDARD.encode(pair))),
            allowed: options.allowed,
            state: Mutex::default(),
        });
        let all = shared.clone();
        let listening = ListenerTask::start(options.port, move |stream| {
            let shared = all.clone();
            async move {
                let _ = shared.serve(stream).await; // its errors concern the two ends only
            }
        })
        .await?;
        Ok(Self { listening, shared })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.address)
    }

    /// Every permitted `host:port` target, in order, including unreachable ones.
    pub fn tunnels(&self) -> Vec<String> {
        self.shared.state().tunnels.clone()
    }

    /// Refuses every request from now on (503), or accepts them again. Open tunnels are unaffected.
    pub fn refuse_all(&self, everything: bool) {
        self.shared.state().refuses_all = everything;
    }

    /// Stops listening and closes all tunnels.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

impl ProxyService {
    /// Cannot be poisoned in practice: no holder panics.
    fn state(&self) -> MutexGuard<'_, ProxyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some((head, rest)) = read_head(&mut client).await? else {
            return refuse(&mut client, "400 Bad Request", "").await;
        };
        let target = match self.authorize(&head) {
            Ok(target) => target,
            Err((status, header)) => return refuse(&mut client, status, header).await,
        };
        let Ok(mut server) = TcpStream::connect(target).await else {
            return refuse(&mut client, "502 Bad Gateway", "").await;
        };
        let _ = server.set_nodelay(true);
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        server.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }

    /// The target, or the status and header of a rejection.
    fn authorize<'a>(&self, head: &'a str) -> Result<&'a str, (&'static str, &'static str)> {
        let mut lines = head.split("\r\n");
        let mut request = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (request.next(), request.next().unwrap_or_default());
        let authorization = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("proxy-authorization").then_some(value.trim())
        });
        if method != Some("CONNECT") {
            return Err(("405 Method Not Allowed", "Allow: CONNECT\r\n"));
        }
        if self.authorization.as_deref().is_some_and(|right| authorization != Some(right)) {
            let header = "Proxy-Authenticate: Basic realm=\"sim\"\r\n";
            return Err(("407 Proxy Authentication Required", header));
        }
        let mut state = self.state();
        if state.refuses_all {
            return Err(("503 Service Unavailable", ""));
        }
        if self.allowed.as_ref().is_some_and(|allowed| !allowed.iter().any(|one| one == target)) {
            return Err(("403 Forbidden", ""));
        }
        if state.tunnels.len() < TUNNELS_MAX {
            state.tunnels.push(target.to_owned());
        }
        Ok(target)
    }
}

/// The head of a request, and the bytes after it; `None` if it is incomplete, too long or not UTF-8.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    while bytes.len() < HEAD_BYTES_MAX {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok(String::from_utf8(bytes).ok().map(|head| (head, rest)));
        }
    }
    Ok(None)
}

async fn refuse(client: &mut TcpStream, status: &str, header: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
