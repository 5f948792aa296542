//! The open streams in the hub: their subscriptions, their pending errors and their injected faults. Pure apart from the
//! wakers; `stream_writer` has the tasks that write them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::change_log::LoggedChange;
use super::super::ews_error::EwsError;
use super::super::faults::InjectedFault;
use super::super::world::World;
use super::events::EventFormat;
use super::hub::{DeliveryMode, Hub, Subscription, missed_events, not_found};
use super::open_stream::{StreamEnding, StreamState};

/// A `GetStreamingEvents` request.
pub(crate) struct StreamRequest {
    pub(crate) ids: Vec<String>,
    pub(crate) acting: Option<u32>,
    pub(crate) back_end: usize,
    pub(crate) fault: Option<InjectedFault>,
}

/// A stream registered in the hub.
pub(crate) struct StreamHandle {
    pub(crate) stream: u64,
    pub(crate) waker: Arc<Notify>,
}

/// The events and errors to write.
pub(super) struct PendingEvents {
    /// Events by subscription id.
    pub(super) notifications: Vec<(String, Vec<String>)>,
    pub(super) failures: Vec<(EwsError, String)>,
    /// No subscription is left.
    pub(super) over: bool,
}

/// The circumstances under which a stream writes.
pub(super) struct StreamCondition {
    pub(super) ending: Option<StreamEnding>,
    /// Writes nothing, not even heartbeats.
    pub(super) silent: bool,
    /// Delay of every event.
    pub(super) late: Duration,
}

impl Hub {
    /// Opens a stream for the live subscriptions of a request; fails with the dead ones if none is alive.
    pub(crate) fn open(
        &mut self,
        request: StreamRequest,
        world: &World,
        now: Instant,
    ) -> Result<StreamHandle, Vec<(EwsError, String)>> {
        let held = self.streams.values().filter(|stream| stream.acting == request.acting).count();
        if held >= self.streams_max {
            let refusal = EwsError::new(
                "ErrorExceededConnectionCount",
                "You have exceeded the available concurrent connections for your account.",
            );
            return Err(vec![(self.too_many(refusal), String::new())]);
        }
        let (mut living, mut failures) = (BTreeSet::new(), Vec::new());
        for id in request.ids {
            match self.find_streaming(&id, request.back_end, now) {
                Ok(number) if matches!(request.fault, Some(InjectedFault::SubscriptionsLost)) => {
                    self.drop_subscription(number, &not_found());
                    failures.push((not_found(), id));
                }
                Ok(number) => {
                    living.insert(number);
                }
                Err(refusal) => failures.push((refusal, id)),
            }
        }
        if living.is_empty() || (self.options.reject_if_any_dead && !failures.is_empty()) {
            return Err(failures);
        }
        if matches!(request.fault, Some(InjectedFault::MissedEvents)) {
            failures.extend(living.iter().filter_map(|number| self.skip_events(*number, world)));
        }
        Ok(self.admit(request.acting, request.fault, living, failures))
    }

    fn admit(
        &mut self,
        acting: Option<u32>,
        fault: Option<InjectedFault>,
        subscriptions: BTreeSet<u64>,
        failures: Vec<(EwsError, String)>,
    ) -> StreamHandle {
        self.counter += 1;
        let (number, waker) = (self.counter, Arc::new(Notify::new()));
        for subscription in &subscriptions {
            self.take_over(*subscription, number);
        }
        // Changes since the last stream are reported first.
        waker.notify_one();
        let stream = StreamState {
            acting,
            waker: waker.clone(),
            ready: subscriptions.clone(),
            subscriptions,
            failures,
            ending: None,
            fault,
            events_sent: 0,
        };
        self.streams.insert(number, stream);
        StreamHandle { stream: number, waker }
    }

    /// A new stream for a subscription replaces the older one.
    fn take_over(&mut self, number: u64, stream: u64) {
        let id = self.id_of(number);
        let Some(subscription) = self.subscriptions.get_mut(&number) else { return };
        let before = subscription.stream.replace(stream);
        if let (Some(older), Some(id)) = (before.and_then(|older| self.streams.get_mut(&older)), id) {
            let why = EwsError::new(
                "ErrorNewEventStreamConnectionOpened",
                "A new connection was opened for this subscription.",
            );
            older.fail(number, why, id);
        }
    }

    fn find_streaming(&mut self, id: &str, back_end: usize, now: Instant) -> Result<u64, EwsError> {
        let number = self.find(id, back_end, now)?;
        match self.subscriptions.get(&number).map(|found| found.mode) {
            Some(DeliveryMode::Streaming) => Ok(number),
            _ => Err(EwsError::new(
                "ErrorInvalidSubscription",
                "The subscription ID is not that of a streaming subscription.",
            )),
        }
    }

    fn id_of(&self, number: u64) -> Option<String> {
        Some(self.id(number, self.subscriptions.get(&number)?.back_end))
    }

    /// Removes a stream; its subscriptions start to expire.
    pub(super) fn close(&mut self, stream: u64, now: Instant) {
        let Some(gone) = self.streams.remove(&stream) else { return };
        let expires = now + self.lifetime(DeliveryMode::Streaming);
        for number in gone.subscriptions {
            if let Some(subscription) = self.subscriptions.get_mut(&number) {
                subscription.stream = None;
                subscription.expires = expires;
            }
        }
    }

