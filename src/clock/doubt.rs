//! Decides whether the wall clock can be trusted. Pure: clock readings and the times of servers and records come in, a doubt
//! comes out.
//!
//! ```text
//! wall clock  ◄── Exchange's Date header (RFC 9110, section 6.6.1)   decides, once an answer came
//!             ◄── monotonic clock of this process                    shows that the wall clock stepped
//!             ◄── newest record on disk                              shows that the wall clock was set back
//! ```
//!
//! While there is a doubt, nothing irreversible is done that depends on the time alone: no meeting is evaluated, no schedule runs,
//! no evidence is deleted. Requests of people at a door are carried out.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Allowed difference between Exchange's clock and this machine's, the same as in Kerberos (RFC 4120, section 1.3.6; "Maximum
/// tolerance for computer clock synchronization" in Windows).
pub const SKEW_MAX: TimeDelta = TimeDelta::minutes(5);
/// A wall clock that moves by more than this against the monotonic clock was set, or the machine was suspended. NTP steps are
/// smaller.
const STEP_MIN: TimeDelta = TimeDelta::minutes(1);
/// Where Exchange sends no `Date` header, a step forward of up to this is accepted: a machine may be suspended over the
/// holidays.
const STEP_UNWITNESSED_MAX: TimeDelta = TimeDelta::days(7);
/// How far a record may be ahead of the wall clock: processes on one machine do not write at the same instant.
const RECORD_AHEAD_MAX: TimeDelta = TimeDelta::minutes(1);
/// After a longer pause since the newest record, Exchange has to confirm the time first.
const RECORD_AGE_MAX: TimeDelta = TimeDelta::days(7);
/// Limit on the `Date` samples of one server: one wrong back end behind it is outvoted.
const ANSWERS_MAX: usize = 9;
/// Limit on the servers.
const SERVERS_MAX: usize = 64;

/// Why the wall clock is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClockDoubt {
    /// Exchange reports another time.
    Exchange {
        /// The server.
        server: String,
        /// How far this machine's clock is ahead of it.
        ahead: TimeDelta,
    },
    /// The newest record is from the future.
    Record {
        /// When it was written.
        newest: DateTime<Utc>,
    },
    /// The newest record is old, and Exchange has not confirmed the time since the start.
    Unconfirmed {
        /// When the newest record was written.
        newest: DateTime<Utc>,
    },
    /// The wall clock stepped while the process ran, and Exchange has not confirmed the time since.
    Stepped {
        /// The step.
        by: TimeDelta,
    },
}

impl ClockDoubt {
    /// The name in metrics and records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Exchange { .. } => "exchange-differs",
            Self::Record { .. } => "record-from-future",
            Self::Unconfirmed { .. } => "unconfirmed-after-pause",
            Self::Stepped { .. } => "stepped",
        }
    }
}

impl fmt::Display for ClockDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange { server, ahead } => {
                let (by, side) = side(*ahead);
                write!(f, "this machine's clock is {by} {side} the clock of Exchange ({server})")
            }
            Self::Record { newest } => {
                write!(
                    f,
                    "this machine's clock shows a time before the newest record, which is from {newest}"
                )
            }
            Self::Unconfirmed { newest } => {
                write!(f, "the newest record is from {newest}, and Exchange has not confirmed the time yet")
            }
            Self::Stepped { by } => {
                let (by, _) = side(*by);
                write!(f, "this machine's clock jumped by {by}, and Exchange has not confirmed the time yet")
            }
        }
    }
}

/// The size of an offset in words, and its direction.
fn side(ahead: TimeDelta) -> (String, &'static str) {
    let (size, side) = if ahead < TimeDelta::zero() { (-ahead, "behind") } else { (ahead, "ahead of") };
    let words = match (size.num_days(), size.num_hours(), size.num_minutes()) {
        (0, 0, 0..=1) => format!("{} s", size.num_seconds()),
        (0, 0..=1, minutes) => format!("{minutes} min"),
        (0..=1, hours, _) => format!("{hours} h"),
        (days, ..) => format!("{days} days"),
    };
    (words, side)
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock.
    pub wall: DateTime<Utc>,
    /// The monotonic clock, since any fixed moment.
    pub monotonic: Duration,
}

impl ClockReading {
    /// The movement of the wall clock against the monotonic clock since then.
    fn step_since(self, before: Self) -> TimeDelta {
        let passed = self.monotonic.saturating_sub(before.monotonic);
        (self.wall - before.wall) - TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX)
    }
}

/// The other sources of time by which the wall clock is checked.
#[derive(Debug, Default)]
pub struct Witnesses {
    last: Option<ClockReading>,
    /// The steps since a server last agreed.
    stepped: TimeDelta,
    /// The wall clock just after the last step that was a pause or a correction.
    running_since: Option<DateTime<Utc>>,
    newest_record: Option<DateTime<Utc>>,
    /// A server responded since the start, with or without a `Date` header.
    answered: bool,
    /// A server sent a `Date` header, at any time.
    dated: bool,
    servers: BTreeMap<String, DateSamples>,
}

