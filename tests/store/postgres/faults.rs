//! Connections and servers that end in the middle of appends: each acknowledged entry is there once, in a chain that verifies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adjourn::journal::{Journal, JournalError};
use adjourn::store::PostgresJournal;
use adjourn_test::{PostgresServer, PostgresTestDatabase};

use super::{begin, checked, journal};

/// Records actions from several tasks until `stop`; returns the numbers of the acknowledged ones, and the number of failures.
async fn under_load(
    journal: &Arc<PostgresJournal>,
    stop: &Arc<AtomicBool>,
    fault: impl Future<Output = ()>,
) -> (Vec<u128>, usize) {
    let tasks: Vec<_> = (0..16_u128)
        .map(|task| {
            let (journal, stop) = (journal.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut stored, mut failed) = (Vec::new(), 0);
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let number = task * 1_000_000 + number;
                    match journal.record(begin(number, &format!("r{task}"))).await {
                        Ok(()) => stored.push(number),
                        Err(JournalError::Unusable(why)) => {
                            println!("failed: {why}");
                            failed += 1;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                (stored, failed)
            })
        })
        .collect();
    fault.await;
    stop.store(true, Ordering::Relaxed);
    let (mut stored, mut failed) = (Vec::new(), 0);
    for task in tasks {
        let (numbers, errors) = task.await.unwrap();
        stored.extend(numbers);
        failed += errors;
    }
    (stored, failed)
}

/// Compares the table with the acknowledged entries.
async fn assert_all_there(database: &PostgresTestDatabase, journal: &PostgresJournal, stored: &[u128]) {
    let ids: Vec<String> = stored.iter().map(|number| uuid::Uuid::from_u128(*number).to_string()).collect();
    let there = database.sql("SELECT action FROM entries ORDER BY number");
    let there: Vec<&str> = there.lines().collect();
    let unique: std::collections::HashSet<&str> = there.iter().copied().collect();
    assert_eq!(unique.len(), there.len(), "an entry is there twice");
    let missing = ids.iter().filter(|id| !unique.contains(id.as_str())).count();
    assert_eq!(missing, 0, "{missing} of {} acknowledged entries are missing", ids.len());
    assert_eq!(checked(journal, journal.writer()).await, journal.chain().unwrap());
    assert_eq!(database.sql("SELECT count(*) FROM actions"), there.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_entry_is_lost_when_connections_are_terminated() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = Arc::new(journal(&database).await);
    let terminated = async {
        for _ in 0..25 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            let sql = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = '{}' AND application_name LIKE 'adjourn append%'",
                database.name
            );
            database.sql(&sql);
        }
    };
    let (stored, failed) = under_load(&journal, &Arc::default(), terminated).await;
    println!("{} entries acknowledged, {failed} failed", stored.len());
    assert!(stored.len() > 100, "{}", stored.len());
    assert_eq!(failed, 0, "the server was there all the time");
    assert_all_there(&database, &journal, &stored).await;
    let sessions: usize = database.sql("SELECT session FROM writers").parse().unwrap();
    assert!(sessions > 5, "only {sessions} sessions: the connections were not terminated under load");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_entry_is_lost_when_the_server_crashes() {
    let Some(server) = PostgresServer::start() else { return };
    let database = server.database();
    let journal = Arc::new(journal(&database).await);
    let crashes = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let server = server.clone();
            tokio::task::spawn_blocking(move || server.crash_and_restart()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    };
    let (stored, failed) = under_load(&journal, &Arc::default(), crashes).await;
    println!("{} entries acknowledged, {failed} failed", stored.len());
    // Sixteen tasks write: more than one entry of each was acknowledged, however slow the disk is.
    assert!(stored.len() > 32, "{}", stored.len());
    assert_all_there(&database, &journal, &stored).await;
    journal.try_commit().await.unwrap();
    assert!(journal.health().size_bytes.is_some_and(|bytes| bytes > 0));
}
