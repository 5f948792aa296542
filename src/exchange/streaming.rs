//! Streaming notifications for a group of rooms: one subscription per room, and one `GetStreamingEvents` request whose
//! response reports the changes of all of them ("Notification subscriptions, mailbox events, and EWS in Exchange").
//!
//! Subscriptions are kept as long as the server knows them. A stream that sends nothing for twice its heartbeat counts
//! as lost. The stream takes no throttle permit, so it never competes with people's requests. A mailbox that does not
//! respond neither delays the others nor becomes the group's anchor mailbox. Reads no calendar: it reports only which
//! rooms changed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout, timeout_at};

use super::affinity::Affinity;
use super::calendar::wrong_response_type;
use super::classify::{NO_CODE, RetryDecision, decide_by_code};
use super::client::{EwsClient, StreamFailure};
use super::decode_limits::decode_limits;
use super::request_error::RequestError;
use super::response_messages::single_message;
use crate::calendar::RoomAddress;
use crate::concurrency::ConcurrencyLimit;
use crate::engine::CalendarError;
use crate::engine::ErrorKind;
use crate::ews::codec::{DecodeLimits, EnvelopeSplitter, SoapBody, decode};
use crate::ews::op::{
    CONNECTION_MINUTES_MAX, DistinguishedFolder, Effect, GetStreamingEvents, StreamingEventsPayload,
    Subscribe, Unsubscribe,
};
use crate::ews::types::{MessageXmlEntry, ResponseClass, ResponseMessage};
use crate::http::connection_pool::StreamingBody;
use crate::live::{ChangeBatch, ChangeStream};

/// Concurrent Subscribe requests: a group of two hundred rooms must not take all throttle permits.
const SUBSCRIBE_CONCURRENCY: usize = 4;
/// Largest envelope of a stream: a few changes of a few hundred bytes each, for at most two hundred rooms.
pub(super) const ENVELOPE_BYTES_MAX: usize = 2 << 20;
/// Longest id of a subscription; Exchange's have some 100 bytes.
pub(super) const SUBSCRIPTION_ID_BYTES_MAX: usize = 4 << 10;
/// `ConnectionStatus` of the last envelope of a stream.
const CLOSED: &str = "Closed";

/// Time limit of one Subscribe request: a throttled room must not delay the others' notifications.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);
/// A Subscribe request that takes longer lets the next one start.
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// Time limit of the search for an anchor room, whose response names the back end for the others …
const ANCHOR_SEARCH_MAX: Duration = Duration::from_secs(30);
/// … and of each Subscribe request in it.
const ANCHOR_ATTEMPT_MAX: Duration = Duration::from_secs(5);
/// Time limit of best-effort Unsubscribe requests; idle subscriptions expire after 30 minutes anyway.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The subscriptions of a group of rooms, and their stream.
pub(super) struct StreamingSubscriptions {
    backend: Arc<PinnedBackend>,
    rooms: Vec<RoomAddress>,
    /// The room of each subscription.
    ids: HashMap<String, RoomAddress>,
    /// Subscriptions that are no longer used. The server may still keep them, and grants a mailbox few.
    dropped: HashMap<String, RoomAddress>,
    /// The anchor room has left the group.
    is_anchor_removed: bool,
    stream: Option<OpenStream>,
    /// Streams in a row that did not start.
    failures: u32,
    /// Wait that the server requested with the last failure.
    retry_after: Option<Duration>,
    idle_timeout: Duration,
}

/// The back end that holds the group's subscriptions.
struct PinnedBackend {
    client: Arc<EwsClient>,
    affinity: Affinity,
}

/// The open stream.
struct OpenStream {
    body: StreamingBody,
    envelopes: EnvelopeSplitter,
    /// The first batch, received while the stream was opened.
    first_batch: Option<ChangeBatch>,
}

