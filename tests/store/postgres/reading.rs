//! Reading without becoming a writer.

use adjourn::journal::{Journal, JournalError, LockName, Query};
use adjourn::store::{PostgresError, PostgresJournal, StoreError};
use adjourn_test::PostgresServer;

use super::{begin, journal, settings, write};
use crate::sample_entries::{admin_events, an_end, id};

#[tokio::test]
async fn who_only_reads_is_no_writer_and_writes_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let writer = journal(&database).await;
    write(&writer, an_end(1, "r1", "a", 0)).await;
    writer.close().await;
    let before = database.sql("SELECT * FROM writers");
    let reader = PostgresJournal::read(&settings(&database.url())).await.unwrap();
    assert!(reader.action_record(id(1)).await.unwrap().is_some());
    assert_eq!(reader.find(&Query::default()).await.unwrap().len(), 1);
    assert_eq!(reader.chain(), None);
    let refused = JournalError::Unusable("this process opened it read-only".to_owned());
    assert_eq!(reader.record(begin(2, "r2")).await, Err(refused.clone()));
    assert_eq!(reader.record_admin(admin_events()[0].clone()).await, Err(refused.clone()));
    assert_eq!(reader.try_commit().await, Err(refused.clone()));
    assert_eq!(reader.try_lock(&LockName::SeriesRemoval).await.err(), Some(refused));
    reader.close().await;
    assert_eq!(database.sql("SELECT * FROM writers"), before);
    assert_eq!(database.sql("SELECT count(*) FROM entries"), "4");
}

#[tokio::test]
async fn a_database_without_a_journal_stays_as_it_is() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let error = PostgresJournal::read(&settings(&database.url())).await.err().unwrap();
    assert!(matches!(error, StoreError::Postgres(PostgresError::Absent)), "{error}");
    assert_eq!(database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'adjourn'"), "0");
    journal(&database).await.close().await;
    database.sql("UPDATE versions SET version = 99 WHERE part = 'journal'");
    let error = PostgresJournal::read(&settings(&database.url())).await.err().unwrap();
    assert!(matches!(error, StoreError::Postgres(PostgresError::NewerSchema(99))), "{error}");
}
