//! Personal values: stored beside the chain, and gone from every file once erased.

use std::path::Path;

use adjourn::action::{Outcome, Reversibility};
use adjourn::journal::{
    AdminActor, AdminEvent, AdminQuery, ERASED, ErasureRequest, ErasureResult, ErasureTarget, Journal as _,
    JournalEntry, Query,
};
use adjourn::store::{SqliteJournal, VerifyError};
use adjourn_test::journal_in;
use chrono::TimeDelta;
use rusqlite::Connection;

use crate::sample_entries::{an_end, at, everything, everything_of_version_6, id};

const NAMES: [&str; 8] =
    ["ada", "Ada", "Nobody came", "released automatically", "Booked", "somebody came", "lobby", "192.0.2.7"];

fn execute_sql(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("journal.sqlite")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
}

fn erasure(whose: ErasureTarget) -> ErasureRequest {
    let by = AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) };
    ErasureRequest { target: whose, by, now: at(1_000_000), key_ttl: TimeDelta::days(1) }
}

fn before_everything() -> ErasureRequest {
    erasure(ErasureTarget::Before(at(1_000_000)))
}

/// A journal of closed actions.
async fn closed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    for entry in everything().into_iter().filter(|entry| entry.action != id(200)) {
        journal.record(entry).await.unwrap();
    }
    directory
}

async fn verified(directory: &Path) -> Result<u64, VerifyError> {
    Ok(SqliteJournal::read(directory).unwrap().verify(None).await?.erased)
}

#[test]
fn a_body_names_nobody_and_is_read_back_with_what_stands_beside_it() {
    let mut salt = 0_u128;
    for record in everything_of_version_6() {
        let text = record.to_text(&mut || {
            salt += 1;
            salt.to_be_bytes()
        });
        let text = text.unwrap();
        for name in NAMES {
            assert!(!text.body.contains(name), "{name} in {}", text.body);
        }
        assert_eq!(JournalEntry::parse(&text.body, &text.personal).unwrap(), record);
        // The entry is the same after the erasure.
        let (erased, missing) = JournalEntry::parse_counting_erased(&text.body, &[]).unwrap();
        assert_eq!((erased.filed_under(), erased.at()), (record.filed_under(), record.at()));
        assert_eq!(missing, text.personal.len());
        let mut changed = text.personal.clone();
        if let Some(value) = changed.first_mut() {
            value.value.push('x');
            assert!(JournalEntry::parse(&text.body, &changed).is_err());
        }
    }
}

#[tokio::test]
async fn what_is_erased_is_in_no_file_and_the_chain_holds() {
    let directory = closed().await;
    let journal = journal_in(directory.path());
    // A checkpoint may be running; the log is gone once the journal is closed.
    let ErasureResult { values, spared, in_clear, .. } = journal.erase(before_everything()).await.unwrap();
    assert!(values > 40, "{values}");
    assert_eq!((spared, in_clear), (0, false));
    assert_eq!(journal.erase(before_everything()).await.unwrap().values, 0);
    drop(journal);

    for file in std::fs::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for name in ["ada@people", "Ada", "\"ada\"", "Nobody came", "released automatically"] {
            let found = bytes.windows(name.len()).any(|window| window == name.as_bytes());
            assert!(!found, "{name} in {}", path.display());
        }
    }
    assert_eq!(verified(directory.path()).await.unwrap(), values);
    let journal = journal_in(directory.path());
    let events = journal.admin_events(&AdminQuery::default()).await.unwrap().events;
    let announced = events.iter().map(|(_, entry)| match entry.event {
        AdminEvent::Erased { values, .. } => values,
        _ => 0,
    });
    assert_eq!(announced.sum::<u64>(), values);
    // An undo still has what it needs: the event as it was, without the names.
    let record = journal.action_record(id(1)).await.unwrap().unwrap();
    assert_eq!(record.action.actor.name(), ERASED);
    assert_eq!(record.done().unwrap().reversibility, Reversibility::Reversible);
    let before = record.intent.unwrap().before;
    assert_eq!((before.end, before.subject), (at(60), None));
    assert_eq!(before.uid.unwrap().as_str(), "uid-a");
    let named = Query { actor: Some("ada".to_owned()), ..Query::default() };
    assert_eq!(journal.find(&named).await.unwrap(), []);
}

