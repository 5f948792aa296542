//! Reads the evidence file of `adjourn cleanup`, and checks that it covers the sweep's rooms and meetings before any decision
//! relies on it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::args::CleanupArgs;
use super::exit::{CommandError, Exit};
use crate::calendar::RoomAddress;
use crate::cleanup::{KeepReason, SignsRead, SweepPlan, Verdict};
use crate::engine::{AddressLookup, Engine};
use crate::presence::{
    Admission, Coverage, EvidenceError, EvidenceFile, EvidenceFormat, EvidenceLimits, Interval,
    PresenceState, SharedPresence, Sign, SignLog, UnknownReason,
};
use crate::text_file;

/// Memory for the signs of a file, in MiB, after merging the signs of each hour.
pub(super) const EVIDENCE_MIB_MAX: usize = 256;
/// Bytes of a file in UTF-16, which is read whole. Tables that Windows programs export are smaller.
const UTF16_BYTES_MAX: u64 = 64 << 20;
/// Unknown addresses that are looked up in the directory.
const LOOKUPS_MAX: usize = 20;
/// Unknown addresses that are counted one by one.
const OTHER_ADDRESSES_MAX: usize = 1_000;
/// Unmatched signs that are listed.
const UNMATCHED_MAX: usize = 100;

/// Signs, the time they cover, and how many were read and matched.
pub(super) struct Evidence {
    pub(super) books: SharedPresence,
    read: Option<SignsRead>,
    accepted: bool,
}

impl Evidence {
    /// Reads the evidence file, if given, and resolves its rooms.
    pub(super) async fn read(
        args: &CleanupArgs,
        rooms: &[RoomAddress],
        engine: &Engine,
        more: SignLog,
    ) -> Result<Self, CommandError> {
        let (now, accepted) = (engine.clock().now(), args.accept_no_evidence);
        let Some(path) = args.evidence.as_deref() else {
            let coverage = if accepted { Coverage::always() } else { Coverage::default() };
            return Ok(Self { books: PresenceState::covering(more, coverage).into(), read: None, accepted });
        };
        let failed = |error| unreadable(path).caused_by(error);
        let mut signs = FileSigns::new(rooms, &more).map_err(failed)?;
        let mut file = read_file(path, now, &mut |sign| signs.push(sign))?;
        if let (Some(from), Some(to)) = (args.evidence_from, args.evidence_to) {
            file.stated = Interval::new(from, to);
        }
        let (log, matched, unmatched) = signs.find_rooms(rooms, engine).await.map_err(failed)?;
        let read = SignsRead { read: file.signs, matched, newest: file.newest, unmatched };
        let coverage = if accepted { Coverage::always() } else { file.coverage(now) };
        if !accepted && read.matched == 0 {
            return Err(unusable_evidence(&read, "it has no sign for any of these rooms"));
        }
        Ok(Self { books: PresenceState::covering(log, coverage).into(), read: Some(read), accepted })
    }

    /// Adds the evidence's summary to the plan. A file that covers none of the judged meetings is refused.
    pub(super) fn add_to(&self, plan: &mut SweepPlan) -> Result<(), CommandError> {
        let Some(mut read) = self.read.clone() else { return Ok(()) };
        let books = self.books.read();
        let left = UNMATCHED_MAX.saturating_sub(read.unmatched.len());
        read.unmatched.extend(books.signs.all().filter_map(mismatch).take(left));
        if !self.accepted && covers_no_meeting(plan) {
            return Err(unusable_evidence(&read, "it covers none of the meetings to be judged"));
        }
        plan.signs = Some(read);
        Ok(())
    }
}

/// The signs of a file while it is read: those of the sweep's rooms, those of the first unknown addresses, which may be aliases
/// of these rooms, and counts of the others.
struct FileSigns {
    rooms: HashSet<RoomAddress>,
    log: SignLog,
    matched: usize,
    unresolved: SignLog,
    other_addresses: BTreeMap<RoomAddress, usize>,
    /// Signs of further addresses, which are not counted one by one.
    uncounted: usize,
}

impl FileSigns {
    fn new(rooms: &[RoomAddress], more: &SignLog) -> Result<Self, EvidenceError> {
        let within = || SignLog::with_limits(EvidenceLimits::for_file(EVIDENCE_MIB_MAX << 20));
        let mut signs = Self {
            rooms: rooms.iter().cloned().collect(),
            log: within(),
            matched: 0,
            unresolved: within(),
            other_addresses: BTreeMap::new(),
            uncounted: 0,
        };
        more.all().try_for_each(|sign| push_sign(&mut signs.log, sign.clone()))?;
        let refused = more.refused().iter();
        refused.for_each(|(room, span)| signs.log.restore_refused(room.clone(), *span));
        Ok(signs)
    }

    fn push(&mut self, sign: Sign) -> Result<(), EvidenceError> {
        if self.rooms.contains(&sign.room) {
            self.matched += 1;
            return push_sign(&mut self.log, sign);
        }
        let is_aside =
            self.unresolved.of_room(&sign.room).is_empty() && self.other_addresses.len() >= LOOKUPS_MAX;
        if let Some(count) = self.other_addresses.get_mut(&sign.room) {
            *count += 1;
        } else if self.other_addresses.len() < OTHER_ADDRESSES_MAX {
            self.other_addresses.insert(sign.room.clone(), 1);
        } else {
            self.uncounted += 1;
        }
        if is_aside { Ok(()) } else { push_sign(&mut self.unresolved, sign) }
    }

