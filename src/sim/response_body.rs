//! The body of an HTTP response: complete, truncated before its `Content-Length`, or streamed in chunks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Chunks of a body; an error breaks the connection.
pub(crate) type BodyChunks = mpsc::Receiver<io::Result<Bytes>>;

/// A response body.
pub(crate) enum ResponseBody {
    /// Fails with a connection reset if fewer bytes than promised are sent.
    Bytes { bytes: Option<Bytes>, promised: usize, sent: usize },
    /// Ends with the channel, or with its first error.
    Chunks(BodyChunks),
}

impl ResponseBody {
    pub(crate) fn complete(bytes: Bytes) -> Self {
        Self::Bytes { promised: bytes.len(), sent: bytes.len(), bytes: Some(bytes) }
    }

    pub(crate) fn truncated(bytes: Bytes, after: usize) -> Self {
        let promised = bytes.len();
        let sent = after.min(promised);
        Self::Bytes { bytes: Some(bytes.slice(..sent)), promised, sent }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Bytes { bytes, promised, sent } => Poll::Ready(match bytes.take() {
                Some(bytes) if !bytes.is_empty() => Some(Ok(Frame::data(bytes))),
                _ if sent < promised => Some(Err(io::ErrorKind::ConnectionReset.into())),
                _ => None,
            }),
            Self::Chunks(chunks) => {
                chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes { promised, .. } => SizeHint::with_exact(*promised as u64),
            Self::Chunks(_) => SizeHint::default(),
        }
    }
}
