//! Tracks when each source of signs was alive, and so when each room was watched. Pure; its owner stores the changes that
//! [`SourceTracker::take_changed`] returns.
//!
//! ```text
//! coverage of a room = intake ∩ (the room's displays ∪ the feeds of its group)
//! ```
//!
//! A *display* watches the rooms whose state it requests; a *feed* (a sensor system, a badge system, a check-in service) watches
//! the group of rooms for which it sends signs or heartbeats. A room with a display and without signs from a feed is watched by
//! its display only: when that display fails, people at this door cannot check in, whatever other rooms report.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Coverage, Interval};
use crate::calendar::RoomAddress;

/// How long a source may be silent and still counts as alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceLimits {
    /// Between two requests of a display.
    pub display: TimeDelta,
    /// Between two signs or heartbeats of a feed …
    pub feed: TimeDelta,
    /// … and of feeds with their own limit, by name.
    pub feeds: BTreeMap<String, TimeDelta>,
}

impl Default for SilenceLimits {
    /// A display sends a request every few seconds; a motion sensor reports within the hour; a badge reader may be silent for a
    /// night.
    fn default() -> Self {
        Self {
            display: TimeDelta::minutes(5),
            feed: TimeDelta::hours(1),
            feeds: BTreeMap::from([("badge".to_owned(), TimeDelta::days(1))]),
        }
    }
}

impl SilenceLimits {
    fn of_feed(&self, name: &str) -> TimeDelta {
        self.feeds.get(name).copied().unwrap_or(self.feed)
    }
}

/// The rooms that a source watches, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceScope {
    /// A display of this room.
    Display(RoomAddress),
    /// A feed that sent a sign for this room.
    Feed(RoomAddress),
    /// A feed of this group of rooms; `None`: of the rooms that belong to no group.
    Group(Option<String>),
}

/// A period of contact with a source, without a silence beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// The first contact after the last silence.
    pub since: DateTime<Utc>,
    /// The last contact.
    pub last: DateTime<Utc>,
}

/// One source, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceContact {
    /// The rooms that it watches.
    pub link: SourceScope,
    /// Its name.
    pub source: String,
    /// The API key that reported it first, by id.
    pub reporter: String,
    /// The last period of contact.
    pub contact: Contact,
}

#[derive(Debug, Clone)]
struct SourceState {
    /// The API key that reported it first, by id.
    reporter: String,
    contact: Contact,
    /// The last intervals that ended.
    before: Coverage,
    /// Open connections: the source is alive while there is one.
    connections: u32,
}

type SourceMap = HashMap<String, SourceState>;

#[derive(Debug, Clone, Default)]
struct RoomSources {
    displays: SourceMap,
    /// Each feed with the API key that reported it first.
    feeds: HashMap<String, String>,
}

/// All sources.
#[derive(Debug, Clone, Default)]
pub struct SourceTracker {
    intake: Coverage,
    /// The service has received signs since then.
    running_since: Option<DateTime<Utc>>,
    accepted: Coverage,
    silence: SilenceLimits,
    rooms: HashMap<RoomAddress, RoomSources>,
    groups: HashMap<Option<String>, SourceMap>,
    /// Each with the API key that reported it first.
    changed: HashMap<(SourceScope, String), (String, Contact)>,
    /// Sources that were refused because of a limit.
    refused: u64,
}

/// Retention of ended intervals.
const KEPT: TimeDelta = TimeDelta::days(2);
/// A display without contact for this long no longer counts as the room's.
const DISPLAY_GONE: TimeDelta = TimeDelta::days(14);
/// Limit on the sources of one room or group: displays, sensors, badge readers, API calls, and some to spare.
pub const SOURCES_PER_SCOPE_MAX: usize = 64;
/// Limit on the sources of one reporter among these: a reporter chooses the names of its sources, and must not fill the list.
pub const SOURCES_PER_REPORTER_MAX: usize = 16;

impl SourceState {
    fn at(now: DateTime<Utc>, reporter: &str) -> Self {
        let contact = Contact { since: now, last: now };
        Self { reporter: reporter.to_owned(), contact, before: Coverage::default(), connections: 0 }
    }

    fn record_contact(&mut self, at: DateTime<Utc>, silence: TimeDelta) {
        let Contact { since, last } = self.contact;
        if self.connections > 0 || at - last <= silence {
            self.contact.last = last.max(at);
        } else {
            let ended = Interval::new(since, last + silence);
            ended.into_iter().for_each(|interval| self.before.add(interval));
            self.contact = Contact { since: at, last: at };
        }
        self.before.forget_before(at - KEPT);
    }