/// The last times that one server returned, each with the monotonic clock at its receipt.
type DateSamples = VecDeque<(DateTime<Utc>, Duration)>;

impl Witnesses {
    /// Adds the time of a record on disk.
    pub fn add_record(&mut self, at: DateTime<Utc>) {
        self.newest_record = self.newest_record.max(Some(at));
    }

    /// Adds a reading. After a step, earlier `Date` headers prove nothing any more: the machine may have been suspended.
    pub fn record_reading(&mut self, reading: ClockReading) {
        let step = self.last.map_or_else(TimeDelta::zero, |last| reading.step_since(last));
        self.last = Some(reading);
        if step.abs() < STEP_MIN {
            return;
        }
        self.stepped += step;
        self.servers.clear();
        if self.dated {
            self.running_since = Some(reading.wall);
        }
    }

    /// Adds a server's response, with the time of its `Date` header if it has one.
    pub fn record_answer(&mut self, server: &str, said: Option<DateTime<Utc>>, reading: ClockReading) {
        self.record_reading(reading);
        self.answered = true;
        let Some(said) = said else { return };
        self.dated = true;
        if self.servers.len() >= SERVERS_MAX && !self.servers.contains_key(server) {
            return;
        }
        let answers = self.servers.entry(server.to_owned()).or_default();
        if answers.len() >= ANSWERS_MAX {
            answers.pop_front();
        }
        answers.push_back((said, reading.monotonic));
        if self.differing(reading).is_none() {
            // Two clocks that agree outvote the records.
            (self.stepped, self.newest_record) = (TimeDelta::zero(), None);
        }
    }

    /// Why the wall clock is not trusted now.
    pub fn doubt(&mut self, reading: ClockReading) -> Option<ClockDoubt> {
        self.record_reading(reading);
        if !self.servers.is_empty() {
            return self.differing(reading);
        }
        let by = self.stepped;
        let believed = if self.dated { STEP_MIN } else { STEP_UNWITNESSED_MAX };
        if by > believed || by < -STEP_MIN {
            return Some(ClockDoubt::Stepped { by });
        }
        let newest = self.newest_record?;
        if newest > reading.wall + RECORD_AHEAD_MAX {
            return Some(ClockDoubt::Record { newest });
        }
        let is_old = reading.wall - newest > RECORD_AGE_MAX;
        (is_old && !self.answered).then_some(ClockDoubt::Unconfirmed { newest })
    }

    /// The time since which this process has run without a pause of the machine; `None`: since its start.
    pub fn running_since(&self) -> Option<DateTime<Utc>> {
        self.running_since
    }

    /// How far the wall clock is ahead of each server.
    pub fn offsets(&self, reading: ClockReading) -> impl Iterator<Item = (&str, TimeDelta)> {
        self.servers.iter().filter_map(move |(server, answers)| Some((&**server, ahead(answers, reading)?)))
    }

    /// A server that differs from the wall clock, unless at least as many agree as differ.
    fn differing(&self, reading: ClockReading) -> Option<ClockDoubt> {
        let differing: Vec<_> = self.offsets(reading).filter(|(_, ahead)| ahead.abs() > SKEW_MAX).collect();
        let agreeing = self.servers.len() - differing.len();
        let (server, ahead) = differing.first().filter(|_| agreeing < differing.len())?;
        Some(ClockDoubt::Exchange { server: (*server).to_owned(), ahead: *ahead })
    }
}

