//! `t:Recurrence`: parses and writes six patterns and three ranges.

use chrono::{DateTime, NaiveDate, Utc, Weekday};
use roxmltree::Node;

use crate::sim::ews_error::EwsError;
use crate::sim::pattern::{DayOfWeek, RecurrencePattern};
use crate::sim::series::{RecurrenceRange, Series};
use crate::sim::soap_request::{day, elements, t_text};
use crate::sim::soap_response::element;
use crate::sim::xml::TYPES;

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WEEKDAYS: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
const INDICES: [&str; 5] = ["First", "Second", "Third", "Fourth", "Last"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Limit of an interval and of a number of occurrences.
const NUMBER_MAX: u32 = 999;

/// The element of a series that starts at `first`.
pub(super) fn write(series: &Series, first: DateTime<Utc>) -> String {
    let day = |at: DateTime<Utc>, day: NaiveDate| format!("{day}{}", series.zone.offset_of(at));
    let start = element("StartDate", &day(first, series.zone.local(first).date()));
    let range = match series.range {
        RecurrenceRange::NoEnd => format!("<t:NoEndRecurrence>{start}</t:NoEndRecurrence>"),
        RecurrenceRange::Until(last) => {
            let end = element("EndDate", &day(series.zone.midnight(last), last));
            format!("<t:EndDateRecurrence>{start}{end}</t:EndDateRecurrence>")
        }
        RecurrenceRange::Count(count) => format!(
            "<t:NumberedRecurrence>{start}<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences>\
             </t:NumberedRecurrence>"
        ),
    };
    format!("<t:Recurrence>{}{range}</t:Recurrence>", pattern(&series.pattern))
}

fn pattern(pattern: &RecurrencePattern) -> String {
    let number = |name: &str, number: &u32| element(name, &number.to_string());
    let every = |interval: &u32| number("Interval", interval);
    let (kind, inside) = match pattern {
        RecurrencePattern::Daily { interval } => ("Daily", every(interval)),
        RecurrencePattern::Weekly { interval, days, first_day } => {
            let days: Vec<&str> = days.iter().copied().map(weekday).collect();
            let days = element("DaysOfWeek", &days.join(" "));
            ("Weekly", every(interval) + &days + &element("FirstDayOfWeek", weekday(*first_day)))
        }
        RecurrencePattern::Monthly { interval, day } => {
            ("AbsoluteMonthly", every(interval) + &number("DayOfMonth", day))
        }
        RecurrencePattern::MonthlyWeekday { interval, day, nth } => {
            ("RelativeMonthly", every(interval) + &relative(*day, *nth))
        }
        RecurrencePattern::Yearly { month, day } => {
            ("AbsoluteYearly", number("DayOfMonth", day) + &element("Month", month_name(*month)))
        }
        RecurrencePattern::YearlyWeekday { month, day, nth } => {
            ("RelativeYearly", relative(*day, *nth) + &element("Month", month_name(*month)))
        }
    };
    format!("<t:{kind}Recurrence>{inside}</t:{kind}Recurrence>")
}

fn relative(day: DayOfWeek, nth: u32) -> String {
    let day = match day {
        DayOfWeek::On(day) => weekday(day),
        DayOfWeek::Day => "Day",
        DayOfWeek::Weekday => "Weekday",
        DayOfWeek::WeekendDay => "WeekendDay",
    };
    let index = INDICES.get((nth.clamp(1, 5) - 1) as usize).copied().unwrap_or("Last");
    element("DaysOfWeek", day) + &element("DayOfWeekIndex", index)
}

fn weekday(day: Weekday) -> &'static str {
    DAYS.get(day.num_days_from_monday() as usize).copied().unwrap_or("Monday")
}

fn month_name(month: u32) -> &'static str {
    MONTHS.get((month.clamp(1, 12) - 1) as usize).copied().unwrap_or("January")
}

/// Parses the element: the series, and the start day of its pattern.
pub(super) fn read(node: Node<'_, '_>) -> Result<(Series, NaiveDate), EwsError> {
    let bad = || EwsError::new("ErrorCalendarInvalidRecurrence", "The recurrence is invalid.");
    let mut children = elements(node).filter(|child| child.tag_name().namespace() == Some(TYPES));
    let (Some(pattern), Some(range), None) = (children.next(), children.next(), children.next()) else {
        return Err(EwsError::schema_violation(
            node,
            "The element 'Recurrence' must contain a pattern and a range.",
        ));
    };
    let pattern = read_pattern(pattern)?.ok_or_else(bad)?;
    let (range, start) = read_range(range).ok_or_else(bad)?;
    match range {
        RecurrenceRange::Until(last) if last < start => {
            Err(EwsError::new("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence."))
        }
        _ => Ok((Series::new(pattern, range), start)),
    }
}

