//! Listening to a group of rooms: a subscription for each, and one request whose answer tells of all of them for as long as it
//! lasts ("Notification subscriptions, mailbox events, and EWS in Exchange").
//!
//! Keeps subscriptions as long as the server knows them, and trusts no silence: a server that says nothing for twice its
//! heartbeat is one that is gone. Never counts as a request under way: those that wait for answers are others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::affinity::Affinity;
use super::calendar::another;
use super::classify::{Kind, Verdict, by_code};
use super::client::{Client, Failed};
use super::messages::only;
use super::transport::Begun;
use crate::calendar::RoomAddress;
use crate::engine::Trouble;
use crate::ews::codec::{Body, Envelopes, Limits, decode};
use crate::ews::op::{
    CONNECTION_MINUTES_MAX, Effect, GetStreamingEvents, Streamed, Subscribe, Unsubscribe, WellKnown,
};
use crate::ews::types::{ResponseClass, ResponseMessage};
use crate::live::{Ears, Heard};

/// Subscribing at once, so that a group of two hundred does not take the places of those at the doors.
const SUBSCRIBING_AT_ONCE: usize = 4;
/// One envelope of a stream: a few changes, each of a few hundred bytes, for at most two hundred rooms.
const ENVELOPE_BYTES_MAX: usize = 4 << 20;
/// The server's word that nothing more comes.
const CLOSED: &str = "Closed";

/// How long one request for a subscription may take: a room that is throttled must not keep the others from being heard.
const SUBSCRIBING: Duration = Duration::from_secs(20);
/// How long the server is told, in passing, what it may forget; it forgets by itself in half an hour.
const FORGETTING: Duration = Duration::from_secs(10);
/// A room whose subscription is lost so often while the others' live, lives elsewhere by now: the others are not to suffer.
const LOST_MAX: u32 = 3;

/// The subscriptions of a group of rooms, and what is told of them.
pub(super) struct Subscriptions {
    way: Arc<Way>,
    rooms: Vec<RoomAddress>,
    /// The room of each subscription.
    ids: HashMap<String, RoomAddress>,
    /// Those of which nothing is to be heard any more. The server may know them still, and grants a mailbox few.
    dropped: HashMap<String, RoomAddress>,
    /// How often each room's was lost since the last stream that lasted.
    losses: HashMap<RoomAddress, u32>,
    told: Option<Told>,
    /// Streams in a row that did not begin.
    failures: u32,
    silence: Duration,
}

/// To the server that keeps them.
struct Way {
    client: Arc<Client>,
    affinity: Affinity,
}

/// What is told, as it comes.
struct Told {
    begun: Begun,
    cut: Envelopes,
    /// What was heard already.
    first: Option<Heard>,
}

impl Subscriptions {
    /// `None` for no rooms.
    pub(super) fn new(client: Arc<Client>, group: &[RoomAddress], silence: Duration) -> Option<Self> {
        let anchor = group.iter().min()?.clone();
        Some(Self {
            way: Arc::new(Way { client, affinity: Affinity::new(anchor) }),
            rooms: group.to_vec(),
            ids: HashMap::new(),
            dropped: HashMap::new(),
            losses: HashMap::new(),
            told: None,
            failures: 0,
            silence,
        })
    }

    /// Subscribes to the rooms that have no subscription.
    async fn subscribe(&mut self) -> Vec<(RoomAddress, Failed)> {
        let mut failures = Vec::new();
        let mut missing = self.missing(&mut failures);
        // The first answer says which back end the others are to go to.
        if self.way.affinity.cookie().is_none() && !missing.is_empty() {
            let first = missing.remove(0);
            let answer = self.way.subscribe(&first).await;
            self.keep((first, answer), &mut failures);
        }
        let way = self.way.clone();
        let asked = missing.into_iter().map(move |room| {
            let way = way.clone();
            async move {
                let answer = way.subscribe(&room).await;
                (room, answer)
            }
        });
        let mut answers = futures_util::stream::iter(asked).buffer_unordered(SUBSCRIBING_AT_ONCE);
        // Each as it comes: what the server granted is given back, should this be dropped half-way.
        while let Some(answer) = answers.next().await {
            self.keep(answer, &mut failures);
        }
        failures
    }

    /// Rooms without a subscription, but for those that would only lose it again.
    fn missing(&self, failures: &mut Vec<(RoomAddress, Failed)>) -> Vec<RoomAddress> {
        let subscribed: HashSet<_> = self.ids.values().collect();
        let missing = self.rooms.iter().filter(|room| !subscribed.contains(room));
        let (gone, missing): (Vec<_>, Vec<_>) =
            missing.cloned().partition(|room| self.losses.get(room).is_some_and(|lost| *lost >= LOST_MAX));
        failures
            .extend(gone.into_iter().map(|room| (room, broken("its subscription is lost again and again"))));
        missing
    }

