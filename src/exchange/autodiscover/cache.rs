//! What was found, and what was not, for a while. Pure: time comes in as a value, and it never asks anybody.
//!
//! An EWS URL stays good until a mailbox moves, which the mailbox's server says when it is written to; so it is kept for a
//! day and forgotten at the first such word ([`DiscoveryCache::invalidate`]). A failure is kept for minutes only: long enough that a sweep
//! of a thousand rooms in a domain without Autodiscover does not ask a thousand times forty questions twice, short enough
//! that whoever mended it sees it mended.
//!
//! An entry is some two hundred bytes, so that a full cache is a few megabytes; looking is one hash.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::report::{Cause, DiscoveryReport, headline};
use super::url::EwsUrl;
use crate::calendar::RoomAddress;

/// Addresses kept; four times the rooms of the largest site known to us. Beyond it the oldest go.
pub const ENTRIES_MAX: usize = 20_000;
/// Domains kept; with more, all are forgotten, and found out again.
const DOMAINS_MAX: usize = 1_000;
/// Of a full cache this part goes at once, so that looking for the oldest is paid for once in so many entries.
const DROPPED_AT_ONCE: usize = ENTRIES_MAX / 10;
/// Mailboxes move seldom, and say so.
const FOUND_TTL: TimeDelta = TimeDelta::hours(24);
/// Chosen by feel: a sweep is over by then.
const FAILURE_TTL: TimeDelta = TimeDelta::minutes(5);

/// What is known of where mailboxes are.
#[derive(Debug, Clone)]
pub struct DiscoveryCache {
    entries: HashMap<RoomAddress, CachedRoom>,
    /// Domains in which a room was found, or whose hosts answered for none.
    domains: HashMap<String, CachedDomain>,
    good_for: TimeDelta,
    failure_good_for: TimeDelta,
}

/// What is known of one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CachedLocation {
    /// It is there.
    Url(EwsUrl),
    /// It was looked for a moment ago and not found.
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
    /// Why no room of it is found; `None` where one was.
    failure: Option<(Cause, String)>,
    cached_at: DateTime<Utc>,
}

impl Default for DiscoveryCache {
    fn default() -> Self {
        Self::new(FOUND_TTL, FAILURE_TTL)
    }
}

impl DiscoveryCache {
    /// Keeps URLs and failures for so long.
    pub fn new(good_for: TimeDelta, failure_good_for: TimeDelta) -> Self {
        Self { entries: HashMap::new(), domains: HashMap::new(), good_for, failure_good_for }
    }

    /// Remembers where a room's mailbox is.
    pub fn record_found(&mut self, room: &RoomAddress, url: EwsUrl, now: DateTime<Utc>) {
        self.keep(room, CachedLocation::Url(url), now);
        self.keep_domain(room.domain(), None, now);
    }

    /// Remembers that it was not found. A URL that is still good is not given up for it: that somebody asks again means
    /// [`Self::invalidate`] was called before.
    pub fn record_failed(&mut self, room: &RoomAddress, report: &DiscoveryReport, now: DateTime<Utc>) {
        if !matches!(self.get(room, now), Some(CachedLocation::Url(_))) {
            self.keep(
                room,
                CachedLocation::NotFound { cause: report.cause(), headline: report.headline() },
                now,
            );
        }
        if report.concerns_domain() {
            self.keep_domain(room.domain(), Some((report.cause(), report.advice())), now);
        }
    }

    /// Whether something is known of the room by now, if only that no host of its domain answers for any room: that is kept of
    /// this room too.
    pub fn fails_like_its_domain(&mut self, room: &RoomAddress, now: DateTime<Utc>) -> bool {
        if self.get(room, now).is_some() {
            return true;
        }
        let entry = self.domains.get(room.domain());
        let fresh = entry.filter(|entry| (now - entry.cached_at).abs() < self.failure_good_for);
        let Some((cause, advice)) = fresh.and_then(|entry| entry.failure.clone()) else { return false };
        self.keep(room, CachedLocation::NotFound { cause, headline: headline(room.as_str(), &advice) }, now);
        true
    }

    /// Whether a room of this domain was found.
    pub fn knows_domain(&self, domain: &str, now: DateTime<Utc>) -> bool {
        let entry = self.domains.get(domain).filter(|entry| (now - entry.cached_at).abs() < self.good_for);
        entry.is_some_and(|entry| entry.failure.is_none())
    }

    fn keep_domain(&mut self, domain: &str, failure: Option<(Cause, String)>, now: DateTime<Utc>) {
        if self.domains.len() >= DOMAINS_MAX && !self.domains.contains_key(domain) {
            self.domains.clear();
        }
        self.domains.insert(domain.to_owned(), CachedDomain { failure, cached_at: now });
    }

    /// Gives up what is known of a room: its mailbox is being moved (`ErrorMailboxMoveInProgress`), or its server said that it
    /// is not there any more.
    pub fn invalidate(&mut self, room: &RoomAddress) {
        self.entries.remove(room);
    }

    /// Gives up everything, as when the configuration has changed.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.domains.clear();
    }

    /// What is known of a room and still good.
    pub fn get(&self, room: &RoomAddress, now: DateTime<Utc>) -> Option<&CachedLocation> {
        self.entries.get(room).filter(|entry| self.is_fresh(entry, now)).map(|entry| &entry.location)
    }

    /// How many rooms something is kept of, good or not.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A clock that was set back must not keep an entry for ever, so the distance counts, not its sign.
    fn is_fresh(&self, entry: &CachedRoom, now: DateTime<Utc>) -> bool {
        let good_for = match entry.location {
            CachedLocation::Url(_) => self.good_for,
            CachedLocation::NotFound { .. } => self.failure_good_for,
        };
        (now - entry.cached_at).abs() < good_for
    }

    fn keep(&mut self, room: &RoomAddress, known: CachedLocation, now: DateTime<Utc>) {
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(room) {
            self.evict(now);
        }
        self.entries.insert(room.clone(), CachedRoom { location: known, cached_at: now });
    }

    /// What is no longer good goes first, then the oldest.
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
        assert!(!cache.fails_like_its_domain(&room(3), at(5)) && !cache.knows_domain("example.com", at(1)));
        cache.record_found(&room(4), url(), at(6));
        assert!(!cache.fails_like_its_domain(&room(5), at(6)) && cache.knows_domain("example.com", at(6)));
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
