//! Times as people write them in options: `14:00`, `yesterday`, `2026-01-01`, `2h ago`. Pure: the caller gives the present time and the
//! time zone. A local time that clocks skip or show twice is refused, never guessed.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike as _, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat,
    TimeDelta, TimeZone, Utc, Weekday,
};
use thiserror::Error;

use crate::calendar::start_of_day;

/// Bytes of a time.
pub(super) const TIME_BYTES_MAX: usize = 64;
/// Days that `ago` and `in` reach: a hundred years.
pub(super) const TIME_DAYS_MAX: usize = 36_525;
/// The same in seconds.
const SECONDS_MAX: i64 = TIME_DAYS_MAX as i64 * 86_400;
/// The forms of a time, as errors and `--help` name them.
pub(super) const FORMS: &str = "`2026-01-01T14:00:00+01:00`, `2026-01-01`, `2026-01-01 14:00`, `14:00`, `today`, `tomorrow 9:00`, `yesterday 14:00`, \
                         `last monday`, `next friday 9:00`, `2h ago`, `in 30 min` or `now`";

/// A time in an option. What it means depends on the present time and on the time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeArgument {
    /// With its offset from UTC (RFC 3339).
    Instant(DateTime<Utc>),
    /// This far from now; negative: before.
    FromNow(TimeDelta),
    /// On a day of the time zone, at a time of day, or at the first instant of the day.
    Local(Day, Option<NaiveTime>),
}

/// A day of the time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// This date.
    Date(NaiveDate),
    /// So many days after today; negative: before.
    FromToday(i64),
    /// The last such day before today.
    Last(Weekday),
    /// The first such day after today.
    Next(Weekday),
}

/// A text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum TimeArgumentError {
    /// None of the forms.
    #[error("expected a time such as {FORMS}")]
    Unknown,
    /// A weekday could be the last one or the next one.
    #[error("`{0}` may be the last or the next one: write `last {0}` or `next {0}`")]
    Weekday(String),
    /// A number is too large.
    #[error("`ago` and `in` reach {TIME_DAYS_MAX} days at most")]
    TooFar,
}

/// A local time is none, or two.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum LocalTimeError {
    /// Clocks are set forward over it.
    #[error(
        "{local} does not exist in {zone}, where clocks are set forward: write a time before or after, or one with an offset"
    )]
    Skipped {
        /// The time.
        local: NaiveDateTime,
        /// The time zone.
        zone: String,
    },
    /// Clocks are set back over it.
    #[error("{local} comes twice in {zone}, where clocks are set back: write {first} or {second}")]
    Repeated {
        /// The time.
        local: NaiveDateTime,
        /// The time zone.
        zone: String,
        /// The earlier one, with its offset.
        first: String,
        /// The later one, with its offset.
        second: String,
    },
    /// Beyond the calendar.
    #[error("this time is beyond the calendar")]
    OutOfRange,
}

impl FromStr for TimeArgument {
    type Err = TimeArgumentError;

    fn from_str(text: &str) -> Result<Self, TimeArgumentError> {
        if text.len() > TIME_BYTES_MAX {
            return Err(TimeArgumentError::Unknown);
        }
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        let text = text.trim().to_lowercase();
        if let Some(duration) = text.strip_suffix(" ago") {
            return Ok(Self::FromNow(-parse_duration(duration)?));
        }
        if let Some(duration) = text.strip_prefix("in ") {
            return Ok(Self::FromNow(parse_duration(duration)?));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["now"] => Ok(Self::FromNow(TimeDelta::zero())),
            ["last", day, time @ ..] => Ok(Self::Local(Day::Last(parse_weekday(day)?), optional_time(time)?)),
            ["next", day, time @ ..] => Ok(Self::Local(Day::Next(parse_weekday(day)?), optional_time(time)?)),
            [day, ..] if day.parse::<Weekday>().is_ok() => Err(TimeArgumentError::Weekday(text)),
            [time] if time.contains(':') && !time.contains('t') => {
                Ok(Self::Local(Day::FromToday(0), Some(parse_time(time)?)))
            }
            // `2026-01-01T14:00`, as ISO 8601 has it.
            [both] if both.contains(':') => {
                let (day, time) = both.split_once('t').ok_or(TimeArgumentError::Unknown)?;
                Ok(Self::Local(parse_day(day)?, Some(parse_time(time)?)))
            }
            [day, time @ ..] => Ok(Self::Local(parse_day(day)?, optional_time(time)?)),
            [] => Err(TimeArgumentError::Unknown),
        }
    }
}

