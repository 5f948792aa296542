//! What can go wrong on a disk, and with what is on it.

use std::path::Path;
use std::time::Duration;

use adjourn::action::{Ask, Notify};
use adjourn::journal::{Broken, Chain, Ending, Journal, JournalError, Query};
use adjourn::store::{SqliteJournal, StoreError, StoreOptions};
use rusqlite::Connection;

use crate::lives::{accepted, action, an_end, everything, id, intended};

const HASTY: StoreOptions = StoreOptions { lock_patience: Duration::ZERO, pages_max: None };

fn open(directory: &Path) -> SqliteJournal {
    SqliteJournal::open(directory, StoreOptions::default()).unwrap()
}

fn refused(directory: &Path) -> StoreError {
    match SqliteJournal::open(directory, HASTY) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

/// The file itself, behind the journal's back.
fn meddle(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("journal.sqlite")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
}

async fn broken(directory: &Path) -> Option<Broken> {
    let journal = SqliteJournal::read(directory).unwrap();
    let mut chain = Chain::default();
    let all = journal.entries(1, 10_000).await.unwrap();
    all.iter().find_map(|sealed| chain.check(sealed).err())
}

async fn filled() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    for entry in everything() {
        journal.record(entry).await.unwrap();
    }
    directory
}

#[tokio::test]
async fn everything_is_there_after_opening_again_and_goes_on() {
    let directory = filled().await;
    let journal = open(directory.path());
    let count = everything().len() as u64;
    assert_eq!(journal.entries(1, 1_000).await.unwrap().len() as u64, count);
    // The open action goes on where it stood.
    journal.record(intended(200, "a", 51)).await.unwrap();
    let open = journal.find(&Query::default().ending(Ending::Open)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert!(open[0].intent.is_some());
    drop(journal);
    assert_eq!(broken(directory.path()).await, None);
}

#[tokio::test]
async fn two_do_not_write_but_others_may_read() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let error = refused(directory.path());
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    journal.record(accepted(action(1, "r1", Ask::End(Notify::Attendees)), 0)).await.unwrap();
    let reader = SqliteJournal::read(directory.path()).unwrap();
    assert!(reader.life(id(1)).await.unwrap().is_some());
    let wish = accepted(action(2, "r1", Ask::End(Notify::Attendees)), 0);
    assert!(matches!(reader.record(wish).await, Err(JournalError::Unusable(_))));
    drop(journal);
    drop(open(directory.path()));
}

#[tokio::test]
async fn whoever_waits_gets_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let path = directory.path().to_owned();
    let waiting = std::thread::spawn(move || SqliteJournal::open(&path, StoreOptions::default()).is_ok());
    std::thread::sleep(Duration::from_millis(200));
    drop(journal);
    assert!(waiting.join().unwrap());
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_what_was_stored_stays() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { pages_max: Some(40), ..HASTY };
    let journal = SqliteJournal::open(directory.path(), options).unwrap();
    let (mut stored, mut error) = (0, None);
    'filling: for number in 0..1_000 {
        for entry in an_end(number, "r1", "a", 0) {
            match journal.record(entry).await {
                Ok(()) => stored += 1,
                Err(full) => {
                    error = Some(full);
                    break 'filling;
                }
            }
        }
    }
    let error = error.expect("forty pages are full at some time");
    assert!(matches!(&error, JournalError::Unusable(why) if why.contains("full")), "{error}");
    assert!(stored > 20, "{stored}");
    drop(journal);
    let journal = open(directory.path());
    assert_eq!(journal.entries(1, 10_000).await.unwrap().len(), stored);
    journal.record(accepted(action(9_999, "r1", Ask::End(Notify::Attendees)), 0)).await.unwrap();
    drop(journal);
    assert_eq!(broken(directory.path()).await, None);
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path().join("state"), "/proc/adjourn-cannot-be-here".into()] {
        let error = refused(&path);
        assert!(matches!(error, StoreError::Directory { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn another_programs_file_and_a_later_versions_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(refused(directory.path()), StoreError::NoJournal));

    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(refused(directory.path()), StoreError::Later(99)));

    std::fs::write(directory.path().join("journal.sqlite"), b"rubbish, and not a little of it").unwrap();
    assert!(matches!(refused(directory.path()), StoreError::Sqlite(_)));
    assert!(matches!(
        SqliteJournal::read(tempfile::tempdir().unwrap().path()),
        Err(StoreError::Absent { .. })
    ));
}

#[tokio::test]
async fn whatever_is_changed_behind_its_back_shows() {
    for (sql, expected) in [
        (
            "UPDATE entries SET body = replace(body, '\"ada\"', '\"eve\"') WHERE number = 1",
            Broken::Changed(1),
        ),
        ("UPDATE entries SET body = body || ' ' WHERE number = 40", Broken::Changed(40)),
        ("UPDATE entries SET hash = zeroblob(32) WHERE number = 3", Broken::Changed(3)),
        ("DELETE FROM entries WHERE number = 5", Broken::Missing { expected: 5, found: 6 }),
        (
            "UPDATE entries SET number = number + 1000 WHERE number = 7",
            Broken::Missing { expected: 7, found: 8 },
        ),
    ] {
        let directory = filled().await;
        assert_eq!(broken(directory.path()).await, None);
        meddle(directory.path(), sql);
        assert_eq!(broken(directory.path()).await, Some(expected), "{sql}");
    }
}
