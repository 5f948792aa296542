//! A sweep's plan: every event it saw, with the verdict and its reason. A value that can be stored, read and applied.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{How, Limits, Rule, Verdict};
use crate::action::Seen;
use crate::calendar::{RoomAddress, Window};

/// What a sweep would do, and what it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Format of this plan; readers refuse another.
    pub version: u32,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// What was looked at.
    pub window: Window,
    /// Room by room, in the order they were given.
    pub rooms: Vec<RoomPlan>,
    /// Set when the plan touches more than the limits allow: it will not be applied.
    pub stop: Option<Stop>,
}

/// What was found in one room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomPlan {
    /// Which room.
    pub room: RoomAddress,
    /// Its events with their verdicts.
    pub events: Vec<Judged>,
    /// Why the room could not be looked at, if so.
    pub trouble: Option<String>,
}

/// An event and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The event as it was seen.
    pub event: Seen,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Why a plan is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stop")]
pub enum Stop {
    /// More actions than [`Limits::actions_max`].
    TooMany {
        /// Planned.
        actions: usize,
        /// Allowed.
        max: usize,
    },
    /// A larger share of the events than [`Limits::share_max`].
    TooLargeAShare {
        /// Planned.
        actions: usize,
        /// Seen.
        events: usize,
        /// Allowed share.
        max: f64,
    },
}

impl Plan {
    /// The format written and read here.
    pub const VERSION: u32 = 1;

    /// How many events were seen.
    pub fn events(&self) -> usize {
        self.rooms.iter().map(|room| room.events.len()).sum()
    }

    /// Of the series that would go, all but so many only lose the date to which nobody came.
    pub(super) fn spare_series_beyond(&mut self, max: usize, date: impl Fn(&RoomAddress) -> Option<How>) {
        let mut left = max;
        for room in &mut self.rooms {
            for judged in &mut room.events {
                let Verdict::Act { rule: rule @ Rule::Strikes, how, why, .. } = &mut judged.verdict else {
                    continue;
                };
                if left > 0 {
                    left -= 1;
                    continue;
                }
                (*rule, *how) = (Rule::NoCheckIn, date(&room.room).unwrap_or(*how));
                why.push_str(", but not today: as many go already as may");
            }
        }
    }

    /// The events it would act on.
    pub fn actions(&self) -> impl Iterator<Item = (&RoomAddress, &Judged)> {
        self.rooms.iter().flat_map(|room| {
            let acted = room.events.iter().filter(|judged| matches!(judged.verdict, Verdict::Act { .. }));
            acted.map(|judged| (&room.room, judged))
        })
    }

    /// Rooms that could not be looked at.
    pub fn unseen_rooms(&self) -> usize {
        self.rooms.iter().filter(|room| room.trouble.is_some()).count()
    }

    /// Holds the plan against the limits.
    pub fn check(&self, limits: &Limits) -> Option<Stop> {
        let (actions, events) = (self.actions().count(), self.events());
        if actions > limits.actions_max {
            return Some(Stop::TooMany { actions, max: limits.actions_max });
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of events are far below 2^52")]
        let share = actions as f64 / events.max(1) as f64;
        (events >= limits.share_from && share > limits.share_max).then_some(Stop::TooLargeAShare {
            actions,
            events,
            max: limits.share_max,
        })
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { actions, max } => {
                write!(
                    f,
                    "the sweep would touch {actions} events, more than cleanup.limits.actions_max = {max}"
                )
            }
            Self::TooLargeAShare { actions, events, max } => write!(
                f,
                "the sweep would touch {actions} of {events} events, a larger share than cleanup.limits.share_max = {max}"
            ),
        }
    }
}
