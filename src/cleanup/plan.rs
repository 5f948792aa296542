//! A sweep's plan: every event it saw, with the verdict and its reason. A value that can be stored, read and applied.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{KeepReason, ReleaseMethod, Rule, SweepLimits, Verdict};
use crate::action::EventSnapshot;
use crate::calendar::{RoomAddress, Window};
use crate::presence::{CrowdLimits, CrowdLog, JudgedMeeting, UnknownReason};

/// What a sweep would do, and what it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepPlan {
    /// Format of this plan; readers refuse another.
    pub version: u32,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// What was looked at.
    pub window: Window,
    /// Room by room, in the order they were given.
    pub rooms: Vec<RoomPlan>,
    /// Set when the plan touches more than the limits allow: it will not be applied.
    pub stop: Option<PlanStop>,
    /// The evidence that the plan rests on, where it came as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs: Option<SignsRead>,
}

/// What became of the signs of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignsRead {
    /// Signs in the file.
    pub read: usize,
    /// Signs of rooms of this sweep.
    pub matched: usize,
    /// The time of the newest sign.
    pub newest: Option<DateTime<Utc>>,
    /// What could not be matched, and why; the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

/// What was found in one room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomPlan {
    /// Which room.
    pub room: RoomAddress,
    /// Its events with their verdicts.
    pub events: Vec<EvaluatedEvent>,
    /// Why the room could not be looked at, if so.
    pub trouble: Option<String>,
}

/// An event and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatedEvent {
    /// The event as it was seen.
    pub event: EventSnapshot,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Why a plan is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stop")]
pub enum PlanStop {
    /// More actions than [`SweepLimits::actions_max`].
    TooMany {
        /// Planned.
        actions: usize,
        /// Allowed.
        max: usize,
    },
    /// A larger share of the events than [`SweepLimits::max_fraction`], by rules other than the one on check-ins: that one is
    /// held by the crowd of each stretch ([`crate::presence::Crowd`]).
    TooLargeAShare {
        /// Planned.
        actions: usize,
        /// Seen.
        events: usize,
        /// Allowed share.
        max: f64,
    },
}

impl SweepPlan {
    /// The format written and read here.
    pub const VERSION: u32 = 1;

    /// The part of the plan that is about one room.
    #[must_use]
    pub fn for_room(&self, room: RoomPlan) -> Self {
        Self { rooms: vec![room], stop: None, signs: None, ..*self }
    }

    /// The plan for those of its rooms for which `keep` holds.
    #[must_use]
    pub fn retain_rooms(mut self, keep: impl Fn(&RoomAddress) -> bool) -> Self {
        self.rooms.retain(|room| keep(&room.room));
        self
    }

    /// How many events were seen.
    pub fn events(&self) -> usize {
        self.rooms.iter().map(|room| room.events.len()).sum()
    }

    /// Of the series that would go, all but so many only lose the date to which nobody came.
    pub(super) fn limit_series(&mut self, max: usize, date: impl Fn(&RoomAddress) -> Option<ReleaseMethod>) {
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

    /// Holds the crowd of each stretch against the limits: events that look empty in too large a crowd stay.
    pub(super) fn apply_crowd_limits(&mut self, crowds: &mut CrowdLog, hold: &CrowdContext<'_>) {
        crowds.forget_before(self.made_at);
        for room in &self.rooms {
            for judged in &room.events {
                if let Some((closes, is_absent)) = judged.verdict.crowd_vote(self.made_at) {
                    let group = (hold.group)(&room.room);
                    crowds.record(judged.meeting(&room.room), group, closes, is_absent);
                }
            }
        }
        for room in &mut self.rooms {
            let group = (hold.group)(&room.room);
            for judged in &mut room.events {
                let Verdict::Act { proof: Some(proof), .. } = &mut judged.verdict else { continue };
                let crowd = crowds.around(group.as_deref(), proof.closes);
                proof.crowd = Some(crowd);
                let any_sign = (hold.any_sign)(group.as_deref(), proof.opens, self.made_at);
                if crowd.is_silent(&hold.limits, any_sign) {
                    judged.verdict = Verdict::Keep {
                        why: KeepReason::Unknown { doubt: UnknownReason::FeedSilent(crowd) },
                    };
                }
            }
        }
    }

    /// The events it would act on.
    pub fn actions(&self) -> impl Iterator<Item = (&RoomAddress, &EvaluatedEvent)> {
        self.rooms.iter().flat_map(|room| {
            let acted = room.events.iter().filter(|judged| matches!(judged.verdict, Verdict::Act { .. }));
            acted.map(|judged| (&room.room, judged))
        })
    }

    /// Rooms that could not be looked at.
    pub fn unreadable_rooms(&self) -> usize {
        self.rooms.iter().filter(|room| room.trouble.is_some()).count()
    }

    /// Holds the plan against the limits.
    pub fn check_limits(&self, limits: &SweepLimits) -> Option<PlanStop> {
        let (actions, events) = (self.actions().count(), self.events());
        if actions > limits.actions_max {
            return Some(PlanStop::TooMany { actions, max: limits.actions_max });
        }
        let actions = self.actions().filter(|(_, judged)| !judged.verdict.is_absence()).count();
        #[expect(clippy::cast_precision_loss, reason = "counts of events are far below 2^52")]
        let share = actions as f64 / events.max(1) as f64;
        (events >= limits.min_events && share > limits.max_fraction).then_some(PlanStop::TooLargeAShare {
            actions,
            events,
            max: limits.max_fraction,
        })
    }
}

/// Whether a room of the group gave a sign between two times.
type AnySign<'a> = dyn Fn(Option<&str>, DateTime<Utc>, DateTime<Utc>) -> bool + 'a;

/// What crowds are held against.
pub(super) struct CrowdContext<'a> {
    pub(super) limits: CrowdLimits,
    /// The group of rooms that share their feeds.
    pub(super) group: &'a dyn Fn(&RoomAddress) -> Option<String>,
    /// Whether a room of the group gave a sign between these times.
    pub(super) any_sign: &'a AnySign<'a>,
}

impl EvaluatedEvent {
    fn meeting(&self, room: &RoomAddress) -> JudgedMeeting {
        JudgedMeeting { room: room.clone(), uid: self.event.uid.clone(), start: self.event.start }
    }
}

impl Verdict {
    /// A rule on check-ins decided that nobody came.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Act { rule: Rule::NoCheckIn | Rule::Strikes, .. })
    }

    /// What the verdict says about the crowd: when the window closed, and whether the meeting looks empty.
    fn crowd_vote(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, bool)> {
        match self {
            Self::Act { proof: Some(proof), .. } => Some((proof.closes, true)),
            Self::Keep { why: KeepReason::CheckedIn { closes: Some(closes), .. } } => {
                (*closes <= now).then_some((*closes, false))
            }
            _ => None,
        }
    }
}

impl fmt::Display for PlanStop {
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