    /// Maps signs that use an alias or a new primary address to the configured address. Returns all signs, how many are about
    /// these rooms, and messages about the others.
    async fn find_rooms(
        mut self,
        rooms: &[RoomAddress],
        engine: &Engine,
    ) -> Result<(SignLog, usize, Vec<String>), EvidenceError> {
        let mut aliases = HashMap::new();
        let named: Vec<_> =
            self.other_addresses.keys().filter(|room| !self.unresolved.of_room(room).is_empty()).collect();
        for address in named {
            if let Some(room) = room_of(address, rooms, engine).await {
                aliases.insert(address.clone(), room);
            }
        }
        for (address, room) in &aliases {
            for sign in self.unresolved.of_room(address) {
                push_sign(&mut self.log, Sign { room: room.clone(), ..sign.clone() })?;
            }
        }
        let (found, unknown): (Vec<_>, Vec<_>) =
            self.other_addresses.iter().partition(|(address, _)| aliases.contains_key(*address));
        let matched = self.matched + found.iter().map(|(_, count)| **count).sum::<usize>();
        let line = |(address, count): (&RoomAddress, &usize)| {
            format!("{count} signs of {address}, which is not one of these rooms")
        };
        let mut lines: Vec<_> = unknown.into_iter().map(line).take(UNMATCHED_MAX).collect();
        if self.uncounted > 0 {
            lines.push(format!(
                "{} signs of further addresses that are not among these rooms",
                self.uncounted
            ));
        }
        Ok((self.log, matched, lines))
    }
}

/// A sign beyond the limit may be the one that protects a meeting, so the whole file is refused.
fn push_sign(log: &mut SignLog, sign: Sign) -> Result<(), EvidenceError> {
    match log.push(sign) {
        Admission::Kept(_) => Ok(()),
        Admission::Refused(_) => Err(EvidenceError::TooLarge(EVIDENCE_MIB_MAX)),
    }
}

fn unusable_evidence(read: &SignsRead, why: &str) -> CommandError {
    CommandError::new(Exit::Usage, refusal(read, why))
}

fn refusal(read: &SignsRead, why: &str) -> String {
    let SignsRead { read, matched, newest, unmatched } = read;
    let newest = newest.map_or_else(String::new, |newest| format!(", newest at {}", newest.format("%FT%TZ")));
    let mut message =
        format!("the evidence cannot prove absence: {why}; {read} signs read, {matched} matched{newest}");
    for line in unmatched.iter().take(5) {
        message += &format!("; {line}");
    }
    message + ". Check the export, or override with --accept-no-evidence"
}

fn covers_no_meeting(plan: &SweepPlan) -> bool {
    let verdicts = || plan.rooms.iter().flat_map(|room| &room.events).map(|judged| &judged.verdict);
    let unwatched = |verdict: &Verdict| {
        matches!(
            verdict,
            Verdict::Keep { why: KeepReason::Unknown { doubt: UnknownReason::NotWatched { .. } } }
        )
    };
    let decided = |verdict: &Verdict| match verdict {
        Verdict::Act { proof, .. } => proof.is_some(),
        Verdict::Keep { why } => matches!(why, KeepReason::CheckedIn { .. } | KeepReason::GraceRuns { .. }),
    };
    verdicts().any(unwatched) && !verdicts().any(decided)
}

fn mismatch(sign: &Sign) -> Option<String> {
    let Sign { room, at, source, .. } = sign;
    let time = at.format("%FT%TZ");
    if !sign.has_usable_clock() && !sign.is_matched {
        let lies = if *at > sign.received_at { "in the future" } else { "in the past" };
        return Some(format!(
            "{room}: sign of {source} at {time} is too far {lies}: check the sensor's clock"
        ));
    }
    let event = sign.reference().filter(|_| !sign.is_matched)?;
    Some(format!("{room}: sign of {source} at {time} names event {event}, which is not on the calendar"))
}

async fn room_of(address: &RoomAddress, rooms: &[RoomAddress], engine: &Engine) -> Option<RoomAddress> {
    let asking = rooms.first()?;
    let found = engine.calendar().resolve_address(asking, address.as_str()).await;
    let Ok(AddressLookup::Found(mailbox)) = found else { return None };
    rooms.iter().find(|room| mailbox.include(room.as_str())).cloned()
}

fn unreadable(path: &Path) -> CommandError {
    CommandError::new(Exit::Usage, format!("cannot read {}", path.display()))
}

fn read_file(
    path: &Path,
    now: DateTime<Utc>,
    take: &mut dyn FnMut(Sign) -> Result<(), EvidenceError>,
) -> Result<EvidenceFile, CommandError> {
    let text = text_file::open(path, UTF16_BYTES_MAX).map_err(|error| unreadable(path).caused_by(error))?;
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let format = if is_json { EvidenceFormat::Json } else { EvidenceFormat::Csv };
    EvidenceFile::read(format, text, now, take).map_err(|error| unreadable(path).caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_counts_what_was_read() {
        let newest: DateTime<Utc> = "2026-05-06T09:00:00Z".parse().unwrap();
        let read = SignsRead { read: 3, matched: 0, newest: Some(newest), unmatched: vec!["x".to_owned()] };
        let text = refusal(&read, "why");
        assert!(text.contains("3 signs read, 0 matched, newest at 2026-05-06T09:00:00Z; x"), "{text}");
    }
}
