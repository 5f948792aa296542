//! The body of an answer: all of it, or a part of what it promised to be.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Sends its bytes, and breaks off when they are fewer than promised.
pub(crate) struct Reply {
    bytes: Option<Bytes>,
    promised: usize,
    sent: usize,
}

impl Reply {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { promised: bytes.len(), sent: bytes.len(), bytes: Some(bytes) }
    }

    pub(crate) fn cut(bytes: Bytes, after: usize) -> Self {
        let promised = bytes.len();
        let sent = after.min(promised);
        Self { bytes: Some(bytes.slice(..sent)), promised, sent }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.bytes.take() {
            Some(bytes) if !bytes.is_empty() => Some(Ok(Frame::data(bytes))),
            _ if self.sent < self.promised => Some(Err(io::ErrorKind::ConnectionReset.into())),
            _ => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised as u64)
    }
}
