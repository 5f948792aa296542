//! Strikes: counts the unattended dates of a series in a row, and decides what happens at the last one. Pure, except for the
//! trait that remembers attended dates.
//!
//! A strike is a release in the journal: a date of the series that the check-in rule removed and that was not restored. Counting
//! starts with the first unattended date after strikes are turned on; earlier releases do not count, because attendance between
//! them was not recorded. An attended date starts a new count.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::evaluate::Verdict;
use super::journal_signs::last_date_of_people;
use super::rules::{NoCheckIn, OnLastStrike, OnReappearance, Rule};
use crate::action::Target;
use crate::calendar::{RoomAddress, Uid};
use crate::engine::CalendarError;
use crate::journal::ActionRecord;

/// Remembers the last attended date of each series, and the dates that are no strikes.
#[async_trait]
pub trait Attendance: Send + Sync {
    /// Records that the date with this start was attended.
    async fn record_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError>;

    /// The last attended date, or the start of counting; `None` before counting started.
    async fn last_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<Option<DateTime<Utc>>, CalendarError>;

    /// Records that the date with this start is no strike: no room of the building gave any sign that day.
    async fn excuse_date(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError>;

    /// The dates that are recorded as no strikes.
    async fn excused_dates(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<BTreeSet<DateTime<Utc>>, CalendarError>;
}

/// Remembers nothing, so that no series ever has more than one strike.
pub struct NoAttendance;

#[async_trait]
impl Attendance for NoAttendance {
    async fn record_attended(&self, _: &RoomAddress, _: &Uid, _: DateTime<Utc>) -> Result<(), CalendarError> {
        Ok(())
    }

    async fn last_attended(&self, _: &RoomAddress, _: &Uid) -> Result<Option<DateTime<Utc>>, CalendarError> {
        Ok(None)
    }

    async fn excuse_date(&self, _: &RoomAddress, _: &Uid, _: DateTime<Utc>) -> Result<(), CalendarError> {
        Ok(())
    }

    async fn excused_dates(
        &self,
        _: &RoomAddress,
        _: &Uid,
    ) -> Result<BTreeSet<DateTime<Utc>>, CalendarError> {
        Ok(BTreeSet::new())
    }
}

/// Reads the wrapped record and never writes to it: for commands that change nothing.
pub struct ReadOnlyAttendance<A>(pub A);

#[async_trait]
impl<A: Attendance> Attendance for ReadOnlyAttendance<A> {
    async fn record_attended(&self, _: &RoomAddress, _: &Uid, _: DateTime<Utc>) -> Result<(), CalendarError> {
        Ok(())
    }

    async fn last_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<Option<DateTime<Utc>>, CalendarError> {
        self.0.last_attended(room, uid).await
    }

    async fn excuse_date(&self, _: &RoomAddress, _: &Uid, _: DateTime<Utc>) -> Result<(), CalendarError> {
        Ok(())
    }

    async fn excused_dates(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<BTreeSet<DateTime<Utc>>, CalendarError> {
        self.0.excused_dates(room, uid).await
    }
}

/// How often one series is removed under [`OnReappearance::Repeat`]; without a limit it would go on for ever.
const SERIES_REMOVALS_MAX: usize = 2;

/// Dates further apart than this are not in a row: the room may have had no sources in between. Longer than a month.
const DATES_APART_MAX: TimeDelta = TimeDelta::days(35);

/// The journal's actions and the attendance of one series.
pub(super) struct SeriesRecord<'a> {
    /// Every action in the room on events with the series' UID, the newest first.
    pub(super) actions: &'a [ActionRecord],
    /// Strikes count after this time; `None` before counting started.
    pub(super) since: Option<DateTime<Utc>>,
    /// The dates that are recorded as no strikes.
    pub(super) excused: &'a BTreeSet<DateTime<Utc>>,
}

impl SeriesRecord<'_> {
    /// The number of unattended dates in a row before the date at `start`.
    pub(super) fn missed_in_a_row(&self, start: DateTime<Utc>) -> u32 {
        let Some(since) = self.since else { return 0 };
        let since = last_date_of_people(self.actions).map_or(since, |date| since.max(date));
        let removed_at =
            self.actions.iter().find(|record| is_whole_series(record)).map(|record| record.accepted_at);
        let missed = self.actions.iter().filter(|record| is_release(record) && !self.is_undone(record));
        let dates: BTreeSet<_> = missed
            // Strikes before the series was removed do not count against the restored one.
            .filter(|record| removed_at.is_none_or(|removed_at| removed_at < record.accepted_at))
            .filter_map(|record| record.intent.as_ref().map(|intent| intent.before.start))
            .filter(|date| since < *date && *date < start && !self.excused.contains(date))
            .collect();
        let (mut next, mut row) = (start, 0);
        for date in dates.into_iter().rev() {
            if next - date > DATES_APART_MAX {
                break;
            }
            (next, row) = (date, row + 1);
        }
        row
    }

    fn is_undone(&self, record: &ActionRecord) -> bool {
        self.actions.iter().any(|other| other.has_undone(record.action.id))
    }

    /// Whether the series was removed before and restored: then it is kept, unless the configuration repeats the removal.
    fn was_restored(&self, on_reappearance: OnReappearance) -> bool {
        let times = self.actions.iter().filter(|record| is_whole_series(record)).count();
        let max = if on_reappearance == OnReappearance::Repeat { SERIES_REMOVALS_MAX } else { 1 };
        times >= max
    }
}

/// The verdict on an unattended date, which is number `missed` in a row, given the record of its series. `held` is the reason
/// why no series may be removed now.
pub(super) fn apply_strikes(
    verdict: Verdict,
    (missed, series): (u32, &SeriesRecord<'_>),
    rule: &NoCheckIn,
    on_reappearance: OnReappearance,
    held: Option<&'static str>,
) -> Verdict {
    let Verdict::Act { rule: Rule::NoCheckIn, how, why, proof, .. } = verdict else { return verdict };
    let act = |rule, how, why| Verdict::Act { rule, how, why, missed, proof: proof.clone() };
    let only_the_date = |why| act(Rule::NoCheckIn, how, why);
    if missed < rule.strikes {
        return only_the_date(why);
    }
    let why = format!("{why}, for the {} time in a row", Ordinal(missed));
    if rule.on_last_strike == OnLastStrike::Report || series.was_restored(on_reappearance) {
        return only_the_date(why);
    }
    match held {
        Some(held) => only_the_date(format!("{why}; the series is kept for now: {held}")),
        None => {
            let why = format!("{why}; the whole series is removed");
            act(Rule::Strikes, how.for_series(), why)
        }
    }
}

/// Whether the action released a date by the check-in rule.
fn is_release(record: &ActionRecord) -> bool {
    record.done().is_some() && is_by(record, Rule::NoCheckIn)
}

/// Whether the action removed a whole series, or may have.
pub(super) fn is_whole_series(record: &ActionRecord) -> bool {
    record.may_have_changed()
        && matches!(record.action.target, Target::Series { .. })
        && is_by(record, Rule::Strikes)
}

fn is_by(record: &ActionRecord, rule: Rule) -> bool {
    record.action.actor.rule().is_some_and(|name| name == rule.to_string())
}

struct Ordinal(u32);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.0 % 10, self.0 % 100) {
            (1, hundred) if hundred != 11 => "st",
            (2, hundred) if hundred != 12 => "nd",
            (3, hundred) if hundred != 13 => "rd",
            _ => "th",
        };
        write!(f, "{}{ending}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_said_as_people_say_them() {
        let ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(|number| Ordinal(number).to_string());
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
    }
}
