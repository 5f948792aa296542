//! The open streams as the hub knows them: for whom each is, what waits for it, and what goes wrong with it. Pure but for the
//! waker; the tasks that write them are in `stream`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::changes::Change;
use super::super::soap_in::Refusal;
use super::super::trouble::Wrong;
use super::super::world::World;
use super::events::Style;
use super::{Hub, Subscription, Way, missed, not_found};

/// How a stream is to end before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As if its time had come.
    Closed,
    /// In the middle of an envelope.
    Cut,
}

/// One open stream.
pub(super) struct Stream {
    /// In whose name it was opened.
    acting: Option<u32>,
    waker: Arc<Notify>,
    subscriptions: BTreeSet<u64>,
    /// Those in whose mailboxes something happened.
    ready: BTreeSet<u64>,
    /// Subscriptions to be named as dead, or as having missed something.
    failures: Vec<(Refusal, String)>,
    ending: Option<Ending>,
    wrong: Option<Wrong>,
    /// Events told so far, for `Wrong::Dropped`.
    counted: usize,
}

impl Stream {
    /// A subscription is no longer served here.
    pub(super) fn fail(&mut self, number: u64, why: Refusal, id: String) {
        self.subscriptions.remove(&number);
        self.ready.remove(&number);
        self.failures.push((why, id));
        self.waker.notify_one();
    }
}

/// What is asked for with `GetStreamingEvents`.
pub(crate) struct Wish {
    pub(crate) ids: Vec<String>,
    pub(crate) acting: Option<u32>,
    pub(crate) back_end: usize,
    pub(crate) wrong: Option<Wrong>,
}

/// A stream that is open as far as the hub is concerned.
pub(crate) struct Opening {
    pub(crate) stream: u64,
    pub(crate) waker: Arc<Notify>,
}

/// What a stream has to say.
pub(super) struct Batch {
    /// By subscription id.
    pub(super) notifications: Vec<(String, Vec<String>)>,
    pub(super) failures: Vec<(Refusal, String)>,
    /// There is nobody left to serve.
    pub(super) over: bool,
}

/// What a stream has to know before it says anything.
pub(super) struct Mood {
    pub(super) ending: Option<Ending>,
    /// Says nothing at all, not even that it is there.
    pub(super) silent: bool,
    /// How much later than it happens everything is told.
    pub(super) late: Duration,
}

impl Hub {
    /// Opens a stream for those subscriptions that are alive; without any there is none, and the dead are named.
    pub(crate) fn open(
        &mut self,
        wish: Wish,
        world: &World,
        now: Instant,
    ) -> Result<Opening, Vec<(Refusal, String)>> {
        let held = self.streams.values().filter(|stream| stream.acting == wish.acting).count();
        if held >= self.streams_max {
            let refusal = Refusal::new(
                "ErrorExceededConnectionCount",
                "You have exceeded the available concurrent connections for your account.",
            );
            return Err(vec![(self.too_many(refusal), String::new())]);
        }
        let (mut living, mut failures) = (BTreeSet::new(), Vec::new());
        for id in wish.ids {
            match self.find_streaming(&id, wish.back_end, now) {
                Ok(number) if matches!(wish.wrong, Some(Wrong::Lost)) => {
                    self.lose(number, &not_found());
                    failures.push((not_found(), id));
                }
                Ok(number) => {
                    living.insert(number);
                }
                Err(refusal) => failures.push((refusal, id)),
            }
        }
        if living.is_empty() || (self.options.one_dead_refuses_all && !failures.is_empty()) {
            return Err(failures);
        }
        if matches!(wish.wrong, Some(Wrong::Missed)) {
            failures.extend(living.iter().filter_map(|number| self.miss(*number, world)));
        }
        Ok(self.admit(wish.acting, wish.wrong, living, failures))
    }

    fn admit(
        &mut self,
        acting: Option<u32>,
        wrong: Option<Wrong>,
        subscriptions: BTreeSet<u64>,
        failures: Vec<(Refusal, String)>,
    ) -> Opening {
        self.counter += 1;
        let (number, waker) = (self.counter, Arc::new(Notify::new()));
        for subscription in &subscriptions {
            self.take_over(*subscription, number);
        }
        // What happened while no stream was open is told first.
        waker.notify_one();
        let stream = Stream {
            acting,
            waker: waker.clone(),
            ready: subscriptions.clone(),
            subscriptions,
            failures,
            ending: None,
            wrong,
            counted: 0,
        };
        self.streams.insert(number, stream);
        Opening { stream: number, waker }
    }

    /// Of two streams for one subscription the newer lives.
    fn take_over(&mut self, number: u64, stream: u64) {
        let id = self.id_of(number);
        let Some(subscription) = self.subscriptions.get_mut(&number) else { return };
        let before = subscription.stream.replace(stream);
        if let (Some(older), Some(id)) = (before.and_then(|older| self.streams.get_mut(&older)), id) {
            let why = Refusal::new(
                "ErrorNewEventStreamConnectionOpened",
                "A new connection was opened for this subscription.",
            );
            older.fail(number, why, id);
        }
    }

    fn find_streaming(&mut self, id: &str, back_end: usize, now: Instant) -> Result<u64, Refusal> {
        let number = self.find(id, back_end, now)?;
        match self.subscriptions.get(&number).map(|found| found.way) {
            Some(Way::Streaming) => Ok(number),
            _ => Err(Refusal::new(
                "ErrorInvalidSubscription",
                "The subscription ID is not that of a streaming subscription.",
            )),
        }
    }