    fn keep(
        &mut self,
        (room, answer): (RoomAddress, Result<String, Failed>),
        failures: &mut Vec<(RoomAddress, Failed)>,
    ) {
        match answer {
            Ok(id) => drop(self.ids.insert(id, room)),
            Err(failed) => failures.push((room, failed)),
        }
    }

    /// Begins the stream, and waits for its first word: a way that lets requests through and holds answers back is none.
    async fn begin(&mut self) -> Result<(), Failed> {
        let subscription_ids: Vec<_> = self.ids.keys().cloned().collect();
        let connection_minutes = CONNECTION_MINUTES_MAX;
        let get = GetStreamingEvents { subscription_ids: &subscription_ids, connection_minutes };
        let begun = self.way.client.listen(&self.way.affinity, &get).await?;
        self.told = Some(Told { begun, cut: Envelopes::new(ENVELOPE_BYTES_MAX), first: None });
        let first = self.next().await?;
        if let Some(told) = &mut self.told {
            told.first = Some(first);
        }
        Ok(())
    }

    /// The next whole envelope that comes, read.
    async fn next(&mut self) -> Result<Heard, Failed> {
        let silence = self.silence;
        let Some(told) = &mut self.told else { return Err(broken("nobody listens")) };
        if let Some(first) = told.first.take() {
            return Ok(first);
        }
        let until = Instant::now() + silence;
        loop {
            if let Some(envelope) = told.cut.next_envelope().map_err(|uncut| broken(&uncut.to_string()))? {
                let limits = Limits { body_bytes_max: ENVELOPE_BYTES_MAX, ..Limits::default() };
                let decoded = decode(envelope, &limits).map_err(|error| broken(&error.to_string()))?;
                return understand(&decoded.envelope.body, &mut self.ids, &mut self.dropped);
            }
            match timeout_at(until, told.begun.more()).await {
                Ok(Ok(Some(bytes))) => told.cut.push(&bytes),
                Ok(Ok(None)) => return Err(broken("the stream ended without a word")),
                Ok(Err(failure)) => return Err(Failed::Unreachable(failure)),
                Err(_) => {
                    // What it does not tell of now, it may not tell of later either.
                    self.leave();
                    return Err(broken(&format!("the stream said nothing for {silence:?}")));
                }
            }
        }
    }

    /// Nothing is to be heard of any subscription any more, nor of the server that kept them.
    fn leave(&mut self) {
        self.told = None;
        self.dropped.extend(self.ids.drain());
        self.forget();
        self.way.affinity.leave();
    }

    /// Tells the server in passing what it may forget. Whether it hears is not waited for.
    fn forget(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if dropped.is_empty() {
            return;
        }
        let way = Arc::new(Way { client: self.way.client.clone(), affinity: self.way.affinity.same() });
        let gone = dropped.into_iter().map(move |(id, room)| {
            let way = way.clone();
            async move { way.unsubscribe(&id, &room).await }
        });
        let all = futures_util::stream::iter(gone).buffer_unordered(SUBSCRIBING_AT_ONCE);
        runtime.spawn(timeout(FORGETTING, all.for_each(|_| std::future::ready(()))));
    }

