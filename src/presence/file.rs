//! Evidence files: signs as CSV or JSON, and the time that the file covers. The parser returns one sign after another, so that
//! a file takes no more memory than the signs that its reader keeps.
//!
//! ```csv
//! room,event,at,source
//! room1@example.com,,2026-05-06T09:02:00Z,motion sensor
//! ```
//!
//! `event` (an item id or a UID, in the spelling of EWS or Graph) may be empty: then the sign is about the event that was on in
//! the room at that time. A file covers the time that it states (JSON: an object with `covers_from`, `covers_to` and `signs`),
//! else the time from its first to its newest sign.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Coverage, Interval, Sign};
use crate::calendar::RoomAddress;

/// Limit on the signs of a file. A day of signs every ten seconds from a hundred rooms has 864 000.
pub const SIGNS_MAX: usize = 5_000_000;
/// Limit on the bytes of a file: five million signs take less.
pub const EVIDENCE_FILE_BYTES_MAX: usize = 1 << 30;
/// Limit on the bytes of one sign in the file, with the bytes before it.
pub const SIGN_IN_FILE_BYTES_MAX: usize = 1 << 20;

/// Why an evidence file is rejected. A sweep without its evidence would release occupied rooms, so one bad line rejects the whole
/// file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// The file's signs exceed their memory limit, even after signs of one hour were merged.
    #[error(
        "the evidence takes more than {0} MiB of memory; leave out the days and rooms that this sweep does not cover"
    )]
    TooLarge(usize),
    /// A required column is missing.
    #[error("the evidence has no column `{0}` in its first line; the columns are room,event,at,source")]
    NoHeader(&'static str),
}

/// The format of an evidence file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceFormat {
    /// With a header line.
    Csv,
    /// An array of signs, or an object that states the time it covers.
    Json,
}

/// Properties of an evidence file, besides its signs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvidenceFile {
    /// The number of signs.
    pub signs: usize,
    /// The time of the newest sign.
    pub newest: Option<DateTime<Utc>>,
    /// The times of the first and the last sign with a usable clock.
    usable: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The time that the file states to cover.
    pub stated: Option<Interval>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceLine {
    room: RoomAddress,
    #[serde(default)]
    event: Option<String>,
    at: DateTime<Utc>,
    source: String,
}

/// Receives each sign of a file.
type OnSign<'a> = &'a mut dyn FnMut(Sign) -> Result<(), EvidenceError>;

impl EvidenceFile {
    /// Parses a file and passes each sign to `each`, received at `now`. An empty text has no signs and covers no time.
    ///
    /// # Errors
    /// When the text is not of this format, or `each` fails.
    pub fn read(
        format: EvidenceFormat,
        text: impl Read,
        now: DateTime<Utc>,
        each: OnSign<'_>,
    ) -> Result<Self, EvidenceError> {
        let since_sign = Rc::new(Cell::new(0));
        let text = ByteMeter { text, all: 0, since_sign: since_sign.clone() };
        let mut file = Self::default();
        let mut take = |line: EvidenceLine| {
            since_sign.set(0);
            let sign = sign(line, now);
            file.count(&sign)?;
            each(sign)
        };
        let stated = match format {
            EvidenceFormat::Csv => read_csv(text, &mut take).map(|()| None),
            EvidenceFormat::Json => read_json(text, &mut take),
        }?;
        Ok(Self { stated, ..file })
    }

    fn count(&mut self, sign: &Sign) -> Result<(), EvidenceError> {
        if self.signs >= SIGNS_MAX {
            return Err(EvidenceError::TooMany);
        }
        self.signs += 1;
        self.newest = self.newest.max(Some(sign.at));
        if sign.has_usable_clock() {
            let (first, last) = self.usable.unwrap_or((sign.at, sign.at));
            self.usable = Some((first.min(sign.at), last.max(sign.at)));
        }
        Ok(())
    }

    /// The time that the file covers, up to `now`: no file covers the future.
    pub fn coverage(&self, now: DateTime<Utc>) -> Coverage {
        let by_signs = || self.usable.and_then(|(first, last)| Interval::new(first, last));
        let covered = self.stated.or_else(by_signs);
        covered.and_then(|covered| Interval::new(covered.from, covered.to.min(now))).into_iter().collect()
    }
}

/// Signs of a file that are older than this have no usable clock, or are about no event that is evaluated now.
const FILE_AGE_MAX: TimeDelta = TimeDelta::days(400);

