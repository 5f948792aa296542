//! All signs, by room, within their limits. A sign with the same content is merged into the one before. A sign that exceeds a
//! limit is refused, and the log records for which time the room's evidence is incomplete: no meeting is released then. Pure.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::evidence_limits::{EvidenceAmount, EvidenceLimit, EvidenceLimits, EvidenceUsage};
use super::sign::{KEPT, NAMED_EARLY};
use super::{CheckInTiming, Interval, Sign};
use crate::calendar::{Event, RoomAddress, Uid};

/// Number of a room's signs that a new one is compared with, from the newest back. Limits the work for one sign.
const COMPARED_MAX: usize = 1_024;

/// All signs, by room.
#[derive(Debug, Clone, Default)]
pub struct SignLog {
    by_room: HashMap<RoomAddress, Vec<Sign>>,
    limits: EvidenceLimits,
    usage: EvidenceUsage,
    last_number: u64,
    /// The time in which evidence of a room was refused.
    refused: HashMap<RoomAddress, Interval>,
    counts: SignCounts,
}

/// Counts of the signs that arrived, by result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignCounts {
    /// Signs that were merged into an earlier one.
    pub merged: u64,
    /// Signs that were refused, by the limit that they exceeded.
    pub refused: BTreeMap<EvidenceLimit, u64>,
}

/// The result for a sign that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is kept, or merged into another one, under this number.
    Kept(u64),
    /// It is not kept.
    Refused(EvidenceLimit),
}

impl SignLog {
    /// An empty log with these limits.
    pub fn with_limits(bounds: EvidenceLimits) -> Self {
        Self { limits: bounds, ..Self::default() }
    }

    /// Adds one sign, unless a limit is reached.
    pub fn push(&mut self, sign: Sign) -> Admission {
        let signs = self.by_room.get_mut(&sign.room);
        let mut same_event = 0;
        for old in signs.into_iter().flatten().rev().take(COMPARED_MAX) {
            if old.merge(&sign) {
                self.counts.merged += 1;
                return Admission::Kept(old.number);
            }
            let is_same = sign.event.is_some() && old.event == sign.event && old.reporter == sign.reporter;
            same_event += usize::from(is_same);
        }
        let for_event = (same_event >= self.limits.event).then_some(EvidenceLimit::Event);
        match for_event.or_else(|| self.usage.exceeded(&sign, &self.limits)) {
            Some(bound) => {
                *self.counts.refused.entry(bound).or_default() += 1;
                self.note_refused(&sign);
                Admission::Refused(bound)
            }
            None => {
                self.last_number += 1;
                Admission::Kept(self.keep(Sign { number: self.last_number, ..sign }))
            }
        }
    }

    /// Restores a stored sign, the newest first; `false` when a limit is reached. [`Self::finish_restore`] must follow.
    pub fn restore(&mut self, sign: Sign) -> bool {
        self.last_number = self.last_number.max(sign.number);
        if let Some(bound) = self.usage.exceeded(&sign, &self.limits) {
            *self.counts.refused.entry(bound).or_default() += 1;
            self.note_refused(&sign);
            return false;
        }
        self.keep(sign);
        true
    }

    /// Sorts the restored signs into the order of their arrival.
    pub fn finish_restore(&mut self) {
        self.by_room.values_mut().for_each(|signs| signs.sort_by_key(|sign| sign.number));
    }

    /// Gives the next signs numbers above this one. Logs of several processes that share a store use different numbers.
    pub fn continue_after(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }

    fn keep(&mut self, sign: Sign) -> u64 {
        self.usage.add(&sign);
        let number = sign.number;
        self.by_room.entry(sign.room.clone()).or_default().push(sign);
        number
    }

    /// The sign with this number in a room.
    pub fn get(&self, room: &RoomAddress, number: u64) -> Option<&Sign> {
        self.of_room(room).iter().rev().find(|sign| sign.number == number)
    }

