//! The task that writes one stream: that it is there, what happened, that it is still there, and that its time has come. It
//! ends when the client goes, when the simulator stops, or when there is nobody left to serve; it decides nothing itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::streams::{Ending, Mood, Opening};
use super::write;
use crate::sim::service::Service;

/// Pieces that wait to be sent. A client that does not read makes the stream wait, and its events wait in the log.
const WAITING_MAX: usize = 4;
/// What was written last gets this long to leave before the connection breaks.
const LEAVE: Duration = Duration::from_millis(20);

/// Pieces of a body, ending with an error when it breaks off.
pub(crate) type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// The client is gone, or the body is over.
struct Over;

/// Begins to write a stream that lasts so long, or until so many bytes are sent.
pub(crate) fn start(
    service: &Arc<Service>,
    opening: Opening,
    lasting: Duration,
    cut_after: Option<usize>,
) -> Pieces {
    let (pipe, pieces) = mpsc::channel(WAITING_MAX);
    let options = service.state().hub.options().clone();
    let mouth = Mouth { pipe, chunk: options.chunk_bytes, left: cut_after };
    let open = Open { service: service.clone(), stream: opening.stream };
    let writer = Writer { open, mouth, heartbeat: options.heartbeat, lasting };
    tokio::spawn(async move { writer.run(opening).await });
    pieces
}

/// A stream that the hub knows as open for as long as this lives.
struct Open {
    service: Arc<Service>,
    stream: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.service.state().hub.close(self.stream, Instant::now());
    }
}

struct Writer {
    open: Open,
    mouth: Mouth,
    heartbeat: Duration,
    lasting: Duration,
}

impl Writer {
    async fn run(mut self, opening: Opening) {
        let until = Instant::now() + self.lasting;
        if self.status("OK").await.is_ok() && self.talk(&opening, until).await.is_ok() {
            let _ = self.status("Closed").await; // gone already is closed already
        }
    }

    /// Until its time has come, which is fine, or it breaks off.
    async fn talk(&mut self, opening: &Opening, mut until: Instant) -> Result<(), Over> {
        let mut beat = Instant::now() + self.heartbeat;
        let mut due: Option<Instant> = None;
        loop {
            let next = due.map_or(beat, |due| due.min(beat)).min(until);
            tokio::select! {
                biased;
                () = self.mouth.pipe.closed() => return Err(Over),
                () = opening.waker.notified() => {
                    let Mood { ending, late, .. } = self.mood();
                    match ending {
                        Some(Ending::Closed) => return Ok(()),
                        Some(Ending::Cut) => return self.cut().await,
                        None => due = due.or(Some(Instant::now() + late)),
                    }
                }
                () = sleep_until(next) => {
                    let now = Instant::now();
                    let silent = self.mood().silent;
                    if due.is_some_and(|due| due <= now) {
                        due = None;
                        if self.tell().await? {
                            beat = Instant::now() + self.heartbeat;
                        }
                    } else if until <= now {
                        match silent {
                            true => until = now + self.lasting,
                            false => return Ok(()),
                        }
                    } else if beat <= now {
                        if !silent {
                            self.status("OK").await?;
                        }
                        beat = now + self.heartbeat;
                    }
                }
            }
        }
    }

    fn mood(&self) -> Mood {
        self.open.service.state().hub.mood(self.open.stream)
    }

    /// Says what there is to say, and whether that was anything.
    async fn tell(&mut self) -> Result<bool, Over> {
        let batch = {
            let mut state = self.open.service.state();
            let state = &mut *state;
            state.hub.gather(self.open.stream, &state.world)
        };
        let release = self.open.service.release;
        let mut said = write::failures(release, &batch.failures);
        if !batch.notifications.is_empty() {
            said.push(write::notifications(release, &batch.notifications));
        }
        let anything = !said.is_empty();
        for envelope in said {
            self.mouth.say(envelope).await?;
        }
        if batch.over { Err(Over) } else { Ok(anything) }
    }

    async fn status(&mut self, status: &str) -> Result<(), Over> {
        self.mouth.say(write::status(self.open.service.release, status)).await
    }

    /// Breaks off in the middle of an envelope.
    async fn cut(&mut self) -> Result<(), Over> {
        let envelope = write::status(self.open.service.release, "OK");
        self.mouth.left = Some(envelope.len() / 2);
        self.mouth.say(envelope).await
    }
}

/// Where the bytes leave.
struct Mouth {
    pipe: mpsc::Sender<io::Result<Bytes>>,
    chunk: Option<usize>,
    /// Bytes until the connection breaks.
    left: Option<usize>,
}

impl Mouth {
    async fn say(&mut self, envelope: String) -> Result<(), Over> {
        let mut bytes = Bytes::from(envelope);
        let breaks = self.left.is_some_and(|left| left < bytes.len());
        if let Some(left) = &mut self.left {
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        while !bytes.is_empty() {
            let piece = bytes.split_to(self.chunk.unwrap_or(bytes.len()).clamp(1, bytes.len()));
            self.pipe.send(Ok(piece)).await.map_err(|_| Over)?;
        }
        if breaks {
            sleep(LEAVE).await;
            let _ = self.pipe.send(Err(io::ErrorKind::ConnectionReset.into())).await; // gone already is broken already
            return Err(Over);
        }
        Ok(())
    }
}
