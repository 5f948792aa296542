//! Presence as the service keeps it: signs that arrive, sources that are in contact, its own up-time, and since when the rule is on
//! where. First on disk, then in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::Service;
use crate::access::{Right, Rights};
use crate::action::Action;
use crate::calendar::{Event, RoomAddress};
use crate::cleanup::{Attendance as _, Rule, Sightings};
use crate::clock::Clock;
use crate::engine::{CalendarError, Engine};
use crate::journal::{ActionStatus, Query};
use crate::live::RoomCache;
use crate::presence::{
    Admission, CheckInTiming, EvidenceLimit, Interval, PresenceState, SharedPresence, Sign, SignLog,
    SilenceLimits,
};
use crate::store::{ServiceStore, StoreError};

/// A sign that is older when it arrives may be about what was released meanwhile.
const LATE_AFTER: TimeDelta = TimeDelta::minutes(1);
/// How long an arriving sign waits for the calendar of a room that was never read, to be matched.
const MATCHED_WITHIN: Duration = Duration::from_secs(2);
/// Rooms named in one log line.
const ROOMS_NAMED_MAX: usize = 5;
/// Rooms read for the signs of one request.
const ROOMS_READ_MAX: usize = 20;

/// What became of signs that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intake {
    /// Signs that were kept.
    pub kept: usize,
    /// Signs that match an event by now.
    pub matched: usize,
    /// Signs that should match an event and match none, by their place among those that arrived, with the reason.
    pub unmatched: Vec<(usize, String)>,
    /// Signs that were refused since a limit is reached, by their place among those that arrived. No meeting of their rooms
    /// that they may be about is released.
    pub refused: Vec<(usize, EvidenceLimit)>,
}

impl Sightings for RoomCache {
    fn seen_since(&self, room: &RoomAddress, event: &Event) -> Option<DateTime<Utc>> {
        Self::seen_since(self, room, event)
    }
}

/// The books as they were stored.
pub(super) async fn open_presence(
    desk: &ServiceStore,
    clock: &dyn Clock,
    silence: SilenceLimits,
) -> Result<SharedPresence, StoreError> {
    let mut books = PresenceState::default();
    books.watch.set_silence(silence);
    books.signs = desk.load_signs(retention_cutoff(clock), SignLog::default()).await?;
    let uptimes = desk.uptimes().await?;
    books.recorded_until = uptimes.iter().map(|up| up.to).max();
    uptimes.into_iter().for_each(|up| books.watch.add_intake(up));
    books.watch.start_intake(clock.now());
    desk.sources().await?.into_iter().for_each(|source| books.watch.restore(source));
    Ok(books.into())
}

/// Signs that are kept no longer than until then are forgotten. A wrong clock outdates none.
fn retention_cutoff(clock: &dyn Clock) -> DateTime<Utc> {
    if clock.doubt().is_some() { DateTime::UNIX_EPOCH } else { clock.now() }
}

/// Lets the books know signs, and stores what the books keep of them. Returns the refused ones, by their place. Deletes stored
/// signs whose time ended before `outdated`.
pub(super) async fn store_signs(
    desk: &ServiceStore,
    books: &SharedPresence,
    signs: Vec<Sign>,
    outdated: DateTime<Utc>,
) -> Result<Vec<(usize, EvidenceLimit)>, StoreError> {
    let (kept, refused, spans) = admit(books, signs);
    desk.keep_signs(kept, spans, outdated).await?;
    Ok(refused)
}

type AdmittedSigns = (Vec<Sign>, Vec<(usize, EvidenceLimit)>, HashMap<RoomAddress, Interval>);

/// The signs as the books keep them, the refused ones by their place, and for which time their rooms' evidence is incomplete.
fn admit(books: &SharedPresence, signs: Vec<Sign>) -> AdmittedSigns {
    let mut books = books.write();
    let (mut numbers, mut refused, mut rooms) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for (index, sign) in signs.into_iter().enumerate() {
        let room = sign.room.clone();
        match books.signs.push(sign) {
            Admission::Kept(number) => {
                numbers.insert((room, number));
            }
            Admission::Refused(bound) => {
                refused.push((index, bound));
                rooms.insert(room);
            }
        }
    }
    let kept = numbers.iter().filter_map(|(room, number)| books.signs.get(room, *number).cloned()).collect();
    let span = |room: RoomAddress| Some((room.clone(), *books.signs.refused().get(&room)?));
    (kept, refused, rooms.into_iter().filter_map(span).collect())
}