/// The sign of a line, as received at its own time; a sign from the future, whose clock is wrong, as received now.
fn sign(EvidenceLine { room, event, at, source }: EvidenceLine, now: DateTime<Utc>) -> Sign {
    let received_at = if at > now || now - at > FILE_AGE_MAX { now } else { at };
    Sign { event, received_at, keep_until: DateTime::<Utc>::MAX_UTC, ..Sign::new(room, at, source) }
}

/// Counts the bytes of a file, so that an endless line cannot take unlimited memory.
struct ByteMeter<R> {
    text: R,
    all: usize,
    since_sign: Rc<Cell<usize>>,
}

impl<R: Read> Read for ByteMeter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.all > EVIDENCE_FILE_BYTES_MAX {
            return Err(too_large(format!("the file has more than {EVIDENCE_FILE_BYTES_MAX} bytes")));
        }
        if self.since_sign.get() > SIGN_IN_FILE_BYTES_MAX {
            return Err(too_large(format!("a sign has more than {SIGN_IN_FILE_BYTES_MAX} bytes")));
        }
        let read = self.text.read(buffer)?;
        self.all += read;
        self.since_sign.set(self.since_sign.get() + read);
        Ok(read)
    }
}

fn too_large(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, why)
}

type OnLine<'a> = &'a mut dyn FnMut(EvidenceLine) -> Result<(), EvidenceError>;

fn read_csv(text: impl Read, take: OnLine<'_>) -> Result<(), EvidenceError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let headers = reader.headers().map_err(EvidenceError::Csv)?.clone();
    for column in ["room", "at", "source"] {
        if !headers.is_empty() && !headers.iter().any(|header| header == column) {
            return Err(EvidenceError::NoHeader(column));
        }
    }
    reader.deserialize::<EvidenceLine>().try_for_each(|line| take(line.map_err(EvidenceError::Csv)?))
}

fn read_json(text: impl Read, take: OnLine<'_>) -> Result<Option<Interval>, EvidenceError> {
    let mut reader = serde_json::Deserializer::from_reader(io::BufReader::new(text));
    let mut failed = None;
    let stated = reader.deserialize_any(EvidenceDocument { take, failed: &mut failed });
    let stated = stated.and_then(|stated| reader.end().map(|()| stated));
    match failed {
        Some(error) => Err(error),
        None => stated.map_err(EvidenceError::Json),
    }
}

/// An array of signs, or an object with the signs and the time that they cover.
struct EvidenceDocument<'a, 'f> {
    take: OnLine<'a>,
    /// The error of the receiver.
    failed: &'f mut Option<EvidenceError>,
}

impl EvidenceDocument<'_, '_> {
    fn signs<'de, A: SeqAccess<'de>>(&mut self, mut signs: A) -> Result<(), A::Error> {
        while let Some(line) = signs.next_element()? {
            if let Err(error) = (self.take)(line) {
                *self.failed = Some(error);
                return Err(A::Error::custom("a sign was rejected"));
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for EvidenceDocument<'_, '_> {
    type Value = Option<Interval>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of signs, or an object with covers_from, covers_to and signs")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, signs: A) -> Result<Self::Value, A::Error> {
        self.signs(signs).map(|()| None)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut from, mut to, mut has_signs) = (None, None, false);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "covers_from" => from = Some(map.next_value()?),
                "covers_to" => to = Some(map.next_value()?),
                "signs" if !has_signs => {
                    has_signs = true;
                    map.next_value_seed(SignArray(&mut self))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    return Err(A::Error::custom(format!("unexpected field `{name}`")));
                }
            }
        }
        match (from, to, has_signs) {
            (Some(from), Some(to), true) => Ok(Interval::new(from, to)),
            (None, ..) => Err(A::Error::missing_field("covers_from")),
            (_, None, _) => Err(A::Error::missing_field("covers_to")),
            (.., false) => Err(A::Error::missing_field("signs")),
        }
    }
}

/// The array in an object's field `signs`.
struct SignArray<'d, 'a, 'f>(&'d mut EvidenceDocument<'a, 'f>);

impl<'de> DeserializeSeed<'de> for SignArray<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SignArray<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of signs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, signs: A) -> Result<(), A::Error> {
        self.0.signs(signs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-05-06T10:00:00Z".parse().unwrap()
    }

    fn read(format: EvidenceFormat, text: &str) -> Result<(EvidenceFile, Vec<Sign>), EvidenceError> {
        let mut signs = Vec::new();
        let file = EvidenceFile::read(format, text.as_bytes(), now(), &mut |sign| {
            signs.push(sign);
            Ok(())
        })?;
        Ok((file, signs))
    }

    fn csv(text: &str) -> Result<(EvidenceFile, Vec<Sign>), EvidenceError> {
        read(EvidenceFormat::Csv, text)
    }

