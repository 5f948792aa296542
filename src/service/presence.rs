//! Stores presence data: incoming signs, contacts of sources, the service's uptime, and since when the check-in rule is on in
//! each room. Data is written to disk before it is used. What the data means is decided in `crate::presence`.

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

/// A sign that is older than this on arrival may concern a meeting that was released meanwhile.
const LATE_AFTER: TimeDelta = TimeDelta::minutes(1);
/// How long a sign waits for the first read of its room's calendar, to be matched.
const MATCHED_WITHIN: Duration = Duration::from_secs(2);
/// Rooms listed in one log line.
const ROOMS_NAMED_MAX: usize = 5;
/// Rooms read for the signs of one request.
const ROOMS_READ_MAX: usize = 20;

/// The result of taking in signs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intake {
    /// Stored signs.
    pub kept: usize,
    /// Stored signs that match an event.
    pub matched: usize,
    /// The indices of signs that should match an event but do not, with the reason.
    pub unmatched: Vec<(usize, String)>,
    /// The indices of signs that were refused because a limit is reached. No meeting that they may concern is released.
    pub refused: Vec<(usize, EvidenceLimit)>,
}

impl Sightings for RoomCache {
    fn seen_since(&self, room: &RoomAddress, event: &Event) -> Option<DateTime<Utc>> {
        Self::seen_since(self, room, event)
    }
}

/// Reads the stored presence data.
pub(super) async fn open_presence(
    store: &ServiceStore,
    clock: &dyn Clock,
    silence: SilenceLimits,
    receiving_since: DateTime<Utc>,
) -> Result<SharedPresence, StoreError> {
    let mut presence = PresenceState::default();
    presence.watch.set_silence(silence);
    presence.signs = store.load_signs(retention_cutoff(clock), SignLog::default()).await?;
    let uptimes = store.uptimes().await?;
    presence.recorded_until = uptimes.iter().map(|up| up.to).max();
    uptimes.into_iter().for_each(|up| presence.watch.add_intake(up));
    presence.watch.start_intake(receiving_since);
    store.sources().await?.into_iter().for_each(|source| presence.watch.restore(source));
    Ok(presence.into())
}

/// Signs whose retention ended before this time are deleted; none while the clock is not trusted.
fn retention_cutoff(clock: &dyn Clock) -> DateTime<Utc> {
    if clock.doubt().is_some() { DateTime::UNIX_EPOCH } else { clock.now() }
}

/// Adds signs to the presence state and stores those that it keeps. Returns the indices of refused signs. Deletes stored signs
/// whose retention ended before `outdated`.
pub(super) async fn store_signs(
    store: &ServiceStore,
    presence: &SharedPresence,
    signs: Vec<Sign>,
    outdated: DateTime<Utc>,
) -> Result<Vec<(usize, EvidenceLimit)>, StoreError> {
    let (kept, refused, spans) = admit(presence, signs);
    store.keep_signs(kept, spans, outdated).await?;
    Ok(refused)
}

type AdmittedSigns = (Vec<Sign>, Vec<(usize, EvidenceLimit)>, HashMap<RoomAddress, Interval>);

/// The signs as the presence state keeps them, the indices of refused ones, and the times for which their rooms' evidence is
/// incomplete.
fn admit(presence: &SharedPresence, signs: Vec<Sign>) -> AdmittedSigns {
    let mut presence = presence.write();
    let (mut numbers, mut refused, mut rooms) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for (index, sign) in signs.into_iter().enumerate() {
        let room = sign.room.clone();
        match presence.signs.push(sign) {
            Admission::Kept(number) => {
                numbers.insert((room, number));
            }
            Admission::Refused(bound) => {
                refused.push((index, bound));
                rooms.insert(room);
            }
        }
    }
    let kept =
        numbers.iter().filter_map(|(room, number)| presence.signs.get(room, *number).cloned()).collect();
    let span = |room: RoomAddress| Some((room.clone(), *presence.signs.refused().get(&room)?));
    (kept, refused, rooms.into_iter().filter_map(span).collect())
}

