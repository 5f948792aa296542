//! The evidence of a sweep at the command line: a file of signs, held against the rooms of the sweep before anything is judged on
//! its word.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::args::CleanupArgs;
use super::exit::{Exit, Failure};
use crate::calendar::RoomAddress;
use crate::cleanup::{Kept, Plan, SignsRead, Verdict};
use crate::engine::{AddressLookup, Engine};
use crate::presence::{Books, Coverage, Doubt, EvidenceFile, Interval, SharedBooks, Sign, SignLog};
use crate::text_file;

/// Five million signs are less.
const EVIDENCE_BYTES_MAX: u64 = 1 << 30;
/// Addresses looked up in the directory, since they are none of the sweep's rooms.
const LOOKUPS_MAX: usize = 20;
/// Signs listed that were of no use.
const UNMATCHED_MAX: usize = 100;

/// Signs, the time they cover, and what became of them.
pub(super) struct Evidence {
    pub(super) books: SharedBooks,
    read: Option<SignsRead>,
    accepted: bool,
}

impl Evidence {
    /// Reads the file that the arguments name, and finds the rooms of its signs.
    pub(super) async fn read(
        args: &CleanupArgs,
        rooms: &[RoomAddress],
        engine: &Engine,
        more: Vec<Sign>,
    ) -> Result<Self, Failure> {
        let (now, accepted) = (engine.clock().now(), args.accept_no_evidence);
        let file = args.evidence.as_deref().map(read_file).transpose()?.map(|file| file.received(now));
        let Some(mut file) = file else {
            let coverage = if accepted { Coverage::always() } else { Coverage::default() };
            return Ok(Self { books: books(more, coverage), read: None, accepted });
        };
        if let (Some(from), Some(to)) = (args.evidence_from, args.evidence_to) {
            file.stated = Interval::new(from, to);
        }
        let mut read = SignsRead { read: file.signs.len(), newest: file.newest(), ..SignsRead::default() };
        find_rooms(&mut file, rooms, engine, &mut read).await;
        let coverage = if accepted { Coverage::always() } else { file.coverage(now) };
        let evidence =
            Self { books: books(file.signs.into_iter().chain(more), coverage), read: Some(read), accepted };
        match &evidence.read {
            Some(read) if !accepted && read.matched == 0 => {
                Err(useless(read, "it is about none of these rooms"))
            }
            _ => Ok(evidence),
        }
    }

    /// Adds to the plan what it rests on. A file that watched none of the meetings it is asked about is refused.
    pub(super) fn weigh(&self, plan: &mut Plan) -> Result<(), Failure> {
        let Some(mut read) = self.read.clone() else { return Ok(()) };
        let books = self.books.read();
        read.unmatched.extend(books.signs.all().filter_map(mismatch));
        read.unmatched.truncate(UNMATCHED_MAX);
        if !self.accepted && watched_nothing(plan) {
            return Err(useless(&read, "it covers none of the meetings that are judged"));
        }
        plan.signs = Some(read);
        Ok(())
    }
}

fn books(signs: impl IntoIterator<Item = Sign>, coverage: Coverage) -> SharedBooks {
    let mut log = SignLog::default();
    signs.into_iter().for_each(|sign| log.push(sign));
    Books::covering(log, coverage).into()
}

fn useless(read: &SignsRead, why: &str) -> Failure {
    Failure::new(Exit::Usage, refusal(read, why))
}

fn refusal(read: &SignsRead, why: &str) -> String {
    let SignsRead { read, matched, newest, unmatched } = read;
    let newest = newest.map_or_else(String::new, |newest| format!(", newest at {}", newest.format("%FT%TZ")));
    let mut message =
        format!("this evidence proves no absence: {why}; {read} signs read, {matched} matched{newest}");
    for line in unmatched.iter().take(5) {
        message += &format!("; {line}");
    }
    message + ". Check the export; --accept-no-evidence insists"
}

