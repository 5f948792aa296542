//! Failures of the disk, and files that were changed, damaged or written by another program.

use std::path::Path;
use std::time::Duration;

use adjourn::action::{ActionKind, Notify};
use adjourn::journal::{
    ActionStatus, AdminEntry, AdminEvent, Chain, Head, Journal, JournalEntry, JournalError, Query,
};
use adjourn::store::{SqliteJournal, StoreError, StoreOptions, VerifiedJournal, VerifyError};
use adjourn_test::journal_in;
use rusqlite::Connection;

use crate::sample_entries::{
    accepted, action, an_end, everything, everything_of_version_6, id, intended, journal_of_everything,
};

const HASTY: StoreOptions = StoreOptions { lock_patience: Duration::ZERO, pages_max: None };

fn refused(directory: &Path) -> StoreError {
    match SqliteJournal::open(directory, HASTY) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

/// Changes the file directly, bypassing the journal.
fn execute_sql(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("journal.sqlite")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql} changed nothing");
}

async fn verified(directory: &Path) -> Result<VerifiedJournal, VerifyError> {
    SqliteJournal::read(directory).unwrap().verify(None).await
}

#[tokio::test]
async fn everything_is_there_after_opening_again_and_goes_on() {
    let directory = journal_of_everything().await;
    let journal = journal_in(directory.path());
    let count = everything().len() as u64;
    assert_eq!(journal.entries(1, 1_000).await.unwrap().len() as u64, count);
    // The open action continues where it stopped.
    journal.record(intended(200, "a", 51)).await.unwrap();
    let open = journal.find(&Query::default().with_status(ActionStatus::Open)).await.unwrap();
    assert_eq!(open.len(), 1);
    assert!(open[0].intent.is_some());
    drop(journal);
    verified(directory.path()).await.unwrap();
}

/// An action that was settled after it closed is verified like any other.
#[tokio::test]
async fn everything_that_any_version_wrote_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    let mut count = 0;
    for record in everything_of_version_6() {
        match record {
            JournalEntry::Action(entry) => journal.record(entry).await.unwrap(),
            // Nothing was erased or archived here.
            JournalEntry::Admin(AdminEntry {
                event: AdminEvent::Erased { .. } | AdminEvent::Archived(_),
                ..
            }) => continue,
            JournalEntry::Admin(entry) => journal.record_admin(entry).await.unwrap(),
        }
        count += 1;
    }
    drop(journal);
    let verified = verified(directory.path()).await.unwrap();
    assert_eq!(verified.entries, count);
    assert_eq!((verified.actions, verified.admin_events, verified.open), (45, 6, 1));
}

#[tokio::test]
async fn two_do_not_write_but_others_may_read() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    let error = refused(directory.path());
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    journal.record(accepted(action(1, "r1", ActionKind::End(Notify::Attendees)), 0)).await.unwrap();
    let reader = SqliteJournal::read(directory.path()).unwrap();
    assert!(reader.action_record(id(1)).await.unwrap().is_some());
    let wish = accepted(action(2, "r1", ActionKind::End(Notify::Attendees)), 0);
    assert!(matches!(reader.record(wish).await, Err(JournalError::Unusable(_))));
    drop(journal);
    drop(journal_in(directory.path()));
}

#[tokio::test]
async fn whoever_waits_gets_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
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
    let error = error.expect("forty pages are full at some point");
    assert!(matches!(&error, JournalError::Unusable(why) if why.contains("full")), "{error}");
    assert!(stored > 20, "{stored}");
    drop(journal);
    let journal = journal_in(directory.path());
    assert_eq!(journal.entries(1, 10_000).await.unwrap().len(), stored);
    journal.record(accepted(action(9_999, "r1", ActionKind::End(Notify::Attendees)), 0)).await.unwrap();
    drop(journal);
    verified(directory.path()).await.unwrap();
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
    assert!(matches!(refused(directory.path()), StoreError::NotAJournal));

    let directory = tempfile::tempdir().unwrap();
    drop(journal_in(directory.path()));
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(refused(directory.path()), StoreError::NewerSchema(99)));

    std::fs::write(directory.path().join("journal.sqlite"), b"rubbish, and not a little of it").unwrap();
    assert!(matches!(refused(directory.path()), StoreError::Sqlite(_)));
    assert!(matches!(
        SqliteJournal::read(tempfile::tempdir().unwrap().path()),
        Err(StoreError::Absent { .. })
    ));
}