    fn id_of(&self, number: u64) -> Option<String> {
        Some(self.id(number, self.subscriptions.get(&number)?.back_end))
    }

    /// The stream is no more; its subscriptions live on for a while.
    pub(super) fn close(&mut self, stream: u64, now: Instant) {
        let Some(gone) = self.streams.remove(&stream) else { return };
        let expires = now + self.patience(Way::Streaming);
        for number in gone.subscriptions {
            if let Some(subscription) = self.subscriptions.get_mut(&number) {
                subscription.stream = None;
                subscription.expires = expires;
            }
        }
    }

    /// Something happened in these mailboxes: wakes the streams that want to hear of it, and no other.
    pub(crate) fn stir(&mut self, mailboxes: &BTreeSet<u32>, world: &World) {
        for mailbox in mailboxes {
            if !world.mailboxes.contains_key(mailbox) {
                self.lose_all(Some(*mailbox));
            }
            for number in self.by_mailbox.get(mailbox).into_iter().flatten() {
                let stream = self.subscriptions.get(number).and_then(|subscription| subscription.stream);
                if let Some(stream) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
                    stream.ready.insert(*number);
                    stream.waker.notify_one();
                }
            }
        }
    }

    pub(super) fn mood(&self, stream: u64) -> Mood {
        let stream = self.streams.get(&stream);
        let wrong = stream.and_then(|stream| stream.wrong.as_ref());
        Mood {
            ending: stream.map_or(Some(Ending::Cut), |stream| stream.ending),
            silent: matches!(wrong, Some(Wrong::Silent)),
            late: match wrong {
                Some(Wrong::Late(late)) => *late,
                _ => self.options.gather,
            },
        }
    }

    /// What a stream has to say now. Said or not, it counts as told.
    pub(super) fn gather(&mut self, number: u64, world: &World) -> Batch {
        let mut batch = Batch { notifications: Vec::new(), failures: Vec::new(), over: true };
        let Some(stream) = self.streams.get_mut(&number) else { return batch };
        batch.failures = std::mem::take(&mut stream.failures);
        let (ready, mut counted) = (std::mem::take(&mut stream.ready), stream.counted);
        let wrong = stream.wrong.clone();
        for number in ready {
            let (Some(id), Some(subscription)) = (self.id_of(number), self.subscriptions.get_mut(&number))
            else {
                continue;
            };
            let style = Style { watermarks: false, folder_events: self.options.folder_events };
            match news(subscription, world, self.options.queued, style) {
                None => batch.failures.push((missed(), id)),
                Some(events) => {
                    let events = spoil(events, wrong.as_ref(), &mut counted);
                    if !events.is_empty() {
                        batch.notifications.push((id, events));
                    }
                }
            }
        }
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.counted = counted;
            batch.over = stream.subscriptions.is_empty();
        }
        if matches!(wrong, Some(Wrong::Silent | Wrong::Deaf)) {
            batch = Batch { notifications: Vec::new(), failures: Vec::new(), over: false };
        }
        batch
    }

    /// How many streams are open.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Ends every stream.
    pub(crate) fn end_streams(&mut self, ending: Ending) {
        for stream in self.streams.values_mut() {
            stream.ending = Some(ending);
            stream.waker.notify_one();
        }
    }

    /// From now on this goes wrong with every open stream; nothing any more with `None`.
    pub(crate) fn disturb_streams(&mut self, wrong: Option<&Wrong>) {
        for stream in self.streams.values_mut() {
            stream.wrong = wrong.cloned();
            stream.waker.notify_one();
        }
    }

    /// Tells the open streams of a mailbox's subscriptions that events were missed; those that wait are gone.
    pub(crate) fn miss_events(&mut self, mailbox: u32, world: &World) {
        for number in self.of(mailbox) {
            let Some(failure) = self.miss(number, world) else { continue };
            let stream = self.subscriptions.get(&number).and_then(|subscription| subscription.stream);
            if let Some(stream) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
                stream.failures.push(failure);
                stream.waker.notify_one();
            }
        }
    }

    /// Forgets what waits for a subscription, and names it.
    fn miss(&mut self, number: u64, world: &World) -> Option<(Refusal, String)> {
        let id = self.id_of(number)?;
        let subscription = self.subscriptions.get_mut(&number)?;
        subscription.told = world.mailboxes.get(&subscription.interest.mailbox)?.items.log().last();
        Some((missed(), id))
    }
}

/// What a subscription has not been told yet; `None` when that is more than is kept.
fn news(
    subscription: &mut Subscription,
    world: &World,
    queued_max: usize,
    style: Style,
) -> Option<Vec<String>> {
    let interest = &subscription.interest;
    let log = world.mailboxes.get(&interest.mailbox)?.items.log();
    let news: Option<Vec<&Change>> = log.since(subscription.told).map(Iterator::collect);
    subscription.told = log.last();
    let news = news?;
    let queued = news.iter().filter(|change| interest.wants(change)).count();
    (queued <= queued_max).then(|| interest.events(news, style))
}

/// Events as they arrive when something goes wrong with them.
fn spoil(mut events: Vec<String>, wrong: Option<&Wrong>, counted: &mut usize) -> Vec<String> {
    match wrong {
        Some(Wrong::Dropped(nth)) => events.retain(|_| {
            *counted += 1;
            !counted.is_multiple_of((*nth).max(1))
        }),
        Some(Wrong::Doubled) => {
            events = events.into_iter().flat_map(|event| [event.clone(), event]).collect()
        }
        Some(Wrong::Backwards) => events.reverse(),
        _ => {}
    }
    events
}