fn watched_nothing(plan: &Plan) -> bool {
    let verdicts = || plan.rooms.iter().flat_map(|room| &room.events).map(|judged| &judged.verdict);
    let unwatched = |verdict: &Verdict| {
        matches!(verdict, Verdict::Keep { why: Kept::Unknown { doubt: Doubt::NotWatched { .. } } })
    };
    let decided = |verdict: &Verdict| match verdict {
        Verdict::Act { proof, .. } => proof.is_some(),
        Verdict::Keep { why } => matches!(why, Kept::CheckedIn { .. } | Kept::GraceRuns { .. }),
    };
    verdicts().any(unwatched) && !verdicts().any(decided)
}

fn mismatch(sign: &Sign) -> Option<String> {
    let Sign { room, at, source, .. } = sign;
    let time = at.format("%FT%TZ");
    if !sign.has_usable_clock() && !sign.is_matched {
        let lies = if *at > sign.received_at { "ahead" } else { "far back" };
        return Some(format!("{room}: a sign by {source} for {time} lies {lies}: check the sensor's clock"));
    }
    let event = sign.reference().filter(|_| !sign.is_matched)?;
    Some(format!("{room}: a sign by {source} for {time} names event {event}, which is not on the calendar"))
}

/// Gives signs that name a room by an alias, or by its new primary address, the address that the configuration has.
async fn find_rooms(file: &mut EvidenceFile, rooms: &[RoomAddress], engine: &Engine, read: &mut SignsRead) {
    let known: HashSet<&RoomAddress> = rooms.iter().collect();
    let mut strange: BTreeMap<RoomAddress, usize> = BTreeMap::new();
    for sign in file.signs.iter().filter(|sign| !known.contains(&sign.room)) {
        *strange.entry(sign.room.clone()).or_default() += 1;
    }
    let mut aliases = HashMap::new();
    for address in strange.keys().take(LOOKUPS_MAX) {
        if let Some(room) = room_of(address, rooms, engine).await {
            aliases.insert(address.clone(), room);
        }
    }
    for sign in &mut file.signs {
        if let Some(room) = aliases.get(&sign.room) {
            sign.room = room.clone();
        }
    }
    read.matched = file.signs.iter().filter(|sign| known.contains(&sign.room)).count();
    let unknown = strange.iter().filter(|(address, _)| !aliases.contains_key(*address));
    let lines =
        unknown.map(|(address, count)| format!("{count} signs of {address}, which is none of these rooms"));
    read.unmatched.extend(lines.take(UNMATCHED_MAX));
}

async fn room_of(address: &RoomAddress, rooms: &[RoomAddress], engine: &Engine) -> Option<RoomAddress> {
    let asking = rooms.first()?;
    let found = engine.calendar().resolve_address(asking, address.as_str()).await;
    let Ok(AddressLookup::Found(mailbox)) = found else { return None };
    rooms.iter().find(|room| mailbox.include(room.as_str())).cloned()
}

fn read_file(path: &Path) -> Result<EvidenceFile, Failure> {
    let unreadable = || Failure::new(Exit::Usage, format!("cannot read {}", path.display()));
    let text = text_file::read(path, EVIDENCE_BYTES_MAX).map_err(|error| unreadable().because(error))?;
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let file = if is_json { EvidenceFile::from_json(&text) } else { EvidenceFile::from_csv(&text) };
    file.map_err(|error| unreadable().because(error))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn the_refusal_counts_what_was_read() {
        let newest: DateTime<Utc> = "2026-05-06T09:00:00Z".parse().unwrap();
        let read = SignsRead { read: 3, matched: 0, newest: Some(newest), unmatched: vec!["x".to_owned()] };
        let text = refusal(&read, "why");
        assert!(text.contains("3 signs read, 0 matched, newest at 2026-05-06T09:00:00Z; x"), "{text}");
    }
}