impl StreamingSubscriptions {
    /// `None` for no rooms.
    pub(super) fn new(client: Arc<EwsClient>, group: &[RoomAddress], silence: Duration) -> Option<Self> {
        let anchor = group.iter().min()?.clone();
        Some(Self {
            backend: Arc::new(PinnedBackend { client, affinity: Affinity::new(anchor) }),
            rooms: group.to_vec(),
            ids: HashMap::new(),
            dropped: HashMap::new(),
            is_anchor_removed: false,
            stream: None,
            failures: 0,
            retry_after: None,
            idle_timeout: silence,
        })
    }

    /// Subscribes to the rooms without a subscription; returns the failures.
    async fn subscribe(&mut self) -> Vec<(RoomAddress, RequestError)> {
        let (mut failures, mut missing) = (Vec::new(), self.missing());
        if self.ids.is_empty() {
            self.find_anchor(&mut missing, &mut failures).await;
        }
        if !self.ids.is_empty() {
            let (backend, limit) =
                (self.backend.clone(), ConcurrencyLimit::new(SUBSCRIBE_CONCURRENCY, SLOW_AFTER));
            let requests = missing.drain(..).map(|room| async {
                let answer = limit.run(backend.subscribe(&room, SUBSCRIBE_TIMEOUT)).await;
                (room, answer)
            });
            let mut answers: FuturesUnordered<_> = requests.collect();
            // Record each response as it arrives: granted subscriptions are cancelled even if this future is dropped.
            while let Some(answer) = answers.next().await {
                self.record_subscription(answer, &mut failures);
            }
        }
        // Rooms that failed come last the next time.
        let failed: HashSet<_> = failures.iter().map(|(room, _)| room).collect();
        self.rooms.sort_by_key(|room| failed.contains(room));
        failures
    }

    /// Subscribes to one room, which becomes the anchor: its response names the back end for the others. A mailbox that
    /// does not respond cannot be the anchor, so each round tries more rooms at once.
    async fn find_anchor(
        &mut self,
        missing: &mut VecDeque<RoomAddress>,
        failures: &mut Vec<(RoomAddress, RequestError)>,
    ) {
        let (search_began, mut at_once) = (Instant::now(), 1);
        while self.ids.is_empty() && !missing.is_empty() && search_began.elapsed() < ANCHOR_SEARCH_MAX {
            let mut candidates: Vec<_> = missing.drain(..at_once.min(missing.len())).collect();
            let requests = candidates.iter().cloned().map(|room| {
                let backend = Arc::new(PinnedBackend {
                    client: self.backend.client.clone(),
                    affinity: Affinity::new(room.clone()),
                });
                async move {
                    let answer = backend.subscribe(&room, ANCHOR_ATTEMPT_MAX).await;
                    (backend, room, answer)
                }
            });
            let mut answers: FuturesUnordered<_> = requests.collect();
            while let Some((backend, room, answer)) = answers.next().await {
                candidates.retain(|other| *other != room);
                let is_anchor = answer.is_ok();
                self.record_subscription((room, answer), failures);
                if is_anchor {
                    (self.backend, self.is_anchor_removed) = (backend, false);
                    break;
                }
            }
            missing.extend(candidates);
            at_once *= 4;
        }
    }

    /// Rooms without a subscription.
    fn missing(&self) -> VecDeque<RoomAddress> {
        let subscribed: HashSet<_> = self.ids.values().collect();
        self.rooms.iter().filter(|room| !subscribed.contains(room)).cloned().collect()
    }

    fn record_subscription(
        &mut self,
        (room, answer): (RoomAddress, Result<String, RequestError>),
        failures: &mut Vec<(RoomAddress, RequestError)>,
    ) {
        match answer {
            // An id shared by two rooms identifies neither.
            Ok(id) if self.ids.contains_key(&id) => {
                let other = self.ids.remove(&id);
                let twice =
                    |room| (room, invalid_stream("the server returned one subscription id for two rooms"));
                failures.extend([Some(room.clone()), other].into_iter().flatten().map(twice));
                self.dropped.insert(id, room);
            }
            Ok(id) => drop(self.ids.insert(id, room)),
            Err(failed) => failures.push((room, failed)),
        }
    }

