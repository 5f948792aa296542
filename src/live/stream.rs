//! The task of one group of rooms: it reads the group's subscription stream, and polls the rooms while the stream is down.
//! Rooms can join a running group. A room that cannot be subscribed to leaves the group, so that it does not disturb the
//! others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep};

use super::feed::{ChangeBatch, ChangeStream};
use super::poll::{Poller, SourceRegistration};
use super::rooms::ChangeSource;
use super::tracking_mode::TrackingMode;
use super::{Live, LiveMetrics};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::engine::CalendarError;

/// A stream that lasts less than this counts as failed.
const STREAM_MIN: Duration = Duration::from_secs(30);
/// How often the pause before the next stream doubles.
const DOUBLINGS_MAX: u32 = 5;
/// How long subscribing may take before the rooms are polled meanwhile.
pub(super) const SUBSCRIBE_GRACE: Duration = Duration::from_secs(20);
/// The longest `Retry-After` that is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
/// A room whose subscription is lost this often, while the others' last, has probably moved to another server.
const LOSSES_MAX: u32 = 3;

/// A room that left its group.
pub(super) struct Departure {
    pub(super) group: usize,
    pub(super) room: RoomAddress,
    /// The room does not belong to the group: the server rejected its subscription, or lost it repeatedly, while the others'
    /// lasted.
    pub(super) permanent: bool,
}

/// A group of rooms with one subscription stream.
pub(super) struct StreamGroup {
    pub(super) live: Arc<Live>,
    pub(super) number: usize,
    pub(super) rooms: Vec<RoomAddress>,
    pub(super) stream: Box<dyn ChangeStream>,
    pub(super) joining: UnboundedReceiver<RoomAddress>,
    pub(super) leaving: UnboundedSender<Departure>,
    pub(super) poller: Poller,
    /// Lost subscriptions per room since the last stream that the server closed in order.
    pub(super) losses: HashMap<RoomAddress, u32>,
}

/// How a stream ended.
enum StreamEnd {
    /// The server closed it in order.
    Closed,
    /// Some subscriptions were lost.
    Lost,
    /// Rooms are waiting to join.
    Joined,
    /// The stream failed, or could not be opened.
    Broken(CalendarError),
}

impl StreamEnd {
    /// How many short streams in a row may end this way before a pause.
    fn short_streams_allowed(&self) -> u32 {
        match self {
            Self::Broken(_) => 0,
            Self::Closed => 1,
            Self::Lost => LOSSES_MAX,
            Self::Joined => u32::MAX,
        }
    }
}

impl StreamGroup {
    /// Tracks the group for ever.
    pub(super) async fn run(mut self) {
        let (mut short, mut pause) = (0_u32, Duration::ZERO);
        loop {
            let polled_after = if pause.is_zero() { SUBSCRIBE_GRACE } else { Duration::ZERO };
            self.rooms.iter().for_each(|room| self.poller.start(room, polled_after));
            sleep(pause).await;
            self.add_joining_rooms();
            let opened = self.stream.subscribe().await;
            let begun = Instant::now();
            let ended = match opened {
                Ok(not_subscribed) => self.listen(not_subscribed).await,
                Err(error) => {
                    self.losses.clear();
                    StreamEnd::Broken(error)
                }
            };
            short = if begun.elapsed() >= STREAM_MIN { 0 } else { short.saturating_add(1) };
            if let StreamEnd::Broken(error) = &ended {
                let first = self.rooms.first().map(RoomAddress::as_str);
                tracing::warn!(rooms = self.rooms.len(), first, %error, "change notifications lost; polling these rooms");
            }
            pause = self.backoff(short, &ended);
        }
    }

