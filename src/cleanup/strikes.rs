//! Strikes: how often in a row nobody came to a date of a series, and what that means for the rest of it. Pure, but for the
//! trait behind which it is remembered when somebody came.
//!
//! A miss is a release on record: a date of the series that was taken off by the rule on check-ins, and not put back.
//! Counting begins with the first date that is missed while it is counted: what was released before counts for nothing,
//! since nobody remembers who came in between. Whoever comes once begins a new count.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::journal_signs::last_date_of_people;
use super::rules::{NoCheckIn, Rule};
use super::{OnReappearance, Verdict};
use crate::action::{Outcome, Target};
use crate::calendar::{RoomAddress, Uid};
use crate::engine::CalendarError;
use crate::journal::ActionRecord;

/// What happens at the last strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLastStrike {
    /// The date is released like any other, and it is said that the series may not be needed.
    #[default]
    Report,
    /// The whole series is taken off the room's calendar: changed dates first, then the series.
    Delete,
}

impl fmt::Display for OnLastStrike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
            Self::Delete => "delete",
        })
    }
}

/// Where it is remembered to which date of a series somebody came last, and since when misses count.
#[async_trait]
pub trait Attendance: Send + Sync {
    /// Somebody came to the date that began then.
    async fn record_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError>;

    /// The last date to which somebody came, or where counting began; `None` when nothing was counted yet.
    async fn last_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<Option<DateTime<Utc>>, CalendarError>;

    /// The date that began then is no strike: no room of the house gave any sign that day.
    async fn excuse_date(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError>;

    /// The dates that are no strikes.
    async fn excused_dates(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<BTreeSet<DateTime<Utc>>, CalendarError>;
}

/// Remembers nothing, so nothing is ever more than one strike.
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

/// For whoever only looks: what is remembered is known, and nothing is added.
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

/// How often at most one series is taken off, under [`OnReappearance::Repeat`]: it would go on for ever.
const SERIES_REMOVALS_MAX: usize = 2;

/// Dates further apart are no row: what was between them, nobody may have watched. A month has 31 days.
const DATES_APART_MAX: TimeDelta = TimeDelta::days(35);

/// What is on record about a series.
pub(super) struct SeriesRecord<'a> {
    /// Every action in the room on events with its UID, the newest first.
    pub(super) actions: &'a [ActionRecord],
    /// Misses count from here on; `None` when nothing was counted yet.
    pub(super) since: Option<DateTime<Utc>>,
    /// Dates that are no strikes.
    pub(super) excused: &'a BTreeSet<DateTime<Utc>>,
}

impl SeriesRecord<'_> {
    /// Dates in a row to which nobody came, before the one that begins at `start`.
    pub(super) fn missed_in_a_row(&self, start: DateTime<Utc>) -> u32 {
        let Some(since) = self.since else { return 0 };
        let since = last_date_of_people(self.actions).map_or(since, |date| since.max(date));
        let went = self.actions.iter().find(|life| is_whole_series(life)).map(|life| life.accepted_at);
        let missed = self.actions.iter().filter(|life| is_release(life) && !self.is_undone(life));
        let dates: BTreeSet<_> = missed
            // What was missed before it went does not count against what came back.
            .filter(|life| went.is_none_or(|went| went < life.accepted_at))
            .filter_map(|life| life.intent.as_ref().map(|intent| intent.before.start))
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

    fn is_undone(&self, life: &ActionRecord) -> bool {
        self.actions.iter().any(|other| other.has_undone(life.action.id))
    }

    /// It went before and is there again: whoever brought it back wants it, unless it is to go again.
    fn was_restored(&self, came_back: OnReappearance) -> bool {
        let times = self.actions.iter().filter(|life| is_whole_series(life)).count();
        let max = if came_back == OnReappearance::Repeat { SERIES_REMOVALS_MAX } else { 1 };
        times >= max
    }
}

/// The verdict on a date to which nobody came, the so many `missed` in a row, given what is on record about its series.
/// `held` says why no series may go now, whatever is on record.
pub(super) fn apply_strikes(
    verdict: Verdict,
    (missed, record): (u32, &SeriesRecord<'_>),
    rule: &NoCheckIn,
    came_back: OnReappearance,
    held: Option<&'static str>,
) -> Verdict {
    let Verdict::Act { rule: Rule::NoCheckIn, how, why, proof, .. } = verdict else { return verdict };
    let act = |rule, how, why| Verdict::Act { rule, how, why, missed, proof: proof.clone() };
    let only_the_date = |why| act(Rule::NoCheckIn, how, why);
    if missed < rule.strikes {
        return only_the_date(why);
    }
    let why = format!("{why}, for the {} time in a row", Ordinal(missed));
    if rule.on_last_strike == OnLastStrike::Report || record.was_restored(came_back) {
        return only_the_date(why);
    }
    match held {
        Some(held) => only_the_date(format!("{why}; its series stays for now, since {held}")),
        None => {
            let why = format!("{why}; the whole series is taken off");
            act(Rule::Strikes, how.for_series(), why)
        }
    }
}

/// A date that was released by the rule on check-ins.
fn is_release(life: &ActionRecord) -> bool {
    life.done().is_some() && is_by(life, Rule::NoCheckIn)
}

/// A series that was taken off as a whole, or may have been.
pub(super) fn is_whole_series(life: &ActionRecord) -> bool {
    let perhaps = matches!(life.outcome, Some(Outcome::Done(_) | Outcome::NeedsAttention { .. }));
    perhaps && matches!(life.action.target, Target::Series { .. }) && is_by(life, Rule::Strikes)
}

fn is_by(life: &ActionRecord, rule: Rule) -> bool {
    life.action.actor.rule().is_some_and(|name| name == rule.to_string())
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
        let said = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(|number| Ordinal(number).to_string());
        assert_eq!(said, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
    }
}