    /// Opens the stream and waits for its first envelope: a proxy that buffers responses makes a stream useless.
    async fn start(&mut self) -> Result<(), StreamFailure> {
        let subscription_ids: Vec<_> = self.ids.keys().cloned().collect();
        let connection_minutes = CONNECTION_MINUTES_MAX;
        let get = GetStreamingEvents { subscription_ids: &subscription_ids, connection_minutes };
        let body = self.backend.client.open_stream(&self.backend.affinity, &get).await?;
        self.stream = Some(OpenStream {
            body,
            envelopes: EnvelopeSplitter::new(ENVELOPE_BYTES_MAX),
            first_batch: None,
        });
        let first = self.next_batch().await?;
        if let Some(stream) = &mut self.stream {
            stream.first_batch = Some(first);
        }
        Ok(())
    }

    /// The next complete envelope, decoded.
    async fn next_batch(&mut self) -> Result<ChangeBatch, StreamFailure> {
        let silence = self.idle_timeout;
        let Some(stream) = &mut self.stream else { return Err(invalid_stream("no stream is open").into()) };
        if let Some(first) = stream.first_batch.take() {
            return Ok(first);
        }
        let until = Instant::now() + silence;
        loop {
            if let Some(envelope) =
                stream.envelopes.next_envelope().map_err(|uncut| invalid_stream(&uncut.to_string()))?
            {
                let limits = DecodeLimits { body_bytes_max: ENVELOPE_BYTES_MAX, ..decode_limits() };
                let decoded =
                    decode(envelope, &limits).map_err(|error| invalid_stream(&error.to_string()))?;
                return apply_envelope(&decoded.envelope.body, &mut self.ids, &mut self.dropped);
            }
            match timeout_at(until, stream.body.next_chunk()).await {
                Ok(Ok(Some(bytes))) => stream.envelopes.push(&bytes),
                Ok(Ok(None)) => {
                    return Err(invalid_stream("the stream ended without a closing envelope").into());
                }
                Ok(Err(failure)) => return Err(RequestError::Unreachable(failure).into()),
                Err(_) => {
                    // A subscription that missed its heartbeat may miss later changes too.
                    self.abandon();
                    return Err(invalid_stream(&format!("the stream sent nothing for {silence:?}")).into());
                }
            }
        }
    }

    /// Gives up all subscriptions and the back end that held them.
    fn abandon(&mut self) {
        self.stream = None;
        self.dropped.extend(self.ids.drain());
        self.unsubscribe_dropped();
        self.backend.affinity.clear();
    }

    /// Unsubscribes from dropped subscriptions in the background, without waiting for the result.
    fn unsubscribe_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if dropped.is_empty() {
            return;
        }
        let backend = Arc::new(PinnedBackend {
            client: self.backend.client.clone(),
            affinity: self.backend.affinity.duplicate(),
        });
        let gone = dropped.into_iter().map(move |(id, room)| {
            let backend = backend.clone();
            async move { backend.unsubscribe(&id, &room).await }
        });
        let all = futures_util::stream::iter(gone).buffer_unordered(SUBSCRIBE_CONCURRENCY);
        runtime.spawn(timeout(UNSUBSCRIBE_TIMEOUT, all.for_each(|_| std::future::ready(()))));
    }

    /// Records that a stream did not start or was lost. Once can be the network; twice, the server or its subscriptions
    /// are the cause.
    fn record_failure(&mut self, StreamFailure { error: failed, retry_after }: &StreamFailure) {
        self.stream = None;
        self.retry_after = *retry_after;
        if matches!(failed, RequestError::Busy(_)) {
            return; // the server has no capacity for a stream now; granted subscriptions are kept, and cost nothing
        }
        self.failures += 1;
        if self.failures > 1 || matches!(failed, RequestError::Refused(ErrorKind::StateExpired, _)) {
            self.abandon();
        }
    }
}