    fn coverage(&self, silence: TimeDelta, now: DateTime<Utc>) -> Coverage {
        let Contact { since, last } = self.contact;
        let end = if self.connections > 0 { now } else { (last + silence).min(now) };
        let before = self.before.intervals().iter().copied();
        Interval::new(since, end).into_iter().chain(before).collect()
    }
}

/// Limit on the rooms with sources: those of the largest organization. A scope that names a domain contains any address in it.
pub const WATCHED_ROOMS_MAX: usize = 20_000;

/// Whether the list of sources may take this one.
fn has_room<'a>(
    sources: impl Iterator<Item = (&'a String, &'a String)>,
    source: &str,
    reporter: &str,
) -> bool {
    let (mut all, mut own) = (0, 0);
    for (name, by) in sources {
        if name == source {
            return true;
        }
        all += 1;
        own += usize::from(by == reporter);
    }
    all < SOURCES_PER_SCOPE_MAX && own < SOURCES_PER_REPORTER_MAX
}

fn reporters(sources: &SourceMap) -> impl Iterator<Item = (&String, &String)> {
    sources.iter().map(|(name, alive)| (name, &alive.reporter))
}

/// The source's contact now; `None` when a limit on sources is reached.
fn record_contact(
    sources: &mut SourceMap,
    (source, reporter): (&str, &str),
    at: DateTime<Utc>,
    silence: TimeDelta,
) -> Option<Contact> {
    if !has_room(reporters(sources), source, reporter) {
        return None;
    }
    let alive = sources.entry(source.to_owned()).or_insert_with(|| SourceState::at(at, reporter));
    alive.record_contact(at, silence);
    Some(alive.contact)
}

impl SourceTracker {
    /// Sets how long sources may be silent.
    pub fn set_silence(&mut self, silence: SilenceLimits) {
        self.silence = silence;
    }

    /// Records that the service receives and stores signs from this time on.
    pub fn start_intake(&mut self, start: DateTime<Utc>) {
        self.running_since = Some(start);
    }

    /// Records that the service received and stored signs in this time.
    pub fn add_intake(&mut self, interval: Interval) {
        self.intake.add(interval);
        self.intake.forget_before(interval.to - KEPT);
    }

    /// Declares every room covered in this time, independent of sources: by an evidence file, or by an operator.
    pub fn accept_coverage(&mut self, coverage: Coverage) {
        self.accepted = coverage;
    }

    /// Whether an operator declared that every meeting without a sign is abandoned.
    pub fn is_forced(&self) -> bool {
        self.accepted == Coverage::always()
    }

    /// Records a sign or a heartbeat of a feed for rooms of this group.
    pub fn record_feed_contact(
        &mut self,
        group: Option<String>,
        (source, reporter): (&str, &str),
        at: DateTime<Utc>,
    ) {
        let silence = self.silence.of_feed(source);
        let reached =
            record_contact(self.groups.entry(group.clone()).or_default(), (source, reporter), at, silence);
        self.note(SourceScope::Group(group), (source, reporter), reached);
    }

    /// Records a sign of a feed for this room, which is in this group.
    pub fn record_room_feed_contact(
        &mut self,
        room: &RoomAddress,
        group: Option<String>,
        (source, reporter): (&str, &str),
        at: DateTime<Utc>,
    ) {
        let feeds = self.room(room).map(|room| &mut room.feeds);
        let feeds = feeds.filter(|feeds| has_room(feeds.iter(), source, reporter));
        let is_taken = feeds.is_some();
        if let Some(feeds) = feeds {
            feeds.entry(source.to_owned()).or_insert_with(|| reporter.to_owned());
        }
        let reached = is_taken.then_some(Contact { since: at, last: at });
        self.note(SourceScope::Feed(room.clone()), (source, reporter), reached);
        self.record_feed_contact(group, (source, reporter), at);
    }

    /// Records a request of a display for its room.
    pub fn record_display_contact(&mut self, room: &RoomAddress, source: &str, at: DateTime<Utc>) {
        let silence = self.silence.display;
        let reached = self
            .room(room)
            .and_then(|room| record_contact(&mut room.displays, (source, source), at, silence));
        self.note(SourceScope::Display(room.clone()), (source, source), reached);
    }

    /// Records that a display opened a long-lived connection.
    pub fn connect_display(&mut self, room: &RoomAddress, source: &str, at: DateTime<Utc>) {
        self.record_display_contact(room, source, at);
        if let Some(alive) = self.display(room, source) {
            alive.connections += 1;
        }
    }

