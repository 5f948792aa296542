//! Limits on stored evidence, in all, per reporter and per room, and the usage of each. Pure.
//!
//! ```text
//! in all                          ├──────────── common part ───────────┤── reserve ──┤
//! one reporter                    ├──────────────────────────┤
//! a reporter with little evidence ├──────────── common part ───────────┤── reserve ──┤
//! ```
//!
//! A reporter is an API key. Its limit in one room is lower than the room's limit, and its limit in all is lower than the common
//! part, so its signs never displace another key's. Every sign stays for at least a day, so a key's limit is also what it may
//! add in a day.

use std::collections::HashMap;

use super::Sign;
use crate::calendar::RoomAddress;

/// Evidence in all, in bytes: 5 000 rooms with thirty signs each, where a sign merges an hour of motion.
pub const EVIDENCE_BYTES_MAX: usize = 64 << 20;
/// The part of it that is reserved for reporters with little evidence.
pub const EVIDENCE_BYTES_RESERVED: usize = 16 << 20;
/// Evidence of one reporter, in bytes: a sensor system of 5 000 rooms for two working days.
pub const REPORTER_BYTES_MAX: usize = 40 << 20;
/// A reporter with less than this counts as one with little evidence.
pub const REPORTER_BYTES_LITTLE: usize = 64 << 10;
/// Signs in one room: four reporters at their limit.
pub const ROOM_SIGNS_MAX: usize = 2_048;
/// Bytes of evidence in one room.
pub const ROOM_BYTES_MAX: usize = 1 << 20;
/// Signs of one reporter in one room: ten sources that sense people for two days without a pause.
pub const REPORTER_SIGNS_PER_ROOM_MAX: usize = 512;
/// Bytes of evidence of one reporter in one room.
pub const REPORTER_BYTES_PER_ROOM_MAX: usize = 256 << 10;
/// Signs of one reporter for one event that it names: more than the badges of a lecture hall, merged by the hour.
pub const REPORTER_SIGNS_PER_EVENT_MAX: usize = 128;
/// Longest id or UID of an event in a sign, in bytes. Exchange's own have less than 600.
pub const EVENT_REFERENCE_BYTES_MAX: usize = 2_000;

/// The limits of one log of signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceLimits {
    /// Bytes in all.
    pub bytes: usize,
    /// The bytes of these that are reserved for reporters with little evidence.
    pub reserved: usize,
    /// Bytes of one reporter.
    pub reporter: usize,
    /// Signs and bytes in one room.
    pub room: EvidenceAmount,
    /// Signs and bytes of one reporter in one room.
    pub reporter_in_room: EvidenceAmount,
    /// Signs of one reporter for one event.
    pub event: usize,
}

impl Default for EvidenceLimits {
    fn default() -> Self {
        Self {
            bytes: EVIDENCE_BYTES_MAX,
            reserved: EVIDENCE_BYTES_RESERVED,
            reporter: REPORTER_BYTES_MAX,
            room: EvidenceAmount { signs: ROOM_SIGNS_MAX, bytes: ROOM_BYTES_MAX },
            reporter_in_room: EvidenceAmount {
                signs: REPORTER_SIGNS_PER_ROOM_MAX,
                bytes: REPORTER_BYTES_PER_ROOM_MAX,
            },
            event: REPORTER_SIGNS_PER_EVENT_MAX,
        }
    }
}

impl EvidenceLimits {
    /// The limits for a file that an operator names: its signs may take this many bytes.
    pub fn for_file(bytes: usize) -> Self {
        let all = EvidenceAmount { signs: usize::MAX, bytes };
        Self { bytes, reserved: 0, reporter: bytes, room: all, reporter_in_room: all, event: usize::MAX }
    }
}

/// A number of signs, and the bytes they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EvidenceAmount {
    /// The number of signs.
    pub signs: usize,
    /// Their size in bytes.
    pub bytes: usize,
}

impl EvidenceAmount {
    fn add(&mut self, bytes: usize) {
        self.signs += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.signs = self.signs.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whether another sign of this size would exceed the limit.
    fn is_full(self, bytes: usize, limit: Self) -> bool {
        self.signs >= limit.signs || self.bytes + bytes > limit.bytes
    }
}

/// The limit for which a sign was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EvidenceLimit {
    /// The signs of one reporter for one event.
    Event,
    /// The evidence of one reporter in one room.
    ReporterInRoom,
    /// The evidence in one room.
    Room,
    /// The evidence of one reporter.
    Reporter,
    /// The evidence in all.
    All,
}

