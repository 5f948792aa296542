//! Caches results of Autodiscover, found and not found. Pure: time comes in as a value, and it sends nothing.
//!
//! An EWS URL is valid until the mailbox moves, which the mailbox's server reports to the next request; so it is kept
//! for a day and dropped at such a report ([`DiscoveryCache::invalidate`]). A failure is kept for minutes only: long
//! enough that a sweep of a thousand rooms in a domain without Autodiscover does not repeat forty requests a thousand
//! times, short enough that a remedy takes effect soon.
//!
//! An entry takes some two hundred bytes, so a full cache takes a few megabytes; a lookup is one hash.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::report::{Cause, DiscoveryReport, headline};
use super::url::EwsUrl;
use crate::calendar::RoomAddress;

/// Addresses that are kept: four times the rooms of the largest site known to us. With more, the oldest are dropped.
pub const ENTRIES_MAX: usize = 20_000;
/// Domains that are kept; with more, all are dropped and found again.
const DOMAINS_MAX: usize = 1_000;
/// Entries that a full cache drops at once, so that it searches for the oldest once in so many insertions.
const DROPPED_AT_ONCE: usize = ENTRIES_MAX / 10;
/// Mailboxes move seldom, and their servers report it.
const FOUND_TTL: TimeDelta = TimeDelta::hours(24);
/// Chosen by feel: a sweep is over by then.
const FAILURE_TTL: TimeDelta = TimeDelta::minutes(5);

/// Locations of mailboxes, and failures to find them.
#[derive(Debug, Clone)]
pub struct DiscoveryCache {
    entries: HashMap<RoomAddress, CachedRoom>,
    /// Domains in which a room was found, or in which no host responds.
    domains: HashMap<String, CachedDomain>,
    good_for: TimeDelta,
    failure_good_for: TimeDelta,
}

/// The cached result for one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachedLocation {
    /// Its EWS URL.
    Url(EwsUrl),
    /// A recent search did not find it.
    NotFound {
        /// Why.
        cause: Cause,
        /// The first line of the report.
        headline: String,
    },
}

#[derive(Debug, Clone)]
struct CachedRoom {
    location: CachedLocation,
    cached_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
struct CachedDomain {
    /// Where one of its rooms was found, or why none is.
    result: Result<EwsUrl, (Cause, String)>,
    cached_at: DateTime<Utc>,
}

impl Default for DiscoveryCache {
    fn default() -> Self {
        Self::new(FOUND_TTL, FAILURE_TTL)
    }
}

impl DiscoveryCache {
    /// Keeps URLs and failures for these times.
    pub fn new(good_for: TimeDelta, failure_good_for: TimeDelta) -> Self {
        Self { entries: HashMap::new(), domains: HashMap::new(), good_for, failure_good_for }
    }

    /// Caches the URL of a room's server.
    pub fn record_found(&mut self, room: &RoomAddress, url: EwsUrl, now: DateTime<Utc>) {
        self.keep_domain(room.domain(), Ok(url.clone()), now);
        self.keep(room, CachedLocation::Url(url), now);
    }

    /// Caches that a room was not found. A URL that is still valid stays: a search before its expiry means that
    /// [`Self::invalidate`] was called.
    pub fn record_failed(&mut self, room: &RoomAddress, report: &DiscoveryReport, now: DateTime<Utc>) {
        if !matches!(self.get(room, now), Some(CachedLocation::Url(_))) {
            self.keep(
                room,
                CachedLocation::NotFound { cause: report.cause(), headline: report.headline() },
                now,
            );
        }
        if report.concerns_domain() {
            self.keep_domain(room.domain(), Err((report.cause(), report.advice())), now);
        }
    }

    /// Whether a result for the room is cached; if no host of its domain responds for any room, that becomes its
    /// result.
    pub fn fails_like_its_domain(&mut self, room: &RoomAddress, now: DateTime<Utc>) -> bool {
        if self.get(room, now).is_some() {
            return true;
        }
        let entry = self.domains.get(room.domain());
        let fresh = entry.filter(|entry| (now - entry.cached_at).abs() < self.failure_good_for);
        let Some((cause, advice)) = fresh.and_then(|entry| entry.result.clone().err()) else { return false };
        self.keep(room, CachedLocation::NotFound { cause, headline: headline(room.as_str(), &advice) }, now);
        true
    }

    /// The EWS URL of a room of this domain that was found.
    pub fn server_in_domain(&self, domain: &str, now: DateTime<Utc>) -> Option<&EwsUrl> {
        let entry = self.domains.get(domain).filter(|entry| (now - entry.cached_at).abs() < self.good_for);
        entry.and_then(|entry| entry.result.as_ref().ok())
    }

    fn keep_domain(&mut self, domain: &str, result: Result<EwsUrl, (Cause, String)>, now: DateTime<Utc>) {
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(domain) {
            self.domains.clear();
        }
        self.domains.insert(domain.to_owned(), CachedDomain { result, cached_at: now });
    }

    /// Drops the result for a room: its mailbox is being moved (`ErrorMailboxMoveInProgress`), or its server reported
    /// that it has moved.
    pub fn invalidate(&mut self, room: &RoomAddress) {
        self.entries.remove(room);
    }

    /// Drops everything, for a changed configuration.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.domains.clear();
    }

    /// The valid result for a room.
    pub fn get(&self, room: &RoomAddress, now: DateTime<Utc>) -> Option<&CachedLocation> {
        self.entries.get(room).filter(|entry| self.is_fresh(entry, now)).map(|entry| &entry.location)
    }