    fn json(text: &str) -> Result<(EvidenceFile, Vec<Sign>), EvidenceError> {
        read(EvidenceFormat::Json, text)
    }

    #[test]
    fn csv_and_json_give_the_same_signs() {
        let (file, signs) =
            csv("room,event,at,source\n R1@x.example , ,2026-05-06T09:02:00Z,panel\n").unwrap();
        let text = r#"[{"room":"r1@x.example","at":"2026-05-06T09:02:00Z","source":"panel"}]"#;
        let (other, others) = json(text).unwrap();
        assert_eq!((signs[0].at, signs[0].reference()), (others[0].at, others[0].reference()));
        assert_eq!(file, other);
    }

    #[test]
    fn one_bad_line_spoils_the_file() {
        let text =
            "room,event,at,source\nr1@x.example,,2026-05-06T09:02:00Z,panel\nr1@x.example,,yesterday,panel\n";
        assert!(matches!(csv(text), Err(EvidenceError::Csv(_))));
        let sign = r#"{"room":"a@x.y","at":"2026-05-06T08:00:00Z","source":"m"}"#;
        for bad in ["{}", "[1]", "", "{\"signs\":[]}", &format!("[{sign}] [{sign}]"), &format!("[{sign}")] {
            assert!(matches!(json(bad), Err(EvidenceError::Json(_))), "{bad}");
        }
        let headless = "r1@x.example,,2026-05-06T09:02:00Z,panel\n";
        assert!(matches!(csv(headless), Err(EvidenceError::NoHeader("room"))));
    }

    #[test]
    fn a_file_covers_what_it_states_else_from_its_first_to_its_newest_sign() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let signs = r#"[{"room":"a@x.y","at":"2026-05-06T08:00:00Z","source":"m"},{"room":"b@x.y","at":"2026-05-06T09:00:00Z","source":"m"}]"#;
        let covered = |file: &EvidenceFile| file.coverage(now()).intervals().to_vec();
        let (plain, _) = json(signs).unwrap();
        assert_eq!(
            covered(&plain),
            [Interval { from: time("2026-05-06T08:00:00Z"), to: time("2026-05-06T09:00:00Z") }]
        );
        let stated = format!(
            r#"{{"covers_from":"2026-05-06T07:00:00Z","covers_to":"2026-05-06T23:00:00Z","signs":{signs}}}"#
        );
        let (stated, _) = json(&stated).unwrap();
        assert_eq!(covered(&stated), [Interval { from: time("2026-05-06T07:00:00Z"), to: now() }]);
        for (nothing, _) in [csv("").unwrap(), json("[]").unwrap()] {
            assert_eq!(covered(&nothing), []);
        }
    }

    #[test]
    fn a_file_whose_sign_does_not_end_is_refused_before_it_is_read_whole() {
        struct Endless<'a>(&'a [u8], usize);
        impl Read for Endless<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let (begin, text) = (self.1.min(self.0.len()), buffer.len());
                let head = &self.0[begin..(begin + text).min(self.0.len())];
                buffer.fill(b'x');
                buffer[..head.len()].copy_from_slice(head);
                self.1 += text;
                assert!(self.1 < 4 * SIGN_IN_FILE_BYTES_MAX, "it reads on");
                Ok(text)
            }
        }
        let beginnings = [
            (EvidenceFormat::Csv, "room,event,at,source\nr1@x.example,"),
            (EvidenceFormat::Json, "[{\"room\":\"a@x.y\",\"source\":\""),
        ];
        for (format, begin) in beginnings {
            let read = EvidenceFile::read(format, Endless(begin.as_bytes(), 0), now(), &mut |_| Ok(()));
            let text = format!("{:?}", read.unwrap_err());
            assert!(text.contains("a sign has more than"), "{text}");
        }
    }

    #[test]
    fn what_its_reader_cannot_keep_spoils_the_file() {
        let sign = r#"{"room":"a@x.y","at":"2026-05-06T08:00:00Z","source":"m"}"#;
        let texts = [
            (EvidenceFormat::Json, format!("[{sign},{sign}]")),
            (EvidenceFormat::Csv, "room,at,source\na@x.y,2026-05-06T08:00:00Z,m\n".to_owned()),
        ];
        for (format, text) in texts {
            let mut refuse = |_| Err(EvidenceError::TooLarge(1));
            let read = EvidenceFile::read(format, text.as_bytes(), now(), &mut refuse);
            assert!(matches!(read, Err(EvidenceError::TooLarge(1))), "{read:?}");
        }
    }
}
