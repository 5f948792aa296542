//! The times that a request to book or to extend names: whether they are in range, and what of a booking's time is free. Pure.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::undo::conflict_with;
use crate::action::{BookingTime, Refusal, RequestedBound, RequestedEnd};
use crate::calendar::occupancy::{
    BOOKING_MIN, booking_from, booking_read_window, booking_start, free_part, free_window, reading_start,
};
use crate::calendar::{Event, Window};

/// How far before the request a booking may begin: the request was on its way.
const LATE_START_MAX: TimeDelta = TimeDelta::minutes(1);
/// The longest booking or extension to a named end: a day, the most that a request with minutes can ask for.
pub(super) const LENGTH_MAX: TimeDelta = TimeDelta::days(1);

/// The refusal of a time that is too early or too late.
pub(super) fn check_range(
    bound: RequestedBound,
    at: DateTime<Utc>,
    (earliest, latest): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), Refusal> {
    match earliest <= at && at <= latest {
        true => Ok(()),
        false => Err(Refusal::TimeOutOfRange { bound, earliest, latest }),
    }
}

/// The time that a booking asks for, in full seconds: calendars keep no fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BookingTimeRequest {
    time: BookingTime,
    now: DateTime<Utc>,
}

impl BookingTimeRequest {
    /// Checks the time of a request that was made at `requested_at`.
    pub(super) fn new(
        time: BookingTime,
        (requested_at, now): (DateTime<Utc>, DateTime<Utc>),
        horizon: TimeDelta,
    ) -> Result<Self, Refusal> {
        let start = time.start.map(|start| start.trunc_subsecs(0));
        if let Some(start) = start {
            let range = (requested_at - LATE_START_MAX, requested_at + horizon);
            check_range(RequestedBound::Start, start, range)?;
        }
        let end = match time.end {
            RequestedEnd::At(end) => {
                let (end, from) = (end.trunc_subsecs(0), start.unwrap_or_else(|| reading_start(now)));
                check_range(RequestedBound::End, end, (from + BOOKING_MIN, from + LENGTH_MAX))?;
                RequestedEnd::At(end)
            }
            minutes => minutes,
        };
        Ok(Self { time: BookingTime { start, end }, now })
    }

    /// The window that must be read before [`free`](Self::free) is called; `None` for a booking without length.
    pub(super) fn read_window(&self) -> Option<Window> {
        match (self.time.start, self.time.end) {
            (None, RequestedEnd::AtMost(minutes)) => booking_read_window(self.now, minutes.get()),
            (start, _) => self.wanted(start.unwrap_or_else(|| reading_start(self.now))),
        }
    }

    /// The window to book, where `around` holds all events within [`read_window`](Self::read_window).
    pub(super) fn free(&self, around: &[Event]) -> Result<Window, Refusal> {
        let start = self.time.start.unwrap_or_else(|| booking_start(around, self.now));
        let wanted = self.wanted(start).ok_or_else(|| conflict_with(Vec::new()))?;
        let free = match self.time.end {
            RequestedEnd::AtMost(_) => free_part(around, &wanted),
            RequestedEnd::At(_) => free_window(around, &wanted),
        };
        free.map_err(conflict_with)
    }