/// Records an action at the door as a sign of presence.
pub(super) async fn record_door_sign(
    engine: &Engine,
    store: &ServiceStore,
    presence: &SharedPresence,
    action: &Action,
    at: DateTime<Utc>,
) {
    let record = match engine.journal().action_record(action.id).await {
        Ok(record) => record,
        Err(error) => {
            return tracing::error!(%error, id = %action.id, "cannot read an action from the journal to record it as a sign");
        }
    };
    let Some(event) = record.and_then(|record| record.intent).map(|intent| intent.before) else { return };
    let source = format!("{} by {}", action.kind.verb(), action.actor.name());
    let reporter = action.actor.key_id().unwrap_or(action.actor.name()).to_owned();
    let sign = Sign::new(action.room.clone(), at, source).for_event(&event).reported_by(reporter);
    // A refused sign needs no further handling: the journal has the action, and the room's evidence is marked as incomplete.
    if let Err(error) = store_signs(store, presence, vec![sign], retention_cutoff(&**engine.clock())).await {
        tracing::error!(%error, id = %action.id, "cannot store an action at the door as a sign");
    }
}

impl Service {
    /// The times by which a room's signs are matched.
    fn terms(&self, room: &RoomAddress) -> CheckInTiming {
        let rule = self.options().rules.check_in(room).unwrap_or_default();
        rule.terms(rule.grace)
    }

    /// Stores the signs of feeds, reports those that match no event, and records the feeds' contact.
    ///
    /// # Errors
    /// When the signs cannot be stored.
    pub async fn add_signs(&self, signs: Vec<Sign>) -> Result<Intake, StoreError> {
        let sources = signs.clone();
        let intake = self.ingest_signs(signs).await?;
        self.record_contact(&sources, self.now());
        Ok(intake)
    }

