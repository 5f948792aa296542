//! One time zone: its offset, its daylight saving rule, and the arithmetic between instants and local time. Pure.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone {
    /// Its Windows name.
    pub(crate) id: &'static str,
    /// Its cities, for the display name.
    pub(crate) place: &'static str,
    /// Standard offset from UTC, in minutes.
    pub(crate) standard: i16,
    pub(crate) daylight: Option<DaylightSaving>,
}

/// The daylight saving rule of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DaylightSaving {
    /// Minutes added to standard time.
    pub(crate) extra: i16,
    /// In standard time.
    pub(crate) begin: Transition,
    /// In daylight saving time.
    pub(crate) end: Transition,
}

/// A yearly moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) month: u32,
    /// 1 to 4, or 5 for the last.
    pub(crate) nth: u32,
    pub(crate) day: Weekday,
    /// Minutes after midnight; may lie outside the day.
    pub(crate) minutes: i64,
}

/// Coordinated Universal Time.
pub(crate) static UTC: Zone =
    Zone { id: "UTC", place: "Coordinated Universal Time", standard: 0, daylight: None };

impl Zone {
    /// The display name.
    pub(crate) fn display(&self) -> String {
        let (sign, minutes) = (if self.standard < 0 { '-' } else { '+' }, self.standard.unsigned_abs());
        match minutes {
            0 => format!("(UTC) {}", self.place),
            _ => format!("(UTC{sign}{:02}:{:02}) {}", minutes / 60, minutes % 60, self.place),
        }
    }

    /// The local time at an instant.
    pub(crate) fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc() + self.offset(at)
    }

    /// The instant of a local time: the first one if it occurs twice; in standard time if it does not occur.
    pub(crate) fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let by = |offset: TimeDelta| (local - offset).and_utc();
        let early = by(self.standard() + self.extra());
        if self.offset(early) == self.standard() + self.extra() { early } else { by(self.standard()) }
    }

    /// The instant at which a local day begins.
    pub(crate) fn midnight(&self, day: NaiveDate) -> DateTime<Utc> {
        self.instant(day.and_time(NaiveTime::MIN))
    }

    /// The offset from UTC at an instant.
    pub(crate) fn offset(&self, at: DateTime<Utc>) -> TimeDelta {
        self.standard() + if self.is_summer(at) { self.extra() } else { TimeDelta::zero() }
    }

    /// The offset in the format of the wire.
    pub(crate) fn offset_of(&self, at: DateTime<Utc>) -> String {
        let minutes = self.offset(at).num_minutes();
        let sign = if minutes < 0 { '-' } else { '+' };
        match self.id {
            "UTC" => "Z".to_owned(),
            _ => format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60),
        }
    }

    pub(super) fn standard(&self) -> TimeDelta {
        TimeDelta::minutes(self.standard.into())
    }

    pub(super) fn extra(&self) -> TimeDelta {
        TimeDelta::minutes(self.daylight.map_or(0, |summer| summer.extra).into())
    }

    pub(super) fn is_summer(&self, at: DateTime<Utc>) -> bool {
        let Some(summer) = self.daylight else { return false };
        let standard = at.naive_utc() + self.standard();
        let begin = summer.begin.in_year(standard.year());
        let end = summer.end.in_year(standard.year()).map(|end| end - self.extra());
        match (begin, end) {
            (Some(begin), Some(end)) if begin < end => (begin..end).contains(&standard),
            (Some(begin), Some(end)) => !(end..begin).contains(&standard),
            _ => false,
        }
    }
}

impl Transition {
    pub(super) fn in_year(&self, year: i32) -> Option<NaiveDateTime> {
        let day = match self.nth {
            5 => {
                let next = if self.month == 12 { (year + 1, 1) } else { (year, self.month + 1) };
                let last = NaiveDate::from_ymd_opt(next.0, next.1, 1)?.pred_opt()?;
                let back = 7 + last.weekday().num_days_from_monday() - self.day.num_days_from_monday();
                last.checked_sub_days(Days::new(u64::from(back % 7)))?
            }
            nth => NaiveDate::from_weekday_of_month_opt(year, self.month, self.day, u8::try_from(nth).ok()?)?,
        };
        Some(day.and_time(NaiveTime::MIN) + TimeDelta::minutes(self.minutes))
    }

    /// The weekday and minutes within one day.
    pub(crate) fn of_day(&self) -> (Weekday, i64) {
        let days = self.minutes.div_euclid(1440);
        let mut day = self.day;
        for _ in 0..days.rem_euclid(7) {
            day = day.succ();
        }
        (day, self.minutes.rem_euclid(1440))
    }
}