/// What people did at the door is a sign that they are there.
pub(super) async fn record_door_sign(
    engine: &Engine,
    desk: &ServiceStore,
    books: &SharedPresence,
    action: &Action,
    at: DateTime<Utc>,
) {
    let life = match engine.journal().action_record(action.id).await {
        Ok(life) => life,
        Err(error) => {
            return tracing::error!(%error, id = %action.id, "could not read an action to keep it as a sign");
        }
    };
    let Some(event) = life.and_then(|life| life.intent).map(|intent| intent.before) else { return };
    let source = format!("{} by {}", action.kind.verb(), action.actor.name());
    let reporter = action.actor.key_id().unwrap_or(action.actor.name()).to_owned();
    let sign = Sign::new(action.room.clone(), at, source).for_event(&event).reported_by(reporter);
    // A refused one needs no more: the journal has the action, and the room's evidence is known to be incomplete.
    if let Err(error) = store_signs(desk, books, vec![sign], retention_cutoff(&**engine.clock())).await {
        tracing::error!(%error, id = %action.id, "could not store an action at the door as a sign");
    }
}

impl Service {
    /// The terms by which signs of a room are matched.
    fn terms(&self, room: &RoomAddress) -> CheckInTiming {
        let rule = self.options().rules.check_in(room).unwrap_or_default();
        rule.terms(rule.grace)
    }

    /// Keeps the signs of feeds, and reports which of them match no event. Those feeds were in contact.
    ///
    /// # Errors
    /// When they cannot be stored.
    pub async fn add_signs(&self, signs: Vec<Sign>) -> Result<Intake, StoreError> {
        let sources = signs.clone();
        let intake = self.ingest_signs(signs).await?;
        self.record_contact(&sources, self.now());
        Ok(intake)
    }

    /// Keeps signs, and reports which of them match no event. A check-in at one door shows nothing about the others.
    pub(super) async fn ingest_signs(&self, signs: Vec<Sign>) -> Result<Intake, StoreError> {
        let now = self.now();
        let mut signs: Vec<_> = signs.into_iter().map(|sign| sign.received(now)).collect();
        let calendars = self.calendars_of(&signs).await;
        let mut intake = Intake::default();
        for (index, sign) in signs.iter_mut().enumerate() {
            let Some(events) = calendars.get(&sign.room) else { continue };
            let terms = self.terms(&sign.room);
            let room = sign.room.clone();
            sign.identify(events, |id| self.presence.read().known_id(&room, id), &terms);
            if sign.is_unmatched(events, &terms) {
                intake.unmatched.push((index, unmatched_reason(sign)));
            }
        }
        intake.refused =
            store_signs(&self.store, &self.presence, signs.clone(), retention_cutoff(&**self.engine.clock()))
                .await?;
        let refused: BTreeSet<_> = intake.refused.iter().map(|(index, _)| *index).collect();
        intake.unmatched.retain(|(index, _)| !refused.contains(index));
        let kept = || signs.iter().enumerate().filter(|(index, _)| !refused.contains(index));
        intake.kept = kept().count();
        intake.matched = kept().filter(|(_, sign)| sign.is_matched).count();
        let rooms: BTreeSet<_> = signs.iter().map(|sign| sign.room.clone()).collect();
        rooms.iter().for_each(|room| self.rooms.mark_changed(room));
        self.followed.note_named(&rooms);
        let late = signs.into_iter().filter(|sign| sign.at < now - LATE_AFTER).collect();
        if let Err(trouble) = self.clear_strikes(late).await {
            tracing::error!(%trouble, "could not apply late check-ins to released events");
        }
        Ok(intake)
    }

    fn record_contact(&self, signs: &[Sign], now: DateTime<Utc>) {
        // A contact at a wrong time would be one for as long as the clock was wrong.
        if self.clock_doubt().is_some() {
            return;
        }
        let options = self.options();
        let mut books = self.presence.write();
        for sign in signs {
            let group = options.rules.watch_group(&sign.room).map(str::to_owned);
            // A sign that was queued shows that its source was alive then.
            let at = if sign.clone().received(now).has_usable_clock() { sign.at.min(now) } else { now };
            books.watch.record_room_feed_contact(&sign.room, group, (&sign.source, &sign.reporter), at);
        }
    }