    fn wanted(&self, start: DateTime<Utc>) -> Option<Window> {
        match (self.time.start, self.time.end) {
            (None, RequestedEnd::AtMost(minutes)) => booking_from(start, minutes.get()),
            (Some(_), RequestedEnd::AtMost(minutes)) => {
                Window::new(start, start + TimeDelta::minutes(minutes.get().into())).ok()
            }
            (_, RequestedEnd::At(end)) => Window::new(start, end).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::RequestedMinutes;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn minutes(minutes: u16) -> RequestedMinutes {
        RequestedMinutes::new(minutes).unwrap()
    }

    /// The window that is booked at minute 100, or the bounds of the time that was refused, or the events in the way.
    fn booked(time: BookingTime, around: &[Event]) -> Result<(i64, i64), String> {
        let request = BookingTimeRequest::new(time, (at(100), at(100)), TimeDelta::hours(8));
        let minute = |at: DateTime<Utc>| (at - DateTime::UNIX_EPOCH).num_minutes();
        match request.and_then(|request| request.free(around)) {
            Ok(window) => Ok((minute(window.start()), minute(window.end()))),
            Err(Refusal::TimeOutOfRange { bound, earliest, latest }) => {
                Err(format!("{bound:?} {} to {}", minute(earliest), minute(latest)))
            }
            Err(Refusal::Collides { events }) => Err(format!("{} in the way", events.len())),
            Err(other) => panic!("{other}"),
        }
    }

    fn from(start: i64, end: RequestedEnd) -> BookingTime {
        BookingTime { start: Some(at(start)), end }
    }

    #[test]
    fn a_later_time_is_booked_as_it_was_requested_or_not_at_all() {
        let around = [Event::sample("next", at(200), at(230))];
        assert_eq!(booked(BookingTime::exactly(at(150), minutes(50)), &around), Ok((150, 200)));
        assert_eq!(
            booked(BookingTime::exactly(at(150), minutes(51)), &around),
            Err("1 in the way".to_owned())
        );
        assert_eq!(
            booked(BookingTime::exactly(at(210), minutes(5)), &around),
            Err("1 in the way".to_owned())
        );
        let to = |end| BookingTime { start: None, end: RequestedEnd::At(at(end)) };
        assert_eq!(booked(to(200), &around), Ok((100, 200)));
        assert_eq!(booked(to(201), &around), Err("1 in the way".to_owned()));
    }

    #[test]
    fn a_booking_until_the_next_event_ends_with_it() {
        let around = [Event::sample("next", at(200), at(230))];
        let until_next = RequestedEnd::AtMost(minutes(480));
        assert_eq!(booked(from(150, until_next), &around), Ok((150, 200)));
        assert_eq!(booked(from(230, until_next), &around), Ok((230, 710)));
        assert_eq!(booked(from(199, until_next), &around), Ok((199, 200)));
        assert_eq!(booked(from(200, until_next), &around), Err("1 in the way".to_owned()));
        assert_eq!(booked(BookingTime::from_now(minutes(480)), &around), Ok((100, 200)));
    }

    #[test]
    fn a_time_that_is_over_or_far_ahead_is_not_booked() {
        let half_an_hour = RequestedEnd::AtMost(minutes(30));
        assert_eq!(booked(from(99, half_an_hour), &[]), Ok((99, 129)), "the request took a minute");
        assert_eq!(booked(from(98, half_an_hour), &[]), Err("Start 99 to 580".to_owned()));
        assert_eq!(booked(from(580, half_an_hour), &[]), Ok((580, 610)));
        assert_eq!(booked(from(581, half_an_hour), &[]), Err("Start 99 to 580".to_owned()));
        let to = |end| RequestedEnd::At(at(end));
        assert_eq!(booked(from(150, to(150)), &[]), Err("End 151 to 1590".to_owned()));
        assert_eq!(booked(from(150, to(1591)), &[]), Err("End 151 to 1590".to_owned()));
        let now = BookingTime { start: None, end: to(90) };
        assert_eq!(booked(now, &[]), Err("End 101 to 1540".to_owned()));
    }

    #[test]
    fn what_is_booked_was_read() {
        let exactly = BookingTime::exactly(at(150), minutes(30));
        let until_next = from(150, RequestedEnd::AtMost(minutes(30)));
        for time in [exactly, until_next, BookingTime { start: None, ..exactly }] {
            let request = BookingTimeRequest::new(time, (at(100), at(100)), TimeDelta::hours(8)).unwrap();
            let (read, free) = (request.read_window().unwrap(), request.free(&[]).unwrap());
            assert!(read.start() <= free.start() && free.end() <= read.end(), "{time:?}");
        }
    }
}