    /// The pause before the next stream: none after a stream that the server closed in order, unless such streams are short and
    /// many; at least the server's `Retry-After` after a failure.
    fn backoff(&self, short: u32, ended: &StreamEnd) -> Duration {
        let doubled = match short > ended.short_streams_allowed() {
            true => self.live.options.retry_after.saturating_mul(1 << (short - 1).min(DOUBLINGS_MAX)),
            false => Duration::ZERO,
        };
        let StreamEnd::Broken(_) = ended else { return doubled };
        doubled.max(self.stream.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX))
    }

    /// Reads the stream until it ends.
    async fn listen(&mut self, not_subscribed: Vec<(RoomAddress, CalendarError)>) -> StreamEnd {
        for (room, error) in not_subscribed {
            tracing::warn!(%room, %error, "cannot subscribe to the room's changes; polling it, and grouping it again later");
            let permanent =
                matches!(error.responsible, ResponsibleParty::Administrator | ResponsibleParty::Caller);
            self.depart(&room, permanent);
        }
        let live = self.live.clone();
        let registration = SourceRegistration::new(&live.rooms, self.rooms.clone(), TrackingMode::Streaming);
        self.poller.stop_all();
        let _counted = ListeningGuard::new(&live.metrics);
        let ended = loop {
            tokio::select! {
                received = self.stream.next() => match received {
                    Err(error) => break StreamEnd::Broken(error),
                    Ok(received) => if let Some(ended) = self.apply_batch(&received, &registration.source) { break ended },
                },
                Some(room) = self.joining.recv() => {
                    self.join(room);
                    break StreamEnd::Joined;
                }
            }
        };
        if matches!(ended, StreamEnd::Broken(_)) {
            LiveMetrics::add(&live.metrics.stream_failures, 1);
        }
        ended
    }

    /// Applies a batch of notifications; returns how the stream ended, if it did.
    fn apply_batch(&mut self, received: &ChangeBatch, source: &ChangeSource) -> Option<StreamEnd> {
        LiveMetrics::add(&self.live.metrics.notifications, received.changed.len());
        LiveMetrics::add(&self.live.metrics.lost_subscriptions, received.lost.len());
        // Invalidate before confirming: in the other order, a reader could take the old calendar for an up-to-date one.
        received.changed.iter().for_each(|room| self.live.rooms.invalidate(room));
        if received.end_of_stream {
            self.losses.clear();
            return Some(StreamEnd::Closed);
        }
        if received.lost.is_empty() {
            source.confirm_until(self.live.rooms.now());
            return None;
        }
        self.record_losses(&received.lost);
        Some(StreamEnd::Lost)
    }

    /// Counts lost subscriptions. When all are lost, the cause is not a single room.
    fn record_losses(&mut self, lost: &[RoomAddress]) {
        let lost: HashSet<_> = lost.iter().collect();
        if self.rooms.iter().all(|room| lost.contains(room)) {
            return;
        }
        for room in lost {
            let times = self.losses.entry(room.clone()).or_default();
            *times += 1;
            if *times >= LOSSES_MAX {
                tracing::warn!(%room, "the room's subscription is lost repeatedly; polling it, and grouping it again later");
                self.depart(room, true);
            }
        }
    }

    fn depart(&mut self, room: &RoomAddress, permanent: bool) {
        self.rooms.retain(|other| other != room);
        self.losses.remove(room);
        self.poller.forget(room);
        self.stream.remove_room(room);
        // The channel is closed only when the supervisor is gone, and with it all tracking.
        let _ = self.leaving.send(Departure { group: self.number, room: room.clone(), permanent });
    }

    /// Adds the rooms that are waiting to join.
    fn add_joining_rooms(&mut self) {
        while let Ok(room) = self.joining.try_recv() {
            self.join(room);
        }
    }

    fn join(&mut self, room: RoomAddress) {
        if !self.rooms.contains(&room) {
            self.stream.add_room(&room);
            self.poller.start(&room, Duration::ZERO);
            self.rooms.push(room);
        }
    }
}

/// Counts a streaming connection while it is open.
struct ListeningGuard<'a>(&'a LiveMetrics);

impl<'a> ListeningGuard<'a> {
    fn new(numbers: &'a LiveMetrics) -> Self {
        LiveMetrics::add(&numbers.listening, 1);
        Self(numbers)
    }
}

impl Drop for ListeningGuard<'_> {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::Relaxed);
    }
}
