//! The crowd check: how many of the meetings that were evaluated at the same time look empty. A failed feed looks exactly like
//! a building in which all meetings are empty. Pure.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::calendar::{RoomAddress, Uid};

/// Meetings whose windows closed within this time of each other are compared: nearly all meetings begin on the hour or the half
/// hour.
const STRETCH: TimeDelta = TimeDelta::minutes(15);
/// How long verdicts are kept, so that a meeting released a minute ago still counts.
const KEPT: TimeDelta = TimeDelta::hours(2);
/// From this number of meetings on, a crowd in which all are empty means a failed feed.
const NOBODY_MIN: usize = 3;
/// Limit on verdicts; the largest organizations have fewer meetings within two hours.
const VERDICTS_MAX: usize = 200_000;

/// The number of meetings that were evaluated at the same time, and how many of them look empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// Present or absent.
    pub judged: usize,
    /// Absent.
    pub absent: usize,
}

/// Limits beyond which absence is not trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrowdLimits {
    /// The largest fraction of absent meetings, 0 to 1.
    pub max_fraction: f64,
    /// The number of meetings from which on the fraction counts.
    pub min_events: usize,
}

/// A meeting that was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JudgedMeeting {
    /// The room.
    pub room: RoomAddress,
    /// The UID, if it has one.
    pub uid: Option<Uid>,
    /// The start.
    pub start: DateTime<Utc>,
}

#[derive(Debug, Clone)]
struct CrowdVerdict {
    group: Option<String>,
    closes: DateTime<Utc>,
    is_absent: bool,
}

/// The verdicts of the last hours.
#[derive(Debug, Clone, Default)]
pub struct CrowdLog {
    verdicts: HashMap<JudgedMeeting, CrowdVerdict>,
}

impl CrowdLog {
    /// Records a verdict; a later one about the same meeting replaces it.
    pub fn record(
        &mut self,
        meeting: JudgedMeeting,
        group: Option<String>,
        closes: DateTime<Utc>,
        is_absent: bool,
    ) {
        if self.verdicts.len() < VERDICTS_MAX || self.verdicts.contains_key(&meeting) {
            self.verdicts.insert(meeting, CrowdVerdict { group, closes, is_absent });
        }
    }

    /// Drops old verdicts.
    pub fn forget_before(&mut self, now: DateTime<Utc>) {
        self.verdicts.retain(|_, verdict| now - verdict.closes <= KEPT);
    }

    /// The crowd of the group's meetings whose windows closed about then.
    pub fn around(&self, group: Option<&str>, closes: DateTime<Utc>) -> Crowd {
        let near = |verdict: &&CrowdVerdict| {
            verdict.group.as_deref() == group && (verdict.closes - closes).abs() <= STRETCH
        };
        let judged = self.verdicts.values().filter(near);
        judged.fold(Crowd { judged: 0, absent: 0 }, |crowd, verdict| Crowd {
            judged: crowd.judged + 1,
            absent: crowd.absent + usize::from(verdict.is_absent),
        })
    }
}

impl Crowd {
    /// Whether so many meetings look empty that the source has more likely failed. `any_sign`: some room of the group had a sign
    /// while people could come.
    pub fn is_silent(self, limits: &CrowdLimits, any_sign: bool) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "counts of meetings are far below 2^52")]
        let share = self.absent as f64 / self.judged.max(1) as f64;
        let too_many = self.judged >= limits.min_events && share > limits.max_fraction;
        let nobody = self.judged >= NOBODY_MIN && self.absent == self.judged && !any_sign;
        limits.max_fraction < 1.0 && (too_many || nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CrowdLimits = CrowdLimits { max_fraction: 0.5, min_events: 20 };

    fn log(verdicts: &[(usize, i64, bool)]) -> CrowdLog {
        let mut log = CrowdLog::default();
        let mut number = 0;
        for (count, minute, is_absent) in verdicts {
            for _ in 0..*count {
                number += 1;
                let room = format!("r{number}@x.example").parse().unwrap();
                let closes = at(*minute);
                log.record(JudgedMeeting { room, uid: None, start: closes }, None, closes, *is_absent);
            }
        }
        log
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn the_share_is_taken_over_those_who_came_too() {
        let crowd = log(&[(38, 600, false), (22, 600, true)]).around(None, at(600));
        assert_eq!(crowd, Crowd { judged: 60, absent: 22 });
        assert!(!crowd.is_silent(&LIMITS, true));
    }

    #[test]
    fn meetings_of_another_hour_do_not_hide_a_silent_feed() {
        let crowd = log(&[(120, 900, false), (30, 600, true)]).around(None, at(600));
        assert!(crowd.is_silent(&LIMITS, true));
    }

    #[test]
    fn a_small_house_in_which_nobody_gave_any_sign_is_a_silent_feed() {
        let crowd = log(&[(3, 600, true)]).around(None, at(600));
        assert!(crowd.is_silent(&LIMITS, false));
        assert!(!crowd.is_silent(&LIMITS, true));
        assert!(!crowd.is_silent(&CrowdLimits { max_fraction: 1.0, ..LIMITS }, false));
    }

    #[test]
    fn verdicts_of_another_group_and_old_ones_do_not_count() {
        let mut log = log(&[(5, 600, true)]);
        let room = "b@x.example".parse().unwrap();
        log.record(JudgedMeeting { room, uid: None, start: at(600) }, Some("B".into()), at(600), true);
        assert_eq!(log.around(Some("B"), at(600)).judged, 1);
        log.forget_before(at(600 + 121));
        assert_eq!(log.around(None, at(600)).judged, 0);
    }
}
