//! Counts failed sign-ins by client address, for admin events in the journal. Pure except for a lock: time is an argument.
//!
//! An attacker controls how many sign-ins fail and from how many addresses. Therefore each address gets one admin event with a
//! count per ten minutes, and all addresses beyond a limit share one. The journal grows by at most a few hundred events per
//! hour.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::client_prefix::client_prefix;
use crate::journal::{AdminActor, AdminEntry, AdminEvent};

/// The interval of admin events for one address.
const EVENT_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Addresses with a count of their own; all others share one count.
pub const ADDRESSES_MAX: usize = 32;

/// Failed sign-ins since the last admin events.
#[derive(Debug, Default)]
pub struct RefusedSignIns {
    by_address: Mutex<HashMap<Option<IpAddr>, RefusalCount>>,
    total: AtomicU64,
}

#[derive(Debug)]
struct RefusalCount {
    reason: &'static str,
    /// Since the last event.
    count: u64,
    reported_at: Option<DateTime<Utc>>,
}

impl RefusedSignIns {
    /// Counts a request from this address without a valid key or token.
    pub fn add(&self, address: Option<IpAddr>, reason: &'static str) {
        self.total.fetch_add(1, Ordering::Relaxed);
        let mut all = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let address = address.map(client_prefix);
        // The shared count (`None`) does not count towards the limit.
        let is_full = all.keys().flatten().count() >= ADDRESSES_MAX;
        let address = if is_full && !all.contains_key(&address) { None } else { address };
        let refused = all.entry(address).or_insert(RefusalCount { reason, count: 0, reported_at: None });
        refused.reason = reason;
        refused.count = refused.count.saturating_add(1);
    }

    /// The total since the start.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The admin events that are due. Drops addresses without failures in the last ten minutes.
    pub(super) fn due(&self, now: DateTime<Utc>) -> Vec<AdminEntry> {
        let mut all = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not delay events.
        let is_due = |refused: &RefusalCount| {
            refused.reported_at.is_none_or(|reported| now - reported >= EVENT_EVERY || now < reported)
        };
        all.retain(|_, refused| refused.count > 0 || !is_due(refused));
        let due = all.iter_mut().filter(|(_, refused)| refused.count > 0 && is_due(refused));
        due.map(|(address, refused)| {
            refused.reported_at = Some(now);
            let (address, reason) = (address.map(|address| address.to_string()), refused.reason.to_owned());
            let event =
                AdminEvent::SignInRefused { address, reason, count: std::mem::take(&mut refused.count) };
            AdminEntry { at: now, by: AdminActor::Service, event }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + second, 0).unwrap()
    }

    fn reported(entries: &[AdminEntry]) -> Vec<(Option<&str>, u64)> {
        let reported = entries.iter().map(|entry| match &entry.event {
            AdminEvent::SignInRefused { address, count, .. } => (address.as_deref(), *count),
            other => panic!("{other:?}"),
        });
        reported.collect()
    }

    #[test]
    fn an_address_gets_one_event_in_ten_minutes_with_the_count() {
        let refused = RefusedSignIns::default();
        let from = Some("192.0.2.7".parse().unwrap());
        refused.add(from, "unauthenticated");
        assert_eq!(reported(&refused.due(at(0))), [(Some("192.0.2.7"), 1)]);
        (0..5_000).for_each(|_| refused.add(from, "unauthenticated"));
        assert_eq!(refused.due(at(599)), []);
        assert_eq!(reported(&refused.due(at(600))), [(Some("192.0.2.7"), 5_000)]);
        assert_eq!((refused.due(at(1_200)), refused.by_address.lock().unwrap().len()), (Vec::new(), 0));
        assert_eq!(refused.total(), 5_001);
    }

    #[test]
    fn many_addresses_are_a_few_events() {
        let refused = RefusedSignIns::default();
        for number in 0..100_000_u32 {
            refused.add(Some(IpAddr::V4(number.into())), "unauthenticated");
        }
        for host in 0..1_000_u128 {
            refused.add(Some(IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | host))), "unauthenticated");
        }
        let events = refused.due(at(0));
        let reported = reported(&events);
        assert_eq!(
            (reported.len(), refused.by_address.lock().unwrap().len()),
            (ADDRESSES_MAX + 1, ADDRESSES_MAX + 1)
        );
        assert_eq!(reported.iter().map(|(_, count)| count).sum::<u64>(), 101_000, "none is lost");
        let others = reported.iter().find(|(address, _)| address.is_none()).unwrap();
        assert_eq!(others.1, 101_000 - ADDRESSES_MAX as u64);
    }

    #[test]
    fn the_hosts_of_one_ipv6_network_are_one_address() {
        assert_eq!(
            client_prefix("2001:db8:1:2:aaaa::1".parse().unwrap()),
            client_prefix("2001:db8:1:2::2".parse().unwrap())
        );
        assert_eq!(
            client_prefix("::ffff:192.0.2.7".parse().unwrap()),
            "192.0.2.7".parse::<IpAddr>().unwrap()
        );
    }
}
