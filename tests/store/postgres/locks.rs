//! Locks that all writers respect.

use std::time::Duration;

use adjourn::journal::{Journal, JournalLock, LockName};
use adjourn::store::PostgresJournal;
use adjourn_test::{PostgresServer, room};
use tokio::time::timeout;

use super::journal;

fn room_lock() -> LockName {
    LockName::Room(room("r1"))
}

async fn taken(journal: &PostgresJournal) -> Option<JournalLock> {
    journal.try_lock(&room_lock()).await.unwrap()
}

#[tokio::test]
async fn one_writer_at_a_time_has_a_lock() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    let held = taken(&first).await.unwrap();
    assert!(taken(&second).await.is_none());
    let key = LockName::Key("press-1".parse().unwrap());
    drop(second.try_lock(&key).await.unwrap().unwrap());
    let mut waiting = std::pin::pin!(async { second.lock(&room_lock()).await });
    assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err(), "the first has it");
    drop(held);
    let _held = timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert!(taken(&first).await.is_none());
}

/// The release of the earlier taking comes after the later one, and takes nothing away.
#[tokio::test]
async fn a_lock_that_was_taken_again_stays_taken() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    let earlier = taken(&first).await.unwrap();
    let later = taken(&first).await.unwrap();
    drop(earlier);
    // A further statement carries the release.
    drop(first.try_lock(&LockName::SeriesRemoval).await.unwrap());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(taken(&second).await.is_none());
    drop(later);
    let _held = timeout(Duration::from_secs(30), second.lock(&room_lock())).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_lock() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    for pause in 0..20 {
        let _ = timeout(Duration::from_micros(pause * 200), first.lock(&room_lock())).await;
    }
    let _held = timeout(Duration::from_secs(30), second.lock(&room_lock())).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_locks_of_a_writer_that_has_ended_are_free() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    let held = taken(&first).await.unwrap();
    first.close().await;
    assert!(taken(&second).await.is_some());
    drop(held);
    assert_eq!(database.sql("SELECT count(*) FROM locks WHERE writer = 1"), "0");
}
