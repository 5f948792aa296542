//! A journal that ends before the entry in `journal.head`.

use std::path::Path;

use adjourn::action::{ActionKind, Notify};
use adjourn::cli::exit::Exit;
use adjourn::journal::Journal as _;
use adjourn::store::{SqliteJournal, StoreError, StoreOptions};

use crate::sample_entries::{accepted, action, everything};

fn opened(directory: &Path) -> Result<SqliteJournal, StoreError> {
    SqliteJournal::open(directory, StoreOptions::default())
}

async fn filled() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = opened(directory.path()).unwrap();
    for entry in everything() {
        journal.record(entry).await.unwrap();
    }
    directory
}

/// Opening it for writing and for reading fails, and the error counts as damage.
fn assert_cut(directory: &Path, expected: &str) {
    for refused in [opened(directory).err(), SqliteJournal::read(directory).err()] {
        let refused = refused.unwrap();
        assert!(refused.to_string().contains(expected), "{refused}");
        assert_eq!((Exit::of_store(&refused), Exit::of_opening(&refused)), (Exit::Tampered, Exit::Tampered));
    }
}

#[tokio::test]
async fn an_older_journal_that_was_put_back_is_noticed() {
    let directory = filled().await;
    let file = directory.path().join("journal.sqlite");
    let older = std::fs::read(&file).unwrap();
    let journal = opened(directory.path()).unwrap();
    journal.record(accepted(action(900, "r1", ActionKind::End(Notify::Attendees)), 60)).await.unwrap();
    drop(journal);
    std::fs::write(&file, older).unwrap();
    let last = everything().len();
    assert_cut(directory.path(), &format!("ends at entry {last}, but entry {} was recorded", last + 1));
    // An administrator who restored it on purpose deletes the head file.
    std::fs::remove_file(directory.path().join("journal.head")).unwrap();
    drop(opened(directory.path()).unwrap());
}

#[tokio::test]
async fn a_journal_whose_file_is_gone_is_not_a_new_one() {
    let directory = filled().await;
    std::fs::remove_file(directory.path().join("journal.sqlite")).unwrap();
    assert_cut(directory.path(), "the journal is truncated");
    std::fs::write(directory.path().join("journal.sqlite"), b"").unwrap();
    assert_cut(directory.path(), "the journal is truncated");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_damage() {
    let directory = filled().await;
    let path = directory.path().join("journal.sqlite");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    file.set_len(pages / 2 * 4096).unwrap();
    assert_cut(directory.path(), "");
}

#[tokio::test]
async fn an_entry_in_place_of_the_last_one_is_noticed() {
    let directory = filled().await;
    let connection = rusqlite::Connection::open(directory.path().join("journal.sqlite")).unwrap();
    let last = everything().len() as i64;
    connection.execute("UPDATE entries SET hash = zeroblob(32) WHERE number = ?1", [last]).unwrap();
    drop(connection);
    assert_cut(directory.path(), "the journal is truncated");
}
