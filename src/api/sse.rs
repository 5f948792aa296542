//! Server-sent events on the wire (WHATWG HTML, section 9.2): an event as bytes that many streams share, and the response that sends
//! them. Knows no notice and no caller. Not axum's `Sse`, since each of its streams would hold a copy of every event.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_stream::{Stream, StreamExt as _};

/// Headers of a stream. The last two stop a reverse proxy from buffering it (nginx, `proxy_buffering`).
const STREAM_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store")),
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
];

/// Interval of keep-alive comments, so that both sides detect a dead connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

const KEEP_ALIVE_COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// One event, from its fields in order. No value has a line break: ids and kinds are the service's, and JSON escapes it.
pub(super) fn event(fields: &[(&str, &str)]) -> Bytes {
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len() + ": \n".len()).sum();
    let mut text = String::with_capacity(bytes + 1);
    for (name, value) in fields {
        debug_assert!(!value.contains(['\r', '\n']), "{name} with a line break");
        for part in [name, ": ", value, "\n"] {
            text.push_str(part);
        }
    }
    text.push('\n');
    Bytes::from(text)
}

/// The response that sends these events, and comments while there are none.
pub(super) fn response(events: impl Stream<Item = Bytes> + Send + Unpin + 'static) -> Response {
    let stream = KeptAlive::new(events).map(Ok::<_, Infallible>);
    (STREAM_HEADERS, Body::from_stream(stream)).into_response()
}

/// Adds a comment whenever no event came for [`KEEP_ALIVE_INTERVAL`].
struct KeptAlive<S> {
    events: S,
    timer: Interval,
}

impl<S> KeptAlive<S> {
    fn new(events: S) -> Self {
        let mut timer = interval_at(Instant::now() + KEEP_ALIVE_INTERVAL, KEEP_ALIVE_INTERVAL);
        // A listener that reads again after a long time gets one comment, not all that it missed.
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { events, timer }
    }
}

impl<S: Stream<Item = Bytes> + Unpin> Stream for KeptAlive<S> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Poll::Ready(event) = Pin::new(&mut self.events).poll_next(context) {
            self.timer.reset();
            return Poll::Ready(event);
        }
        self.timer.poll_tick(context).map(|_| Some(KEEP_ALIVE_COMMENT))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[test]
    fn an_event_is_its_fields_and_an_empty_line() {
        let frame = event(&[("id", "7"), ("event", "room"), ("data", "{}")]);
        assert_eq!(frame, "id: 7\nevent: room\ndata: {}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_was_not_read_for_long_sends_one_comment() {
        let mut stream = KeptAlive::new(tokio_stream::pending());
        advance(20 * KEEP_ALIVE_INTERVAL).await;
        assert_eq!(stream.next().await, Some(KEEP_ALIVE_COMMENT));
        let resumed = Instant::now();
        assert_eq!(stream.next().await, Some(KEEP_ALIVE_COMMENT));
        assert_eq!(resumed.elapsed(), KEEP_ALIVE_INTERVAL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_sends_comments_and_a_busy_one_does_not() {
        let (sender, receiver) = tokio::sync::broadcast::channel(4);
        let events = tokio_stream::wrappers::BroadcastStream::new(receiver).filter_map(Result::ok);
        let mut stream = KeptAlive::new(events);
        let begun = Instant::now();
        assert_eq!(stream.next().await, Some(KEEP_ALIVE_COMMENT));
        assert_eq!(begun.elapsed(), KEEP_ALIVE_INTERVAL);
        advance(KEEP_ALIVE_INTERVAL / 2).await;
        sender.send(Bytes::from_static(b"event")).unwrap();
        assert_eq!(stream.next().await, Some(Bytes::from_static(b"event")));
        let sent = Instant::now();
        assert_eq!(stream.next().await, Some(KEEP_ALIVE_COMMENT));
        assert_eq!(sent.elapsed(), KEEP_ALIVE_INTERVAL);
        drop(sender);
        assert_eq!(stream.next().await, None);
    }
}
