//! Sweeps: look at many rooms, judge every event, and act on those that count as abandoned.
//!
//! ```text
//! rooms ──busy?──► events ──judge (pure)──► Plan ──limits──► apply: read again, judge again, perform
//! ```
//!
//! [`judge`] decides; it knows no server and no clock. [`Sweep`] asks the calendars and runs what was decided through
//! the engine, which guards every write. Nothing is ever done that a plan does not list.

mod came_back;
mod decision;
mod journalled;
mod judge;
mod places;
mod plan;
mod room_judge;
mod rules;
mod shard;
mod strikes;
mod sweep;
mod work;

pub use came_back::CameBack;
pub use decision::{Decision, DecisionKind};
#[cfg(feature = "service")]
pub(crate) use judge::came;
pub use judge::{Judgement, Kept, Verdict, judge};
pub use places::{About, Place, Setting};
pub use plan::{Judged, Plan, RoomPlan, SignsRead, Stop};
pub use rules::{
    CancelledLeftover, CleanupMode, Exceptions, How, Limits, NoCheckIn, OrganizerGone, Rule, Rules,
};
pub use shard::{NoShard, Shard};
pub use strikes::{Attendance, NoAttendance, ReadOnly, StrikesThen};
pub use sweep::{Applied, Progress, Sightings, Sweep, SweepError, Swept, Unfinished};
