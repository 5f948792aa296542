//! A connection pooler between the journal and the server.

use std::time::Duration;

use adjourn::journal::{Journal, JournalError, LockName};
use adjourn::store::{PostgresDatabase, PostgresError, PostgresJournal, StoreError};
use adjourn_test::{Pooler, PostgresServer, room, wait_until_async};

use super::{begin, checked, settings, write};

const LAST_USED: &str = "server_round_robin = 0";
const LONGEST_UNUSED: &str = "server_round_robin = 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_sessions_is_refused_whichever_session_it_prefers() {
    let Some(server) = PostgresServer::shared() else { return };
    for (mode, order) in
        [("transaction", LAST_USED), ("transaction", LONGEST_UNUSED), ("statement", LAST_USED)]
    {
        let database = server.database();
        let mode = format!("pool_mode = {mode}");
        let Some(pooler) = Pooler::start(&database, &[&mode, order]) else { return };
        let settings = settings(&pooler.url());
        for attempt in 0..3 {
            let refused = PostgresDatabase::new(&settings).unwrap().check().await;
            assert!(
                matches!(refused, Err(PostgresError::SharedSessions)),
                "{mode} {order} {attempt}: {refused:?}"
            );
            let opened = PostgresJournal::open(&settings).await.err();
            assert!(
                matches!(opened, Some(StoreError::Postgres(PostgresError::SharedSessions))),
                "{opened:?}"
            );
            let read = PostgresJournal::read(&settings).await.err();
            assert!(matches!(read, Some(StoreError::Postgres(PostgresError::SharedSessions))), "{read:?}");
            pooler.warm_up(6);
        }
        let text = PostgresError::SharedSessions.to_string();
        assert!(
            text.contains("`pool_mode` to `session`") && text.contains("the port of the server"),
            "{text}"
        );
        assert_eq!(database.sql("SELECT to_regnamespace('adjourn') IS NULL"), "t", "nothing was created");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_session_mode_serves_like_the_server_itself() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let Some(pooler) = Pooler::start(&database, &["pool_mode = session", LONGEST_UNUSED]) else { return };
    pooler.warm_up(6);
    let settings = settings(&pooler.url());
    let (first, second) =
        (PostgresJournal::open(&settings).await.unwrap(), PostgresJournal::open(&settings).await.unwrap());
    let lock = LockName::Room(room("r1"));
    let held = first.lock(&lock).await.unwrap();
    assert!(second.try_lock(&lock).await.unwrap().is_none());
    write(&first, (1..50).map(|number| begin(number, "r1")).collect()).await;
    drop(held);
    let _held = second.lock(&lock).await.unwrap();
    for _ in 0..5 {
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'adjourn append%'
             AND datname = current_database()",
        );
        write(&second, vec![begin(uuid::Uuid::new_v4().as_u128(), "r2")]).await;
    }
    assert_eq!(checked(&second, first.writer()).await, first.chain().unwrap());
    first.close().await;
    assert_eq!(second.verify(None).await.unwrap().entries, 54);
}

/// The administrator of the pooler changes its mode under a journal that is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_begins_to_share_sessions_is_refused_at_the_next_connection() {
    let Some(server) = PostgresServer::start() else { return };
    let database = server.database();
    let Some(pooler) = Pooler::start(&database, &["pool_mode = session"]) else { return };
    let settings = settings(&pooler.url());
    let journal = PostgresJournal::open(&settings).await.unwrap();
    write(&journal, vec![begin(1, "r1")]).await;
    pooler.reload(&["pool_mode = transaction"]);
    let database_check = PostgresDatabase::new(&settings).unwrap();
    wait_until_async("the pooler reads its settings", async || database_check.check().await.is_err()).await;
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'adjourn'");
    let refused =
        tokio::time::timeout(Duration::from_secs(60), journal.record(begin(2, "r1"))).await.unwrap();
    let is_pooler = matches!(&refused, Err(JournalError::Unusable(why)) if why.contains("connection pooler"));
    assert!(is_pooler, "{refused:?}");
    pooler.reload(&["pool_mode = session"]);
    wait_until_async("it is corrected", async || database_check.check().await.is_ok()).await;
    write(&journal, vec![begin(2, "r1")]).await;
    assert_eq!(checked(&journal, journal.writer()).await.length, 2);
}
