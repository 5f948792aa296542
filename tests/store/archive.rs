//! Archiving: whole years move to a file, and file and journal form one chain.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use adjourn::action::{Outcome, Refusal};
use adjourn::journal::{AdminActor, ErasureRequest, ErasureTarget, Head, Journal as _, Query};
use adjourn::store::{ArchiveError, ArchiveOrder, SqliteJournal, VerifiedJournal, VerifyError};
use adjourn_test::journal_in;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;

use crate::sample_entries::{an_end, closed, everything, id, journal_of_everything};

fn next_year() -> DateTime<Utc> {
    "2027-03-01T00:00:00Z".parse().unwrap()
}

fn order(to: &Path) -> ArchiveOrder {
    let by = AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) };
    ArchiveOrder { year: 2026, to: to.to_owned(), by, now: next_year(), key_ttl: TimeDelta::days(1) }
}

async fn verified(
    directory: &Path,
    files: &[&Path],
    known: Option<Head>,
) -> Result<VerifiedJournal, VerifyError> {
    let files: Vec<PathBuf> = files.iter().map(|file| file.to_path_buf()).collect();
    SqliteJournal::read(directory).unwrap().verify_with_archives(known, files).await
}

#[tokio::test]
async fn what_is_over_leaves_and_both_parts_are_one_chain() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    let journal = journal_in(directory.path());
    let count = everything().len() as u64;
    let early = journal.entries(5, 1).await.unwrap()[0].hash;
    let report = journal.archive(order(&file)).await.unwrap();
    // The open action is the last one and stays.
    assert_eq!((report.first, report.last, report.blocked_by), (1, count - 1, Some(id(200).to_string())));
    assert!(journal.action_record(id(1)).await.unwrap().is_none());
    let archived = journal.archived().await.unwrap().unwrap();
    assert_eq!((archived.last, archived.file.as_str()), (count - 1, "2026.jsonl"));
    let records = journal.find(&Query::default()).await.unwrap();
    assert_eq!(records.iter().map(|record| record.action.id).collect::<Vec<_>>(), [id(200)]);
    // The action closes, and the rest is archived later.
    let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
    journal.record(closed(200, refused, 70)).await.unwrap();
    drop(journal);
    let alone = verified(directory.path(), &[], None).await.unwrap();
    assert_eq!((alone.entries, alone.actions, alone.archives_verified), (3, 1, false));
    assert_eq!(alone.archived.unwrap().head, report.head);
    let both = verified(directory.path(), &[&file], Some(early)).await.unwrap();
    assert!(both.archives_verified);
    assert!(matches!(verified(directory.path(), &[], Some(early)).await, Err(VerifyError::HeadMissing)));

    // The event of the first archive belongs to the next year.
    let second = elsewhere.path().join("2027.jsonl");
    let journal = journal_in(directory.path());
    let later = |to| ArchiveOrder { year: 2027, now: next_year() + TimeDelta::days(400), ..order(to) };
    let report = journal.archive(later(&second)).await.unwrap();
    // The action, the event of the first archive, and the fact that closed the action.
    assert_eq!((report.first, report.last, report.blocked_by), (count, count + 2, None));
    assert_eq!(journal.find(&Query::default()).await.unwrap(), []);
    drop(journal);
    verified(directory.path(), &[&file, &second], Some(early)).await.unwrap();
    for wrong in [vec![&*second, &*file], vec![&*file], vec![&*file, &*file]] {
        assert!(verified(directory.path(), &wrong, None).await.is_err(), "{wrong:?}");
    }
    let again = journal_in(directory.path()).archive(later(&elsewhere.path().join("more.jsonl"))).await;
    assert!(matches!(again, Err(ArchiveError::Nothing { blocked_by: None })), "{again:?}");
}

#[tokio::test]
async fn an_archive_that_was_changed_shows() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    journal_in(directory.path()).archive(order(&file)).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let without = |line: usize| {
        let lines = text.lines().enumerate().filter(|(at, _)| *at != line).map(|(_, line)| line);
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let last = text.lines().count() - 1;
    let changes = [
        text.replacen("r1@rooms", "r9@rooms", 1),
        text.replacen("\"ada\"", "\"eve\"", 1),
        without(3),
        without(0),
        without(last),
    ];
    for changed in changes {
        assert_ne!(changed, text);
        std::fs::write(&file, changed).unwrap();
        assert!(verified(directory.path(), &[&file], None).await.is_err());
    }
    std::fs::write(&file, text).unwrap();
    verified(directory.path(), &[&file], None).await.unwrap();
    // The journal must record the archived part.
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    connection.execute("UPDATE archived SET file = 'other.jsonl'", []).unwrap();
    drop(connection);
    assert!(matches!(verified(directory.path(), &[], None).await, Err(VerifyError::Archive(_))));
}