    /// The calendars of the rooms that these signs are about, as far as they are known; a few that were never read are read.
    async fn calendars_of(&self, signs: &[Sign]) -> BTreeMap<RoomAddress, Arc<Vec<Event>>> {
        let rooms: BTreeSet<_> = signs.iter().map(|sign| &sign.room).collect();
        let (mut calendars, mut unknown) = (BTreeMap::new(), Vec::new());
        for room in rooms {
            match self.rooms.any(room) {
                Some(kept) => drop(calendars.insert(room.clone(), kept.events)),
                None => unknown.push(room.clone()),
            }
        }
        let age = self.options().max_state_age;
        let read = unknown.into_iter().take(ROOMS_READ_MAX).map(|room| async move {
            let read = tokio::time::timeout(MATCHED_WITHIN, self.rooms.get(&room, age)).await;
            read.ok().and_then(Result::ok).map(|kept| (room, kept.events))
        });
        calendars.extend(join_all(read).await.into_iter().flatten());
        calendars
    }

    /// Signs from before a date was released that arrive only now still say that people came: its series has no strike for it.
    async fn clear_strikes(&self, signs: Vec<Sign>) -> Result<(), CalendarError> {
        let options = self.options();
        let oldest = signs.iter().map(|sign| sign.at).min();
        let rooms: BTreeSet<_> = signs.iter().map(|sign| sign.room.clone()).collect();
        for room in rooms {
            let Some(rule) = options.rules.check_in(&room).filter(|rule| rule.strikes > 0) else { continue };
            let (terms, released) = (rule.terms(rule.grace), Some(Rule::NoCheckIn.to_string()));
            let query =
                Query { rule: released, since: oldest, ..Query::room(&room) }.with_status(ActionStatus::Done);
            for life in self.engine.journal().find(&query).await? {
                let Some(event) = life.intent.as_ref().map(|intent| &intent.before) else { continue };
                // A sign from after the release may be about other people, in a room that was free.
                let came = |sign: &&Sign| {
                    sign.room == room && sign.at < life.accepted_at && sign.matches(event, &terms)
                };
                if let (true, Some(uid)) = (event.kind.is_date_of_series(), &event.uid)
                    && signs.iter().any(|sign| came(&sign))
                {
                    self.store.record_attended(&room, uid, event.start).await?;
                }
            }
        }
        Ok(())
    }

    /// A feed that this API key (by id) speaks for reports that it is alive, for the rooms that the key may send signs for.
    pub fn heartbeat(&self, source: &str, reporter: &str, rooms: impl Iterator<Item = RoomAddress>) {
        if self.clock_doubt().is_some() {
            return;
        }
        let (options, now) = (self.options(), self.now());
        let groups: BTreeSet<_> =
            rooms.map(|room| options.rules.watch_group(&room).map(str::to_owned)).collect();
        let mut books = self.presence.write();
        groups.into_iter().for_each(|group| books.watch.record_feed_contact(group, (source, reporter), now));
    }

    /// A display asked for a room.
    pub fn record_display_contact(&self, room: &RoomAddress, display: &str) {
        if self.clock_doubt().is_none() {
            self.presence.write().watch.record_display_contact(room, display, self.now());
        }
    }

    /// A display opened an event stream for these rooms; it is in contact until the guard is dropped.
    pub fn display_connected(
        self: &Arc<Self>,
        mut rooms: Vec<RoomAddress>,
        display: &str,
    ) -> DisplayConnection {
        let now = self.now();
        if self.clock_doubt().is_some() {
            // It counts once it connects again.
            rooms.clear();
        }
        let rooms = self.connected_rooms.share(display, rooms);
        let mut books = self.presence.write();
        rooms.iter().for_each(|room| books.watch.connect_display(room, display, now));
        DisplayConnection { service: self.clone(), rooms, display: display.to_owned() }
    }

    /// Records that the service is up and takes signs, and stores which sources were in contact.
    pub(super) async fn record_uptime(&self) {
        // What a wrong clock shows is no time at which signs were taken.
        if self.clock_doubt().is_some() {
            return;
        }
        let (now, running_since) = (self.now(), self.engine.clock().running_since());
        let Some(up) = Interval::new(self.started_at.max(running_since.unwrap_or_default()), now) else {
            return;
        };
        let (sources, signs) = {
            let mut books = self.presence.write();
            books.watch.add_intake(up);
            books.watch.forget_before(now);
            books.signs.forget_before(now);
            (books.watch.take_changed(), books.take_changed_signs())
        };
        self.report_refused_signs();
        if let Err(error) = self.store.keep_signs(signs, HashMap::new(), now).await {
            tracing::error!(%error, "could not store for how long signs are kept");
        }
        match self.store.record_uptime(up, sources).await {
            Ok(()) => self.presence.write().recorded_until = Some(now),
            Err(error) => tracing::error!(%error, "could not record that the service is up"),
        }
    }