impl EvidenceLimit {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Event, Self::ReporterInRoom, Self::Room, Self::Reporter, Self::All];

    /// The value in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::ReporterInRoom => "key-in-room",
            Self::Room => "room",
            Self::Reporter => "key",
            Self::All => "all",
        }
    }

    /// The reason of the refusal, for the sender.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Event => "this key has reached its limit of signs for this event",
            Self::ReporterInRoom => "this key has reached its limit of evidence for this room",
            Self::Room => "the room has reached its limit of evidence",
            Self::Reporter => "this key has reached its limit of evidence",
            Self::All => "the service has reached its limit of evidence",
        }
    }
}

/// The stored evidence, by reporter and room.
#[derive(Debug, Clone, Default)]
pub(super) struct EvidenceUsage {
    all: EvidenceAmount,
    by_reporter: HashMap<String, EvidenceAmount>,
    by_room: HashMap<RoomAddress, RoomUsage>,
}

#[derive(Debug, Clone, Default)]
struct RoomUsage {
    all: EvidenceAmount,
    by_reporter: HashMap<String, EvidenceAmount>,
}

impl EvidenceUsage {
    pub(super) fn all(&self) -> EvidenceAmount {
        self.all
    }

    #[cfg(test)]
    pub(super) fn by_reporter_bytes(&self, reporter: &str) -> usize {
        self.by_reporter.get(reporter).map_or(0, |held| held.bytes)
    }

    pub(super) fn of_room(&self, room: &RoomAddress) -> EvidenceAmount {
        self.by_room.get(room).map(|shares| shares.all).unwrap_or_default()
    }

    /// The limit that this sign would exceed.
    pub(super) fn exceeded(&self, sign: &Sign, bounds: &EvidenceLimits) -> Option<EvidenceLimit> {
        let bytes = sign.bytes();
        let of =
            |held: &HashMap<String, EvidenceAmount>| held.get(&sign.reporter).copied().unwrap_or_default();
        let (room, own) = self
            .by_room
            .get(&sign.room)
            .map_or_else(Default::default, |shares| (shares.all, of(&shares.by_reporter)));
        let reporter = of(&self.by_reporter).bytes + bytes;
        let common = bounds.bytes - if reporter > REPORTER_BYTES_LITTLE { bounds.reserved } else { 0 };
        let exceeded = [
            (own.is_full(bytes, bounds.reporter_in_room), EvidenceLimit::ReporterInRoom),
            (room.is_full(bytes, bounds.room), EvidenceLimit::Room),
            (reporter > bounds.reporter, EvidenceLimit::Reporter),
            (self.all.bytes + bytes > common, EvidenceLimit::All),
        ];
        exceeded.into_iter().find(|(is_exceeded, _)| *is_exceeded).map(|(_, bound)| bound)
    }

    pub(super) fn add(&mut self, sign: &Sign) {
        let bytes = sign.bytes();
        self.all.add(bytes);
        self.by_reporter.entry(sign.reporter.clone()).or_default().add(bytes);
        let room = self.by_room.entry(sign.room.clone()).or_default();
        room.all.add(bytes);
        room.by_reporter.entry(sign.reporter.clone()).or_default().add(bytes);
    }

    /// Adds the bytes by which a sign grew when it got the identity of its event.
    pub(super) fn grow(&mut self, sign: &Sign, bytes: usize) {
        self.all.bytes += bytes;
        let room = self.by_room.entry(sign.room.clone()).or_default();
        room.all.bytes += bytes;
        room.by_reporter.entry(sign.reporter.clone()).or_default().bytes += bytes;
        self.by_reporter.entry(sign.reporter.clone()).or_default().bytes += bytes;
    }

    pub(super) fn remove(&mut self, sign: &Sign) {
        let bytes = sign.bytes();
        self.all.remove(bytes);
        remove(&mut self.by_reporter, &sign.reporter, bytes);
        if let Some(room) = self.by_room.get_mut(&sign.room) {
            room.all.remove(bytes);
            remove(&mut room.by_reporter, &sign.reporter, bytes);
            if room.by_reporter.is_empty() {
                self.by_room.remove(&sign.room);
            }
        }
    }
}

fn remove(held: &mut HashMap<String, EvidenceAmount>, reporter: &str, bytes: usize) {
    if let Some(one) = held.get_mut(reporter) {
        one.remove(bytes);
        if one.signs == 0 {
            held.remove(reporter);
        }
    }
}
