//! Several writers: each has a chain, and an action continues on another one only after the former writer is sealed.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::ActionId;
use adjourn::journal::{ActionStage, ActionStatus, Journal, JournalError, Query};
use adjourn_test::PostgresServer;

use super::{begin, checked, journal, write};
use crate::sample_entries::{admin_events, an_end, closed, ended, id, in_doubt, intended};

#[tokio::test]
async fn two_writers_record_actions_of_other_rooms_at_once() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journals = [Arc::new(journal(&database).await), Arc::new(journal(&database).await)];
    let mut tasks = Vec::new();
    for number in 0..80 {
        let journal = journals[number % 2].clone();
        let room = format!("r{number}");
        tasks.push(tokio::spawn(async move { write(&journal, an_end(number as u128, &room, "a", 0)).await }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for journal in &journals {
        assert_eq!(checked(journal, journal.writer()).await, journal.chain().unwrap());
        assert_eq!(journal.chain().unwrap().length, 160);
        assert_eq!(journal.find(&Query::default().with_status(ActionStatus::Done)).await.unwrap().len(), 80);
    }
    let chains = journals[0].chains().await.unwrap();
    let ends: Vec<_> =
        chains.iter().map(|chain| (chain.writer, Some(chain.chain), chain.sealed_by)).collect();
    let expected: Vec<_> = journals.iter().map(|journal| (journal.writer(), journal.chain(), None)).collect();
    assert_eq!(ends, expected);
}

#[tokio::test]
async fn an_action_goes_on_in_another_chain_once_its_writer_has_ended() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    write(&first, vec![begin(1, "r1"), intended(1, "a", 0)]).await;
    let early = second.record(in_doubt(1, 0)).await;
    assert!(matches!(early, Err(JournalError::OtherProcess(_))), "{early:?}");
    assert_eq!(second.chain().unwrap().length, 0);

    let (former, last) = (first.writer(), first.chain().unwrap());
    first.close().await;
    let done = adjourn::action::Outcome::Done(ended("a"));
    write(&second, vec![in_doubt(1, 1), closed(1, done, 2)]).await;
    let record = second.action_record(id(1)).await.unwrap().unwrap();
    assert_eq!((record.stage, record.done()), (ActionStage::Closed, Some(&ended("a"))));
    let entries = second.entries(1, 10).await.unwrap();
    let link = entries[0].predecessor().unwrap().unwrap();
    assert_eq!((link.writer, link.number, link.hash), (former, last.length, last.head));
    assert_eq!(entries[1].predecessor().unwrap(), None);
}

/// Both take the action to be new. The database refuses whoever is second.
#[tokio::test]
async fn one_action_begins_once_whoever_records_it() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journals = [journal(&database).await, journal(&database).await];
    for number in 0..20 {
        let (one, other) =
            tokio::join!(journals[0].record(begin(number, "r1")), journals[1].record(begin(number, "r1")));
        assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
        let error = one.err().or(other.err()).unwrap();
        assert!(matches!(error, JournalError::InvalidTransition(_) | JournalError::Unusable(_)), "{error:?}");
    }
    let lengths: Vec<_> = journals.iter().map(|journal| journal.chain().unwrap().length).collect();
    assert_eq!(lengths.iter().sum::<u64>(), 20);
    assert_eq!(database.sql("SELECT count(*) FROM entries"), "20");
    for journal in &journals {
        assert_eq!(checked(journal, journal.writer()).await, journal.chain().unwrap());
    }
}

/// Somebody stored the next step under another writer. Nothing but the unique index knows.
#[tokio::test]
async fn a_step_that_is_there_already_is_not_said_to_be_stored() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    write(&journal, vec![begin(1, "r1"), begin(2, "r2")]).await;
    let ActionId(action) = id(1);
    database.sql(&format!(
        "INSERT INTO entries (writer, number, action, step, body, hash) VALUES (99, 1, '{action}', 1, '{{}}', '')"
    ));
    // In one batch with another entry, which is stored all the same.
    let (one, other) = tokio::join!(journal.record(intended(1, "a", 0)), journal.record(intended(2, "a", 0)));
    assert!(one.is_err(), "{one:?}");
    other.unwrap();
    assert_eq!(checked(&journal, journal.writer()).await, journal.chain().unwrap());
    assert_eq!(journal.chain().unwrap().length, 3);
}

/// The sealer, the writer and the table agree about the last entry, whenever the seal comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_seal_divides_what_is_stored_from_what_is_not() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    for race in 0..25_u64 {
        let journal = Arc::new(journal(&database).await);
        let writer = journal.writer();
        let appending = {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut stored = 0_u64;
                loop {
                    match journal.record_admin(admin_events()[0].clone()).await {
                        Ok(()) => stored += 1,
                        Err(error) => return (stored, error),
                    }
                }
            })
        };
        tokio::time::sleep(Duration::from_millis(race * 7 % 60)).await;
        let seal = format!(
            "UPDATE writers SET sealed_at = clock_timestamp() WHERE writer = {writer} RETURNING length"
        );
        let count = format!("SELECT count(*) FROM entries WHERE writer = {writer}");
        let (sealed_at, at_once) = (database.sql(&seal), database.sql(&count));
        let (stored, error) = appending.await.unwrap();
        assert_eq!(error, JournalError::Fenced);
        assert_eq!([&sealed_at, &at_once, &database.sql(&count)], [&stored.to_string(); 3]);
        assert_eq!(checked(&journal, writer).await, journal.chain().unwrap());
        assert_eq!(journal.try_commit().await, Err(JournalError::Fenced));
        let lock = adjourn::journal::LockName::SeriesRemoval;
        assert!(matches!(journal.try_lock(&lock).await, Err(JournalError::Fenced)));
    }
}

/// A database that lost the row of a process gave its number to another one. Only the incarnation differs.
#[tokio::test]
async fn a_process_whose_number_belongs_to_another_one_records_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    database.sql("UPDATE writers SET incarnation = gen_random_uuid()");
    let refused = journal.record(begin(1, "r1")).await;
    assert!(
        matches!(&refused, Err(JournalError::Damaged(why)) if why.contains("row of this process")),
        "{refused:?}"
    );
    assert_eq!(journal.try_commit().await, refused);
    assert_eq!(
        database.sql("SELECT session, length FROM writers"),
        "0|0",
        "the other process is not disturbed"
    );
}