    /// Rooms with a cached result, valid or expired.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A clock that was set back must not keep an entry for ever, so the absolute difference counts.
    fn is_fresh(&self, entry: &CachedRoom, now: DateTime<Utc>) -> bool {
        let good_for = match entry.location {
            CachedLocation::Url(_) => self.good_for,
            CachedLocation::NotFound { .. } => self.failure_good_for,
        };
        (now - entry.cached_at).abs() < good_for
    }

    fn keep(&mut self, room: &RoomAddress, location: CachedLocation, now: DateTime<Utc>) {
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(room) {
            self.evict(now);
        }
        self.entries.insert(room.clone(), CachedRoom { location, cached_at: now });
    }

    /// Expired entries are dropped first, then the oldest.
    fn evict(&mut self, now: DateTime<Utc>) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|_, entry| self.is_fresh(entry, now));
        self.entries = entries;
        if self.entries.len() <= ENTRIES_MAX - DROPPED_AT_ONCE {
            return;
        }
        let mut ages: Vec<_> =
            self.entries.iter().map(|(room, entry)| (entry.cached_at, room.clone())).collect();
        ages.sort();
        for (_, room) in ages.into_iter().take(DROPPED_AT_ONCE) {
            self.entries.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::url::HttpsUrl;
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn room(number: usize) -> RoomAddress {
        format!("room{number}@example.com").parse().unwrap()
    }

    fn url() -> EwsUrl {
        EwsUrl::on_trusted_host(&HttpsUrl::parse("https://mail.example.com/EWS/Exchange.asmx").unwrap())
    }

    fn report() -> DiscoveryReport {
        DiscoveryReport::new("room1@example.com".to_owned(), Cause::Network, Vec::new(), Vec::new())
    }

    #[test]
    fn what_no_host_of_a_domain_answers_is_known_of_its_other_rooms_and_of_no_others() {
        let other = "room1@example.org".parse().unwrap();
        let mut cache = DiscoveryCache::default();
        cache.record_failed(&room(1), &report(), at(0));
        assert!(!cache.fails_like_its_domain(&room(2), at(0)), "it may be this room alone");
        cache.record_failed(&room(1), &report().within_domain(true), at(0));
        assert!(cache.fails_like_its_domain(&room(2), at(4)) && !cache.fails_like_its_domain(&other, at(4)));
        let Some(CachedLocation::NotFound { headline, .. }) = cache.get(&room(2), at(4)) else { panic!() };
        assert!(headline.contains("room2@example.com"), "{headline}");
        assert!(
            !cache.fails_like_its_domain(&room(3), at(5))
                && cache.server_in_domain("example.com", at(1)).is_none()
        );
        cache.record_found(&room(4), url(), at(6));
        assert!(
            !cache.fails_like_its_domain(&room(5), at(6))
                && cache.server_in_domain("example.com", at(6)).is_some()
        );
    }

    #[test]
    fn a_url_is_good_for_a_day_and_a_failure_for_minutes() {
        let mut cache = DiscoveryCache::default();
        cache.record_found(&room(1), url(), at(0));
        cache.record_failed(&room(2), &report(), at(0));
        assert_eq!(cache.get(&room(1), at(24 * 60 - 1)), Some(&CachedLocation::Url(url())));
        assert_eq!(cache.get(&room(1), at(24 * 60)), None);
        assert!(matches!(
            cache.get(&room(2), at(4)),
            Some(CachedLocation::NotFound { cause: Cause::Network, .. })
        ));
        assert_eq!(cache.get(&room(2), at(5)), None);
        assert_eq!(cache.get(&room(3), at(0)), None);
    }

    #[test]
    fn a_moved_mailbox_is_forgotten_and_may_fail_then() {
        let mut cache = DiscoveryCache::default();
        cache.record_found(&room(1), url(), at(0));
        cache.record_failed(&room(1), &report(), at(1));
        assert_eq!(
            cache.get(&room(1), at(1)),
            Some(&CachedLocation::Url(url())),
            "a failure takes no good URL away"
        );
        cache.invalidate(&room(1));
        assert_eq!(cache.get(&room(1), at(1)), None);
        cache.record_failed(&room(1), &report(), at(1));
        assert!(matches!(cache.get(&room(1), at(1)), Some(CachedLocation::NotFound { .. })));
        cache.record_found(&room(1), url(), at(2));
        assert_eq!(cache.get(&room(1), at(2)), Some(&CachedLocation::Url(url())));
        cache.clear();
        assert!(cache.is_empty());
    }

    #[test]
    fn a_clock_set_back_keeps_nothing_for_ever() {
        let mut cache = DiscoveryCache::default();
        cache.record_found(&room(1), url(), at(10_000));
        assert!(cache.get(&room(1), at(9_999)).is_some());
        assert!(cache.get(&room(1), at(0)).is_none());
    }

    #[test]
    fn a_full_cache_drops_what_is_stale_and_then_what_is_oldest() {
        let mut cache = DiscoveryCache::default();
        for number in 0..ENTRIES_MAX {
            cache.record_found(&room(number), url(), at(if number < 10 { 0 } else { 1 }));
        }
        cache.record_found(&room(5), url(), at(2)); // not the oldest any more, and no new entry
        assert_eq!(cache.len(), ENTRIES_MAX);
        cache.record_found(&room(ENTRIES_MAX), url(), at(2));
        assert_eq!(cache.len(), ENTRIES_MAX - DROPPED_AT_ONCE + 1);
        assert!(cache.get(&room(0), at(2)).is_none() && cache.get(&room(5), at(2)).is_some());
        let all_stale = at(3 * 24 * 60);
        for number in 0..DROPPED_AT_ONCE {
            cache.record_found(&room(100_000 + number), url(), all_stale);
        }
        assert_eq!(cache.len(), DROPPED_AT_ONCE, "of the stale ones none is left");
    }
}