fn read_pattern(node: Node<'_, '_>) -> Result<Option<RecurrencePattern>, EwsError> {
    Ok(match node.tag_name().name() {
        "DailyRecurrence" => interval(node).map(|interval| RecurrencePattern::Daily { interval }),
        "WeeklyRecurrence" => weekly(node),
        "AbsoluteMonthlyRecurrence" => absolute_monthly(node),
        "RelativeMonthlyRecurrence" => relative_monthly(node),
        "AbsoluteYearlyRecurrence" => {
            month(node).zip(day_of_month(node)).map(|(month, day)| RecurrencePattern::Yearly { month, day })
        }
        "RelativeYearlyRecurrence" => relative_yearly(node),
        "DailyRegeneration" | "WeeklyRegeneration" | "MonthlyRegeneration" | "YearlyRegeneration" => {
            return Err(EwsError::new(
                "ErrorUnsupportedRecurrence",
                "Regenerating patterns are valid for tasks only.",
            ));
        }
        other => {
            return Err(EwsError::schema_violation(
                node,
                &format!("The element '{other}' is not a recurrence pattern."),
            ));
        }
    })
}

fn number(node: Node<'_, '_>, name: &str) -> Option<u32> {
    t_text(node, name)?.parse().ok().filter(|number| (1..=NUMBER_MAX).contains(number))
}

fn interval(node: Node<'_, '_>) -> Option<u32> {
    number(node, "Interval")
}

fn weekly(node: Node<'_, '_>) -> Option<RecurrencePattern> {
    let words = t_text(node, "DaysOfWeek")?;
    let classes: Vec<DayOfWeek> = words.split_whitespace().map(read_day).collect::<Option<_>>()?;
    let days: Vec<Weekday> =
        WEEKDAYS.into_iter().filter(|day| classes.iter().any(|class| class.has(*day))).collect();
    let first_day = match t_text(node, "FirstDayOfWeek") {
        None => Weekday::Sun,
        Some(word) => DAYS.iter().position(|day| *day == word).and_then(|at| WEEKDAYS.get(at).copied())?,
    };
    (!days.is_empty()).then_some(())?;
    Some(RecurrencePattern::Weekly { interval: interval(node)?, days, first_day })
}

fn absolute_monthly(node: Node<'_, '_>) -> Option<RecurrencePattern> {
    Some(RecurrencePattern::Monthly { interval: interval(node)?, day: day_of_month(node)? })
}

fn relative_monthly(node: Node<'_, '_>) -> Option<RecurrencePattern> {
    let (day, nth) = read_relative(node)?;
    Some(RecurrencePattern::MonthlyWeekday { interval: interval(node)?, day, nth })
}

fn relative_yearly(node: Node<'_, '_>) -> Option<RecurrencePattern> {
    let (day, nth) = read_relative(node)?;
    Some(RecurrencePattern::YearlyWeekday { month: month(node)?, day, nth })
}

fn day_of_month(node: Node<'_, '_>) -> Option<u32> {
    number(node, "DayOfMonth").filter(|day| *day <= 31)
}

fn month(node: Node<'_, '_>) -> Option<u32> {
    position(&MONTHS, &t_text(node, "Month")?)
}

fn read_relative(node: Node<'_, '_>) -> Option<(DayOfWeek, u32)> {
    Some((read_day(&t_text(node, "DaysOfWeek")?)?, position(&INDICES, &t_text(node, "DayOfWeekIndex")?)?))
}

fn read_day(word: &str) -> Option<DayOfWeek> {
    Some(match word {
        "Day" => DayOfWeek::Day,
        "Weekday" => DayOfWeek::Weekday,
        "WeekendDay" => DayOfWeek::WeekendDay,
        day => DayOfWeek::On(*WEEKDAYS.get(DAYS.iter().position(|known| *known == day)?)?),
    })
}

/// Counted from 1.
fn position(words: &[&str], word: &str) -> Option<u32> {
    words.iter().position(|known| *known == word).and_then(|at| u32::try_from(at + 1).ok())
}

fn read_range(node: Node<'_, '_>) -> Option<(RecurrenceRange, NaiveDate)> {
    let start = day(&t_text(node, "StartDate")?)?;
    let range = match node.tag_name().name() {
        "NoEndRecurrence" => RecurrenceRange::NoEnd,
        "EndDateRecurrence" => RecurrenceRange::Until(day(&t_text(node, "EndDate")?)?),
        "NumberedRecurrence" => RecurrenceRange::Count(number(node, "NumberOfOccurrences")?),
        _ => return None,
    };
    Some((range, start))
}
