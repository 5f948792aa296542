//! Fault injection: rules that make matching requests fail, so that tests can reproduce any failure of a real server.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;

/// A fault.
#[derive(Clone)]
#[non_exhaustive]
pub enum InjectedFault {
    /// Throttled by IIS: 503, with `Retry-After` in seconds if given.
    BusyPage(Option<u64>),
    /// Throttled by a fault `ErrorServerBusy`, with this `BackOffMilliseconds`.
    BusyFault(u64),
    /// Throttled in a response message (HTTP 200), with this `BackOffMilliseconds`.
    BusyMessage(u64),
    /// `ErrorExceededConnectionCount`.
    TooManyConnections,
    /// The connection breaks before the operation.
    ResetBefore,
    /// The operation is applied, and the connection breaks before the response.
    ResetAfter,
    /// The request is delayed by this much.
    Slow(Duration),
    /// The operation is applied, and the response is truncated after so many bytes; for a stream they are the bytes of
    /// its body.
    Truncated(usize),
    /// The operation is applied, and the response is not XML.
    Garbage,
    /// The operation is applied, and a proxy in front of Exchange replaces the response with a page of this status.
    AppliedThenPage(u16),
    /// An HTTP page of this status; nothing is applied.
    Page(u16),
    /// Graph's error with this status and code; nothing is applied. EWS sends a page of this status.
    GraphError(u16, &'static str),
    /// A fault of this code; nothing is applied.
    Fault(&'static str),
    /// The item fails with this code; nothing is applied.
    ItemError(&'static str),
    /// The operation is applied, and the response is a page of this status.
    PageAfter(u16),
    /// The operation is applied, and the response is a fault of this code.
    FaultAfter(&'static str),
    /// The operation is applied, and the response fails the item with this code.
    ItemErrorAfter(&'static str),
    /// The operation is stored, no mail is sent, and the response fails the item with this code.
    MailRefused(&'static str),
    /// Another client changes the world just before the operation.
    ConcurrentChange(Arc<dyn Fn(&mut World) + Send + Sync>),
    /// A stream that opens and then sends nothing: no heartbeat, no event, no end. Its events are lost.
    Silent,
    /// A stream with heartbeats that loses every event.
    NoEvents,
    /// A stream that delays every event by this much. Heartbeats are on time.
    Delayed(Duration),
    /// A stream that loses every nth event.
    Dropped(usize),
    /// A stream that sends every event twice.
    Duplicated,
    /// A stream that sends the events of each notification in reverse order.
    Reordered,
    /// A stream that starts with `ErrorMissedNotificationEvents` for each subscription.
    MissedEvents,
    /// A stream whose subscriptions are gone (`ErrorSubscriptionNotFound`).
    SubscriptionsLost,
}

/// A fault, and the requests it applies to.
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
    /// Applies once, to the next request.
    pub fn new(fault: InjectedFault) -> Self {
        Self { fault, operation: None, mailbox: None, after: 0, times: 1, every: 1, matched: 0 }
    }

    /// Limits the rule to an operation, such as `UpdateItem`.
    #[must_use]
    pub fn on(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// Limits the rule to requests for this mailbox.
    #[must_use]
    pub fn for_mailbox(self, address: &str) -> Self {
        Self { mailbox: Some(address.to_lowercase()), ..self }
    }

    /// Skips the first `requests` matching requests.
    #[must_use]
    pub fn after(self, requests: usize) -> Self {
        Self { after: requests, ..self }
    }

    /// Applies so many times; `usize::MAX` for ever.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Applies to every nth matching request.
    #[must_use]
    pub fn every(self, nth: usize) -> Self {
        Self { every: nth.max(1), ..self }
    }

    /// Counts a matching request, and returns the fault if the rule applies.
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