    /// Stores signs and reports those that match no event. Records no contact: a check-in at one door proves nothing about
    /// others.
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
        if let Err(error) = self.clear_strikes(late).await {
            tracing::error!(%error, "cannot apply late check-ins to released events");
        }
        Ok(intake)
    }

    fn record_contact(&self, signs: &[Sign], now: DateTime<Utc>) {
        // A contact with a wrong time would count for as long as the clock is off.
        if self.clock_doubt().is_some() {
            return;
        }
        let options = self.options();
        let mut presence = self.presence.write();
        for sign in signs {
            let group = options.rules.watch_group(&sign.room).map(str::to_owned);
            // A queued sign proves that its source worked at the sign's own time.
            let at = if sign.clone().received(now).has_usable_clock() { sign.at.min(now) } else { now };
            presence.watch.record_room_feed_contact(&sign.room, group, (&sign.source, &sign.reporter), at);
        }
    }

    /// The cached calendars of these signs' rooms; a few rooms that were never read are read now.
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

    /// Removes the strike of a released date if a late sign proves that the date was attended.
    async fn clear_strikes(&self, signs: Vec<Sign>) -> Result<(), CalendarError> {
        let options = self.options();
        let oldest = signs.iter().map(|sign| sign.at).min();
        let rooms: BTreeSet<_> = signs.iter().map(|sign| sign.room.clone()).collect();
        for room in rooms {
            let Some(rule) = options.rules.check_in(&room).filter(|rule| rule.strikes > 0) else { continue };
            let (terms, released) = (rule.terms(rule.grace), Some(Rule::NoCheckIn.to_string()));
            let query =
                Query { rule: released, since: oldest, ..Query::room(&room) }.with_status(ActionStatus::Done);
            for record in self.engine.journal().find(&query).await? {
                let Some(event) = record.intent.as_ref().map(|intent| &intent.before) else { continue };
                // A sign from after the release may be of other people in the free room.
                let came = |sign: &&Sign| {
                    sign.room == room && sign.at < record.accepted_at && sign.matches(event, &terms)
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

    /// Records a feed's heartbeat, for the rooms that its API key (by id) may send signs for.
    pub fn heartbeat(&self, source: &str, reporter: &str, rooms: impl Iterator<Item = RoomAddress>) {
        if self.clock_doubt().is_some() {
            return;
        }
        let (options, now) = (self.options(), self.now());
        let groups: BTreeSet<_> =
            rooms.map(|room| options.rules.watch_group(&room).map(str::to_owned)).collect();
        let mut presence = self.presence.write();
        groups
            .into_iter()
            .for_each(|group| presence.watch.record_feed_contact(group, (source, reporter), now));
    }

    /// Records that a display requested a room's state.
    pub fn record_display_contact(&self, room: &RoomAddress, display: &str) {
        if self.clock_doubt().is_none() {
            self.presence.write().watch.record_display_contact(room, display, self.now());
        }
    }

    /// Records that a display opened an event stream for these rooms; it is in contact until the guard is dropped.
    pub fn display_connected(
        self: &Arc<Self>,
        mut rooms: Vec<RoomAddress>,
        display: &str,
    ) -> DisplayConnection {
        let now = self.now();
        if self.clock_doubt().is_some() {
            // The clock is not trusted: the display counts only after it reconnects.
            rooms.clear();
        }
        let rooms = self.connected_rooms.share(display, rooms);
        let mut presence = self.presence.write();
        rooms.iter().for_each(|room| presence.watch.connect_display(room, display, now));
        DisplayConnection { service: self.clone(), rooms, display: display.to_owned() }
    }

    /// Records the service's uptime, in which it accepts signs, and the sources' contacts.
    pub(super) async fn record_uptime(&self) {
        // An untrusted clock must not record uptime at wrong times.
        if self.clock_doubt().is_some() {
            return;
        }
        let (now, running_since) = (self.now(), self.engine.clock().running_since());
        let Some(up) = Interval::new(self.receiving_since.max(running_since.unwrap_or_default()), now) else {
            return;
        };
        let (sources, signs) = {
            let mut presence = self.presence.write();
            presence.watch.add_intake(up);
            presence.watch.forget_before(now);
            presence.signs.forget_before(now);
            (presence.watch.take_changed(), presence.take_changed_signs())
        };
        self.report_refused_signs();
        if let Err(error) = self.store.keep_signs(signs, HashMap::new(), now).await {
            tracing::error!(%error, "cannot store the retention of signs");
        }
        match self.store.record_uptime(up, sources).await {
            Ok(()) => self.presence.write().recorded_until = Some(now),
            Err(error) => tracing::error!(%error, "cannot record the service's uptime"),
        }
    }

    /// Logs refused evidence, at most once per uptime record.
    fn report_refused_signs(&self) {
        let refused: u64 = self.presence.read().signs.counts().refused.values().sum();
        let before = self.refused_signs.swap(refused, Ordering::Relaxed);
        if refused > before {
            let presence = self.presence.read();
            let rooms: Vec<_> =
                presence.signs.refused().keys().take(ROOMS_NAMED_MAX).map(RoomAddress::as_str).collect();
            let (signs, by) = (refused - before, &presence.signs.counts().refused);
            tracing::warn!(
                signs,
                ?by,
                ?rooms,
                "evidence was refused because a limit is reached; these rooms' meetings are kept"
            );
        }
    }

    /// Records since when the check-in rule is on in each room. A meeting's grace period starts no earlier.
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
            Err(error) => tracing::error!(%error, "cannot record in which rooms the check-in rule is on"),
        }
    }
}

/// An open connection of a display.
pub struct DisplayConnection {
    service: Arc<Service>,
    rooms: Arc<[RoomAddress]>,
    display: String,
}

/// The rooms of connected displays, by display name: a hundred connections of a key with five thousand rooms share one list.
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
        // The contact ends when the display was last seen if the clock is not trusted.
        let now = retention_cutoff(&**self.service.engine.clock());
        let mut presence = self.service.presence.write();
        self.rooms.iter().for_each(|room| presence.watch.disconnect_display(room, &self.display, now));
    }
}

/// Whether these are the rights of a door display: it may check in, but neither sweep nor audit nor pair displays. An operator's open
/// console is no evidence source.
pub fn is_display(rights: &Rights) -> bool {
    let operator = [Right::Cleanup, Right::Audit, Right::Displays];
    rights.allow(Right::CheckIn) && !operator.into_iter().any(|right| rights.allow(right))
}

fn unmatched_reason(sign: &Sign) -> String {
    if !sign.has_usable_clock() {
        return format!("the sign's time {} is far from its arrival: check the sensor's clock", sign.at);
    }
    match sign.reference() {
        Some(_) => "the sign refers to an event that is not in the room's calendar".to_owned(),
        None => "the sign arrived late, and the room had no event at its time".to_owned(),
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
