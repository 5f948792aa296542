//! The hub of notifications: all subscriptions, and the streams that are open for them. Pure apart from the wakers it
//! notifies; time is passed in. It stores no events: a subscription is a position in its mailbox's change log.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::super::ews_error::EwsError;
use super::super::exchange_release::ExchangeRelease;
use super::super::opaque_tokens::{SubscriptionToken, Watermark};
use super::events::SubscriptionFilter;
use super::open_stream::StreamState;
use super::options::NotificationOptions;

/// Limit of all subscriptions, expired ones included.
const SUBSCRIPTIONS_MAX: usize = 100_000;

/// Lifetime in minutes of a streaming subscription without an open stream.
const IDLE_MINUTES: u32 = 30;

/// How a client fetches events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryMode {
    Streaming,
    /// By `GetEvents`, at least once in this time.
    Pull(Duration),
}

pub(super) struct Subscription {
    pub(super) filter: SubscriptionFilter,
    pub(super) mode: DeliveryMode,
    pub(super) back_end: usize,
    /// The number of the last change reported.
    pub(super) last_reported: u64,
    /// The open stream that serves it.
    pub(super) stream: Option<u64>,
    /// Expiry without a request; has no effect while a stream is open.
    pub(super) expires: Instant,
}

/// All subscriptions and streams.
pub(crate) struct Hub {
    pub(super) subscriptions: HashMap<u64, Subscription>,
    pub(super) by_mailbox: HashMap<u32, BTreeSet<u64>>,
    pub(super) streams: HashMap<u64, StreamState>,
    pub(super) options: NotificationOptions,
    pub(super) subscriptions_max: usize,
    pub(super) streams_max: usize,
    /// Distinguishes the subscriptions of this run from those of another.
    pub(super) run: u64,
    pub(super) counter: u64,
}

impl Hub {
    pub(crate) fn new(options: &NotificationOptions, release: ExchangeRelease) -> Self {
        Self {
            subscriptions: HashMap::new(),
            by_mailbox: HashMap::new(),
            streams: HashMap::new(),
            subscriptions_max: options.subscriptions_max(release),
            streams_max: options.streams_max(release),
            options: options.clone(),
            run: Uuid::new_v4().as_u64_pair().0,
            counter: 0,
        }
    }

    pub(crate) fn options(&self) -> &NotificationOptions {
        &self.options
    }

    /// The duration of so many simulated minutes.
    pub(crate) fn minutes(&self, minutes: u32) -> Duration {
        self.options.minute * minutes
    }