    /// Records that this connection ended.
    pub fn disconnect_display(&mut self, room: &RoomAddress, source: &str, at: DateTime<Utc>) {
        if let Some(alive) = self.display(room, source) {
            alive.contact.last = alive.contact.last.max(at);
            alive.connections = alive.connections.saturating_sub(1);
            let contact = alive.contact;
            self.note(SourceScope::Display(room.clone()), (source, source), Some(contact));
        }
    }

    /// The sources of a room; `None` for a new room when the limit on rooms is reached.
    fn room(&mut self, room: &RoomAddress) -> Option<&mut RoomSources> {
        if self.rooms.len() >= WATCHED_ROOMS_MAX && !self.rooms.contains_key(room) {
            return None;
        }
        Some(self.rooms.entry(room.clone()).or_default())
    }

    fn display(&mut self, room: &RoomAddress, source: &str) -> Option<&mut SourceState> {
        self.rooms.get_mut(room)?.displays.get_mut(source)
    }

    fn note(&mut self, link: SourceScope, (source, reporter): (&str, &str), contact: Option<Contact>) {
        match contact {
            Some(contact) => {
                self.changed.insert((link, source.to_owned()), (reporter.to_owned(), contact));
            }
            None => self.refused += 1,
        }
    }

    /// The number of sources that were refused because of a limit.
    pub fn refused_sources(&self) -> u64 {
        self.refused
    }

    /// Restores a stored source, unless a limit is reached.
    pub fn restore(&mut self, SourceContact { link, source, reporter, contact }: SourceContact) {
        let alive = SourceState { contact, ..SourceState::at(contact.last, &reporter) };
        let has_room = |count: usize| count < SOURCES_PER_SCOPE_MAX;
        match link {
            SourceScope::Display(room) => {
                let displays = self.room(&room).map(|room| &mut room.displays);
                displays.filter(|all| has_room(all.len())).map(|all| all.insert(source, alive));
            }
            SourceScope::Feed(room) => {
                let feeds = self.room(&room).map(|room| &mut room.feeds);
                feeds.filter(|all| has_room(all.len())).map(|all| all.insert(source, reporter));
            }
            SourceScope::Group(group) => {
                let feeds = Some(self.groups.entry(group).or_default());
                feeds.filter(|all| has_room(all.len())).map(|all| all.insert(source, alive));
            }
        }
    }

