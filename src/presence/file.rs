//! Files of evidence: signs as CSV or JSON, and the time that the file covers.
//!
//! ```csv
//! room,event,at,source
//! room1@example.com,,2026-05-06T09:02:00Z,motion sensor
//! ```
//!
//! `event` (an item id or a UID, in EWS' or Graph's spelling) may be empty: then the sign is about the event that was on in the
//! room at that time. A file covers the time that it states (JSON: an object with `covers_from`, `covers_to` and `signs`), else
//! the time from its first to its newest sign.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{Coverage, Interval, Sign};
use crate::calendar::RoomAddress;

/// A day of signs every ten seconds from a hundred rooms is 864 000; beyond a few million the file is a mistake.
pub const SIGNS_MAX: usize = 5_000_000;

/// Why a file of evidence cannot be used. A sweep without its evidence would free rooms that people sit in, so one bad line
/// spoils the file.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The file is not CSV with the columns `room,event,at,source`.
    #[error("the evidence is not CSV with the columns room,event,at,source")]
    Csv(#[source] csv::Error),
    /// The file is not JSON of this form.
    #[error(
        "the evidence is neither a JSON array of {{room, event, at, source}} nor an object with covers_from, covers_to and signs"
    )]
    Json(#[source] serde_json::Error),
    /// The file has more than [`SIGNS_MAX`] signs.
    #[error("the evidence has more than {SIGNS_MAX} signs")]
    TooMany,
    /// A column that must be there is not.
    #[error("the evidence has no column `{0}` in its first line; the columns are room,event,at,source")]
    NoHeader(&'static str),
}

/// What a file of evidence holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceFile {
    /// Its signs, in the order of the file.
    pub signs: Vec<Sign>,
    /// The time that it states to cover.
    pub stated: Option<Interval>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    room: RoomAddress,
    #[serde(default)]
    event: Option<String>,
    at: DateTime<Utc>,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    covers_from: DateTime<Utc>,
    covers_to: DateTime<Utc>,
    signs: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Json {
    Signs(Vec<Line>),
    Stated(Stated),
}

impl EvidenceFile {
    /// Reads CSV with a header line. An empty text has no signs and covers nothing.
    ///
    /// # Errors
    /// When a line is not a sign.
    pub fn from_csv(text: &str) -> Result<Self, EvidenceError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(EvidenceError::Csv)?.clone();
        for column in ["room", "at", "source"] {
            if !headers.is_empty() && !headers.iter().any(|header| header == column) {
                return Err(EvidenceError::NoHeader(column));
            }
        }
        let mut signs = Vec::new();
        for line in reader.deserialize::<Line>() {
            if signs.len() >= SIGNS_MAX {
                return Err(EvidenceError::TooMany);
            }
            signs.push(sign(line.map_err(EvidenceError::Csv)?));
        }
        Ok(Self { signs, stated: None })
    }

    /// Reads a JSON array of signs, or an object that states the time it covers.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn from_json(text: &str) -> Result<Self, EvidenceError> {
        let (lines, stated) = match serde_json::from_str(text).map_err(EvidenceError::Json)? {
            Json::Signs(lines) => (lines, None),
            Json::Stated(file) => (file.signs, Interval::new(file.covers_from, file.covers_to)),
        };
        if lines.len() > SIGNS_MAX {
            return Err(EvidenceError::TooMany);
        }
        Ok(Self { signs: lines.into_iter().map(sign).collect(), stated })
    }

    /// The time of the newest sign.
    pub fn newest(&self) -> Option<DateTime<Utc>> {
        self.signs.iter().map(|sign| sign.at).max()
    }

    /// The time that the file covers, as known at `now`: no file covers what lies ahead.
    pub fn coverage(&self, now: DateTime<Utc>) -> Coverage {
        let usable = || self.signs.iter().filter(|sign| sign.has_usable_clock()).map(|sign| sign.at);
        let by_signs = || Interval::new(usable().min()?, usable().max()?);
        let covered = self.stated.or_else(by_signs);
        covered.and_then(|covered| Interval::new(covered.from, covered.to.min(now))).into_iter().collect()
    }

    /// The same signs, received now: a sign from the future has a wrong clock.
    #[must_use]
    pub fn received(mut self, now: DateTime<Utc>) -> Self {
        for sign in &mut self.signs {
            sign.received_at = if sign.at > now || now - sign.at > FILE_AGE_MAX { now } else { sign.at };
            sign.keep_until = DateTime::<Utc>::MAX_UTC;
        }
        self
    }
}

/// Signs of a file that are older than this have no usable clock, or are about nothing that is judged now.
const FILE_AGE_MAX: TimeDelta = TimeDelta::days(400);

fn sign(line: Line) -> Sign {
    let Line { room, event, at, source } = line;
    Sign { event, ..Sign::new(room, at, source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_give_the_same_signs() {
        let csv = "room,event,at,source\n R1@x.example , ,2026-05-06T09:02:00Z,panel\n";
        let json = r#"[{"room":"r1@x.example","at":"2026-05-06T09:02:00Z","source":"panel"}]"#;
        let (csv, json) = (EvidenceFile::from_csv(csv).unwrap(), EvidenceFile::from_json(json).unwrap());
        assert_eq!(
            (csv.signs[0].at, csv.signs[0].reference()),
            (json.signs[0].at, json.signs[0].reference())
        );
    }

    #[test]
    fn one_bad_line_spoils_the_file() {
        let csv =
            "room,event,at,source\nr1@x.example,,2026-05-06T09:02:00Z,panel\nr1@x.example,,yesterday,panel\n";
        assert!(matches!(EvidenceFile::from_csv(csv), Err(EvidenceError::Csv(_))));
        assert!(EvidenceFile::from_json("{}").is_err());
        let headless = "r1@x.example,,2026-05-06T09:02:00Z,panel\n";
        assert!(matches!(EvidenceFile::from_csv(headless), Err(EvidenceError::NoHeader("room"))));
    }

    #[test]
    fn a_file_covers_what_it_states_else_from_its_first_to_its_newest_sign() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = time("2026-05-06T10:00:00Z");
        let signs = r#"[{"room":"a@x.y","at":"2026-05-06T08:00:00Z","source":"m"},{"room":"b@x.y","at":"2026-05-06T09:00:00Z","source":"m"}]"#;
        let covered = |file: &EvidenceFile| file.coverage(now).intervals().to_vec();
        let plain = EvidenceFile::from_json(signs).unwrap();
        assert_eq!(
            covered(&plain),
            [Interval { from: time("2026-05-06T08:00:00Z"), to: time("2026-05-06T09:00:00Z") }]
        );
        let stated = format!(
            r#"{{"covers_from":"2026-05-06T07:00:00Z","covers_to":"2026-05-06T23:00:00Z","signs":{signs}}}"#
        );
        let stated = EvidenceFile::from_json(&stated).unwrap();
        assert_eq!(covered(&stated), [Interval { from: time("2026-05-06T07:00:00Z"), to: now }]);
        for nothing in [EvidenceFile::from_csv("").unwrap(), EvidenceFile::from_json("[]").unwrap()] {
            assert_eq!(covered(&nothing), []);
        }
    }
}