    fn note_refused(&mut self, sign: &Sign) {
        let received = sign.received_at;
        let ahead = if sign.reference().is_some() { NAMED_EARLY } else { TimeDelta::zero() };
        let at = if sign.has_usable_clock() { sign.at } else { received };
        let span = Interval { from: at.min(received), to: at.max(received + ahead) + TimeDelta::seconds(1) };
        self.restore_refused(sign.room.clone(), span);
    }

    /// Records that evidence of this room was refused in this time. Replaces a span that ended more than a day before.
    pub fn restore_refused(&mut self, room: RoomAddress, span: Interval) {
        let joined = match self.refused.get(&room) {
            Some(old) if old.to + KEPT >= span.from => {
                Interval { from: old.from.min(span.from), to: old.to.max(span.to) }
            }
            _ => span,
        };
        self.refused.insert(room, joined);
    }

    /// The time in which evidence was refused, by room.
    pub fn refused(&self) -> &HashMap<RoomAddress, Interval> {
        &self.refused
    }

    /// The end of the time in which evidence was refused, if some of it may be about this event.
    pub fn refused_about(
        &self,
        room: &RoomAddress,
        event: &Event,
        terms: &CheckInTiming,
    ) -> Option<DateTime<Utc>> {
        let Interval { from, to } = self.refused.get(room)?;
        (event.start - terms.early < *to && *from < event.end).then_some(*to)
    }

    /// Drops the signs whose retention is over.
    pub fn forget_before(&mut self, now: DateTime<Utc>) {
        let shares = &mut self.usage;
        for signs in self.by_room.values_mut() {
            signs.retain(|sign| {
                let is_kept = sign.keep_until >= now;
                if !is_kept {
                    shares.remove(sign);
                }
                is_kept
            });
        }
        self.by_room.retain(|_, signs| !signs.is_empty());
        self.refused.retain(|_, span| span.to + KEPT >= now);
    }

    /// The stored evidence in all.
    pub fn usage(&self) -> EvidenceAmount {
        self.usage.all()
    }

    /// The stored evidence of one room.
    pub fn usage_of_room(&self, room: &RoomAddress) -> EvidenceAmount {
        self.usage.of_room(room)
    }

    /// The counts of the signs that arrived.
    pub fn counts(&self) -> &SignCounts {
        &self.counts
    }

    /// The signs of a room, in the order of their arrival.
    pub fn of_room(&self, room: &RoomAddress) -> &[Sign] {
        self.by_room.get(room).map_or(&[], Vec::as_slice)
    }

    /// Every sign.
    pub fn all(&self) -> impl Iterator<Item = &Sign> {
        self.by_room.values().flatten()
    }

    /// The first sign that matches the event, with the time at which it does.
    pub fn matching(&self, room: &RoomAddress, event: &Event, terms: &CheckInTiming) -> Option<Sign> {
        let matching = self.of_room(room).iter();
        let matching = matching.filter_map(|sign| Some((sign, sign.matched_at(event, terms)?)));
        let (sign, at) = matching.min_by_key(|(_, at)| *at)?;
        Some(Sign { at, ..sign.clone() })
    }

    /// A sign that may be about the event, but matches no event.
    pub fn unmatched(
        &self,
        room: &RoomAddress,
        event: &Event,
        events: &[Event],
        terms: &CheckInTiming,
    ) -> Option<&Sign> {
        self.of_room(room).iter().find(|sign| sign.may_be_about(event, events, terms))
    }

    /// Whether any of these rooms had a sign in this time, both ends included.
    pub fn has_any(
        &self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        of: impl Fn(&RoomAddress) -> bool,
    ) -> bool {
        let is_then = |time: DateTime<Utc>| from <= time && time <= to;
        let speaks = |sign: &Sign| {
            is_then(sign.received_at) || is_then(sign.at) || sign.first_in(&(from..to)).is_some()
        };
        self.by_room.iter().any(|(room, signs)| of(room) && signs.iter().any(speaks))
    }