fn parse_weekday(word: &str) -> Result<Weekday, TimeArgumentError> {
    word.parse().map_err(|_| TimeArgumentError::Unknown)
}

fn parse_day(word: &str) -> Result<Day, TimeArgumentError> {
    match word {
        "yesterday" => Ok(Day::FromToday(-1)),
        "today" => Ok(Day::FromToday(0)),
        "tomorrow" => Ok(Day::FromToday(1)),
        date if date.len() == "2026-01-01".len() => {
            let date = NaiveDate::parse_from_str(date, "%Y-%m-%d");
            date.map(Day::Date).map_err(|_| TimeArgumentError::Unknown)
        }
        _ => Err(TimeArgumentError::Unknown),
    }
}

fn optional_time(words: &[&str]) -> Result<Option<NaiveTime>, TimeArgumentError> {
    match words {
        [] => Ok(None),
        [time] => parse_time(time).map(Some),
        _ => Err(TimeArgumentError::Unknown),
    }
}

/// `9:00`, `14:00` or `14:00:30`.
fn parse_time(word: &str) -> Result<NaiveTime, TimeArgumentError> {
    let with_seconds = NaiveTime::parse_from_str(word, "%H:%M:%S");
    let time = with_seconds.or_else(|_| NaiveTime::parse_from_str(word, "%H:%M"));
    time.map_err(|_| TimeArgumentError::Unknown)
}

/// `2h`, `90 min`, `1h 30m`. A day has 24 hours here, a week seven such days.
fn parse_duration(text: &str) -> Result<TimeDelta, TimeArgumentError> {
    let (mut rest, mut seconds) = (text.trim(), 0_i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(TimeArgumentError::Unknown)?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let unit = seconds_of(unit).filter(|_| !number.is_empty()).ok_or(TimeArgumentError::Unknown)?;
        let number: i64 = number.parse().map_err(|_| TimeArgumentError::TooFar)?;
        seconds = number
            .checked_mul(unit)
            .and_then(|more| seconds.checked_add(more))
            .filter(|sum| *sum <= SECONDS_MAX)
            .ok_or(TimeArgumentError::TooFar)?;
        rest = next.trim_start();
    }
    if text.trim().is_empty() { Err(TimeArgumentError::Unknown) } else { Ok(TimeDelta::seconds(seconds)) }
}

fn seconds_of(unit: &str) -> Option<i64> {
    Some(match unit {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    })
}

impl TimeArgument {
    /// Whether the time zone decides what is meant.
    pub(super) fn needs_zone(self) -> bool {
        matches!(self, Self::Local(..))
    }

