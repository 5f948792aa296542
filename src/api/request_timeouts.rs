//! Timeouts between requests on a connection: a short one for a request head that has begun, a longer one between a response and
//! the next request. While a request is handled, no timeout runs here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// No byte of the next request has arrived.
const WAITING: u8 = 0;
/// Part of a request head has arrived.
const HEAD: u8 = 1;
/// A request is being handled.
const BUSY: u8 = 2;
/// A response was sent since the stream was last polled.
const ANSWERED: u8 = 3;

/// A connection's phase; shared by its stream, its HTTP service and the connection table.
#[derive(Debug, Default)]
pub(super) struct ConnectionPhase {
    phase: AtomicU8,
    authenticated: AtomicBool,
}

impl ConnectionPhase {
    fn set(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
    }

    fn is(&self, phase: u8) -> bool {
        self.phase.load(Ordering::Relaxed) == phase
    }

    /// Whether a request is being handled.
    pub(super) fn is_busy(&self) -> bool {
        self.is(BUSY)
    }

    /// Sets whether a request had a valid key, so that the connection may be idle for longer.
    pub(super) fn set_authenticated(&self, authenticated: bool) {
        self.authenticated.store(authenticated, Ordering::Relaxed);
    }

    /// Runs a request's handler. Until it ends, no timeout applies.
    pub(super) fn while_busy<F: Future>(self: Arc<Self>, answer: F) -> impl Future<Output = F::Output> {
        self.set(BUSY);
        let answering = BusyGuard(self);
        async move {
            let _answering = answering;
            answer.await
        }
    }
}

struct BusyGuard(Arc<ConnectionPhase>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.set(ANSWERED);
    }
}

/// Timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestTimeouts {
    /// Applies to the rest of a request head, and to the first request.
    pub(super) head: Duration,
    /// For the next request on an authenticated connection.
    pub(super) idle: Duration,
    /// For the next request on an unauthenticated connection.
    pub(super) idle_unauthenticated: Duration,
}

/// A stream whose reads fail with `TimedOut` when no request arrives in time.
pub(super) struct RequestTimeoutStream<S> {
    stream: S,
    phase: Arc<ConnectionPhase>,
    timeouts: RequestTimeouts,
    timer: Pin<Box<Sleep>>,
}

impl<S> RequestTimeoutStream<S> {
    /// Wraps a new connection: its first request must begin within the timeout of a head.
    pub(super) fn new(stream: S, phase: Arc<ConnectionPhase>, waits: RequestTimeouts) -> Self {
        Self { stream, phase, timeouts: waits, timer: Box::pin(sleep(waits.head)) }
    }

    fn idle_timeout(&self) -> Duration {
        let is_authenticated = self.phase.authenticated.load(Ordering::Relaxed);
        if is_authenticated { self.timeouts.idle } else { self.timeouts.idle_unauthenticated }
    }

    /// Restarts the timer and polls it at once: hyper does not read again while a read is pending, so nothing else would wake its
    /// task.
    fn restart_timer(&mut self, context: &mut Context<'_>, phase: u8, time: Duration) {
        self.phase.set(phase);
        self.timer.as_mut().reset(Instant::now() + time);
        let _ = self.timer.as_mut().poll(context);
    }

    /// After a response, starts the timeout for the next request.
    fn on_answered(&mut self, context: &mut Context<'_>) {
        if self.phase.is(ANSWERED) {
            self.restart_timer(context, WAITING, self.idle_timeout());
        }
    }

    /// A write is part of a response, so the next request is not due yet.
    fn on_written(&mut self, context: &mut Context<'_>, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) && self.phase.is(WAITING) {
            self.restart_timer(context, WAITING, self.idle_timeout());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestTimeoutStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.on_answered(context);
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        if into.filled().len() > before && this.phase.is(WAITING) {
            this.restart_timer(context, HEAD, this.timeouts.head);
        }
        let is_due = read.is_pending() && !this.phase.is(BUSY);
        if is_due && this.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RequestTimeoutStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.on_answered(context);
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.on_written(context, &written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.on_answered(context);
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        this.on_written(context, &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.on_answered(context);
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
