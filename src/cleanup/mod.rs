//! Cleanup: reads many rooms, evaluates every event against the rules, and releases the events that count as abandoned.
//!
//! ```text
//! rooms ──busy?──► events ──evaluate (pure)──► SweepPlan ──limits──► apply: read again, evaluate again, perform
//! ```
//!
//! [`evaluate()`] decides, without a server or a clock. [`Sweep`] reads the calendars and carries the plan out through the
//! engine, which guards every write. Cleanup never changes an event that a plan does not list.

mod decision;
mod evaluate;
mod executor;
mod journal_signs;
mod plan;
mod plan_evidence;
mod reappearance;
mod release_action;
mod room_evaluator;
mod room_groups;
mod rules;
mod shard;
mod strikes;
mod sweep;

pub use crate::color::Color;
pub use decision::{Decision, DecisionKind};
#[cfg(feature = "service")]
pub(crate) use evaluate::attendance_reason;
pub use evaluate::{EventCase, KeepReason, Verdict, evaluate};
pub use executor::{AppliedAction, UnfinishedAction};
pub use plan::{EvaluatedEvent, PlanStop, RoomPlan, SignsRead, SweepPlan};
pub use plan_evidence::PlanEvidence;
pub use release_action::ReleasePreview;
pub use room_evaluator::Sightings;
pub use room_groups::{RoomInfo, Setting};
pub use rules::{
    CancelledLeftover, CleanupMode, Exceptions, NoCheckIn, OnLastStrike, OnReappearance, OrganizerGone,
    ReleaseMethod, RoomGroup, Rule, Rules, SweepLimits,
};
pub use shard::{InvalidShard, Shard};
pub use strikes::{Attendance, NoAttendance, ReadOnlyAttendance};
pub use sweep::{Sweep, SweepError, SweepResult};