    /// The instant that is meant at this time in this time zone. `name` names the zone in errors.
    ///
    /// # Errors
    /// When clocks of the zone skip the time or show it twice.
    pub(super) fn resolve<Z: TimeZone>(
        self,
        now: DateTime<Utc>,
        zone: &Z,
        name: &str,
    ) -> Result<DateTime<Utc>, LocalTimeError>
    where
        Z::Offset: Display,
    {
        let (day, time) = match self {
            Self::Instant(instant) => return Ok(instant),
            Self::FromNow(distance) => {
                return now.checked_add_signed(distance).ok_or(LocalTimeError::OutOfRange);
            }
            Self::Local(day, time) => (day, time),
        };
        let date = day.date(now.with_timezone(zone).date_naive()).ok_or(LocalTimeError::OutOfRange)?;
        let Some(time) = time else { return start_of_day(zone, date).ok_or(LocalTimeError::OutOfRange) };
        let (local, zone_name) = (date.and_time(time), name.to_owned());
        match zone.from_local_datetime(&local) {
            LocalResult::Single(instant) => Ok(instant.with_timezone(&Utc)),
            LocalResult::None => Err(LocalTimeError::Skipped { local, zone: zone_name }),
            LocalResult::Ambiguous(first, second) => {
                let [first, second] =
                    [first, second].map(|one| one.to_rfc3339_opts(SecondsFormat::Secs, true));
                Err(LocalTimeError::Repeated { local, zone: zone_name, first, second })
            }
        }
    }
}

