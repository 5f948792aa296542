//! The figures by room, group, weekday, series or organizer. Bounded by [`ROWS_MAX`]: actions beyond it are summed up together. It
//! names an organizer only where the configuration allows that.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Datelike as _, Utc};
use chrono_tz::Tz;

use super::dimension::{Dimension, ROWS_MAX};
use super::effect::{Effect, event};
use super::figures::Figures;
use super::room_facts::RoomFacts;
use super::view::ReportRow;
use crate::calendar::{Event, RoomAddress, Uid};
use crate::journal::ActionRecord;

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What an action has in common with the others of its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum RowKey {
    Room(RoomAddress),
    /// `None`: rooms in no group.
    Group(Option<String>),
    /// Days since Monday.
    Weekday(u32),
    Series(RoomAddress, Uid),
    /// `None`: the event has no organizer, or the journal does not have it.
    Organizer(Option<String>),
}

#[derive(Debug, Clone, Default)]
struct Row {
    figures: Figures,
    name: Option<String>,
    organizer: Option<String>,
}

/// Whether a report may name organizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Organizers {
    Named,
    Unnamed,
}

/// The rows of one report.
#[derive(Debug)]
pub(super) struct Rows {
    by: Dimension,
    organizers: Organizers,
    rows: HashMap<RowKey, Row>,
    further: Option<Figures>,
    /// A weekday was taken in UTC, because the room has no time zone.
    uses_utc: bool,
}

impl Rows {
    pub(super) fn new(by: Dimension, organizers: Organizers) -> Self {
        Self { by, organizers, rows: HashMap::new(), further: None, uses_utc: false }
    }

    /// Adds one action to its rows.
    pub(super) fn add(&mut self, record: &ActionRecord, effect: Option<&Effect>, room: &RoomFacts) {
        self.uses_utc |= self.by == Dimension::Weekday && room.zone.is_none();
        for key in keys(self.by, self.organizers, record, room) {
            if self.rows.len() >= ROWS_MAX && !self.rows.contains_key(&key) {
                self.further.get_or_insert_default().add(record, effect);
                continue;
            }
            let organizers = self.organizers;
            let row = self.rows.entry(key).or_insert_with_key(|key| Row::new(key, organizers, record, room));
            row.figures.add(record, effect);
        }
    }

    /// Whether the weekdays of some rooms are those of UTC.
    pub(super) fn uses_utc(&self) -> bool {
        self.uses_utc
    }

    /// The rows, those with most time first, weekdays and groups in their order; and the figures of further rows, if there are any.
    pub(super) fn finish(self) -> (Vec<ReportRow>, Option<Figures>) {
        let mut rows: Vec<_> = self.rows.into_iter().collect();
        rows.sort_by_cached_key(|(key, row)| (rank(key, &row.figures), text(key)));
        let rows = rows.into_iter().map(|(key, row)| ReportRow {
            key: text(&key),
            name: row.name,
            organizer: row.organizer,
            figures: row.figures,
        });
        (rows.collect(), self.further)
    }
}

impl Row {
    fn new(key: &RowKey, organizers: Organizers, record: &ActionRecord, room: &RoomFacts) -> Self {
        let name = matches!(key, RowKey::Room(_) | RowKey::Series(..)).then(|| room.name.clone()).flatten();
        let is_named = organizers == Organizers::Named && matches!(key, RowKey::Series(..));
        let organizer = event(record).filter(|_| is_named).and_then(organizer_of);
        Self { figures: Figures::default(), name, organizer }
    }
}

/// The rows that an action belongs to.
fn keys(by: Dimension, organizers: Organizers, record: &ActionRecord, room: &RoomFacts) -> Vec<RowKey> {
    let address = &record.action.room;
    match by {
        Dimension::Room => vec![RowKey::Room(address.clone())],
        Dimension::Group if room.groups.is_empty() => vec![RowKey::Group(None)],
        Dimension::Group => room.groups.iter().map(|name| RowKey::Group(Some(name.clone()))).collect(),
        Dimension::Weekday => {
            let at = event(record).map_or(record.accepted_at, |event| event.start);
            vec![RowKey::Weekday(weekday(at, room.zone))]
        }
        Dimension::Series => {
            let date = event(record).filter(|event| event.kind.is_date_of_series());
            let uid = date.and_then(|event| event.uid.clone());
            uid.map(|uid| RowKey::Series(address.clone(), uid)).into_iter().collect()
        }
        Dimension::Organizer if organizers == Organizers::Unnamed => vec![RowKey::Organizer(None)],
        Dimension::Organizer => vec![RowKey::Organizer(event(record).and_then(organizer_of))],
    }
}

/// The weekday at this instant, in this time zone.
fn weekday(at: DateTime<Utc>, zone: Option<Tz>) -> u32 {
    at.with_timezone(&zone.unwrap_or(Tz::UTC)).weekday().num_days_from_monday()
}

fn organizer_of(event: &Event) -> Option<String> {
    let person = event.organizer.as_ref()?;
    let address = person.address.as_ref().or(person.legacy_dn.as_ref())?;
    Some(address.to_lowercase())
}

/// The order of rows: weekdays as in a week, groups by name, all others by no-shows and released time.
fn rank(key: &RowKey, figures: &Figures) -> (u32, Reverse<u64>, Reverse<i64>) {
    let (no_shows, minutes) = (figures.no_shows.count, figures.released_minutes.minutes());
    match key {
        RowKey::Weekday(day) => (*day, Reverse(0), Reverse(0)),
        RowKey::Group(name) => (u32::from(name.is_none()), Reverse(0), Reverse(0)),
        RowKey::Series(..) => (0, Reverse(no_shows), Reverse(minutes)),
        RowKey::Room(_) | RowKey::Organizer(_) => (0, Reverse(0), Reverse(minutes)),
    }
}

/// The key as the report shows it. A series has the address of its room, and no UID.
fn text(key: &RowKey) -> Option<String> {
    match key {
        RowKey::Room(room) | RowKey::Series(room, _) => Some(room.to_string()),
        RowKey::Group(name) | RowKey::Organizer(name) => name.clone(),
        RowKey::Weekday(day) => WEEKDAYS.get(*day as usize).map(|day| (*day).to_owned()),
    }
}
