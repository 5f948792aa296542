//! Connections and servers that end in the middle of appends: each acknowledged entry is there once, in a chain that verifies.

use std::sync::Arc;
use std::time::Duration;

use adjourn::journal::Journal;
use adjourn_test::PostgresServer;

use super::journal;
use super::load::{assert_all_there, more_entries, under_load};

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
        more_entries(&database).await;
    };
    let (stored, failed) = under_load(&journal, 16, terminated).await;
    println!("{} entries acknowledged, {failed} failed", stored.len());
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
            more_entries(&database).await;
            let server = server.clone();
            tokio::task::spawn_blocking(move || server.crash_and_restart()).await.unwrap();
        }
        more_entries(&database).await;
    };
    let (stored, failed) = under_load(&journal, 16, crashes).await;
    println!("{} entries acknowledged, {failed} failed", stored.len());
    assert_all_there(&database, &journal, &stored).await;
    journal.try_commit().await.unwrap();
    assert!(journal.health().size_bytes.is_some_and(|bytes| bytes > 0));
}