#[tokio::test]
async fn erased_values_stay_announced_in_both_parts() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let (file, second) = (elsewhere.path().join("one.jsonl"), elsewhere.path().join("two.jsonl"));
    let journal = journal_in(directory.path());
    let erase = async |minutes: i64| {
        let now = next_year() + TimeDelta::minutes(minutes);
        let (whose, by) = (ErasureTarget::Before(now), AdminActor::Service);
        journal
            .erase(ErasureRequest { target: whose, by, now, key_ttl: TimeDelta::days(1) })
            .await
            .unwrap()
            .values
    };
    assert!(erase(-90_000).await > 0);
    let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
    journal.record(closed(200, refused, 70)).await.unwrap();
    // Values in one archive are recorded as erased after its end.
    journal.archive(order(&file)).await.unwrap();
    assert!(erase(1).await > 0);
    verified(directory.path(), &[], None).await.unwrap();
    verified(directory.path(), &[&file], None).await.unwrap();
    for entry in an_end(900, "r1", "a", 60) {
        journal.record(entry).await.unwrap();
    }
    let later = ArchiveOrder { year: 2027, now: next_year() + TimeDelta::days(400), ..order(&second) };
    journal.archive(later).await.unwrap();
    drop(journal);
    verified(directory.path(), &[], None).await.unwrap();
    verified(directory.path(), &[&file, &second], None).await.unwrap();
}

/// A run that was stopped holds its file open, and goes on after another run has finished.
#[tokio::test]
async fn a_stopped_run_that_goes_on_does_not_write_into_the_finished_file() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    let mut stopped = std::fs::File::create(elsewhere.path().join("2026.jsonl.partial")).unwrap();
    let journal = journal_in(directory.path());
    journal.archive(order(&file)).await.unwrap();
    drop(journal);
    stopped.write_all(b"more of an earlier run").unwrap();
    verified(directory.path(), &[&file], None).await.unwrap();
}

/// Each step is interrupted once; the same command continues.
#[tokio::test]
async fn a_stop_loses_nothing_and_the_same_command_goes_on() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    let database = directory.path().join("journal.sqlite");
    let (whole, head) = (std::fs::read(&database).unwrap(), directory.path().join("journal.head"));
    let count = everything().len() as u64;
    // In the middle of the file.
    std::fs::write(elsewhere.path().join("2026.jsonl.partial"), "{\"adjourn_archive\":1,\"fir").unwrap();
    journal_in(directory.path()).archive(order(&file)).await.unwrap();
    // After the file, before anything is recorded.
    std::fs::write(&database, whole).unwrap();
    std::fs::remove_file(&head).unwrap();
    let written = std::fs::read(&file).unwrap();
    let journal = journal_in(directory.path());
    // In the middle of the removal.
    let connection = Connection::open(&database).unwrap();
    let stop = "CREATE TRIGGER t BEFORE DELETE ON entries WHEN old.number > 40 BEGIN SELECT RAISE(ABORT, 'stop'); END";
    connection.execute_batch(stop).unwrap();
    let stopped = journal.archive(order(&file)).await;
    assert!(matches!(stopped, Err(ArchiveError::Journal(_))), "{stopped:?}");
    connection.execute_batch("DROP TRIGGER t").unwrap();
    drop((connection, journal));
    assert_eq!(std::fs::read(&file).unwrap(), written);
    let between = verified(directory.path(), &[&file], None).await.unwrap();
    assert!(between.unpruned > 0);
    let report = journal_in(directory.path()).archive(order(&file)).await.unwrap();
    assert_eq!((report.first, report.last), (1, count - 1));
    let after = verified(directory.path(), &[&file], None).await.unwrap();
    assert_eq!((after.unpruned, after.entries), (0, 2));
}

/// What was erased between the file and the removal is neither in the file nor announced twice.
#[tokio::test]
async fn an_erasure_after_a_stop_reaches_the_file_too() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let (file, database) = (elsewhere.path().join("2026.jsonl"), directory.path().join("journal.sqlite"));
    let whole = std::fs::read(&database).unwrap();
    journal_in(directory.path()).archive(order(&file)).await.unwrap();
    std::fs::write(&database, whole).unwrap();
    std::fs::remove_file(directory.path().join("journal.head")).unwrap();
    let journal = journal_in(directory.path());
    let (target, by) = (ErasureTarget::Person("ada".to_owned()), AdminActor::Service);
    let erasure = ErasureRequest { target, by, now: next_year(), key_ttl: TimeDelta::days(1) };
    assert!(journal.erase(erasure).await.unwrap().values > 0);
    journal.archive(order(&file)).await.unwrap();
    drop(journal);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("\"value\":\"ada\""));
    verified(directory.path(), &[], None).await.unwrap();
    verified(directory.path(), &[&file], None).await.unwrap();
}

#[tokio::test]
async fn nothing_leaves_that_is_not_over() {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    let journal = journal_in(directory.path());
    let early = ArchiveOrder { now: "2026-12-31T23:00:00Z".parse().unwrap(), ..order(&file) };
    assert!(matches!(journal.archive(early).await, Err(ArchiveError::YearNotOver(2026))));
    let none = ArchiveOrder { year: 2025, ..order(&file) };
    assert!(matches!(journal.archive(none).await, Err(ArchiveError::Nothing { .. })));
    // A valid key keeps its action, and everything after it.
    let report =
        journal.archive(ArchiveOrder { key_ttl: TimeDelta::days(365), ..order(&file) }).await.unwrap();
    assert_eq!((report.first, report.last, report.blocked_by), (1, 4, Some(id(10).to_string())));
    // A file that holds something else stays.
    let other = elsewhere.path().join("other");
    std::fs::write(&other, "something else").unwrap();
    assert!(journal.archive(order(&other)).await.is_err());
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "something else");
    drop(journal);
    verified(directory.path(), &[&file], None).await.unwrap();
}
