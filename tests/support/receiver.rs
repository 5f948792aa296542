//! A webhook's receiver by hand: it answers each POST as the test decides, and keeps what it received. Shares no code with the sender.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::http::read_head;

/// A received POST.
#[derive(Debug, Clone)]
pub struct ReceivedPost {
    pub head: String,
    pub body: String,
}

impl ReceivedPost {
    pub fn header(&self, name: &str) -> &str {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next().unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn number(&self) -> u64 {
        self.json()["number"].as_u64().unwrap()
    }
}

/// The status line and further header lines for a body.
type Answer = dyn Fn(&Value) -> String + Send + Sync;

struct State {
    answer: Mutex<Arc<Answer>>,
    posts: Mutex<Vec<ReceivedPost>>,
}

/// A receiver that listens until it is dropped.
pub struct WebhookReceiver {
    pub at: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WebhookReceiver {
    /// Accepts everything, on a free port.
    pub async fn start() -> Self {
        Self::at(([127, 0, 0, 1], 0).into()).await
    }

    /// Accepts everything, at this address.
    pub async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let at = listener.local_addr().unwrap();
        let accept: Arc<Answer> = Arc::new(|_| "204 No Content".to_owned());
        let state = Arc::new(State { answer: Mutex::new(accept), posts: Mutex::default() });
        let task = tokio::spawn(receive(listener, state.clone()));
        Self { at, state, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.at)
    }

    /// Answers from now on with this status line and further header lines, which may depend on the body.
    pub fn answer(&self, answer: impl Fn(&Value) -> String + Send + Sync + 'static) {
        *self.state.answer.lock().unwrap() = Arc::new(answer);
    }

    /// Every POST so far, also those that were refused.
    pub fn posts(&self) -> Vec<ReceivedPost> {
        self.state.posts.lock().unwrap().clone()
    }

    /// The numbers of all POSTs so far.
    pub fn numbers(&self) -> Vec<u64> {
        self.posts().iter().map(ReceivedPost::number).collect()
    }
}

async fn receive(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer_one(stream, state.clone()));
    }
}

/// Answers one POST, and closes the connection.
async fn answer_one(mut stream: TcpStream, state: Arc<State>) {
    let Ok(head) = read_head(&mut stream).await else { return };
    let mut post = ReceivedPost { head, body: String::new() };
    let mut body = vec![0; post.header("content-length").parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    post.body = String::from_utf8(body).unwrap();
    let answer = state.answer.lock().unwrap().clone();
    let status = answer(&post.json());
    state.posts.lock().unwrap().push(post);
    let response = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // The sender may be gone.
    let _ = stream.write_all(response.as_bytes()).await;
}