    /// Wakes the streams with subscriptions to these mailboxes.
    pub(crate) fn wake_streams(&mut self, mailboxes: &BTreeSet<u32>, world: &World) {
        for mailbox in mailboxes {
            if !world.mailboxes.contains_key(mailbox) {
                self.drop_subscriptions(Some(*mailbox));
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

    pub(super) fn stream_condition(&self, stream: u64) -> StreamCondition {
        let stream = self.streams.get(&stream);
        let fault = stream.and_then(|stream| stream.fault.as_ref());
        StreamCondition {
            ending: stream.map_or(Some(StreamEnding::Cut), |stream| stream.ending),
            silent: matches!(fault, Some(InjectedFault::Silent)),
            late: match fault {
                Some(InjectedFault::Delayed(late)) => *late,
                _ => self.options.coalesce,
            },
        }
    }

    /// Takes the events to write. They count as reported even if the stream breaks.
    pub(super) fn collect_events(&mut self, number: u64, world: &World) -> PendingEvents {
        let mut batch = PendingEvents { notifications: Vec::new(), failures: Vec::new(), over: true };
        let Some(stream) = self.streams.get_mut(&number) else { return batch };
        batch.failures = std::mem::take(&mut stream.failures);
        let (ready, mut counted) = (std::mem::take(&mut stream.ready), stream.events_sent);
        let fault = stream.fault.clone();
        for number in ready {
            let (Some(id), Some(subscription)) = (self.id_of(number), self.subscriptions.get_mut(&number))
            else {
                continue;
            };
            let style = EventFormat { watermarks: false, folder_events: self.options.folder_events };
            match unreported_events(subscription, world, self.options.queued_max, style) {
                None => batch.failures.push((missed_events(), id)),
                Some(events) => {
                    let events = apply_fault(events, fault.as_ref(), &mut counted);
                    if !events.is_empty() {
                        batch.notifications.push((id, events));
                    }
                }
            }
        }
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.events_sent = counted;
            batch.over = stream.subscriptions.is_empty();
        }
        if matches!(fault, Some(InjectedFault::Silent | InjectedFault::NoEvents)) {
            batch = PendingEvents { notifications: Vec::new(), failures: Vec::new(), over: false };
        }
        batch
    }

    /// The number of open streams.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Ends every stream.
    pub(crate) fn end_streams(&mut self, ending: StreamEnding) {
        for stream in self.streams.values_mut() {
            stream.ending = Some(ending);
            stream.waker.notify_one();
        }
    }

    /// Injects a fault into all open streams; `None` removes it.
    pub(crate) fn inject_stream_fault(&mut self, fault: Option<&InjectedFault>) {
        for stream in self.streams.values_mut() {
            stream.fault = fault.cloned();
            stream.waker.notify_one();
        }
    }

    /// Reports missed events on the streams of a mailbox's subscriptions; queued events are dropped.
    pub(crate) fn report_missed_events(&mut self, mailbox: u32, world: &World) {
        for number in self.subscriptions_of(mailbox) {
            let Some(failure) = self.skip_events(number, world) else { continue };
            let stream = self.subscriptions.get(&number).and_then(|subscription| subscription.stream);
            if let Some(stream) = stream.and_then(|stream| self.streams.get_mut(&stream)) {
                stream.failures.push(failure);
                stream.waker.notify_one();
            }
        }
    }

    /// Drops the queued events of a subscription, and returns the error to report.
    fn skip_events(&mut self, number: u64, world: &World) -> Option<(EwsError, String)> {
        let id = self.id_of(number)?;
        let subscription = self.subscriptions.get_mut(&number)?;
        subscription.last_reported = world.mailboxes.get(&subscription.filter.mailbox)?.items.log().last();
        Some((missed_events(), id))
    }
}

/// The unreported events of a subscription; `None` if there are more than the queue holds.
fn unreported_events(
    subscription: &mut Subscription,
    world: &World,
    queued_max: usize,
    style: EventFormat,
) -> Option<Vec<String>> {
    let filter = &subscription.filter;
    let log = world.mailboxes.get(&filter.mailbox)?.items.log();
    let changes: Option<Vec<&LoggedChange>> = log.since(subscription.last_reported).map(Iterator::collect);
    subscription.last_reported = log.last();
    let changes = changes?;
    let queued = changes.iter().filter(|change| filter.matches(change)).count();
    (queued <= queued_max).then(|| filter.events(changes, style))
}

/// Applies an injected fault to events.
fn apply_fault(mut events: Vec<String>, fault: Option<&InjectedFault>, counted: &mut usize) -> Vec<String> {
    match fault {
        Some(InjectedFault::Dropped(nth)) => events.retain(|_| {
            *counted += 1;
            !counted.is_multiple_of((*nth).max(1))
        }),
        Some(InjectedFault::Duplicated) => {
            events = events.into_iter().flat_map(|event| [event.clone(), event]).collect()
        }
        Some(InjectedFault::Reordered) => events.reverse(),
        _ => {}
    }
    events
}
