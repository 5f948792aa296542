//! The paired door displays: records their contacts in memory, stores them at intervals, and announces a display that is lost or back.
//! [`super::display_state`] decides which is; no request waits for the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::display_state::{ContactChange, ContactTimer, DisplayState};
use super::{Notice, Service};
use crate::access::KeyId;
use crate::calendar::RoomAddress;
use crate::store::{DisplayContact, DisplayRecord, StoreError};

/// How often displays are checked, and read from the store, where the command line may have removed some.
const CHECK_INTERVAL: Duration = Duration::from_secs(20);
/// A display's contact is stored at most this often.
const STORE_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// Characters of a display's version.
const VERSION_MAX: usize = 64;

/// The paired displays in memory, by the id of their key.
#[derive(Default)]
pub struct Displays(Mutex<HashMap<KeyId, TrackedDisplay>>);

struct TrackedDisplay {
    record: DisplayRecord,
    timer: ContactTimer,
    /// The contact that is stored, or about to be.
    stored: (Option<DateTime<Utc>>, Option<String>),
}

/// A paired display and its state.
#[derive(Debug, Clone)]
pub struct DisplayStatus {
    /// The display, with its last contact as far as this process knows it.
    pub record: DisplayRecord,
    /// Its state.
    pub state: DisplayState,
}

impl Displays {
    /// Records a request of the display with this key, if it is one. A version that no page of Adjourn sends is ignored.
    pub fn record_contact(&self, key: &KeyId, version: Option<&str>, now: DateTime<Utc>) {
        let mut displays = self.lock();
        let Some(display) = displays.get_mut(key) else { return };
        display.timer.record_contact();
        display.record.last_contact = Some(now);
        if let Some(version) = version.filter(|version| is_version(version)) {
            display.record.version = Some(version.to_owned());
        }
    }

    /// Adds the new displays of the store, and removes those that the store has no more and returns them. The contacts of the others stay.
    fn replace(&self, stored: Vec<DisplayRecord>) -> Vec<DisplayRecord> {
        let mut displays = self.lock();
        let mut known = std::mem::take(&mut *displays);
        for record in stored {
            let display = match known.remove(&record.id) {
                Some(display) => display.renamed(record),
                None => TrackedDisplay::new(record),
            };
            displays.insert(display.record.id.clone(), display);
        }
        known.into_values().map(|removed| removed.record).collect()
    }

    /// All displays with their states, by room and id.
    pub fn all(&self, lost_after: Duration, now: DateTime<Utc>) -> Vec<DisplayStatus> {
        let mut all: Vec<_> = self.lock().values().map(|display| display.status(lost_after, now)).collect();
        all.sort_by(|one, other| one.record.order().cmp(&other.record.order()));
        all
    }

    /// Lets time pass; returns the displays whose loss or return has to be announced.
    fn advance(
        &self,
        elapsed: Duration,
        lost_after: Duration,
        now: DateTime<Utc>,
    ) -> Vec<(DisplayRecord, ContactChange)> {
        let mut displays = self.lock();
        let changed = displays.values_mut().filter_map(|display| {
            display.timer.advance(elapsed);
            if display.timer.has_stream() {
                display.record.last_contact = Some(now);
            }
            let change = display.timer.take_change(lost_after)?;
            display.record.lost_since = (change == ContactChange::Lost).then_some(now);
            Some((display.record.clone(), change))
        });
        changed.collect()
    }

