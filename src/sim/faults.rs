//! Scripted trouble: what goes wrong with which request, so that every bad day of a real server can be had on a free port.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;

/// What goes wrong.
#[derive(Clone)]
#[non_exhaustive]
pub enum InjectedFault {
    /// Throttled by the web server: 503, with `Retry-After` in seconds if given.
    BusyPage(Option<u64>),
    /// Throttled by a fault `ErrorServerBusy`, with this `BackOffMilliseconds`.
    BusyFault(u64),
    /// Throttled inside a normal answer (HTTP 200), with this `BackOffMilliseconds`.
    BusyMessage(u64),
    /// `ErrorExceededConnectionCount`.
    TooManyConnections,
    /// The connection breaks before anything is done.
    ResetBefore,
    /// Everything is done, and the connection breaks before the answer.
    ResetAfter,
    /// Everything happens this much later.
    Slow(Duration),
    /// Everything is done, and the answer ends after this many bytes; so does a stream, for which they are those of its body.
    Truncated(usize),
    /// Everything is done, and the answer is no XML.
    Garbage,
    /// Everything is done, and something in front of Exchange answers with a page of this status.
    AppliedThenPage(u16),
    /// A page of this status instead of an answer; nothing is done.
    Page(u16),
    /// A fault of this code; nothing is done.
    Fault(&'static str),
    /// The item is refused with this code; nothing is done.
    ItemError(&'static str),
    /// Everything is done, and a page of this status is answered.
    PageAfter(u16),
    /// Everything is done, and a fault of this code is answered.
    FaultAfter(&'static str),
    /// Everything is done, and the answer refuses the item with this code.
    ItemErrorAfter(&'static str),
    /// Everything is stored, no mail leaves, and the answer refuses the item with this code.
    MailRefused(&'static str),
    /// Somebody else gets in first.
    ConcurrentChange(Arc<dyn Fn(&mut World) + Send + Sync>),
    /// A stream that says that it is there, and then nothing: no heartbeat, no event, no end. What happens is lost on it.
    Silent,
    /// A stream that has heartbeats, and loses every event.
    NoEvents,
    /// A stream that tells everything this much later. Its heartbeats come in time.
    Delayed(Duration),
    /// A stream that loses one in so many events.
    Dropped(usize),
    /// A stream that tells every event twice.
    Duplicated,
    /// A stream that tells the events of each notification in the wrong order.
    Reordered,
    /// A stream that begins by saying that it has missed events, for each of its subscriptions (`ErrorMissedNotificationEvents`).
    MissedEvents,
    /// The subscriptions that a stream is asked for are gone (`ErrorSubscriptionNotFound`).
    SubscriptionsLost,
}

/// One thing that goes wrong, and when.
#[derive(Clone)]
pub struct FaultRule {
    fault: InjectedFault,
    operation: Option<String>,
    mailbox: Option<String>,
    after: usize,
    times: usize,
    every: usize,
    matched: usize,
}

impl FaultRule {
    /// Goes wrong once, with the next request.
    pub fn new(wrong: InjectedFault) -> Self {
        Self { fault: wrong, operation: None, mailbox: None, after: 0, times: 1, every: 1, matched: 0 }
    }

    /// Only with requests of this operation, such as `UpdateItem`.
    #[must_use]
    pub fn on(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// Only with requests in this mailbox's name.
    #[must_use]
    pub fn for_mailbox(self, address: &str) -> Self {
        Self { mailbox: Some(address.to_lowercase()), ..self }
    }

    /// Not with the first `requests` that it would apply to.
    #[must_use]
    pub fn after(self, requests: usize) -> Self {
        Self { after: requests, ..self }
    }

    /// This often; `usize::MAX` for ever.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// With one in so many of the requests that it applies to.
    #[must_use]
    pub fn every(self, nth: usize) -> Self {
        Self { every: nth.max(1), ..self }
    }

    /// What goes wrong with this request, if anything does. Counts it.
    pub(crate) fn trigger(&mut self, operation: &str, mailbox: Option<&str>) -> Option<InjectedFault> {
        let applies = self.operation.as_deref().is_none_or(|only| only == operation)
            && self.mailbox.as_deref().is_none_or(|only| mailbox == Some(only));
        if !applies || self.times == 0 {
            return None;
        }
        self.matched += 1;
        if self.matched <= self.after || !(self.matched - self.after).is_multiple_of(self.every) {
            return None;
        }
        self.times = self.times.saturating_sub(usize::from(self.times != usize::MAX));
        Some(self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_where_and_as_often_as_it_says() {
        let mut rule = FaultRule::new(InjectedFault::Garbage)
            .on("FindItem")
            .for_mailbox("R@x.y")
            .after(1)
            .every(2)
            .times(2);
        let mut strikes = |operation, mailbox| rule.trigger(operation, Some(mailbox)).is_some();
        assert!(!strikes("GetItem", "r@x.y") && !strikes("FindItem", "o@x.y"));
        let struck: Vec<bool> = (0..8).map(|_| strikes("FindItem", "r@x.y")).collect();
        assert_eq!(struck, [false, false, true, false, true, false, false, false]);
    }
}