    /// It did not begin, or it ended: once that may be the way, twice it is the server or what it keeps.
    fn failed(&mut self, failed: &Failed) {
        self.told = None;
        if matches!(failed, Failed::Busy(_)) {
            return; // there is no place for a stream now: what was granted is kept, and costs nothing
        }
        self.failures += 1;
        if self.failures > 1 || matches!(failed, Failed::Refused(Kind::StartAnew, _)) {
            self.leave();
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Way {
    async fn subscribe(&self, room: &RoomAddress) -> Result<String, Failed> {
        let subscribe = Subscribe { folder: self.client.folder(WellKnown::Calendar, room) };
        let read = |body: &Body<'_>| {
            let Body::Subscribe(messages) = body else { return Err(another(Effect::Read)) };
            let id = only(Effect::Read, messages)?.payload.subscription_id.clone();
            id.map(std::borrow::Cow::into_owned).ok_or_else(|| another(Effect::Read))
        };
        let call = self.client.call_near(&self.affinity, room.as_str(), &subscribe, read);
        timeout(SUBSCRIBING, call).await.unwrap_or_else(|_| Err(Failed::Busy("subscribing".to_owned())))
    }

    async fn unsubscribe(&self, subscription_id: &str, room: &RoomAddress) -> Result<(), Failed> {
        let read = |body: &Body<'_>| match body {
            Body::Unsubscribe(_) => Ok(()),
            _ => Err(another(Effect::Read)),
        };
        self.client.call_near(&self.affinity, room.as_str(), &Unsubscribe { subscription_id }, read).await
    }
}

/// What an envelope says; subscriptions that it says are gone, or have missed something, are dropped.
fn understand(
    body: &Body<'_>,
    ids: &mut HashMap<String, RoomAddress>,
    dropped: &mut HashMap<String, RoomAddress>,
) -> Result<Heard, Failed> {
    let messages = match body {
        Body::GetStreamingEvents(messages) => messages,
        Body::Fault(fault) => return Err(failed(fault.code().unwrap_or("fault without a code"))),
        _ => return Err(broken("an answer to something else")),
    };
    let mut heard = Heard::default();
    for message in messages {
        hear(message, ids, dropped, &mut heard)?;
    }
    Ok(heard)
}

fn hear(
    message: &ResponseMessage<'_, Streamed<'_>>,
    ids: &mut HashMap<String, RoomAddress>,
    dropped: &mut HashMap<String, RoomAddress>,
    heard: &mut Heard,
) -> Result<(), Failed> {
    let told = &message.payload;
    for notification in &told.notifications {
        if !notification.events.iter().any(|event| event.element != "StatusEvent") {
            continue;
        }
        let id = notification.subscription_id.as_deref().unwrap_or_default();
        match (ids.get(id), dropped.contains_key(id)) {
            (Some(room), _) => heard.changed.push(room.clone()),
            (None, true) => {} // that room is no longer vouched for
            // Something changed, and nobody can tell where: nothing is current until all was read again.
            (None, false) => return Err(broken("it tells of a subscription that nobody asked for")),
        }
    }
    let gone: Vec<_> = told.error_subscription_ids.iter().filter_map(|id| ids.remove_entry(&**id)).collect();
    let lost: Vec<_> = gone.iter().map(|(_, room)| room.clone()).collect();
    dropped.extend(gone);
    heard.closed |= told.connection_status.as_deref() == Some(CLOSED);
    if message.class != ResponseClass::Error {
        heard.lost.extend(lost);
        return Ok(());
    }
    match by_code(Effect::Read, &message.code.0, &message.message_xml) {
        // It does not say which: any may be.
        Verdict::Refused(Kind::StartAnew, _) if lost.is_empty() => {
            heard.lost.extend(ids.values().cloned());
            dropped.extend(ids.drain());
        }
        _ if !lost.is_empty() => heard.lost.extend(lost),
        _ => return Err(failed(&message.code.0)),
    }
    Ok(())
}

fn broken(why: &str) -> Failed {
    Failed::Unclear(why.to_owned())
}

fn failed(code: &str) -> Failed {
    match by_code(Effect::Read, code, &[]) {
        Verdict::Refused(kind, code) | Verdict::OnceMore(kind, code) => Failed::Refused(kind, code),
        Verdict::Wait { code, .. } => Failed::Busy(code),
        Verdict::Retry { code } | Verdict::InDoubt { code } => Failed::Unclear(code),
        Verdict::Done => broken("an error without a code"),
    }
}

#[async_trait]
impl Ears for Subscriptions {
    async fn open(&mut self) -> Result<Vec<(RoomAddress, Trouble)>, Trouble> {
        self.told = None;
        self.forget();
        let mut deaf = self.subscribe().await;
        if self.ids.is_empty() {
            // Whatever was lost before, next time all are asked for again, of whichever server answers then.
            self.losses.clear();
            self.leave();
            let first = deaf.pop().map(|(_, failed)| failed);
            return Err(first.unwrap_or_else(|| broken("no room to listen to")).into());
        }
        if let Err(failed) = self.begin().await {
            self.failed(&failed);
            return Err(failed.into());
        }
        self.failures = 0;
        Ok(deaf.into_iter().map(|(room, failed)| (room, failed.into())).collect())
    }

    async fn hear(&mut self) -> Result<Heard, Trouble> {
        match self.next().await {
            Ok(heard) => {
                if !heard.lost.is_empty() && self.ids.is_empty() {
                    self.leave(); // it lost all of them: no fault of a room's, and perhaps it is another server by now
                } else {
                    heard.lost.iter().for_each(|room| *self.losses.entry(room.clone()).or_default() += 1);
                }
                if heard.closed {
                    self.losses.clear();
                }
                Ok(heard)
            }
            Err(failed) => {
                self.failed(&failed);
                Err(failed.into())
            }
        }
    }
}