    /// The contacts to store: those that are newer than the stored ones by this much, and those of `changed` displays.
    fn contacts_to_store(
        &self,
        newer_by: TimeDelta,
        changed: &[(DisplayRecord, ContactChange)],
    ) -> Vec<DisplayContact> {
        let mut displays = self.lock();
        let due = displays.values_mut().filter(|display| {
            display.is_due(newer_by) || changed.iter().any(|(record, _)| record.id == display.record.id)
        });
        due.map(|display| {
            let DisplayRecord { id, last_contact, version, lost_since, .. } = display.record.clone();
            display.stored = (last_contact, version.clone());
            DisplayContact { id, at: last_contact, version, lost_since }
        })
        .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, TrackedDisplay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrackedDisplay {
    fn new(record: DisplayRecord) -> Self {
        let timer = ContactTimer::restore(record.last_contact.is_some(), record.lost_since.is_some());
        let stored = (record.last_contact, record.version.clone());
        Self { record, timer, stored }
    }

    /// The same display with the name and the room that are stored now.
    fn renamed(mut self, stored: DisplayRecord) -> Self {
        (self.record.name, self.record.room) = (stored.name, stored.room);
        self
    }

    fn status(&self, lost_after: Duration, now: DateTime<Utc>) -> DisplayStatus {
        let mut record = self.record.clone();
        if self.timer.has_stream() {
            record.last_contact = Some(now);
        }
        DisplayStatus { record, state: self.timer.state(lost_after) }
    }

    fn is_due(&self, newer_by: TimeDelta) -> bool {
        match (self.record.last_contact, self.stored.0) {
            (Some(contact), Some(stored)) => (contact - stored).abs() >= newer_by,
            (contact, stored) => contact != stored,
        }
    }
}

fn is_version(text: &str) -> bool {
    (1..=VERSION_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An open event stream of a display.
pub struct DisplayStream {
    service: Arc<Service>,
    key: KeyId,
}

impl Drop for DisplayStream {
    fn drop(&mut self) {
        if let Some(display) = self.service.displays.lock().get_mut(&self.key) {
            display.timer.close_stream();
            display.record.last_contact = Some(self.service.now());
        }
    }
}

impl Service {
    /// Records that the display with this key opened an event stream, which is contact until the guard is dropped; `None` for any
    /// other key.
    pub fn display_stream(self: &Arc<Self>, key: &KeyId) -> Option<DisplayStream> {
        self.displays.lock().get_mut(key)?.timer.open_stream();
        Some(DisplayStream { service: self.clone(), key: key.clone() })
    }

    /// Reads the displays from the store again. Each event stream checks its key with the next notice, so a notice about its room ends
    /// the stream of a removed display, which then asks to be paired again.
    ///
    /// # Errors
    /// The store cannot be read. The known displays stay.
    pub async fn refresh_displays(&self) -> Result<(), StoreError> {
        let removed = self.displays.replace(self.store.displays().await?);
        let rooms = removed.iter().flat_map(|display| display.room.parse::<RoomAddress>());
        rooms.for_each(|room| self.notices.publish(Notice::RoomChanged { room }));
        Ok(())
    }

    /// All paired displays with their states, by room and id.
    pub fn display_statuses(&self) -> Vec<DisplayStatus> {
        self.displays.all(self.display_lost_after(), self.now())
    }

    fn display_lost_after(&self) -> Duration {
        self.options().display_lost_after.to_std().unwrap_or_default()
    }

    /// Checks the displays at intervals until the task is dropped.
    pub(super) async fn keep_displays(&self) {
        let mut checked = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            self.pairings.forget_ended(self.now());
            if let Err(error) = self.refresh_displays().await {
                tracing::error!(%error, "cannot read the displays; the known ones stay");
            }
            self.check_displays(checked.elapsed()).await;
            checked = tokio::time::Instant::now();
        }
    }

    /// Lets this much time pass, announces the displays that are lost or back, and stores contacts.
    pub async fn check_displays(&self, elapsed: Duration) {
        let changed = self.displays.advance(elapsed, self.display_lost_after(), self.now());
        changed.iter().for_each(|(display, change)| self.announce_display(display, *change));
        self.store_contacts(STORE_INTERVAL, &changed).await;
    }

    /// Stores every contact that is not stored yet: at a stop.
    pub(super) async fn store_display_contacts(&self) {
        self.store_contacts(TimeDelta::milliseconds(1), &[]).await;
    }

    async fn store_contacts(&self, newer_by: TimeDelta, changed: &[(DisplayRecord, ContactChange)]) {
        let contacts = self.displays.contacts_to_store(newer_by, changed);
        if contacts.is_empty() {
            return;
        }
        if let Err(error) = self.store.record_display_contacts(contacts).await {
            tracing::warn!(%error, "cannot store when displays were last in contact");
        }
    }

    fn announce_display(&self, display: &DisplayRecord, change: ContactChange) {
        let DisplayRecord { id, name, last_contact, .. } = display;
        // A room that is no address was changed in the store by hand; its display has no notices.
        let Ok(room) = display.room.parse::<RoomAddress>() else { return };
        let (display, name, last_contact) = (id.clone(), name.clone(), *last_contact);
        match change {
            ContactChange::Lost => {
                tracing::warn!(%room, display = ?name, ?last_contact, "display lost: no contact");
                self.notices.publish(Notice::DisplayLost { room, display, name, last_contact });
            }
            ContactChange::Found => {
                tracing::info!(%room, display = ?name, "display is back");
                self.notices.publish(Notice::DisplayFound { room, display, name, last_contact });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + second, 0).unwrap()
    }

    fn displays() -> (Displays, KeyId) {
        let (displays, id) = (Displays::default(), KeyId("door".to_owned()));
        displays.replace(vec![DisplayRecord {
            id: id.clone(),
            name: "door".to_owned(),
            room: "one@x.y".to_owned(),
            paired: at(0),
            paired_by: "operator".to_owned(),
            last_contact: None,
            version: None,
            lost_since: None,
        }]);
        (displays, id)
    }

    #[test]
    fn a_contact_is_stored_once_a_minute_and_the_rest_at_a_stop() {
        let (displays, id) = displays();
        let stored = |newer_by| {
            let stored = displays.contacts_to_store(newer_by, &[]);
            stored.first().and_then(|contact| contact.at)
        };
        assert_eq!(stored(STORE_INTERVAL), None);
        for (second, expected) in [(1, Some(1)), (30, None), (60, None), (61, Some(61)), (100, None)] {
            displays.record_contact(&id, None, at(second));
            assert_eq!(stored(STORE_INTERVAL), expected.map(at), "second {second}");
        }
        assert_eq!(stored(TimeDelta::milliseconds(1)), Some(at(100)));
    }

    #[test]
    fn a_version_is_short_and_visible_or_ignored() {
        let (displays, id) = displays();
        let version = || displays.all(Duration::from_secs(600), at(9)).remove(0).record.version;
        displays.record_contact(&id, Some("3f9a"), at(1));
        for bad in ["", "a b", "a\u{7f}", "é", &"x".repeat(65)] {
            displays.record_contact(&id, Some(bad), at(2));
            assert_eq!(version().as_deref(), Some("3f9a"), "{bad:?}");
        }
        displays.record_contact(&id, Some(&"x".repeat(64)), at(3));
        assert_eq!(version().map(|version| version.len()), Some(64));
    }

    #[test]
    fn another_read_of_the_store_keeps_what_is_known_and_forgets_removed_displays() {
        let (displays, id) = displays();
        displays.record_contact(&id, None, at(5));
        let mut record = displays.all(Duration::from_secs(600), at(6)).remove(0).record;
        (record.name, record.last_contact) = ("lobby".to_owned(), None);
        displays.replace(vec![record]);
        let known = displays.all(Duration::from_secs(600), at(6)).remove(0);
        assert_eq!((known.record.name.as_str(), known.record.last_contact), ("lobby", Some(at(5))));
        displays.replace(Vec::new());
        displays.record_contact(&id, None, at(7));
        assert!(displays.all(Duration::from_secs(600), at(8)).is_empty());
    }
}
