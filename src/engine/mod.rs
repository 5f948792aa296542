//! The engine plans one action for one event, carries it out, and reads the mailbox when the result is in doubt. It knows
//! calendars only through the [`Calendar`] traits: no EWS, no HTTP.
//!
//! ```text
//! perform(action)
//!    ├ room lock        one action at a time in each room             (crate::keyed_mutex)
//!    ├ idempotency key  answered before under this key?               (idempotency.rs, pure)
//!    ├ journal Accepted
//!    ├ scope            rooms outside it are refused before any read
//!    ├ read, select     find the event                                (locate.rs; select.rs, pure)
//!    ├ plan             copy × kind × time → one step, or a refusal   (plan.rs, extend.rs, undo.rs, pure)
//!    ├ journal Intended
//!    ├ write            through the Calendar trait, guarded by the ChangeKey where the server compares it (capabilities.rs, pure)
//!    ├ conflict, busy   → read again, plan again, a few times at most
//!    ├ in doubt         → read the mailbox before planning again      (verify.rs; reconcile.rs, pure)
//!    ├ added time?      → check for overlapping events                (overlap_check.rs)
//!    └ journal Closed, then the answer
//!
//! recover()             settles the actions that a crash or an outage left open, by reading the mailbox   (recover.rs)
//! recover_idle_rooms()  the same while the service runs, in rooms without an action in progress
//! ```

mod backend;
mod capabilities;
mod context;
mod error;
mod execution;
mod extend;
mod idempotency;
mod locate;
mod messages;
mod options;
mod overlap_check;
mod perform;
mod plan;
mod reconcile;
mod recover;
mod select;
mod undo;
mod verify;
mod view;

pub use backend::{
    AddressLookup, Calendar, CalendarCache, CalendarReader, CalendarWriter, DeletedLookup, Directory,
    EventLookup, MailboxAddresses, Occupancy, PersonLookup, TraceLookup, WriteOutcome, WriteReport,
};
pub use capabilities::{Capabilities, GuardedSteps, ReadableTraces, SilentRemoval, SilentRemovals};
pub use context::{Engine, Mode, Precondition};
pub use error::{CalendarError, ErrorKind};
pub use locate::unknown_action;
pub use options::EngineOptions;

pub use plan::{Plan, PlanError, plan};
pub use recover::Recovered;
pub use view::{CalendarView, UnreadableItem};