/// How far the wall clock is ahead of a server, by the median of its samples.
fn ahead(answers: &DateSamples, now: ClockReading) -> Option<TimeDelta> {
    let mut all: Vec<_> = answers
        .iter()
        .map(|(said, heard)| {
            let passed = now.monotonic.saturating_sub(*heard);
            now.wall - (*said + TimeDelta::from_std(passed).unwrap_or_default())
        })
        .collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn start() -> ClockReading {
        ClockReading { wall: at("2026-03-02T08:00:00Z"), monotonic: Duration::ZERO }
    }

    /// So much later, with the wall clock ahead by so much.
    fn later(seconds: u64, ahead: TimeDelta) -> ClockReading {
        let ClockReading { wall, monotonic } = start();
        let monotonic = monotonic + Duration::from_secs(seconds);
        ClockReading { wall: wall + TimeDelta::seconds(i64::try_from(seconds).unwrap()) + ahead, monotonic }
    }

    fn true_time(seconds: u64) -> Option<DateTime<Utc>> {
        Some(later(seconds, TimeDelta::zero()).wall)
    }

    #[test]
    fn a_clock_that_jumps_is_doubted_until_it_is_back() {
        for jump in
            [TimeDelta::days(400), -TimeDelta::days(400), TimeDelta::hours(3), -TimeDelta::minutes(10)]
        {
            let mut witnesses = Witnesses::default();
            witnesses.record_answer("a", true_time(0), start());
            assert_eq!(witnesses.doubt(later(60, TimeDelta::zero())), None);
            let doubt = witnesses.doubt(later(120, jump));
            assert_eq!(doubt, Some(ClockDoubt::Stepped { by: jump }), "unconfirmed");
            witnesses.record_answer("a", true_time(130), later(130, jump));
            let differs = ClockDoubt::Exchange { server: "a".to_owned(), ahead: jump };
            assert_eq!(witnesses.doubt(later(140, jump)), Some(differs));
            assert_eq!(
                witnesses.doubt(later(150, TimeDelta::zero())),
                None,
                "the clock is back where it was"
            );
            witnesses.record_answer("a", true_time(160), later(160, TimeDelta::zero()));
            assert_eq!(witnesses.doubt(later(170, TimeDelta::zero())), None);
        }
    }

    #[test]
    fn a_machine_that_slept_is_believed_once_exchange_confirms_the_time_and_was_not_up_meanwhile() {
        let slept = TimeDelta::hours(9);
        let mut witnesses = Witnesses::default();
        witnesses.record_answer("a", true_time(0), start());
        assert!(witnesses.doubt(later(60, slept)).is_some());
        witnesses.record_answer("a", Some(later(61, slept).wall), later(61, slept));
        assert_eq!(witnesses.doubt(later(62, slept)), None);
        assert_eq!(witnesses.running_since(), Some(later(60, slept).wall));
    }

    #[test]
    fn one_wrong_back_end_is_outvoted() {
        let mut witnesses = Witnesses::default();
        for second in 0..30 {
            let wrong = second % 3 == 0;
            let said = true_time(second).map(|time| if wrong { time - TimeDelta::days(30) } else { time });
            witnesses.record_answer("a", said, later(second, TimeDelta::zero()));
        }
        assert_eq!(witnesses.doubt(later(31, TimeDelta::zero())), None);
        witnesses.record_answer("b", Some(at("2020-01-01T00:00:00Z")), later(32, TimeDelta::zero()));
        assert_eq!(witnesses.doubt(later(33, TimeDelta::zero())), None, "one of two agrees");
        witnesses.record_answer("c", Some(at("2020-01-01T00:00:00Z")), later(34, TimeDelta::zero()));
        assert!(witnesses.doubt(later(35, TimeDelta::zero())).is_some());
    }

    #[test]
    fn the_newest_record_speaks_until_exchange_was_heard() {
        let mut witnesses = Witnesses::default();
        let newest = start().wall + TimeDelta::hours(1);
        witnesses.add_record(newest);
        assert_eq!(witnesses.doubt(start()), Some(ClockDoubt::Record { newest }));
        witnesses.record_answer("a", true_time(5), later(5, TimeDelta::zero()));
        assert_eq!(witnesses.doubt(later(6, TimeDelta::zero())), None, "the record was from a wrong time");

        let mut witnesses = Witnesses::default();
        let newest = start().wall - TimeDelta::days(400);
        witnesses.add_record(newest);
        assert_eq!(witnesses.doubt(start()), Some(ClockDoubt::Unconfirmed { newest }));
        witnesses.record_answer("a", None, later(5, TimeDelta::zero()));
        assert_eq!(witnesses.doubt(later(6, TimeDelta::zero())), None);
    }

    #[test]
    fn without_a_date_small_steps_are_believed_and_large_ones_are_not() {
        let mut witnesses = Witnesses::default();
        witnesses.record_answer("a", None, start());
        assert_eq!(witnesses.doubt(later(60, TimeDelta::hours(2))), None);
        assert_eq!(witnesses.running_since(), None);
        assert!(witnesses.doubt(later(120, TimeDelta::days(400))).is_some());
        assert_eq!(witnesses.doubt(later(180, TimeDelta::hours(2))), None, "it is back");
    }

    #[test]
    fn readings_and_servers_are_bounded() {
        let mut witnesses = Witnesses::default();
        for n in 0..1_000 {
            witnesses.record_answer(&format!("{n}"), true_time(0), start());
            witnesses.record_answer("0", true_time(0), start());
        }
        assert_eq!(witnesses.servers.len(), SERVERS_MAX);
        assert_eq!(witnesses.servers["0"].len(), ANSWERS_MAX);
    }

    #[test]
    fn a_doubt_is_told_in_words() {
        let ahead =
            ClockDoubt::Exchange { server: "mail.example.com".to_owned(), ahead: TimeDelta::days(400) };
        let words = "this machine's clock is 400 days ahead of the clock of Exchange (mail.example.com)";
        assert_eq!(ahead.to_string(), words);
        let behind =
            ClockDoubt::Exchange { server: "mail.example.com".to_owned(), ahead: -TimeDelta::minutes(7) };
        let words = "this machine's clock is 7 min behind the clock of Exchange (mail.example.com)";
        assert_eq!(behind.to_string(), words);
    }
}