    /// Gives the room's signs the identity of the events that they name, and returns those whose retention was prolonged. `known`
    /// finds an event by an earlier id.
    pub fn identify(
        &mut self,
        room: &RoomAddress,
        events: &[Event],
        known: impl Fn(&str) -> Option<(Uid, DateTime<Utc>)>,
        terms: &CheckInTiming,
    ) -> Vec<Sign> {
        let mut changed = Vec::new();
        for sign in self.by_room.get_mut(room).into_iter().flatten() {
            let (kept, was_known, bytes) = (sign.keep_until, sign.identity.is_some(), sign.bytes());
            sign.identify(events, &known, terms);
            self.usage.grow(sign, sign.bytes().saturating_sub(bytes));
            if sign.keep_until != kept || sign.identity.is_some() != was_known {
                changed.push(sign.clone());
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::presence::{
        Coverage, EVIDENCE_BYTES_MAX, Presence, PresenceInput, REPORTER_BYTES_MAX,
        REPORTER_BYTES_PER_ROOM_MAX, ROOM_BYTES_MAX, UnknownReason, decide,
    };

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
    }

    fn room(number: usize) -> RoomAddress {
        format!("room{number}@x.example").parse().unwrap()
    }

    fn event(start: i64, end: i64) -> Event {
        Event { created: Some(at(-10_000)), ..Event::sample("id", at(start), at(end)) }
    }

    fn terms(early: i64) -> CheckInTiming {
        let minutes = TimeDelta::minutes;
        CheckInTiming { grace: minutes(10), early: minutes(early), presence_after: minutes(0) }
    }

    fn judged(log: &SignLog, room: &RoomAddress, event: &Event, now: i64) -> Presence {
        let coverage = Coverage::always();
        let case = PresenceInput {
            room,
            event,
            events: std::slice::from_ref(event),
            signs: log,
            coverage: &coverage,
            seen_since: None,
            rule_since: None,
            now: at(now),
            recorded_until: None,
        };
        decide(&case, &terms(5))
    }

    proptest! {
        /// Merged signs say of every event what the signs one by one say.
        #[test]
        fn merging_changes_no_decision(
            minutes in prop::collection::vec(0i64..300, 0..80),
            start in 0i64..300,
            length in 1i64..90,
            early in 0i64..20,
        ) {
            let mut log = SignLog::default();
            let signs: Vec<_> = minutes.iter().map(|minute| Sign::new(room(1), at(*minute), "motion")).collect();
            signs.iter().for_each(|sign| { log.push(sign.clone()); });
            let (event, terms) = (event(start, start + length), terms(early));
            let first = signs.iter().filter(|sign| sign.matches(&event, &terms)).map(|sign| sign.at).min();
            prop_assert_eq!(log.matching(&room(1), &event, &terms).map(|sign| sign.at), first);
            prop_assert!(log.of_room(&room(1)).len() <= 2 * minutes.len().min(40));
        }
    }

    #[test]
    fn an_hour_of_motion_is_one_sign_and_the_next_hour_another() {
        let mut log = SignLog::default();
        for second in 0..7_200 {
            let sign = Sign::new(room(1), at(0) + TimeDelta::seconds(second), "motion");
            assert!(matches!(log.push(sign), Admission::Kept(_)));
        }
        assert_eq!((log.usage().signs, log.counts().merged), (2, 7_198));
        log.push(Sign::new(room(1), at(0), "badge"));
        log.push(Sign::new(room(1), at(0), "motion").reported_by("another key"));
        assert_eq!(log.usage().signs, 4, "another source, and another key, say something new");
    }

    #[test]
    fn signs_with_wrong_clocks_or_late_ones_are_merged_only_within_their_minute() {
        let mut log = SignLog::default();
        let sign = |received: i64| Sign::new(room(1), at(-100_000), "motion").received(at(received));
        [0, 0, 1, 1, 2].into_iter().for_each(|received| {
            log.push(sign(received));
        });
        assert_eq!(log.usage().signs, 3);
    }

    /// What a key sends that wants to fill everything: another event in every sign, as long as it may be.
    fn flood(log: &mut SignLog, reporter: &str, room: &RoomAddress, signs: usize) -> Option<EvidenceLimit> {
        let mut refused = None;
        for number in 0..signs {
            let event = Some(format!("{number:02000}"));
            let sign = Sign { event, ..Sign::new(room.clone(), at(0), "motion") }.reported_by(reporter);
            if let Admission::Refused(bound) = log.push(sign) {
                refused = refused.or(Some(bound));
            }
        }
        refused
    }

    #[test]
    fn one_key_fills_its_share_of_a_room_and_no_other_keys() {
        let mut log = SignLog::default();
        assert_eq!(flood(&mut log, "bad", &room(1), 5_000), Some(EvidenceLimit::ReporterInRoom));
        let full = log.usage();
        assert!(full.bytes <= REPORTER_BYTES_PER_ROOM_MAX, "{full:?}");
        flood(&mut log, "bad", &room(1), 5_000);
        assert_eq!(log.usage(), full);
        let good = Sign::new(room(1), at(31), "badge").reported_by("good");
        assert!(matches!(log.push(good), Admission::Kept(_)));
        assert!(matches!(judged(&log, &room(1), &event(30, 60), 45), Presence::Present(_)));
        for number in 0..20 {
            flood(&mut log, &format!("bad {number}"), &room(1), 200);
        }
        assert!(log.usage_of_room(&room(1)).bytes <= ROOM_BYTES_MAX);
    }

    #[test]
    fn a_meeting_whose_evidence_was_refused_is_unknown_and_others_are_judged() {
        let mut log = SignLog::default();
        flood(&mut log, "bad", &room(1), 200);
        let flooded = judged(&log, &room(1), &event(0, 60), 30);
        assert!(matches!(flooded, Presence::Unknown(_)), "{flooded:?}");
        let mut log =
            SignLog::with_limits(EvidenceLimits { bytes: 0, reserved: 0, ..EvidenceLimits::default() });
        assert!(matches!(
            log.push(Sign::new(room(1), at(2), "motion")),
            Admission::Refused(EvidenceLimit::All)
        ));
        let doubted = judged(&log, &room(1), &event(0, 60), 30);
        assert!(matches!(doubted, Presence::Unknown(UnknownReason::EvidenceRefused { .. })), "{doubted:?}");
        assert!(matches!(judged(&log, &room(1), &event(120, 180), 150), Presence::Absent(_)), "a later one");
        assert!(matches!(judged(&log, &room(2), &event(0, 60), 30), Presence::Absent(_)), "another room");
        let sign = Sign { event: Some("x".to_owned()), ..Sign::new(room(1), at(2), "app") };
        log.push(sign);
        let ahead = judged(&log, &room(1), &event(120, 180), 150);
        assert!(matches!(ahead, Presence::Unknown(_)), "people check in hours ahead: {ahead:?}");
    }

    #[test]
    fn keys_with_all_rooms_cannot_fill_the_part_of_those_with_little() {
        let mut log = SignLog::default();
        for bad in ["one", "two", "three"] {
            let mut refused = None;
            for number in 0..400 {
                refused = refused.or(flood(&mut log, bad, &room(number), 120));
            }
            assert!(refused.is_some());
            assert!(log.usage.by_reporter_bytes(bad) <= REPORTER_BYTES_MAX);
        }
        assert!(log.usage().bytes <= EVIDENCE_BYTES_MAX, "{:?}", log.usage());
        let good = Sign::new(room(1), at(31), "badge").reported_by("good");
        assert!(matches!(log.push(good), Admission::Kept(_)), "{:?}", log.usage());
    }

    #[test]
    fn what_is_forgotten_makes_room_and_leaves_nothing_counted() {
        let mut log = SignLog::default();
        let numbered = |minute: i64| Sign::new(room(1), at(minute * 61), "motion").reported_by("key");
        (0..50).for_each(|minute| {
            log.push(numbered(minute));
        });
        log.forget_before(at(100 * 24 * 60));
        assert_eq!(
            (log.usage(), log.usage_of_room(&room(1))),
            (EvidenceAmount::default(), EvidenceAmount::default())
        );
        assert_eq!(log.usage.by_reporter_bytes("key"), 0);
    }
}
