//! A journal of a million actions: how long the audit reads, and whether it delays an action. Prints times and checks
//! counts; `cargo test --test store million -- --ignored --nocapture` runs it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adjourn::action::{ActionKind, Notify, Outcome, Refusal};
use adjourn::journal::{ActionStatus, Chain, Journal, JournalEntry, Query};
use adjourn::store::SqliteJournal;
use adjourn_test::{journal_in, room};
use rusqlite::Connection;
use tokio::time::Instant;

use crate::sample_entries::{accepted, action, closed, id};

const ACTIONS: u128 = 1_000_000;
const ROOMS: u128 = 1_000;
/// Actions that one request of the audit examines, as in the API.
const EXAMINED_MAX: usize = 5_000;

/// Writes actions with SQL, bypassing the journal: the writer would take an hour.
fn fill(directory: &Path) {
    drop(journal_in(directory));
    let mut connection = Connection::open(directory.join("journal.sqlite")).unwrap();
    connection.pragma_update(None, "synchronous", "OFF").unwrap();
    let transaction = connection.transaction().unwrap();
    let mut chain = Chain::default();
    {
        let entry = "INSERT INTO entries (number, action, body, hash) VALUES (?1, ?2, ?3, ?4)";
        let life = "INSERT INTO lives (action, accepted, accepted_ms, room, actor, ending)
                    VALUES (?1, ?2, ?3, ?4, 'ada', 'refused')";
        let beside = "INSERT INTO personal (entry, pointer, at_ms, salt, value) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (mut entry, mut life) = (transaction.prepare(entry).unwrap(), transaction.prepare(life).unwrap());
        let mut beside = transaction.prepare(beside).unwrap();
        for number in 1..=ACTIONS {
            let minute = i64::try_from(number).unwrap();
            let begin = accepted(
                action(number, &format!("r{}", number % ROOMS), ActionKind::End(Notify::Nobody)),
                minute,
            );
            let end = closed(number, Outcome::Refused { refusal: Refusal::NoCurrentEvent }, minute);
            let first = chain.length + 1;
            for one in [&begin, &end] {
                let text = JournalEntry::from(one.clone()).to_text(&mut || [7; 16]).unwrap();
                let sealed = chain.seal_text(text);
                let (at, at_ms) = (sealed.number.cast_signed(), one.at.timestamp_millis());
                entry.execute((at, number_text(number), &sealed.body, sealed.hash.0)).unwrap();
                for kept in &sealed.personal {
                    beside.execute((at, &kept.pointer, at_ms, kept.salt, &kept.value)).unwrap();
                }
            }
            let at_ms = begin.at.timestamp_millis();
            let address = room(&format!("r{}", number % ROOMS)).to_string();
            life.execute((number_text(number), first.cast_signed(), at_ms, address)).unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn number_text(number: u128) -> String {
    id(number).to_string()
}

/// Prints the median and the longest of repeated times.
fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: {} times, median {median:.1?}, longest {worst:.1?}", times.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: writes a journal of a million actions"]
async fn a_million_actions_are_read_in_bounded_pages_beside_actions() {
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    fill(directory.path());
    println!("written in {:.1?}", begun.elapsed());
    let begun = Instant::now();
    let journal = Arc::new(journal_in(directory.path()));
    println!("opened in {:.1?}", begun.elapsed());
    let queries = [
        ("all", Query { limit: Some(51), ..Query::default() }),
        ("one room", Query { limit: Some(51), ..Query::room(&room("r7")) }),
        ("one actor", Query { actor: Some("ada".to_owned()), limit: Some(51), ..Query::default() }),
        ("what nothing means", Query { limit: Some(51), ..Query::default() }.with_status(ActionStatus::Done)),
    ];
    for (what, query) in &queries {
        let mut times = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            let page = journal.page(query, None, EXAMINED_MAX).await.unwrap();
            times.push(begun.elapsed());
            assert!(page.examined <= EXAMINED_MAX && page.next.is_some(), "{what}: {}", page.examined);
        }
        print(what, times);
    }
    append_and_time(&journal, "an action's facts, alone", 2_000_001).await;
    let (stop, reader) = (Arc::new(AtomicBool::new(false)), journal.clone());
    let stopped = stop.clone();
    let audit = tokio::spawn(async move {
        let (query, mut after, mut pages) = (Query::default().with_status(ActionStatus::Done), None, 0);
        while !stopped.load(Ordering::Relaxed) {
            after = reader.page(&query, after, EXAMINED_MAX).await.unwrap().next;
            pages += 1;
        }
        pages
    });
    append_and_time(&journal, "an action's facts, beside the audit", 2_100_001).await;
    stop.store(true, Ordering::Relaxed);
    println!("pages of the audit meanwhile: {}", audit.await.unwrap());
}

/// Performs an action's reads and writes two hundred times.
async fn append_and_time(journal: &SqliteJournal, what: &str, first: u128) {
    let mut times = Vec::new();
    for number in first..first + 200 {
        let begun = Instant::now();
        let open = journal.find(&Query::room(&room("r7")).with_status(ActionStatus::Open)).await.unwrap();
        assert_eq!(open, []);
        journal.record(accepted(action(number, "r7", ActionKind::End(Notify::Nobody)), 0)).await.unwrap();
        let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
        journal.record(closed(number, refused, 0)).await.unwrap();
        times.push(begun.elapsed());
    }
    print(what, times);
}