#[tokio::test]
async fn whatever_is_changed_behind_its_back_shows() {
    let meddlings = [
        (
            "UPDATE entries SET body = replace(body, 'r1@', 'r9@') WHERE number = 1",
            "entry 1 was changed, or entries before it were removed or inserted",
        ),
        (
            "UPDATE entries SET body = body || ' ' WHERE number = 40",
            "entry 40 was changed, or entries before it were removed or inserted",
        ),
        (
            "UPDATE entries SET hash = zeroblob(32) WHERE number = 3",
            "entry 3 was changed, or entries before it were removed or inserted",
        ),
        ("DELETE FROM entries WHERE number = 5", "entry 5 is missing: entry 6 is in its place"),
        (
            "UPDATE entries SET number = number + 1000 WHERE number = 7",
            "entry 7 is missing: entry 8 is in its place",
        ),
        (
            "INSERT INTO entries SELECT -1, action, body, hash FROM entries WHERE number = 1",
            "entry 1: its number is below 1",
        ),
        (
            "UPDATE entries SET action = '00000000-0000-0000-0000-0000000000c8' WHERE number = 2",
            "entry 2: it is stored under action 00000000-0000-0000-0000-0000000000c8",
        ),
        (
            "DELETE FROM lives WHERE action LIKE '%00c8'",
            "of action 00000000-0000-0000-0000-0000000000c8: the index has no row for it",
        ),
        (
            "UPDATE lives SET ending = 'done' WHERE action LIKE '%00c8'",
            "of action 00000000-0000-0000-0000-0000000000c8: its row differs from the entries",
        ),
        (
            "UPDATE lives SET room = 'r9@rooms.example' WHERE action LIKE '%0001'",
            "of action 00000000-0000-0000-0000-000000000001: its row differs from the entries",
        ),
        ("UPDATE entries SET hash = x'00' WHERE number = 9", "Cannot read 32 byte value out of 1 byte blob"),
        (
            "INSERT INTO lives SELECT 'ghost', accepted, accepted_ms, room, actor, rule, key, ending, uid
             FROM lives LIMIT 1",
            "of action ghost: no entry names it",
        ),
    ];
    for (sql, expected) in meddlings {
        let directory = journal_of_everything().await;
        verified(directory.path()).await.unwrap();
        execute_sql(directory.path(), sql);
        let error = verified(directory.path()).await.unwrap_err().to_string();
        assert!(error.ends_with(expected), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_hash_from_before_proves_that_nothing_was_cut_off() {
    let directory = journal_of_everything().await;
    let VerifiedJournal { entries, actions, open, head, .. } = verified(directory.path()).await.unwrap();
    assert_eq!((entries as usize, actions, open), (everything().len(), 30, 1));
    let known = |text: &str| Some(text.parse::<Head>().unwrap());
    let journal = SqliteJournal::read(directory.path()).unwrap();
    // As printed, in capitals, and of the empty journal that it once was.
    for text in [head.to_string(), head.to_string().to_uppercase(), Head::default().to_string()] {
        journal.verify(known(&text)).await.unwrap();
    }
    let elsewhere = journal.verify(known(&"5d".repeat(32))).await;
    assert!(matches!(elsewhere, Err(VerifyError::HeadMissing)), "{elsewhere:?}");
    for text in ["", "5d", &"5d".repeat(33), &"xy".repeat(32)] {
        assert!(text.parse::<Head>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn what_a_later_version_wrote_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    drop(journal_in(directory.path()));
    let body = r#"{"v":4294967295,"action":"00000000-0000-0000-0000-000000000001"}"#;
    let sealed = Chain::default().seal(body.to_owned());
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    let row = (1, "00000000-0000-0000-0000-000000000001", body, sealed.hash.0);
    connection.execute("INSERT INTO entries VALUES (?1, ?2, ?3, ?4)", row).unwrap();
    let error = verified(directory.path()).await.unwrap_err();
    assert!(matches!(error, VerifyError::NewerFormat { number: 1, .. }), "{error}");
}

/// The commit reached the disk but returned an error: the writer uses the file's state, not its own.
#[tokio::test]
async fn a_write_that_failed_and_was_kept_all_the_same_is_gone_on_from() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    let entries = an_end(1, "r1", "a", 0);
    journal.record(entries[0].clone()).await.unwrap();
    let mut chain = Chain::default();
    chain.check(&journal.entries(1, 1).await.unwrap()[0]).unwrap();
    let text = JournalEntry::from(entries[1].clone()).to_text(&mut || [7; 16]).unwrap();
    let kept = chain.seal_text(text);
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    let row = (2, entries[1].action.to_string(), &kept.body, kept.hash.0);
    connection.execute("INSERT INTO entries VALUES (?1, ?2, ?3, ?4)", row).unwrap();
    for one in &kept.personal {
        let row = (2, &one.pointer, entries[1].at.timestamp_millis(), one.salt, &one.value);
        connection.execute("INSERT INTO personal VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    }
    connection.execute("UPDATE lives SET uid = 'uid-a'", []).unwrap();

    let failed = journal.record(entries[1].clone()).await;
    assert!(matches!(failed, Err(JournalError::Unusable(_))), "{failed:?}");
    for entry in &entries[2..] {
        journal.record(entry.clone()).await.unwrap();
    }
    drop(journal);
    assert_eq!(verified(directory.path()).await.unwrap().entries, 4);
}

#[test]
fn a_file_that_was_just_being_made_is_no_journal_yet() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("journal.sqlite"), b"").unwrap();
    assert!(matches!(SqliteJournal::read(directory.path()), Err(StoreError::Absent { .. })));
    drop(journal_in(directory.path()));
}

#[tokio::test]
async fn tables_that_adjourn_did_not_make_are_not_written_to_and_show() {
    for (sql, said) in [
        (
            "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END",
            "not those that Adjourn creates",
        ),
        ("CREATE VIEW v AS SELECT 1", "not those that Adjourn creates"),
        ("DROP INDEX lives_by_room", "not those that Adjourn creates"),
        // The same index by its name and text, but without a room in its content.
        (
            "DROP INDEX lives_by_room;
             CREATE INDEX lives_by_room ON lives (room, accepted) WHERE room <> 'r1@rooms.example';
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX lives_by_room     ON lives (room, accepted)'
             WHERE name = 'lives_by_room'",
            "lives_by_room",
        ),
    ] {
        let directory = journal_of_everything().await;
        let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let error = verified(directory.path()).await.unwrap_err();
        assert!(matches!(&error, VerifyError::File(why) if why.contains(said)), "{sql}: {error}");
    }
}

/// The trigger is created while the journal is open, so no check at opening sees it.
#[tokio::test]
async fn a_fact_that_something_swallows_is_not_said_to_be_stored() {
    let directory = journal_of_everything().await;
    let journal = journal_in(directory.path());
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    let swallow = "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN SELECT RAISE(IGNORE); END";
    connection.execute_batch(swallow).unwrap();
    let swallowed = journal.record(accepted(action(900, "r1", ActionKind::End(Notify::Attendees)), 0)).await;
    assert!(matches!(swallowed, Err(JournalError::Damaged(_))), "{swallowed:?}");
    drop(journal);
    let error = refused(directory.path());
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}