impl Day {
    fn date(self, today: NaiveDate) -> Option<NaiveDate> {
        // Days from a weekday until the next one of another name: 1 to 7.
        let until = |from: Weekday, to: Weekday| {
            u64::from((to.num_days_from_monday() + 6 - from.num_days_from_monday()) % 7 + 1)
        };
        match self {
            Self::Date(date) => Some(date),
            Self::FromToday(days) => today.checked_add_signed(TimeDelta::days(days)),
            Self::Next(weekday) => today.checked_add_days(Days::new(until(today.weekday(), weekday))),
            Self::Last(weekday) => today.checked_sub_days(Days::new(until(weekday, today.weekday()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America, Europe, Tz};
    use proptest::prelude::*;

    use super::*;

    /// Monday, 13:30 in Berlin.
    const NOW: &str = "2026-11-30T12:30:00Z";

    fn resolved(text: &str, now: &str, zone: Tz) -> Result<String, String> {
        let argument: TimeArgument = text.parse().map_err(|error: TimeArgumentError| error.to_string())?;
        let at = argument.resolve(now.parse().unwrap(), &zone, zone.name());
        at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).map_err(|error| error.to_string())
    }

    fn berlin(text: &str) -> String {
        resolved(text, NOW, Europe::Berlin).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn each_form_means_one_instant() {
        for (text, at) in [
            ("2026-05-06T14:00:00Z", "2026-05-06T14:00:00Z"),
            ("2026-05-06T14:00:00+02:00", "2026-05-06T12:00:00Z"),
            ("2026-01-01", "2025-12-31T23:00:00Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("2026-07-01 9:00", "2026-07-01T07:00:00Z"),
            ("2026-07-01T09:00", "2026-07-01T07:00:00Z"),
            ("2026-07-01T09:00:30", "2026-07-01T07:00:30Z"),
            ("14:00", "2026-11-30T13:00:00Z"),
            (" Today 14:00 ", "2026-11-30T13:00:00Z"),
            ("today", "2026-11-29T23:00:00Z"),
            ("tomorrow 9:00", "2026-12-01T08:00:00Z"),
            ("yesterday", "2026-11-28T23:00:00Z"),
            ("last monday", "2026-11-22T23:00:00Z"),
            ("next mon 10:00", "2026-12-07T09:00:00Z"),
            ("last friday 10:00", "2026-11-27T09:00:00Z"),
            ("next tuesday", "2026-11-30T23:00:00Z"),
            ("last sun", "2026-11-28T23:00:00Z"),
            ("now", "2026-11-30T12:30:00Z"),
            ("2h ago", "2026-11-30T10:30:00Z"),
            ("90 min ago", "2026-11-30T11:00:00Z"),
            ("1h30m ago", "2026-11-30T11:00:00Z"),
            ("in 30m", "2026-11-30T13:00:00Z"),
            ("in 1 hour 5 minutes", "2026-11-30T13:35:00Z"),
            ("3 days ago", "2026-11-27T12:30:00Z"),
            ("in 2w", "2026-12-14T12:30:00Z"),
        ] {
            assert_eq!(berlin(text), at, "{text}");
        }
    }

    #[test]
    fn today_is_the_day_of_the_zone() {
        // 23:30 in Berlin on the day before is 17:30 in New York.
        let now = "2026-11-30T22:30:00Z";
        assert_eq!(resolved("tomorrow", now, Europe::Berlin).unwrap(), "2026-11-30T23:00:00Z");
        assert_eq!(resolved("tomorrow", now, America::New_York).unwrap(), "2026-12-01T05:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms() {
        for text in [
            "",
            " ",
            "soon",
            "25:00",
            "24:00",
            "12:60",
            "2026-13-01",
            "2026-1-1",
            "01.02.2026",
            "today 14",
            "today 14:00 x",
            "2h",
            "ago",
            " ago",
            "in",
            "in 5",
            "in h",
            "5 fortnights ago",
            "-2h ago",
            "last",
            "next week",
            "2026-01-01t",
            "t14:00",
        ] {
            let error = text.parse::<TimeArgument>().unwrap_err();
            assert_eq!(error, TimeArgumentError::Unknown, "{text}");
            assert!(error.to_string().contains("2h ago"), "{error}");
        }
        assert_eq!("x".repeat(100).parse::<TimeArgument>(), Err(TimeArgumentError::Unknown));
        assert_eq!("99999999999999999999h ago".parse::<TimeArgument>(), Err(TimeArgumentError::TooFar));
        assert_eq!("in 40000d".parse::<TimeArgument>(), Err(TimeArgumentError::TooFar));
    }

    #[test]
    fn a_weekday_alone_is_refused() {
        let error = "Monday 10:00".parse::<TimeArgument>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`monday 10:00` may be the last or the next one: write `last monday 10:00` or `next monday 10:00`"
        );
    }

    #[test]
    fn a_time_that_clocks_skip_or_show_twice_is_refused() {
        let skipped = resolved("2026-03-29 02:30", NOW, Europe::Berlin).unwrap_err();
        assert!(skipped.starts_with("2026-03-29 02:30:00 does not exist in Europe/Berlin"), "{skipped}");
        let repeated = resolved("2026-10-25 02:30", NOW, Europe::Berlin).unwrap_err();
        let both = "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00";
        assert!(repeated.contains(both), "{repeated}");
        assert_eq!(berlin("2026-10-25T02:30:00+01:00"), "2026-10-25T01:30:00Z");
        // Summer time began at midnight in Cuba on that day: it began at 01:00 (UTC-4).
        assert_eq!(resolved("2026-03-08", NOW, America::Havana).unwrap(), "2026-03-08T05:00:00Z");
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in ".{0,40}") {
            let _ = resolved(&text, NOW, Europe::Berlin);
        }

        #[test]
        fn words_of_times_in_any_order_are_no_panic(
            words in prop::collection::vec(prop::sample::select(vec![
                "in", "ago", "last", "next", "today", "tomorrow", "yesterday", "now", "mon", "friday", "2026-01-01", "9999-12-31",
                "0000-01-01", "14:00", "02:30", "9", "2h", "36525d", "99999999999999999999", "min", "T", ":", "-",
            ]), 0..6),
            joined in prop::sample::select(vec![" ", "", "T"]),
        ) {
            let _ = resolved(&words.join(joined), NOW, Europe::Berlin);
        }

        #[test]
        fn a_local_time_is_read_back_as_it_was_written(minutes in 0_i64..1_440, days in -4_000_i64..4_000) {
            let now: DateTime<Utc> = NOW.parse().unwrap();
            let day = (now + TimeDelta::days(days)).date_naive();
            let local = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes);
            if let Ok(at) = resolved(&local.format("%F %H:%M").to_string(), NOW, Europe::Berlin) {
                let at: DateTime<Utc> = at.parse().unwrap();
                prop_assert_eq!(at.with_timezone(&Europe::Berlin).naive_local(), local);
            }
        }
    }
}
