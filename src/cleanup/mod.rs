//! Sweeps: look at many rooms, judge every event, and act on those that count as abandoned.
//!
//! ```text
//! rooms ──busy?──► events ──judge (pure)──► Plan ──limits──► apply: read again, judge again, perform
//! ```
//!
//! [`evaluate`] decides; it knows no server and no clock. [`Sweep`] asks the calendars and runs what was decided through
//! the engine, which guards every write. Nothing is ever done that a plan does not list.

mod decision;
mod evaluate;
mod executor;
mod journal_signs;
mod plan;
mod reappearance;
mod room_evaluator;
mod room_groups;
mod rules;
mod shard;
mod strikes;
mod sweep;

pub use decision::{Decision, DecisionKind};
#[cfg(feature = "service")]
pub(crate) use evaluate::attendance_reason;
pub use evaluate::{EventCase, KeepReason, Verdict, evaluate};
pub use plan::{EvaluatedEvent, PlanStop, RoomPlan, SignsRead, SweepPlan};
pub use reappearance::OnReappearance;
pub use room_groups::{RoomGroup, RoomInfo, Setting};
pub use rules::{
    CancelledLeftover, CleanupMode, Exceptions, NoCheckIn, OrganizerGone, ReleaseMethod, Rule, Rules,
    SweepLimits,
};
pub use shard::{InvalidShard, Shard};
pub use strikes::{Attendance, NoAttendance, OnLastStrike, ReadOnlyAttendance};
pub use sweep::{AppliedAction, Progress, Sightings, Sweep, SweepError, SweepResult, UnfinishedAction};