    /// Creates a subscription for the changes after `last_reported`, and returns its id.
    pub(crate) fn subscribe(
        &mut self,
        filter: SubscriptionFilter,
        mode: DeliveryMode,
        last_reported: u64,
        back_end: usize,
        now: Instant,
    ) -> Result<String, EwsError> {
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            self.forget_expired(now);
        }
        let mailbox = filter.mailbox;
        let living = self.by_mailbox.get(&mailbox).map_or(0, BTreeSet::len);
        if living >= self.subscriptions_max && self.living(mailbox, now) >= self.subscriptions_max
            || self.subscriptions.len() >= SUBSCRIPTIONS_MAX
        {
            return Err(self.too_many(EwsError::new(
                "ErrorExceededSubscriptionCount",
                "You have exceeded the number of available subscriptions for your account.",
            )));
        }
        self.counter += 1;
        let number = self.counter;
        let expires = now + self.lifetime(mode);
        let subscription = Subscription { filter, mode, back_end, last_reported, stream: None, expires };
        self.subscriptions.insert(number, subscription);
        self.by_mailbox.entry(mailbox).or_default().insert(number);
        Ok(self.id(number, back_end))
    }

    /// Adds `BackOffMilliseconds` to an error.
    pub(super) fn too_many(&self, refusal: EwsError) -> EwsError {
        match self.options.back_off {
            None => refusal,
            Some(time) => refusal
                .with_xml(format!(r#"<t:Value Name="BackOffMilliseconds">{}</t:Value>"#, time.as_millis())),
        }
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, id: &str, back_end: usize, now: Instant) -> Result<(), EwsError> {
        let number = self.find(id, back_end, now)?;
        let why = EwsError::new("ErrorSubscriptionUnsubscribed", "The subscription was unsubscribed.");
        self.drop_subscription(number, &why);
        Ok(())
    }

    /// Finds a live subscription of this back end by its id.
    pub(super) fn find(&mut self, id: &str, back_end: usize, now: Instant) -> Result<u64, EwsError> {
        let mark = SubscriptionToken::decode(id)
            .ok_or_else(|| EwsError::new("ErrorInvalidSubscription", "The subscription ID is malformed."))?;
        let found = self.subscriptions.get(&mark.number).filter(|found| {
            mark.run == self.run && mark.back_end == found.back_end && found.back_end == back_end
        });
        match found {
            None => Err(not_found()),
            Some(found) if found.stream.is_none() && found.expires <= now => {
                self.drop_subscription(mark.number, &not_found());
                Err(EwsError::new("ErrorExpiredSubscription", "The subscription has expired."))
            }
            Some(_) => Ok(mark.number),
        }
    }

    pub(super) fn id(&self, number: u64, back_end: usize) -> String {
        SubscriptionToken { run: self.run, back_end, number }.encode()
    }

    pub(super) fn lifetime(&self, mode: DeliveryMode) -> Duration {
        match mode {
            DeliveryMode::Streaming => self.minutes(IDLE_MINUTES),
            DeliveryMode::Pull(timeout) => timeout,
        }
    }

    /// The number of live subscriptions of a mailbox; forgets the expired ones.
    pub(super) fn living(&mut self, mailbox: u32, now: Instant) -> usize {
        let all = self.subscriptions_of(mailbox);
        for number in &all {
            let dead = |found: &Subscription| found.stream.is_none() && found.expires <= now;
            if self.subscriptions.get(number).is_some_and(dead) {
                self.forget(*number);
            }
        }
        self.by_mailbox.get(&mailbox).map_or(0, BTreeSet::len)
    }

    pub(super) fn forget_expired(&mut self, now: Instant) {
        let mailboxes: Vec<u32> = self.by_mailbox.keys().copied().collect();
        for mailbox in mailboxes {
            self.living(mailbox, now);
        }
    }

    pub(super) fn subscriptions_of(&self, mailbox: u32) -> Vec<u64> {
        self.by_mailbox.get(&mailbox).into_iter().flatten().copied().collect()
    }

    pub(super) fn forget(&mut self, number: u64) -> Option<Subscription> {
        let gone = self.subscriptions.remove(&number)?;
        let mailbox = gone.filter.mailbox;
        if let Some(all) = self.by_mailbox.get_mut(&mailbox) {
            all.remove(&number);
            if all.is_empty() {
                self.by_mailbox.remove(&mailbox);
            }
        }
        Some(gone)
    }

    /// Forgets a subscription and reports the reason on its open stream.
    pub(super) fn drop_subscription(&mut self, number: u64, why: &EwsError) {
        let Some(gone) = self.forget(number) else { return };
        let id = self.id(number, gone.back_end);
        if let Some(stream) = gone.stream.and_then(|stream| self.streams.get_mut(&stream)) {
            stream.fail(number, why.clone(), id);
        }
    }

    /// Forgets the subscriptions of one mailbox, or all, as when a server goes down.
    pub(crate) fn drop_subscriptions(&mut self, mailbox: Option<u32>) {
        let all = match mailbox {
            Some(mailbox) => self.subscriptions_of(mailbox),
            None => self.subscriptions.keys().copied().collect(),
        };
        for number in all {
            self.drop_subscription(number, &not_found());
        }
    }

    /// The number of live subscriptions.
    pub(crate) fn subscriptions(&self, now: Instant) -> usize {
        self.subscriptions.values().filter(|found| found.stream.is_some() || found.expires > now).count()
    }
}

pub(super) fn not_found() -> EwsError {
    EwsError::new("ErrorSubscriptionNotFound", "The specified subscription was not found.")
}

pub(super) fn missed_events() -> EwsError {
    EwsError::new("ErrorMissedNotificationEvents", "Notification events were missed for this subscription.")
}

/// The watermark after a change of a mailbox.
pub(crate) fn watermark(mailbox: u32, change: u64) -> String {
    Watermark { mailbox, change }.encode()
}