#[tokio::test]
async fn a_reader_that_keeps_old_pages_in_the_log_is_told_of() {
    let directory = closed().await;
    let journal = journal_in(directory.path());
    let reader = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count: i64 = reader.query_row("SELECT count(*) FROM personal", [], |row| row.get(0)).unwrap();
    let erased = journal.erase(before_everything()).await.unwrap();
    assert_eq!((erased.values, erased.log_remains), (count.unsigned_abs(), true));
}

#[tokio::test]
async fn values_stay_as_long_as_their_action_may_need_them() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    for entry in everything() {
        journal.record(entry).await.unwrap();
    }
    // Ten hours later the keys are still valid, and one action may still be settled.
    let soon = ErasureRequest { now: at(600), ..before_everything() };
    let erased = journal.erase(soon).await.unwrap();
    assert!(erased.spared > 0);
    let name = async |number| {
        let record = journal.action_record(id(number)).await.unwrap().unwrap();
        (record.action.actor.name().to_owned(), record.action.reason)
    };
    assert_eq!(name(1).await, (ERASED.to_owned(), None));
    assert!(name(10).await.1.is_some(), "its key is valid");
    assert_eq!(name(122).await.0, "door", "it needs attention");
    assert_eq!(name(200).await.0, "ada", "it is open");
    journal.erase(before_everything()).await.unwrap();
    assert_eq!(name(10).await.1, None);
    assert_eq!(name(122).await.0, ERASED);
    assert_eq!(name(200).await.0, "ada", "it is open");
    drop(journal);
    verified(directory.path()).await.unwrap();
}

#[tokio::test]
async fn a_person_is_erased_in_the_role_that_matches() {
    let directory = closed().await;
    let journal = journal_in(directory.path());
    let erased =
        journal.erase(erasure(ErasureTarget::Person("ADA@people.example".to_owned()))).await.unwrap();
    assert!(erased.values > 0);
    let record = journal.action_record(id(1)).await.unwrap().unwrap();
    assert_eq!(record.action.actor.name(), "ada", "the actor has another role");
    let before = record.intent.unwrap().before;
    let organizer = before.organizer.unwrap();
    assert_eq!((before.subject, organizer.name, organizer.address), (None, None, None));
    let Some(Outcome::Done(done)) = record.outcome else { panic!("it is done") };
    assert_eq!(done.event.organizer, None);
    // A caller with the same name as the administrator: it is erased, and the event that records the erasure keeps its name.
    let by = AdminActor::CommandLine { uid: None, user: Some("ada".to_owned()) };
    let by_ada = ErasureRequest { by, ..erasure(ErasureTarget::Person("ada".to_owned())) };
    assert!(journal.erase(by_ada).await.unwrap().values > 0);
    assert_eq!(journal.action_record(id(1)).await.unwrap().unwrap().action.actor.name(), ERASED);
    drop(journal);
    verified(directory.path()).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_without_an_event_shows() {
    for (sql, expected) in [
        (
            "DELETE FROM personal WHERE entry = 2 AND pointer = '/fact/before/subject'",
            "1 personal values are missing, but the journal records 0 as erased",
        ),
        (
            "UPDATE personal SET value = 'eve' WHERE entry = 1",
            "entry 1: the personal value at /fact/action/actor/name was changed",
        ),
        (
            "UPDATE personal SET salt = zeroblob(16) WHERE entry = 1",
            "entry 1: the personal value at /fact/action/actor/name was changed",
        ),
        (
            "INSERT INTO personal VALUES (1, '/fact/action/room', 0, zeroblob(16), 'r9')",
            "entry 1: the personal value at /fact/action/room belongs to no entry",
        ),
        (
            "INSERT INTO personal VALUES (9999, '/by/user', 0, zeroblob(16), 'eve')",
            "entry 9999: personal values are stored for it, but its body refers to none",
        ),
    ] {
        let directory = closed().await;
        execute_sql(directory.path(), sql);
        let error = verified(directory.path()).await.unwrap_err().to_string();
        assert_eq!(error, expected, "{sql}");
    }
    // One value more than recorded.
    let directory = closed().await;
    let journal = journal_in(directory.path());
    let values = journal.erase(erasure(ErasureTarget::Before(at(31)))).await.unwrap().values;
    for entry in an_end(900, "r1", "a", 60) {
        journal.record(entry).await.unwrap();
    }
    drop(journal);
    assert_eq!(verified(directory.path()).await.unwrap(), values);
    execute_sql(directory.path(), "DELETE FROM personal WHERE entry = (SELECT max(entry) FROM personal)");
    assert!(matches!(verified(directory.path()).await, Err(VerifyError::Erased { .. })));
}