    /// Logs that evidence was refused, at most once between two heartbeats of the service.
    fn report_refused_signs(&self) {
        let refused: u64 = self.presence.read().signs.counts().refused.values().sum();
        let before = self.refused_signs.swap(refused, Ordering::Relaxed);
        if refused > before {
            let books = self.presence.read();
            let rooms: Vec<_> =
                books.signs.refused().keys().take(ROOMS_NAMED_MAX).map(RoomAddress::as_str).collect();
            let (signs, by) = (refused - before, &books.signs.counts().refused);
            tracing::warn!(
                signs,
                ?by,
                ?rooms,
                "evidence was refused: a limit is reached; these rooms' meetings stay"
            );
        }
    }

    /// Records in which rooms the rule on check-ins is on by now. A room where it came on has its grace from then.
    pub(super) async fn record_rules(&self) {
        let rules = &self.options().rules;
        let mut on = self.followed_rooms();
        on.retain(|room| rules.check_in(room).is_some());
        let is_recorded = {
            let known = &self.presence.read().rule_since;
            known.len() == on.len() && on.iter().all(|room| known.contains_key(room))
        };
        if is_recorded {
            return;
        }
        match self.store.rule_since(on, self.now()).await {
            Ok(since) => self.presence.write().rule_since = since.into_iter().collect(),
            Err(error) => tracing::error!(%error, "could not record where the rule on check-ins is on"),
        }
    }
}

/// An open connection of a display.
pub struct DisplayConnection {
    service: Arc<Service>,
    rooms: Arc<[RoomAddress]>,
    display: String,
}

/// The rooms of displays that are connected, by the display's name. A hundred connections of a key with five thousand rooms hold one
/// list.
#[derive(Default)]
pub(super) struct ConnectedRooms(Mutex<HashMap<String, Weak<[RoomAddress]>>>);

impl ConnectedRooms {
    fn share(&self, display: &str, rooms: Vec<RoomAddress>) -> Arc<[RoomAddress]> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.get(display).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| **known == *rooms) {
            return known;
        }
        lists.retain(|_, list| list.strong_count() > 0);
        let rooms: Arc<[RoomAddress]> = rooms.into();
        lists.insert(display.to_owned(), Arc::downgrade(&rooms));
        rooms
    }
}

impl Drop for DisplayConnection {
    fn drop(&mut self) {
        // By a wrong clock, it was in contact when it was last seen.
        let now = retention_cutoff(&**self.service.engine.clock());
        let mut books = self.service.presence.write();
        self.rooms.iter().for_each(|room| books.watch.disconnect_display(room, &self.display, now));
    }
}

/// Whether these are the rights of a display at a door: it may check people in, and neither sweep nor audit. A console that an
/// operator leaves open watches no door.
pub fn is_display(rights: &Rights) -> bool {
    rights.allow(Right::CheckIn) && !rights.allow(Right::Cleanup) && !rights.allow(Right::Audit)
}

fn unmatched_reason(sign: &Sign) -> String {
    if !sign.has_usable_clock() {
        return format!("its time {} is far from the time it arrived: check the sensor's clock", sign.at);
    }
    match sign.reference() {
        Some(_) => "it names an event that is not on the room's calendar".to_owned(),
        None => "it arrived late, and no event was on in the room at its time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_one_display_hold_one_list_of_rooms_and_none_is_kept_after_them() {
        let (lists, room) = (ConnectedRooms::default(), |name: &str| name.parse::<RoomAddress>().unwrap());
        let house = || vec![room("a@x.example"), room("b@x.example")];
        let (first, second) = (lists.share("panel", house()), lists.share("panel", house()));
        assert!(Arc::ptr_eq(&first, &second));
        let other = lists.share("panel", vec![room("a@x.example")]);
        assert_eq!((other.len(), first.len()), (1, 2), "the rights were changed meanwhile");
        drop((first, second, other));
        let _one = lists.share("another", house());
        assert_eq!(lists.0.lock().unwrap().len(), 1);
    }
}
