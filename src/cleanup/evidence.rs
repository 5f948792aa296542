//! Evidence that somebody came: check-ins and occupancy signals, read from CSV or JSON.
//!
//! ```csv
//! room,event,at,source
//! room1@example.com,,2026-05-06T09:02:00Z,motion sensor
//! ```
//!
//! `event` (an item id or a UID) may be empty: then the signal speaks for whatever was on in the room at that time.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::NoCheckIn;
use crate::calendar::{Event, RoomAddress};

/// One sign that somebody came.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// In which room.
    pub room: RoomAddress,
    /// For which event (item id or UID), if the source knows.
    #[serde(default)]
    pub event: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who or what says so.
    pub source: String,
}

/// All evidence of a sweep, by room.
#[derive(Debug, Clone, Default)]
pub struct EvidenceLog {
    by_room: HashMap<RoomAddress, Vec<Evidence>>,
}

/// Evidence that grows while it is used: whoever judges, judges by what is known at that moment.
#[derive(Debug, Clone, Default)]
pub struct SharedEvidence(Arc<RwLock<EvidenceLog>>);

impl From<EvidenceLog> for SharedEvidence {
    fn from(log: EvidenceLog) -> Self {
        Self(Arc::new(RwLock::new(log)))
    }
}

impl SharedEvidence {
    /// Reads it.
    pub fn read(&self) -> impl Deref<Target = EvidenceLog> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds signs, and forgets those of their rooms that are before `oldest`, or too many: the oldest go first.
    pub fn extend(&self, signs: Vec<Evidence>, oldest: DateTime<Utc>) {
        let mut log = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let rooms: HashSet<RoomAddress> = signs.iter().map(|sign| sign.room.clone()).collect();
        signs.into_iter().for_each(|sign| log.push(sign));
        for room in rooms {
            let Some(signs) = log.by_room.get_mut(&room) else { continue };
            signs.retain(|sign| sign.at >= oldest);
            if signs.len() > SIGNS_PER_ROOM_MAX {
                signs.sort_by_key(|sign| sign.at);
                signs.drain(..signs.len() - SIGNS_PER_ROOM_MAX);
            }
        }
    }
}

/// A day of signals every ten seconds.
const SIGNS_PER_ROOM_MAX: usize = 8_640;

/// Why a file of evidence could not be read. A sweep without its evidence would free rooms that people sit in, so one
/// bad line spoils the file.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Not CSV with the columns `room,event,at,source`.
    #[error("the evidence is not CSV with the columns room,event,at,source")]
    Csv(#[source] csv::Error),
    /// Not a JSON array of objects with these fields.
    #[error("the evidence is not a JSON array of {{room, event, at, source}}")]
    Json(#[source] serde_json::Error),
    /// More than [`EvidenceLog::ENTRIES_MAX`] entries.
    #[error("the evidence has more than {} entries", EvidenceLog::ENTRIES_MAX)]
    TooMany,
}

impl EvidenceLog {
    /// A day of signals every ten seconds from a hundred rooms is 864 000; beyond a few million the file is a mistake.
    pub const ENTRIES_MAX: usize = 5_000_000;

    /// Reads CSV with a header line.
    pub fn from_csv(source: impl Read) -> Result<Self, EvidenceError> {
        let mut log = Self::default();
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
        for (index, entry) in reader.deserialize().enumerate() {
            if index >= Self::ENTRIES_MAX {
                return Err(EvidenceError::TooMany);
            }
            log.push(entry.map_err(EvidenceError::Csv)?);
        }
        Ok(log)
    }

    /// Reads a JSON array.
    pub fn from_json(source: impl Read) -> Result<Self, EvidenceError> {
        let entries: Vec<Evidence> = serde_json::from_reader(source).map_err(EvidenceError::Json)?;
        if entries.len() > Self::ENTRIES_MAX {
            return Err(EvidenceError::TooMany);
        }
        let mut log = Self::default();
        entries.into_iter().for_each(|entry| log.push(entry));
        Ok(log)
    }

    /// Adds one sign.
    pub fn push(&mut self, evidence: Evidence) {
        self.by_room.entry(evidence.room.clone()).or_default().push(evidence);
    }

    /// No sign from any room since then.
    pub fn is_silent_since(&self, since: DateTime<Utc>) -> bool {
        !self.by_room.values().flatten().any(|sign| since <= sign.at)
    }

    /// The first sign that speaks for `event` in `room`, at or after `from` and before its end.
    pub fn for_event(&self, room: &RoomAddress, event: &Event, from: DateTime<Utc>) -> Option<&Evidence> {
        self.first(room, event, |_| from)
    }

    /// The first sign that counts under the rule on check-ins.
    pub fn of(&self, room: &RoomAddress, event: &Event, rule: &NoCheckIn) -> Option<&Evidence> {
        let (check_in, presence) = (event.start - rule.early, event.start + rule.presence_after);
        let counts_early = |sign: &Evidence| rule.presence_after.is_zero() || sign.names_an_event();
        self.first(room, event, |sign| if counts_early(sign) { check_in } else { presence })
    }

    /// `from`: since when a sign counts.
    fn first(
        &self,
        room: &RoomAddress,
        event: &Event,
        from: impl Fn(&Evidence) -> DateTime<Utc>,
    ) -> Option<&Evidence> {
        let counts =
            |sign: &&Evidence| from(sign) <= sign.at && sign.at < event.end && sign.speaks_for(event);
        self.by_room.get(room)?.iter().filter(counts).min_by_key(|sign| sign.at)
    }
}

impl Evidence {
    fn names_an_event(&self) -> bool {
        self.event.as_deref().is_some_and(|named| !named.is_empty())
    }

    fn speaks_for(&self, event: &Event) -> bool {
        match self.event.as_deref() {
            None | Some("") => true,
            Some(named) => {
                named == event.id.as_str() || event.uid.as_ref().is_some_and(|uid| uid.as_str() == named)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_say_the_same() {
        let csv = "room,event,at,source\n R1@x.example , ,2026-05-06T09:02:00Z,panel\n";
        let json = r#"[{"room":"r1@x.example","at":"2026-05-06T09:02:00Z","source":"panel"}]"#;
        let (csv, json) = (
            EvidenceLog::from_csv(csv.as_bytes()).unwrap(),
            EvidenceLog::from_json(json.as_bytes()).unwrap(),
        );
        let room: RoomAddress = "r1@x.example".parse().unwrap();
        assert_eq!(csv.by_room[&room][0].at, json.by_room[&room][0].at);
    }

    #[test]
    fn one_bad_line_spoils_the_file() {
        let csv =
            "room,event,at,source\nr1@x.example,,2026-05-06T09:02:00Z,panel\nr1@x.example,,yesterday,panel\n";
        assert!(matches!(EvidenceLog::from_csv(csv.as_bytes()), Err(EvidenceError::Csv(_))));
        assert!(EvidenceLog::from_json(&b"{}"[..]).is_err());
    }
}
