//! Stored data that was changed by hand, or that the database lost.

use adjourn::journal::{ActionStatus, AdminQuery, Journal, JournalError, Query};
use adjourn_test::PostgresServer;

use super::{begin, journal, write};
use crate::sample_entries::{admin_events, an_end, id, intended};

#[tokio::test]
async fn an_entry_that_was_changed_is_found_when_it_is_read() {
    let Some(server) = PostgresServer::shared() else { return };
    for (sql, expected) in [
        ("UPDATE entries SET body = replace(body, 'r1@', 'r9@') WHERE number = 1", "entry 1 was changed"),
        ("UPDATE entries SET body = body || ' ' WHERE number = 3", "entry 3 was changed"),
        ("UPDATE entries SET hash = sha256('x') WHERE number = 2", "entry 2 was changed"),
        ("UPDATE entries SET hash = 'x' WHERE number = 2", "a hash has not 32 bytes"),
        ("UPDATE entries SET step = 7 WHERE number = 4", "does not follow the entry before it"),
        ("UPDATE entries SET number = 40 WHERE number = 4", "the entry before it is missing"),
        ("DELETE FROM entries WHERE number = 2", "the entry before it is missing"),
        ("UPDATE personal SET value = 'bob' WHERE number = 1", "the personal value"),
        ("UPDATE personal SET salt = 'x' WHERE number = 1", "a personal value of entry 1 cannot be read"),
    ] {
        let database = server.database();
        let journal = journal(&database).await;
        write(&journal, an_end(1, "r1", "a", 0)).await;
        assert!(journal.action_record(id(1)).await.unwrap().is_some());
        database.sql(sql);
        for read in [
            journal.action_record(id(1)).await.map(|_| ()),
            journal.find(&Query::default().with_status(ActionStatus::Done)).await.map(|_| ()),
            journal.page(&Query::default(), None, 10).await.map(|_| ()),
        ] {
            let Err(JournalError::Damaged(why)) = read else { panic!("{sql}: {read:?}") };
            assert!(why.contains(expected), "{sql}: {why}");
        }
    }
}

#[tokio::test]
async fn an_admin_event_that_was_changed_is_found_when_it_is_read() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    journal.record_admin(admin_events()[0].clone()).await.unwrap();
    database.sql("UPDATE entries SET body = replace(body, '\"at\":\"2', '\"at\":\"3')");
    let read = journal.admin_events(&AdminQuery::default()).await;
    assert!(
        matches!(&read, Err(JournalError::Damaged(why)) if why.contains("entry 1 was changed")),
        "{read:?}"
    );
}

#[tokio::test]
async fn an_index_row_without_entries_is_damage() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    write(&journal, an_end(1, "r1", "a", 0)).await;
    database.sql("UPDATE actions SET action = gen_random_uuid()");
    let read = journal.find(&Query::default()).await;
    assert!(matches!(&read, Err(JournalError::Damaged(why)) if why.contains("no entry does")), "{read:?}");
}

/// What a failover to a standby that lagged leaves behind: the chain as it was before the last acknowledged entry.
#[tokio::test]
async fn a_database_that_lost_acknowledged_entries_is_found_out_and_not_written_to() {
    let Some(server) = PostgresServer::shared() else { return };
    let before = "CREATE TABLE public.before AS SELECT * FROM writers";
    let back = "DELETE FROM entries WHERE number > (SELECT length FROM public.before);
                UPDATE writers AS w SET length = b.length, head = b.head FROM public.before AS b;";
    for (loss, expected) in [
        (back, "the chain ends at entry 1"),
        ("DELETE FROM entries WHERE number = 2", "the last entry is gone"),
        ("DELETE FROM writers", "the row of this process is gone"),
        ("UPDATE writers SET head = sha256('x')", "the last entry is gone"),
    ] {
        let database = server.database();
        let journal = journal(&database).await;
        write(&journal, vec![begin(1, "r1")]).await;
        database.sql(before);
        write(&journal, vec![intended(1, "a", 0)]).await;
        database.sql(loss);
        database.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name LIKE 'adjourn append%'",
            database.name
        ));
        let entries = database.sql("SELECT count(*) FROM entries");
        for number in 2..4 {
            let Err(JournalError::Damaged(why)) = journal.record(begin(number, "r2")).await else {
                panic!("{loss}")
            };
            assert!(why.contains("acknowledged up to entry 2") && why.contains(expected), "{loss}: {why}");
        }
        assert_eq!(database.sql("SELECT count(*) FROM entries"), entries, "{loss}");
    }
}

/// The chain is another one while the connection stays: the statement itself finds out.
#[tokio::test]
async fn a_chain_that_does_not_end_where_it_should_takes_no_entry() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    write(&journal, vec![begin(1, "r1")]).await;
    database.sql("UPDATE writers SET head = sha256('x')");
    let refused = journal.record(begin(2, "r2")).await;
    assert!(matches!(refused, Err(JournalError::Damaged(_))), "{refused:?}");
    assert_eq!(database.sql("SELECT count(*) FROM entries"), "1");
}

/// The trigger comes while the journal is open, so no check at opening sees it.
#[tokio::test]
async fn a_fact_that_something_swallows_is_not_said_to_be_stored() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    database.sql(
        "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER t BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION public.swallow()",
    );
    let swallowed = journal.record(begin(1, "r1")).await;
    assert!(matches!(swallowed, Err(JournalError::Damaged(_))), "{swallowed:?}");
}
