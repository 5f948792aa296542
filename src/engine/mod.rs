//! The engine: decides what one action does to which copy, does it, and finds out what happened when in doubt.
//!
//! ```text
//! perform(action)
//!    ├ turn             one action at a time in each room            (crate::turns)
//!    ├ key              answered before under this key?              (repeat.rs, pure)
//!    ├ journal Accepted
//!    ├ scope            refused outside it, before anything is read
//!    ├ read, select     which event is meant                       (choose.rs; select.rs, pure)
//!    ├ plan             copy × ask × time → one step, or a refusal   (plan.rs, longer.rs, undo.rs, pure)
//!    ├ journal Intended
//!    ├ write            through the Calendar trait, guarded by the ChangeKey
//!    ├ conflict, busy   → read again, decide again, a few times at most
//!    ├ in doubt         → look at the mailbox before deciding        (look.rs; reconcile.rs, pure)
//!    ├ took more time?  → look whether somebody else was there first (give_way.rs)
//!    └ journal Closed, then the answer
//!
//! recover()             what a stop or an outage left open: look at the mailbox, then finish or say who must look
//! look_again()          the same beside actions under way, for a service
//! ```
//!
//! It knows calendars only through the [`Calendar`] trait: no EWS, no HTTP.

mod backend;
mod execution;
mod extend;
mod idempotency;
mod locate;
mod messages;
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
    AddressLookup, Calendar, CalendarCache, CalendarError, Capabilities, EventLookup, MailboxAddresses,
    Metric, Occupancy, PersonLookup, WriteOutcome, WriteReport,
};
pub use locate::unknown_action;
pub use perform::{Engine, EngineOptions, Mode, Precondition};
pub use plan::{Plan, PlanError, plan};
pub use recover::Recovered;
pub use view::{CalendarView, UnreadableItem};