impl Drop for StreamingSubscriptions {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl PinnedBackend {
    async fn subscribe(&self, room: &RoomAddress, within: Duration) -> Result<String, RequestError> {
        let subscribe = Subscribe { folder: self.client.folder(DistinguishedFolder::Calendar, room) };
        let read = |body: &SoapBody<'_>| {
            let SoapBody::Subscribe(messages) = body else { return Err(wrong_response_type(Effect::Read)) };
            let id = single_message(Effect::Read, messages)?.payload.subscription_id.clone();
            let id = id.filter(|id| (1..=SUBSCRIPTION_ID_BYTES_MAX).contains(&id.len()));
            id.map(std::borrow::Cow::into_owned).ok_or_else(|| wrong_response_type(Effect::Read))
        };
        let call = self.client.execute_with_affinity(&self.affinity, room, &subscribe, read);
        timeout(within, call).await.unwrap_or_else(|_| Err(RequestError::Busy("subscribing".to_owned())))
    }

    async fn unsubscribe(&self, subscription_id: &str, room: &RoomAddress) -> Result<(), RequestError> {
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::Unsubscribe(_) => Ok(()),
            _ => Err(wrong_response_type(Effect::Read)),
        };
        self.client.execute_with_affinity(&self.affinity, room, &Unsubscribe { subscription_id }, read).await
    }
}

/// Applies an envelope: its changes, and subscriptions that the server lost or that missed events.
fn apply_envelope(
    body: &SoapBody<'_>,
    ids: &mut HashMap<String, RoomAddress>,
    dropped: &mut HashMap<String, RoomAddress>,
) -> Result<ChangeBatch, StreamFailure> {
    let messages = match body {
        SoapBody::GetStreamingEvents(messages) => messages,
        SoapBody::Fault(fault) => {
            return Err(error_response(fault.code().unwrap_or(NO_CODE), &fault.message_xml));
        }
        _ => return Err(invalid_stream("a response to another operation").into()),
    };
    let mut batch = ChangeBatch::default();
    for message in messages {
        apply_notification(message, ids, dropped, &mut batch)?;
    }
    Ok(batch)
}

fn apply_notification(
    message: &ResponseMessage<'_, StreamingEventsPayload<'_>>,
    ids: &mut HashMap<String, RoomAddress>,
    dropped: &mut HashMap<String, RoomAddress>,
    batch: &mut ChangeBatch,
) -> Result<(), StreamFailure> {
    let stream = &message.payload;
    for notification in &stream.notifications {
        if !notification.events.iter().any(|event| event.element != "StatusEvent") {
            continue;
        }
        let id = notification.subscription_id.as_deref().unwrap_or_default();
        match (ids.get(id), dropped.contains_key(id)) {
            (Some(room), _) => batch.changed.push(room.clone()),
            (None, true) => {} // a late notification of a dropped subscription
            // Something changed in an unknown room: nothing is current until every calendar is read again.
            (None, false) => {
                return Err(invalid_stream("the stream names an unknown subscription").into());
            }
        }
    }
    let gone: Vec<_> =
        stream.error_subscription_ids.iter().filter_map(|id| ids.remove_entry(&**id)).collect();
    let lost: Vec<_> = gone.iter().map(|(_, room)| room.clone()).collect();
    dropped.extend(gone);
    batch.end_of_stream |= stream.connection_status.as_deref() == Some(CLOSED);
    let verdict = decide_by_code(Effect::Read, &message.code.0, &message.message_xml);
    if message.class == ResponseClass::Success && verdict == RetryDecision::Done {
        batch.lost.extend(lost);
        return Ok(());
    }
    match verdict {
        // The message names no subscription: any may be lost.
        RetryDecision::Refused(ErrorKind::StateExpired, _) if lost.is_empty() => {
            batch.lost.extend(ids.values().cloned());
            dropped.extend(ids.drain());
        }
        _ if !lost.is_empty() => batch.lost.extend(lost),
        _ => return Err(error_response(&message.code.0, &message.message_xml)),
    }
    Ok(())
}

