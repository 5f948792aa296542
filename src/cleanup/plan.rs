//! A sweep's plan: every event with its verdict and reason. A value that can be stored, reviewed and applied; it decides nothing
//! about a single event.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{KeepReason, PlanEvidence, ReleaseMethod, Rule, SweepLimits, Verdict};
use crate::action::EventSnapshot;
use crate::calendar::{Event, EventId, RoomAddress, Window};
use crate::presence::{CrowdLimits, CrowdLog, JudgedMeeting, UnknownReason};

/// The events of a sweep, and the actions it would perform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepPlan {
    /// The format version; other versions are rejected.
    pub version: u32,
    /// When the plan was made.
    pub made_at: DateTime<Utc>,
    /// The time that was read.
    pub window: Window,
    /// The rooms, in the order of the request.
    pub rooms: Vec<RoomPlan>,
    /// The limit that the plan exceeds; such a plan is not applied.
    pub stop: Option<PlanStop>,
    /// The evidence file of the plan, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs: Option<SignsRead>,
    /// The evidence that the service had when the plan was made. Not part of a plan in a file.
    #[serde(skip)]
    pub evidence: Option<PlanEvidence>,
}

/// Counts of the signs in an evidence file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignsRead {
    /// Signs in the file.
    pub read: usize,
    /// Signs for rooms of this sweep.
    pub matched: usize,
    /// The time of the newest sign.
    pub newest: Option<DateTime<Utc>>,
    /// The signs that matched no event, with the reason; the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

/// The part of a plan for one room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoomPlan {
    /// The room.
    pub room: RoomAddress,
    /// The room's events with their verdicts.
    pub events: Vec<EvaluatedEvent>,
    /// Why the room could not be read completely, if so.
    pub trouble: Option<String>,
}

/// An event and its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvaluatedEvent {
    /// The event as it was read.
    pub event: EventSnapshot,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The whole event, for review. A plan in a file does not have it: it would name people and subjects.
    #[serde(skip)]
    pub read: Option<Box<Event>>,
}

/// Why a plan is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stop")]
#[non_exhaustive]
pub enum PlanStop {
    /// More actions than [`SweepLimits::actions_max`].
    TooMany {
        /// Planned actions.
        actions: usize,
        /// The limit.
        max: usize,
    },
    /// A larger fraction of the events than [`SweepLimits::max_fraction`], by other rules than the check-in rule: that rule is
    /// limited by the crowd of each time ([`crate::presence::Crowd`]).
    TooLargeAShare {
        /// Planned actions.
        actions: usize,
        /// Events in the plan.
        events: usize,
        /// The limit.
        max: f64,
    },
}

impl SweepPlan {
    /// The current format version.
    pub const VERSION: u32 = 1;

    /// A plan for one room only.
    #[must_use]
    pub fn for_room(&self, room: RoomPlan) -> Self {
        Self { rooms: vec![room], stop: None, signs: None, evidence: None, ..*self }
    }

    /// The plan, limited to the rooms for which `keep` returns true.
    #[must_use]
    pub fn retain_rooms(mut self, keep: impl Fn(&RoomAddress) -> bool) -> Self {
        self.rooms.retain(|room| keep(&room.room));
        self
    }

    /// The plan without the release of these events: they are kept, as left out by this caller.
    #[must_use]
    pub fn leave_out(mut self, left_out: &BTreeSet<(RoomAddress, EventId)>, by: &str) -> Self {
        for room in &mut self.rooms {
            for evaluated in &mut room.events {
                let is_left_out = left_out.contains(&(room.room.clone(), evaluated.event.id.clone()));
                if is_left_out && matches!(evaluated.verdict, Verdict::Act { .. }) {
                    evaluated.verdict = Verdict::Keep { why: KeepReason::LeftOut { by: by.to_owned() } };
                }
            }
        }
        self
    }

    /// The number of events.
    pub fn events(&self) -> usize {
        self.rooms.iter().map(|room| room.events.len()).sum()
    }

    /// Limits the series to be removed; of the others, only the unattended date is released.
    pub(super) fn limit_series(&mut self, max: usize, date: impl Fn(&RoomAddress) -> Option<ReleaseMethod>) {
        let mut left = max;
        for room in &mut self.rooms {
            for evaluated in &mut room.events {
                let Verdict::Act { rule: rule @ Rule::Strikes, how, why, .. } = &mut evaluated.verdict else {
                    continue;
                };
                if left > 0 {
                    left -= 1;
                    continue;
                }
                (*rule, *how) = (Rule::NoCheckIn, date(&room.room).unwrap_or(*how));
                why.push_str("; the series is kept: the daily limit of removed series is reached");
            }
        }
    }

    /// Applies the crowd limits: when too many meetings of one time look unattended, they are kept.
    pub(super) fn apply_crowd_limits(&mut self, crowds: &mut CrowdLog, hold: &CrowdContext<'_>) {
        crowds.forget_before(self.made_at);
        for room in &self.rooms {
            for evaluated in &room.events {
                if let Some((closes, is_absent)) = evaluated.verdict.crowd_vote(self.made_at) {
                    let group = (hold.group)(&room.room);
                    crowds.record(evaluated.meeting(&room.room), group, closes, is_absent);
                }
            }
        }
        for room in &mut self.rooms {
            let group = (hold.group)(&room.room);
            for evaluated in &mut room.events {
                let Verdict::Act { proof: Some(proof), .. } = &mut evaluated.verdict else { continue };
                let crowd = crowds.around(group.as_deref(), proof.closes);
                proof.crowd = Some(crowd);
                let any_sign = (hold.any_sign)(group.as_deref(), proof.opens, self.made_at);
                if crowd.is_silent(&hold.limits, any_sign) {
                    evaluated.verdict = Verdict::Keep {
                        why: KeepReason::Unknown { doubt: UnknownReason::FeedSilent(crowd) },
                    };
                }
            }
        }
    }

    /// The events that the plan would release.
    pub fn actions(&self) -> impl Iterator<Item = (&RoomAddress, &EvaluatedEvent)> {
        self.rooms.iter().flat_map(|room| {
            let acted =
                room.events.iter().filter(|evaluated| matches!(evaluated.verdict, Verdict::Act { .. }));
            acted.map(|evaluated| (&room.room, evaluated))
        })
    }

    /// The number of rooms that could not be read.
    pub fn unreadable_rooms(&self) -> usize {
        self.rooms.iter().filter(|room| room.trouble.is_some()).count()
    }

    /// The limit that the plan exceeds, if any.
    pub fn check_limits(&self, limits: &SweepLimits) -> Option<PlanStop> {
        let (actions, events) = (self.actions().count(), self.events());
        if actions > limits.actions_max {
            return Some(PlanStop::TooMany { actions, max: limits.actions_max });
        }
        let actions = self.actions().filter(|(_, evaluated)| !evaluated.verdict.is_absence()).count();
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

/// The limits and lookups for crowds.
pub(super) struct CrowdContext<'a> {
    pub(super) limits: CrowdLimits,
    /// The room's group, whose rooms share evidence feeds.
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
    /// Whether the verdict rests on absence: the check-in rule or strikes.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Act { rule: Rule::NoCheckIn | Rule::Strikes, .. })
    }

    /// The verdict's contribution to the crowd: the end of the grace period, and whether the meeting looks unattended.
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
                    "the sweep would change {actions} events; the limit is cleanup.limits.max_actions = {max}"
                )
            }
            Self::TooLargeAShare { actions, events, max } => write!(
                f,
                "the sweep would change {actions} of {events} events; the limit is the fraction cleanup.limits.max_fraction = {max}"
            ),
        }
    }
}
