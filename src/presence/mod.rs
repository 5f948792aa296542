//! Presence: decides whether absence from a meeting is proven. Pure: events, signs, coverage, rules and the current time come
//! in as values, and a decision with its proof comes out. Knows no server, no file system and no clock.
//!
//! | file | subject |
//! | --- | --- |
//! | `sign` | signs of presence, and the event of each |
//! | `sign_log` | all signs, by room |
//! | `evidence_limits` | limits on stored evidence, in all, per reporter and per room |
//! | `reference` | ids and UIDs in one spelling |
//! | `source_tracker` | which sources were alive when; the coverage of a room |
//! | `coverage` | intervals of time |
//! | `timing` | the times of the rule on check-ins |
//! | `decision` | present, absent (with a proof), unknown (with a reason), waiting |
//! | `crowd` | how many meetings at the same time look empty |
//! | `file` | signs as CSV or JSON |
//! | `state` | all of it together |
//!
//! Only [`Presence::Absent`] may lead to a release. Everything else keeps the meeting.

mod coverage;
mod crowd;
mod decision;
mod evidence_limits;
mod file;
mod reference;
mod sign;
mod sign_log;
mod source_tracker;
mod state;
#[cfg(test)]
mod tests;
mod timing;

pub use coverage::{Coverage, Interval};
pub use crowd::{Crowd, CrowdLimits, CrowdLog, JudgedMeeting};
pub use decision::{Presence, PresenceInput, Proof, UnknownReason, decide};
pub use evidence_limits::{
    EVENT_REFERENCE_BYTES_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_BYTES_RESERVED, EvidenceAmount, EvidenceLimit,
    EvidenceLimits, REPORTER_BYTES_LITTLE, REPORTER_BYTES_MAX, REPORTER_BYTES_PER_ROOM_MAX,
    REPORTER_SIGNS_PER_EVENT_MAX, REPORTER_SIGNS_PER_ROOM_MAX, ROOM_BYTES_MAX, ROOM_SIGNS_MAX,
};
pub use file::{
    EVIDENCE_FILE_BYTES_MAX, EvidenceError, EvidenceFile, EvidenceFormat, SIGN_IN_FILE_BYTES_MAX, SIGNS_MAX,
};
pub use sign::{CLOCK_AHEAD_MAX, Sign};
pub use sign_log::{Admission, SignCounts, SignLog};
pub use source_tracker::{
    Contact, SOURCES_PER_REPORTER_MAX, SOURCES_PER_SCOPE_MAX, SilenceLimits, SourceContact, SourceScope,
    SourceTracker, WATCHED_ROOMS_MAX,
};
pub use state::{IDS_MAX, ORGANIZERS_MAX, PresenceQuery, PresenceState, RoomWatch, SharedPresence};
pub use timing::CheckInTiming;
