//! An event under construction: a request sets its properties one by one, and `finish` validates them together. The
//! world is changed only afterwards.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::sim::details::Details;
use crate::sim::event::{Copy, Event};
use crate::sim::ews_error::EwsError;
use crate::sim::series::Series;
use crate::sim::soap_request::instant;
use crate::sim::views::EventInstance;
use crate::sim::zones::{self, Zone};

/// Limit of an event's duration: five years.
const DURATION_MAX: TimeDelta = TimeDelta::days(5 * 366);

/// The change to the recurrence.
#[derive(Debug, Clone)]
pub(crate) enum RecurrenceChange {
    Keep,
    Remove,
    /// A series, and the day from which its pattern counts.
    Replace(Box<Series>, NaiveDate),
}

/// An event under construction.
#[derive(Debug, Clone)]
pub(crate) struct EventDraft {
    pub(crate) details: Details,
    pub(crate) copy: Copy,
    /// Whether it is one occurrence of a series.
    pub(crate) is_date: bool,
    pub(crate) uid: Option<String>,
    pub(crate) recurrence: RecurrenceChange,
    /// Whether its times, or values that they depend on, were set.
    pub(crate) times_changed: bool,
    /// The time zone for times without an offset.
    zone: &'static Zone,
}

impl EventDraft {
    /// A new event with a default duration of half an hour.
    pub(crate) fn new(now: DateTime<Utc>, zone: &'static Zone) -> Self {
        Self {
            details: Details::between(now, now + TimeDelta::minutes(30)),
            copy: Copy::Organizer,
            is_date: false,
            uid: None,
            recurrence: RecurrenceChange::Remove,
            times_changed: true,
            zone,
        }
    }

    /// A copy of an existing event or occurrence.
    pub(crate) fn of(view: &EventInstance<'_>, zone: &'static Zone) -> Self {
        let mut details = view.details.clone();
        (details.start, details.end) = (view.start, view.end);
        Self {
            details,
            copy: view.event.copy,
            is_date: view.original_start.is_some(),
            uid: None,
            recurrence: RecurrenceChange::Keep,
            times_changed: false,
            zone,
        }
    }

    /// Parses a time; without an offset it is local to the request's time zone.
    pub(crate) fn instant(&self, text: &str) -> Option<DateTime<Utc>> {
        let at = instant(text)?;
        let naive = NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%dT%H:%M:%S%.f");
        Some(naive.map_or(at, |local| self.zone.instant(local)))
    }

    /// The event's time zone, by default that of the request.
    pub(crate) fn start_zone(&self, event: Option<&Event>) -> &'static Zone {
        match (self.details.other_properties.get("StartTimeZone"), event) {
            (None, None) => self.zone,
            (None, Some(event)) => event.start_zone(&self.details),
            (Some(id), _) => zones::find(id).unwrap_or(self.zone),
        }
    }

    /// Makes the times consistent and rejects invalid ones. `event` is the existing event, for an update.
    pub(crate) fn finish(&mut self, event: Option<&Event>) -> Result<(), EwsError> {
        let zone = self.start_zone(event);
        let end_zone =
            self.details.other_properties.get("EndTimeZone").and_then(|id| zones::find(id)).unwrap_or(zone);
        if event.is_none() && zone.id != "UTC" {
            self.details.other_properties.entry("StartTimeZone").or_insert_with(|| zone.id.to_owned());
        }
        if self.times_changed && self.details.all_day {
            self.whole_days(zone, end_zone);
        }
        check(&self.details)?;
        let kept =
            event.and_then(|event| event.series.as_ref()).filter(|_| !self.is_date && self.times_changed);
        if let (RecurrenceChange::Keep, Some(series)) = (&self.recurrence, kept) {
            // Exceptions and deleted occurrences belong to the old pattern.
            let same = Series::new(series.pattern.clone(), series.range);
            self.recurrence =
                RecurrenceChange::Replace(Box::new(same), zone.local(self.details.start).date());
        }
        let RecurrenceChange::Replace(series, from) = &mut self.recurrence else { return Ok(()) };
        series.zone = zone;
        let first = first(series, zone.local(self.details.start).time(), *from)?;
        let length = self.details.end - self.details.start;
        (self.details.start, self.details.end) = (first, first + length);
        if event.is_some_and(|event| is_as_before(event, series, &self.details)) {
            self.recurrence = RecurrenceChange::Keep;
            return Ok(());
        }
        match series.starts(first).nth(1) {
            Some(next) if next < first + length => {
                Err(EwsError::new("ErrorOccurrenceTimeSpanTooBig", "The occurrences overlap."))
            }
            _ => Ok(()),
        }
    }

    /// Extends an all-day event to whole days.
    fn whole_days(&mut self, zone: &'static Zone, end_zone: &'static Zone) {
        let day = zone.local(self.details.start).date();
        let end = end_zone.local(self.details.end);
        let next = |day: NaiveDate| day.checked_add_days(Days::new(1)).unwrap_or(day);
        let last = if end.time() == NaiveTime::MIN { end.date() } else { next(end.date()) };
        self.details.start = zone.midnight(day);
        self.details.end = end_zone.midnight(last.max(next(day)));
    }

    /// Applies the changes to the event as a whole.
    pub(crate) fn apply(self, event: &mut Event) {
        if let Some(uid) = self.uid {
            event.uid = uid;
        }
        match self.recurrence {
            RecurrenceChange::Keep => {}
            RecurrenceChange::Remove => event.series = None,
            RecurrenceChange::Replace(series, _) => event.series = Some(*series),
        }
    }
}

/// Whether the new series equals the existing one, in which case exceptions and deleted occurrences are kept.
fn is_as_before(event: &Event, series: &Series, details: &Details) -> bool {
    event.series.as_ref().is_some_and(|now| {
        (&now.pattern, now.range, now.zone) == (&series.pattern, series.range, series.zone)
            && (event.details.start, event.details.end) == (details.start, details.end)
    })
}

/// The first occurrence of a series.
fn first(series: &Series, time: NaiveTime, from: NaiveDate) -> Result<DateTime<Utc>, EwsError> {
    let day = series.starts_from(from).next().ok_or_else(|| {
        EwsError::new("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.")
    })?;
    Ok(series.zone.instant(day.and_time(time)))
}

/// Rejects an end before the start, and durations above the limit.
fn check(details: &Details) -> Result<(), EwsError> {
    if details.end <= details.start {
        return Err(EwsError::new(
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "EndDate is earlier than StartDate",
        ));
    }
    if details.end - details.start > DURATION_MAX {
        return Err(EwsError::new(
            "ErrorCalendarDurationIsTooLong",
            "The event lasts longer than five years.",
        ));
    }
    Ok(())
}