    /// The sources with a new contact since the last call, to be stored.
    pub fn take_changed(&mut self) -> Vec<SourceContact> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let contact =
            |((link, source), (reporter, contact))| SourceContact { link, source, reporter, contact };
        changed.map(contact).collect()
    }

    /// Drops displays and feeds without recent contact.
    pub fn forget_before(&mut self, now: DateTime<Utc>) {
        let stays = |alive: &SourceState| alive.connections > 0 || now - alive.contact.last <= DISPLAY_GONE;
        self.rooms.values_mut().for_each(|room| room.displays.retain(|_, alive| stays(alive)));
        self.rooms.retain(|_, room| !room.displays.is_empty() || !room.feeds.is_empty());
        self.groups.values_mut().for_each(|sources| sources.retain(|_, alive| stays(alive)));
    }

    /// The time in which signs in this room would have been received.
    pub fn coverage(&self, room: &RoomAddress, group: Option<&str>, now: DateTime<Utc>) -> Coverage {
        let sources = self.watching(room, group);
        let by_sources = sources
            .fold(Coverage::default(), |all, (_, alive, silence)| all.union(&alive.coverage(silence, now)));
        self.intake_until(now).intersection(&by_sources).union(&self.accepted)
    }

    /// Whether the room has a source, silent or not.
    pub fn has_source(&self, room: &RoomAddress, group: Option<&str>) -> bool {
        self.watching(room, group).next().is_some()
    }

    /// Since when the service has received and stored signs without a pause; `None` if it does not do so now.
    pub fn receiving_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let intake = self.intake_until(now);
        let current = intake.intervals().iter().find(|interval| interval.from <= now && now <= interval.to);
        current.map(|interval| interval.from)
    }

    /// The time in which the service received and stored signs.
    fn intake_until(&self, now: DateTime<Utc>) -> Coverage {
        let running = self.running_since.and_then(|since| Interval::new(since, now));
        running.into_iter().collect::<Coverage>().union(&self.intake)
    }

    /// The names of the sources that were alive in a part of this interval.
    pub fn sources_in(&self, room: &RoomAddress, group: Option<&str>, time: Interval) -> Vec<String> {
        let meets = |coverage: Coverage| {
            coverage.intervals().iter().any(|one| one.from < time.to && time.from < one.to)
        };
        let alive =
            self.watching(room, group).filter(|(_, alive, silence)| meets(alive.coverage(*silence, time.to)));
        let mut names: Vec<_> = alive.map(|(name, ..)| name.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The sources that watch the room.
    fn watching(
        &self,
        room: &RoomAddress,
        group: Option<&str>,
    ) -> impl Iterator<Item = (&str, &SourceState, TimeDelta)> {
        let own = self.rooms.get(room);
        let only_display = own.is_some_and(|own| !own.displays.is_empty() && own.feeds.is_empty());
        let displays = own.into_iter().flat_map(|own| &own.displays);
        let feeds = self.groups.get(&group.map(str::to_owned)).filter(|_| !only_display);
        let displays = displays.map(|(name, alive)| (name.as_str(), alive, self.silence.display));
        let feeds = feeds.into_iter().flatten();
        displays.chain(feeds.map(|(name, alive)| (name.as_str(), alive, self.silence.of_feed(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn room(name: &str) -> RoomAddress {
        format!("{name}@x.example").parse().unwrap()
    }

    /// The service is up from minute 0 to 600.
    fn watch() -> SourceTracker {
        let mut watch = SourceTracker::default();
        watch.add_intake(Interval::new(at(0), at(600)).unwrap());
        watch
    }

    fn spans(watch: &SourceTracker, name: &str, now: i64) -> Vec<(i64, i64)> {
        let minute = |time: DateTime<Utc>| (time - at(0)).num_minutes();
        let coverage = watch.coverage(&room(name), None, at(now));
        coverage.intervals().iter().map(|one| (minute(one.from), minute(one.to))).collect()
    }

    #[test]
    fn nothing_watches_a_room_of_which_nothing_was_heard() {
        assert_eq!(spans(&watch(), "a", 500), []);
    }

    #[test]
    fn a_feed_is_alive_between_signs_and_for_its_silence_after_the_last() {
        let mut watch = watch();
        for minute in [10, 50, 300] {
            watch.record_room_feed_contact(&room("a"), None, ("motion", "key"), at(minute));
        }
        assert_eq!(spans(&watch, "a", 320), [(10, 110), (300, 320)]);
        assert_eq!(spans(&watch, "quiet", 320), [(10, 110), (300, 320)], "a quiet room among lively ones");
        assert_eq!(spans(&watch, "a", 500), [(10, 110), (300, 360)]);
    }

    #[test]
    fn a_time_when_the_service_was_away_is_not_covered() {
        let mut watch = SourceTracker::default();
        watch.add_intake(Interval::new(at(0), at(20)).unwrap());
        watch.add_intake(Interval::new(at(30), at(60)).unwrap());
        watch.record_feed_contact(None, ("motion", "key"), at(10));
        assert_eq!(spans(&watch, "a", 60), [(10, 20), (30, 60)]);
    }

    #[test]
    fn a_room_whose_only_source_is_its_display_is_not_watched_while_that_is_broken() {
        let mut watch = watch();
        watch.record_feed_contact(None, ("other panels", "key"), at(10));
        watch.record_feed_contact(None, ("other panels", "key"), at(60));
        watch.record_display_contact(&room("a"), "panel-a", at(5));
        watch.record_display_contact(&room("a"), "panel-a", at(9));
        assert_eq!(spans(&watch, "a", 60), [(5, 14)]);
        assert_eq!(spans(&watch, "b", 60), [(10, 60)]);
        // A sensor in the room sees people there too.
        watch.record_room_feed_contact(&room("a"), None, ("motion", "key"), at(50));
        assert_eq!(spans(&watch, "a", 60), [(5, 60)]);
    }

    #[test]
    fn an_open_connection_is_alive_until_it_ends() {
        let mut watch = watch();
        watch.connect_display(&room("a"), "panel", at(10));
        assert_eq!(spans(&watch, "a", 200), [(10, 200)]);
        watch.disconnect_display(&room("a"), "panel", at(200));
        assert_eq!(spans(&watch, "a", 300), [(10, 205)]);
        let stored = watch.take_changed();
        let mut again = self::watch();
        stored.into_iter().for_each(|source| again.restore(source));
        assert_eq!(spans(&again, "a", 300), [(10, 205)]);
    }

    #[test]
    fn a_badge_reader_may_be_quiet_for_a_night_and_no_longer() {
        let mut watch = SourceTracker::default();
        watch.add_intake(Interval::new(at(0), at(3000)).unwrap());
        watch.record_feed_contact(None, ("badge", "key"), at(0));
        assert_eq!(spans(&watch, "a", 3000), [(0, 1440)]);
    }
}
