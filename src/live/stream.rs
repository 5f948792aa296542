//! One group of rooms: a stream while that can be had, polling while it cannot. Rooms join while it runs; a room that cannot be
//! subscribed to leaves, so that the others do not suffer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep};

use super::feed::{ChangeBatch, ChangeStream};
use super::poll::{Poller, SourceRegistration};
use super::rooms::{ChangeSource, TrackingMode};
use super::{Live, LiveMetrics};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::engine::CalendarError;

/// A stream that lasts less than this was none.
const STREAM_MIN: Duration = Duration::from_secs(30);
/// How often the pause before listening again doubles.
const DOUBLINGS_MAX: u32 = 5;
/// While listening begins, nothing else follows the rooms; when it takes longer than this, something does.
pub(super) const SUBSCRIBE_GRACE: Duration = Duration::from_secs(20);
/// The longest pause that a server is granted when it asks to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5 * 60);
/// A room whose subscription is lost so often while the others' live, lives elsewhere by now.
const LOSSES_MAX: u32 = 3;

/// A room that left its group.
pub(super) struct Departure {
    pub(super) group: usize,
    pub(super) room: RoomAddress,
    /// It does not belong there: the server refused it beside the others, or lost its subscription again and again.
    pub(super) permanent: bool,
}

/// A group of rooms that is listened to.
pub(super) struct StreamGroup {
    pub(super) live: Arc<Live>,
    pub(super) number: usize,
    pub(super) rooms: Vec<RoomAddress>,
    pub(super) stream: Box<dyn ChangeStream>,
    pub(super) joining: UnboundedReceiver<RoomAddress>,
    pub(super) leaving: UnboundedSender<Departure>,
    pub(super) poller: Poller,
    /// How often each room's subscription was lost since the last stream that lasted to its end.
    pub(super) losses: HashMap<RoomAddress, u32>,
}

/// How a stream ended.
enum StreamEnd {
    /// The server closed it in order.
    Closed,
    /// Some of its subscriptions are lost.
    Lost,
    /// There are rooms to be added.
    Joined,
    /// It broke, or did not begin.
    Broken(CalendarError),
}

impl StreamEnd {
    /// How many short streams in a row may end so before there is a pause.
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
    /// Follows the group for ever.
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
                Ok(deaf) => self.listen(deaf).await,
                Err(trouble) => {
                    self.losses.clear();
                    StreamEnd::Broken(trouble)
                }
            };
            short = if begun.elapsed() >= STREAM_MIN { 0 } else { short.saturating_add(1) };
            if let StreamEnd::Broken(trouble) = &ended {
                let first = self.rooms.first().map(RoomAddress::as_str);
                tracing::warn!(rooms = self.rooms.len(), first, %trouble, "change notifications lost; polling these rooms");
            }
            pause = self.backoff(short, &ended);
        }
    }

    /// How long to wait before the next try: a server that has closed the stream in order is asked again at once, but not
    /// again and again, and one that asked to be left alone is.
    fn backoff(&self, short: u32, ended: &StreamEnd) -> Duration {
        let doubled = match short > ended.short_streams_allowed() {
            true => self.live.options.retry_after.saturating_mul(1 << (short - 1).min(DOUBLINGS_MAX)),
            false => Duration::ZERO,
        };
        let StreamEnd::Broken(_) = ended else { return doubled };
        doubled.max(self.stream.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX))
    }

    /// Listens until it ends.
    async fn listen(&mut self, not_subscribed: Vec<(RoomAddress, CalendarError)>) -> StreamEnd {
        for (room, trouble) in not_subscribed {
            tracing::warn!(%room, %trouble, "cannot be subscribed to; it is polled, and grouped again later");
            let lasting =
                matches!(trouble.responsible, ResponsibleParty::Administrator | ResponsibleParty::Caller);
            self.depart(&room, lasting);
        }
        let live = self.live.clone();
        let follows = SourceRegistration::new(&live.rooms, self.rooms.clone(), TrackingMode::Streaming);
        self.poller.stop_all();
        let _counted = ListeningGuard::new(&live.metrics);
        let ended = loop {
            tokio::select! {
                heard = self.stream.next() => match heard {
                    Err(trouble) => break StreamEnd::Broken(trouble),
                    Ok(heard) => if let Some(ended) = self.apply_batch(&heard, &follows.source) { break ended },
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

    /// What a batch of notifications means; how the stream ended, if it did.
    fn apply_batch(&mut self, heard: &ChangeBatch, teller: &ChangeSource) -> Option<StreamEnd> {
        LiveMetrics::add(&self.live.metrics.notifications, heard.changed.len());
        LiveMetrics::add(&self.live.metrics.lost_subscriptions, heard.lost.len());
        // First what changed, then that all until now is told: between the two nobody takes the old for the new.
        heard.changed.iter().for_each(|room| self.live.rooms.invalidate(room));
        if heard.end_of_stream {
            self.losses.clear();
            return Some(StreamEnd::Closed);
        }
        if heard.lost.is_empty() {
            teller.confirm_until(self.live.rooms.now());
            return None;
        }
        self.record_losses(&heard.lost);
        Some(StreamEnd::Lost)
    }

    /// Counts the losses. When all are lost it is no room's fault.
    fn record_losses(&mut self, lost: &[RoomAddress]) {
        let lost: HashSet<_> = lost.iter().collect();
        if self.rooms.iter().all(|room| lost.contains(room)) {
            return;
        }
        for room in lost {
            let times = self.losses.entry(room.clone()).or_default();
            *times += 1;
            if *times >= LOSSES_MAX {
                tracing::warn!(%room, "its subscription is lost again and again; it is polled, and grouped again later");
                self.depart(room, true);
            }
        }
    }

    fn depart(&mut self, room: &RoomAddress, for_good: bool) {
        self.rooms.retain(|other| other != room);
        self.losses.remove(room);
        self.poller.forget(room);
        self.stream.remove_room(room);
        // Without a supervisor, nobody follows anything any more.
        let _ = self.leaving.send(Departure { group: self.number, room: room.clone(), permanent: for_good });
    }

    /// Adds the rooms that wait to be added.
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

/// Counts a connection as long as it listens.
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
