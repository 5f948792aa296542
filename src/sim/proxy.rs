//! An HTTP proxy in a box, for clients that may reach Exchange through nothing else: CONNECT only (RFC 9110, 9.3.6), with a
//! name and a password if wanted. Never looks into what it carries.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use super::listener::ListenerTask;

/// The head of a CONNECT is a few hundred bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Tunnels beyond this many are not written down.
const TUNNELS_MAX: usize = 10_000;

/// What the proxy lets through.
#[derive(Clone, Default)]
pub struct ProxyOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Name and password (Basic); without them 407.
    pub credentials: Option<(String, String)>,
    /// The `host:port` that may be reached, others are 403; `None` allows all.
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
    /// Begins to listen.
    ///
    /// # Errors
    /// When the port is taken.
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
                let _ = shared.serve(stream).await; // how it ends is for the two who talked
            }
        })
        .await?;
        Ok(Self { listening, shared })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.address)
    }

    /// Every `host:port` that somebody asked for and was let through to, or could not be reached; in order.
    pub fn tunnels(&self) -> Vec<String> {
        self.shared.state().tunnels.clone()
    }

    /// Whether it refuses everything from now on (503), or works again. Tunnels that are open stay so.
    pub fn refuse_all(&self, everything: bool) {
        self.shared.state().refuses_all = everything;
    }

    /// Stops listening and closes all tunnels.
    pub async fn stop(self) {
        self.listening.stop().await;
    }
}

impl ProxyService {
    /// Nothing panics while holding it.
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

    /// Where to, or the status and header of a refusal.
    fn authorize<'a>(&self, head: &'a str) -> Result<&'a str, (&'static str, &'static str)> {
        let mut lines = head.split("\r\n");
        let mut request = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (request.next(), request.next().unwrap_or_default());
        let said = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("proxy-authorization").then_some(value.trim())
        });
        if method != Some("CONNECT") {
            return Err(("405 Method Not Allowed", "Allow: CONNECT\r\n"));
        }
        if self.authorization.as_deref().is_some_and(|right| said != Some(right)) {
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

/// The head of a request, and what came after it; `None` when there is no end to it or it is no text.
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
