//! Raw notification requests, and streams split into chunks and envelopes.

use std::time::Duration;

use adjourn::sim::Simulator;
use adjourn_test::{host, read_head};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::raw_requests::{basic, envelope, save_response};

/// Longer than any step here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open stream.
pub struct RawStream {
    socket: TcpStream,
    pub head: String,
    unread: Vec<u8>,
    body: Vec<u8>,
    /// Sizes of the received chunks.
    pub chunks: Vec<usize>,
}

/// The next part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamRead {
    Envelope(String),
    /// The body ended properly, after so many bytes that are not an envelope.
    End(usize),
    /// The connection broke, after so many bytes of an envelope.
    Broken(usize),
}

impl RawStream {
    /// Sends a request and reads the response head.
    pub async fn post(sim: &Simulator, headers: &str, body: &str) -> Self {
        let mut socket = TcpStream::connect(host(sim)).await.unwrap();
        let request = format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n{headers}\
             Authorization: {}\r\nContent-Length: {}\r\n\r\n{body}",
            basic(),
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let head = timeout(PATIENCE, read_head(&mut socket)).await.unwrap().unwrap().to_lowercase();
        Self { socket, head, unread: Vec::new(), body: Vec::new(), chunks: Vec::new() }
    }

    /// The next envelope, or the end.
    pub async fn next(&mut self) -> StreamRead {
        timeout(PATIENCE, self.read()).await.expect("the stream sends nothing")
    }

    /// The next envelope; panics at the end.
    pub async fn envelope(&mut self) -> String {
        match self.next().await {
            StreamRead::Envelope(envelope) => envelope,
            other => panic!("{other:?}"),
        }
    }

    /// The next envelope that is not a heartbeat.
    pub async fn next_notification(&mut self) -> String {
        loop {
            let envelope = self.envelope().await;
            if status(&envelope) != Some("OK") {
                return envelope;
            }
        }
    }

    /// Whether nothing arrives in this time.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        timeout(time, self.read()).await.is_err()
    }

    async fn read(&mut self) -> StreamRead {
        loop {
            if let Some(end) = find(&self.body, b"</Envelope>") {
                let envelope: Vec<u8> = self.body.drain(..end).collect();
                let envelope = String::from_utf8(envelope).unwrap();
                assert!(envelope.starts_with("<?xml"), "{envelope}");
                assert!(envelope.contains("<soap11:Body ") && !envelope.contains("<s:"), "{envelope}");
                save_response(&envelope);
                return StreamRead::Envelope(envelope);
            }
            if let Some(end) = find(&self.unread, b"\r\n") {
                let size =
                    usize::from_str_radix(std::str::from_utf8(&self.unread[..end - 2]).unwrap(), 16).unwrap();
                if self.unread.len() >= end + size + 2 {
                    if size == 0 {
                        return StreamRead::End(self.body.len());
                    }
                    self.body.extend(&self.unread[end..end + size]);
                    self.unread.drain(..end + size + 2);
                    self.chunks.push(size);
                    continue;
                }
            }
            let mut piece = [0; 4096];
            match self.socket.read(&mut piece).await {
                Ok(read) if read > 0 => self.unread.extend(&piece[..read]),
                _ => return StreamRead::Broken(self.body.len()),
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what).map(|at| at + what.len())
}

pub fn status(envelope: &str) -> Option<&str> {
    between(envelope, "<m:ConnectionStatus>", "<")
}

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// The name and content of every event, in order; those of folders are starred.
pub fn events(envelope: &str) -> Vec<String> {
    let names = ["Created", "Modified", "Deleted", "Moved", "Status", "Copied"];
    let mut found = Vec::new();
    for part in envelope.split("<t:").skip(1) {
        if let Some(name) = names.iter().find(|name| part.starts_with(&format!("{name}Event>"))) {
            found.push((*name).to_owned());
        } else if part.starts_with("FolderId ")
            && let Some(last) = found.last_mut()
        {
            last.push('*');
        }
    }
    found
}

/// Every event type.
pub const ALL: [&str; 4] = ["CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent"];
pub const CALENDAR: &str = r#"<t:FolderIds><t:DistinguishedFolderId Id="calendar"/></t:FolderIds>"#;

pub fn types(names: &[&str]) -> String {
    let all: String = names.iter().map(|name| format!("<t:EventType>{name}</t:EventType>")).collect();
    format!("<t:EventTypes>{all}</t:EventTypes>")
}

pub fn streaming(folders: &str, names: &[&str]) -> String {
    let (folders, types) = (folders, types(names));
    format!(
        "<m:Subscribe><m:StreamingSubscriptionRequest>{folders}{types}</m:StreamingSubscriptionRequest></m:Subscribe>"
    )
}

pub fn get_streaming(ids: &[&str], minutes: u32) -> String {
    let ids: String = ids.iter().map(|id| format!("<t:SubscriptionId>{id}</t:SubscriptionId>")).collect();
    format!(
        "<m:GetStreamingEvents><m:SubscriptionIds>{ids}</m:SubscriptionIds>\
         <m:ConnectionTimeout>{minutes}</m:ConnectionTimeout></m:GetStreamingEvents>"
    )
}

/// Sends a request for a room; returns head and body.
pub async fn post_with_headers(sim: &Simulator, room: &str, headers: &str, body: &str) -> (String, String) {
    let mut stream = RawStream::post(sim, headers, &envelope(room, body)).await;
    let length = between(&stream.head, "content-length: ", "\r").expect("a whole answer").parse().unwrap();
    let mut answer = vec![0; length];
    timeout(PATIENCE, stream.socket.read_exact(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    save_response(&answer);
    (stream.head, answer)
}

pub async fn post_envelope(sim: &Simulator, room: &str, body: &str) -> String {
    post_with_headers(sim, room, "", body).await.1
}

/// Subscribes to a room's calendar; returns the id.
pub async fn subscribe(sim: &Simulator, room: &str) -> String {
    let answer = post_envelope(sim, room, &streaming(CALENDAR, &ALL)).await;
    between(&answer, "<m:SubscriptionId>", "<").unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Opens a stream and consumes its first envelope.
pub async fn open_stream(sim: &Simulator, room: &str, ids: &[&str], minutes: u32) -> RawStream {
    let mut stream = RawStream::post(sim, "", &envelope(room, &get_streaming(ids, minutes))).await;
    assert_eq!(status(&stream.envelope().await), Some("OK"));
    stream
}
