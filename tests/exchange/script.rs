//! A scripted server on a free port of this machine: one reaction per request; it records all requests. Shares no code
//! with the client: bytes in, bytes out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with one request.
#[derive(Clone)]
pub enum Reaction {
    /// Status, further header lines, body.
    Answer(u16, &'static str, Vec<u8>),
    /// Answers, then closes the connection without `Connection: close`.
    AnswerAndClose(Vec<u8>),
    /// Reads the request and closes.
    Drop,
    /// Never answers.
    Silence,
    /// Sends the Content-Length and half of the body.
    Half(Vec<u8>),
}

type React = Arc<dyn Fn(usize, &str) -> Reaction + Send + Sync>;

pub struct ScriptedServer {
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    server: JoinHandle<()>,
}

impl ScriptedServer {
    /// Follows the reactions in order; the last one again and again.
    pub async fn start(reactions: Vec<Reaction>) -> Self {
        Self::answering(move |number, _| reactions.get(number).or(reactions.last()).unwrap().clone()).await
    }

    /// Reacts to each request by its number, from 0 on, and its text.
    pub async fn answering(react: impl Fn(usize, &str) -> Reaction + Send + Sync + 'static) -> Self {
        let react: React = Arc::new(react);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (all, count) = (seen.clone(), connections.clone());
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                tokio::spawn(serve(stream, react.clone(), all.clone()));
            }
        });
        Self { url, seen, connections, server }
    }

    /// Heads and bodies of all requests, in order.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, react: React, seen: Arc<Mutex<Vec<String>>>) {
    stream.set_nodelay(true).unwrap();
    while let Some(request) = request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match react(number, &request) {
            Reaction::Answer(status, headers, body) => answer(&mut stream, status, headers, &body).await,
            Reaction::AnswerAndClose(body) => return answer(&mut stream, 200, "", &body).await,
            Reaction::Drop => return,
            Reaction::Silence => tokio::time::sleep(Duration::from_secs(3600)).await,
            Reaction::Half(body) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&body[..body.len() / 2]).await.unwrap();
                return;
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
}

/// One request as text; `None` when the connection ends.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}
