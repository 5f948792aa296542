//! Strikes: how often in a row nobody came to a date of a series, and what that means for the rest of it. Pure, but for the
//! trait behind which it is remembered when somebody came.
//!
//! A miss is a release on record: a date of the series that was taken off by the rule on check-ins, and not put back.
//! What is not on record, because nobody watched, counts neither way. Whoever comes once begins a new count.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::{NoCheckIn, Rule};
use super::{CameBack, Verdict};
use crate::action::Target;
use crate::calendar::{RoomAddress, Uid};
use crate::engine::Trouble;
use crate::journal::Life;

/// What happens at the last strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrikesThen {
    /// The date is released like any other, and it is said that the series may not be needed.
    #[default]
    Report,
    /// The whole series is taken off the room's calendar: changed dates first, then the series.
    Delete,
}

impl fmt::Display for StrikesThen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
            Self::Delete => "delete",
        })
    }
}

/// Where it is remembered to which date of a series somebody came last.
#[async_trait]
pub trait Attendance: Send + Sync {
    /// Somebody came to the date that begins then.
    async fn came(&self, room: &RoomAddress, uid: &Uid, start: DateTime<Utc>) -> Result<(), Trouble>;

    /// The last date to which somebody came.
    async fn last(&self, room: &RoomAddress, uid: &Uid) -> Result<Option<DateTime<Utc>>, Trouble>;
}

/// Remembers nothing: every miss on record counts.
pub struct NoAttendance;

#[async_trait]
impl Attendance for NoAttendance {
    async fn came(&self, _: &RoomAddress, _: &Uid, _: DateTime<Utc>) -> Result<(), Trouble> {
        Ok(())
    }

    async fn last(&self, _: &RoomAddress, _: &Uid) -> Result<Option<DateTime<Utc>>, Trouble> {
        Ok(None)
    }
}

/// For whoever only looks: what is remembered is known, and nothing is added.
pub struct ReadOnly<A>(pub A);

#[async_trait]
impl<A: Attendance> Attendance for ReadOnly<A> {
    async fn came(&self, _: &RoomAddress, _: &Uid, _: DateTime<Utc>) -> Result<(), Trouble> {
        Ok(())
    }

    async fn last(&self, room: &RoomAddress, uid: &Uid) -> Result<Option<DateTime<Utc>>, Trouble> {
        self.0.last(room, uid).await
    }
}

/// Dates in a row to which nobody came since `last_came`, of one series' lives.
pub(super) fn misses(lives: &[Life], last_came: Option<DateTime<Utc>>) -> u32 {
    let missed = lives.iter().filter(|life| is(life, Rule::NoCheckIn) && !is_undone(life, lives));
    let dates: BTreeSet<_> = missed
        .filter_map(|life| life.intent.as_ref()?.before.identity().map(|(_, start)| start))
        .filter(|start| last_came.is_none_or(|came| came < *start))
        .collect();
    u32::try_from(dates.len()).unwrap_or(u32::MAX)
}

/// The verdict on a date to which nobody came, given what is on record about its series.
pub(super) fn after_strikes(
    verdict: Verdict,
    lives: &[Life],
    last_came: Option<DateTime<Utc>>,
    rule: &NoCheckIn,
    came_back: CameBack,
) -> Verdict {
    let Verdict::Act { rule: Rule::NoCheckIn, how, why, .. } = verdict else { return verdict };
    let missed = misses(lives, last_came).saturating_add(1);
    if missed < rule.strikes {
        return Verdict::Act { rule: Rule::NoCheckIn, how, why, missed };
    }
    let why = format!("{why}, for the {} time in a row", Ordinal(missed));
    if rule.strikes_then == StrikesThen::Report || went_before(lives, came_back) {
        return Verdict::Act { rule: Rule::NoCheckIn, how, why, missed };
    }
    let why = format!("{why}; the whole series is taken off");
    Verdict::Act { rule: Rule::Strikes, how: how.for_series(), why, missed }
}

/// The series went before and is there again: whoever brought it back wants it, unless it is to go again.
fn went_before(lives: &[Life], came_back: CameBack) -> bool {
    let whole = |life: &&Life| matches!(life.action.target, Target::Series { .. }) && is(life, Rule::Strikes);
    came_back != CameBack::Again && lives.iter().any(|life| whole(&life))
}

fn is(life: &Life, rule: Rule) -> bool {
    life.done().is_some() && life.action.actor.rule().is_some_and(|name| name == rule.to_string())
}

fn is_undone(life: &Life, lives: &[Life]) -> bool {
    lives.iter().any(|other| other.has_undone(life.action.id))
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
