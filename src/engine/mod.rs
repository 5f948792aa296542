//! The engine: decides what one action does to which copy, does it, and finds out what happened when in doubt.
//!
//! ```text
//! perform(action)
//!    ├ scope            refused outside it, before anything is read
//!    ├ journal Accepted
//!    ├ read, select     which event is meant                       (select.rs, pure)
//!    ├ plan             copy × ask × time → one step, or a refusal   (plan.rs, pure)
//!    ├ journal Intended
//!    ├ write            through the Calendar trait, guarded by the ChangeKey
//!    ├ conflict         → read again, decide again, a few times at most
//!    ├ in doubt         → look at the mailbox before deciding        (reconcile.rs, pure)
//!    └ journal Closed, then the answer
//! ```
//!
//! It knows calendars only through the [`Calendar`] trait: no EWS, no HTTP.

mod backend;
mod perform;
mod plan;
mod reconcile;
mod select;

pub use backend::{Busy, Calendar, Capabilities, Directory, Trouble, Written};
pub use perform::{Engine, Guard, Mode, Options};
pub use plan::{NoPlan, Plan, Step, plan};
