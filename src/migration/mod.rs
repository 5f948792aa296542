//! Compares a room as two connections return it, before the room moves from one to the other: its events one by one, the actions
//! that the journal holds for it, and what the two servers can do. Pure: it reads nothing, changes nothing, and knows no protocol.
//!
//! An event that cannot be matched is a difference: nothing counts as the same by a guess.
//!
//! | file | has |
//! | --- | --- |
//! | `compare.rs` | the comparison of two calendars |
//! | `difference.rs` | the kinds of differences, and their sentences |
//! | `held_actions.rs` | actions that are not finished or can still be undone |
//! | `server_changes.rs` | what the other server does otherwise, for administrators |
//! | `verdict.rs` | whether the room can move |

mod compare;
mod difference;
mod held_actions;
mod server_changes;
mod verdict;

pub(crate) use compare::{Comparison, compare};
pub(crate) use difference::{ChangedProperty, Difference, DifferenceCounts, Side, SideNames};
pub(crate) use held_actions::{HeldAction, HeldState, held_actions};
pub(crate) use server_changes::server_changes;
pub(crate) use verdict::{Obstacle, Verdict, verdict};