fn invalid_stream(why: &str) -> RequestError {
    RequestError::InvalidResponse(why.to_owned())
}

fn error_response(code: &str, details: &[MessageXmlEntry<'_>]) -> StreamFailure {
    match decide_by_code(Effect::Read, code, details) {
        RetryDecision::Done => invalid_stream("an error without a code").into(),
        verdict => verdict.into(),
    }
}

#[async_trait]
impl ChangeStream for StreamingSubscriptions {
    async fn subscribe(&mut self) -> Result<Vec<(RoomAddress, CalendarError)>, CalendarError> {
        (self.stream, self.retry_after) = (None, None);
        if self.is_anchor_removed {
            self.abandon();
        }
        self.unsubscribe_dropped();
        let mut failures = self.subscribe().await;
        if self.ids.is_empty() {
            // The next attempt may reach another back end.
            self.abandon();
            let first = failures.pop().map(|(_, failed)| failed);
            return Err(first.unwrap_or_else(|| invalid_stream("no room to subscribe to")).into());
        }
        if let Err(failure) = self.start().await {
            self.record_failure(&failure);
            return Err(failure.error.into());
        }
        self.failures = 0;
        Ok(failures.into_iter().map(|(room, failed)| (room, failed.into())).collect())
    }

    async fn next(&mut self) -> Result<ChangeBatch, CalendarError> {
        match self.next_batch().await {
            Ok(batch) => {
                if !batch.lost.is_empty() && self.ids.is_empty() {
                    self.abandon(); // the server lost all subscriptions: it may be another back end by now
                }
                Ok(batch)
            }
            Err(failure) => {
                self.record_failure(&failure);
                Err(failure.error.into())
            }
        }
    }

    fn add_room(&mut self, room: &RoomAddress) {
        if !self.rooms.contains(room) {
            self.rooms.push(room.clone());
        }
    }

    fn remove_room(&mut self, room: &RoomAddress) {
        self.rooms.retain(|other| other != room);
        let gone: Vec<_> = self.ids.extract_if(|_, of| of == room).collect();
        self.dropped.extend(gone);
        self.is_anchor_removed |= self.backend.affinity.anchor() == room;
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ews::code::ResponseCode;

    fn message(
        class: ResponseClass,
        code: &'static str,
    ) -> ResponseMessage<'static, StreamingEventsPayload<'static>> {
        let (code, payload) = (ResponseCode(code.into()), StreamingEventsPayload::default());
        ResponseMessage { class, code, message_text: None, message_xml: Vec::new(), payload }
    }

    /// A heartbeat confirms the subscriptions of all rooms of the stream.
    #[test]
    fn a_heartbeat_is_believed_only_where_class_and_code_agree() {
        let batch = |class, code| {
            let mut ids = HashMap::from([("S".to_owned(), "r1@example.com".parse().unwrap())]);
            let body = SoapBody::GetStreamingEvents(vec![message(class, code)]);
            apply_envelope(&body, &mut ids, &mut HashMap::new()).map(|batch| batch.lost.len())
        };
        assert_eq!(batch(ResponseClass::Success, "NoError"), Ok(0));
        for class in [ResponseClass::Success, ResponseClass::Warning, ResponseClass::Error] {
            assert_eq!(batch(class, "ErrorSubscriptionNotFound"), Ok(1), "{class:?}: the room is lost");
            assert!(batch(class, "ErrorInternalServerError").is_err(), "{class:?}");
        }
        assert!(batch(ResponseClass::Warning, "NoError").is_err());
        assert!(batch(ResponseClass::Error, "NoError").is_err());
    }
}
