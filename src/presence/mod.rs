//! Presence: may "nobody came" be said about a meeting? Pure: events, signs, watching, rules and *now* come in as values, and a
//! decision with its proof goes out. Knows no server, no file system and no clock.
//!
//! | file | subject |
//! | --- | --- |
//! | `sign` | signs that people are there, and which event each is about |
//! | `reference` | ids and UIDs in one spelling |
//! | `watch` | which sources were alive when; the coverage of a room |
//! | `coverage` | intervals of time |
//! | `decision` | present, absent (with a proof), unknown (with a reason), waiting |
//! | `crowd` | how many meetings of the same stretch look empty |
//! | `file` | signs as CSV or JSON |
//! | `books` | all of it together |
//!
//! Only [`Presence::Absent`] may lead to a release. Everything else keeps the meeting.

mod books;
mod coverage;
mod crowd;
mod decision;
mod file;
mod reference;
mod sign;
#[cfg(test)]
mod tests;
mod watch;

pub use books::{Books, Question, SharedBooks};
pub use coverage::{Coverage, Interval};
pub use crowd::{Crowd, CrowdLimits, CrowdLog, JudgedMeeting};
pub use decision::{Case, Doubt, Presence, Proof, Terms, decide};
pub use file::{EvidenceError, EvidenceFile, SIGNS_MAX};
pub use sign::{CLOCK_AHEAD_MAX, Sign, SignLog};
pub use watch::{Contact, Link, Silence, SourceContact, Watch};
