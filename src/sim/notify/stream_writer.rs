//! The task that writes one stream: the opening status, events, heartbeats and the closing status. It ends when the
//! client disconnects, the simulator stops or no subscription is left; `stream_registry` makes every decision.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::open_stream::StreamEnding;
use super::stream_registry::{StreamCondition, StreamHandle};
use super::write;
use crate::sim::exchange_release::ExchangeRelease;
use crate::sim::response_body::BodyChunks;
use crate::sim::state::SharedState;

/// Limit of queued chunks. A client that does not read blocks the stream, and its events wait in the change log.
const WAITING_MAX: usize = 4;
/// Time for the last bytes to leave before the connection breaks.
const LEAVE: Duration = Duration::from_millis(20);

/// The client disconnected, or the body is complete.
struct StreamOver;

/// Starts the task. The stream lasts `lasting`, or breaks after `cut_after` bytes.
pub(crate) fn start(
    state: &Arc<SharedState>,
    release: ExchangeRelease,
    handle: StreamHandle,
    lasting: Duration,
    cut_after: Option<usize>,
) -> BodyChunks {
    let (pipe, chunks) = mpsc::channel(WAITING_MAX);
    let options = state.lock().hub.options().clone();
    let sender = ChunkSender { pipe, chunk: options.chunk_bytes, left: cut_after };
    let open = OpenStreamGuard { state: state.clone(), stream: handle.stream };
    let writer = StreamWriter { open, sender, release, heartbeat: options.heartbeat, lasting };
    tokio::spawn(async move { writer.run(handle).await });
    chunks
}

/// Keeps a stream open in the hub; closes it there on drop.
struct OpenStreamGuard {
    state: Arc<SharedState>,
    stream: u64,
}

impl Drop for OpenStreamGuard {
    fn drop(&mut self) {
        self.state.lock().hub.close(self.stream, Instant::now());
    }
}

struct StreamWriter {
    open: OpenStreamGuard,
    sender: ChunkSender,
    release: ExchangeRelease,
    heartbeat: Duration,
    lasting: Duration,
}

impl StreamWriter {
    async fn run(mut self, handle: StreamHandle) {
        let until = Instant::now() + self.lasting;
        if self.status("OK").await.is_ok() && self.write_events(&handle, until).await.is_ok() {
            let _ = self.status("Closed").await; // the client may be gone
        }
    }

    /// Writes until the connection timeout (`Ok`) or until the stream breaks off.
    async fn write_events(&mut self, handle: &StreamHandle, mut until: Instant) -> Result<(), StreamOver> {
        let mut next_heartbeat = Instant::now() + self.heartbeat;
        let mut due: Option<Instant> = None;
        loop {
            let next = due.map_or(next_heartbeat, |due| due.min(next_heartbeat)).min(until);
            tokio::select! {
                biased;
                () = self.sender.pipe.closed() => return Err(StreamOver),
                () = handle.waker.notified() => {
                    let StreamCondition { ending, late, .. } = self.condition();
                    match ending {
                        Some(StreamEnding::Closed) => return Ok(()),
                        Some(StreamEnding::Cut) => return self.cut().await,
                        None => due = due.or(Some(Instant::now() + late)),
                    }
                }
                () = sleep_until(next) => {
                    let now = Instant::now();
                    let silent = self.condition().silent;
                    if due.is_some_and(|due| due <= now) {
                        due = None;
                        if self.write_pending().await? {
                            next_heartbeat = Instant::now() + self.heartbeat;
                        }
                    } else if until <= now {
                        match silent {
                            true => until = now + self.lasting,
                            false => return Ok(()),
                        }
                    } else if next_heartbeat <= now {
                        if !silent {
                            self.status("OK").await?;
                        }
                        next_heartbeat = now + self.heartbeat;
                    }
                }
            }
        }
    }

    fn condition(&self) -> StreamCondition {
        self.open.state.lock().hub.stream_condition(self.open.stream)
    }

    /// Writes pending events; returns whether there were any.
    async fn write_pending(&mut self) -> Result<bool, StreamOver> {
        let batch = {
            let mut state = self.open.state.lock();
            let state = &mut *state;
            state.hub.collect_events(self.open.stream, &state.world)
        };
        let release = self.release;
        let mut envelopes = write::failures(release, &batch.failures);
        if !batch.notifications.is_empty() {
            envelopes.push(write::notifications(release, &batch.notifications));
        }
        let anything = !envelopes.is_empty();
        for envelope in envelopes {
            self.sender.send(envelope).await?;
        }
        if batch.over { Err(StreamOver) } else { Ok(anything) }
    }

    async fn status(&mut self, status: &str) -> Result<(), StreamOver> {
        self.sender.send(write::status(self.release, status)).await
    }

    /// Breaks the connection in the middle of an envelope.
    async fn cut(&mut self) -> Result<(), StreamOver> {
        let envelope = write::status(self.release, "OK");
        self.sender.left = Some(envelope.len() / 2);
        self.sender.send(envelope).await
    }
}

/// Sends envelopes as chunks.
struct ChunkSender {
    pipe: mpsc::Sender<io::Result<Bytes>>,
    chunk: Option<usize>,
    /// Bytes left until the connection breaks.
    left: Option<usize>,
}

impl ChunkSender {
    async fn send(&mut self, envelope: String) -> Result<(), StreamOver> {
        let mut bytes = Bytes::from(envelope);
        let breaks = self.left.is_some_and(|left| left < bytes.len());
        if let Some(left) = &mut self.left {
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(self.chunk.unwrap_or(bytes.len()).clamp(1, bytes.len()));
            self.pipe.send(Ok(piece)).await.map_err(|_| StreamOver)?;
        }
        if breaks {
            sleep(LEAVE).await;
            let _ = self.pipe.send(Err(io::ErrorKind::ConnectionReset.into())).await; // the client may be gone
            return Err(StreamOver);
        }
        Ok(())
    }
}
