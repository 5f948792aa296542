//! The engine plans one action for one event, carries it out, and reads the mailbox when the result is in doubt. It knows
//! calendars only through the [`Calendar`] traits: no EWS, no HTTP.
//!
//! ```text
//! perform(action)
//!    ├ room lock        one action at a time in each room             (locks.rs)
//!    ├ idempotency key  answered before under this key?               (idempotency.rs, pure)
//!    ├ journal Accepted
//!    ├ scope            rooms outside it are refused before any read
//!    │                                                                (the states and their table: execution.rs)
//!    ├ Locating         find the event                                (locate.rs; select.rs, pure)
//!    ├ Located          copy × kind × time → one step, or a refusal   (planning.rs; plan.rs, extend.rs, booking.rs, undo.rs, pure)
//!    ├ journal Intended
//!    ├ Planned          write through the Calendar trait, guarded by the ChangeKey where the server compares it (capabilities.rs, pure)
//!    ├ Written          conflict, busy → Locating, a few times at most
//!    ├ Verifying        the reply proves nothing → read the mailbox   (verify.rs; reconcile.rs, pure)
//!    ├ InDoubt          a reply was lost → read the mailbox before planning again
//!    ├ Decided          added time? → check for overlapping events    (overlap_check.rs)
//!    └ journal Closed, then the answer
//!
//! recover()             settles the actions that a crash or an outage left open, by reading the mailbox   (recover.rs)
//! recover_room()        the same in one room
//! recover_idle_rooms()  the same while the service runs, in rooms without an action in progress
//! ```
//!
//! | for one action | file |
//! | --- | --- |
//! | what never changes | `action_context.rs` |
//! | one attempt: the event before, and the plan | `attempt.rs` |
//! | the doubt, the request in flight, the counts | `sends.rs` |
//! | the journal's memory of the room | `past_actions.rs` |
//! | the outcome that ends it early | `early_exit.rs` |
//! | the change that it would make, from an event that was read before | `preview.rs` |

mod action_context;
mod attempt;
mod backend;
mod booking;
mod booking_time;
mod builder;
mod capabilities;
mod context;
mod early_exit;
mod error;
mod execution;
mod extend;
mod idempotency;
mod intent_age;
#[cfg(feature = "service")]
mod limits;
mod locate;
mod locks;
mod messages;
mod observer;
mod options;
mod overlap_check;
mod past_actions;
mod perform;
mod plan;
mod planning;
mod preview;
mod reconcile;
mod recover;
mod replacement;
mod second_look;

mod select;
mod send_permission;
mod sends;
mod undo;
mod verify;
mod view;

pub(crate) use backend::Trail;
pub use backend::{
    AddressLookup, Calendar, CalendarCache, CalendarReader, CalendarWriter, DeletedLookup, Directory,
    EventLookup, MailboxAddresses, Occupancy, PersonLookup, Place, TraceLookup, WriteOutcome, WriteReport,
};
pub use builder::EngineBuilder;
pub use capabilities::{Capabilities, GuardedSteps, ReadableTraces, SilentRemoval, SilentRemovals};
pub use context::{Engine, Mode, Precondition};
pub use error::{CalendarError, ErrorKind};
#[cfg(feature = "service")]
pub(crate) use limits::limits;
pub use locate::unknown_action;
pub use observer::{ActionObserver, EndedAction};
pub use options::EngineOptions;

pub use plan::{EndOrDelete, Plan, PlanError, plan};
pub use recover::Recovered;
pub use view::{CalendarView, UnreadableItem};
