//! A primary that is killed while its standby takes over: what a synchronous standby keeps, and what is said when an asynchronous one lost
//! something.

use std::sync::Arc;
use std::time::Duration;

use adjourn::journal::{Journal, JournalError};
use adjourn::store::{PostgresError, PostgresJournal, PostgresSettings, StoreError};
use adjourn_test::{PostgresPair, Replication, wait_until, wait_until_async};

use super::load::{assert_all_there, more_entries, under_load};
use super::{begin, settings, write};

/// Callers that record at the same time.
const CALLERS: u128 = 32;

async fn open(settings: &PostgresSettings) -> Arc<PostgresJournal> {
    Arc::new(PostgresJournal::open(settings).await.unwrap())
}

async fn fail_over(pair: &Arc<PostgresPair>) {
    let pair = pair.clone();
    tokio::task::spawn_blocking(move || pair.fail_over()).await.unwrap();
}

/// One more entry, after which the journal knows where its chain ends.
async fn last_entry(journal: &PostgresJournal, stored: &mut Vec<u128>) {
    journal.record(begin(u128::MAX, "r0")).await.unwrap();
    stored.push(u128::MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_journal_goes_on_when_a_synchronous_standby_takes_over() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous).map(Arc::new) else { return };
    let database = pair.database();
    let promoted = pair.on_standby(&database);
    let journal = open(&settings(&pair.url(&database))).await;
    let failover = async {
        more_entries(&database).await;
        fail_over(&pair).await;
        more_entries(&promoted).await;
    };
    let (mut stored, failed) = under_load(&journal, CALLERS, failover).await;
    println!("{} entries acknowledged, {failed} failed", stored.len());
    last_entry(&journal, &mut stored).await;
    assert_all_there(&promoted, &journal, &stored).await;
    let verified = journal.verify(None).await.unwrap();
    assert!(verified.entries >= stored.len() as u64, "{} of {}", verified.entries, stored.len());
    assert_eq!(journal.ended(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_refused_while_no_server_accepts_writes_and_then_the_journal_goes_on() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous).map(Arc::new) else { return };
    let database = pair.database();
    let journal = open(&settings(&pair.url(&database))).await;
    write(&journal, vec![begin(1, "r1")]).await;
    pair.primary.kill();
    let refused = journal.record(begin(2, "r1")).await;
    assert!(matches!(refused, Err(JournalError::Unusable(_))), "{refused:?}");
    assert_eq!(journal.ended(), None);
    let promoting = pair.clone();
    tokio::task::spawn_blocking(move || promoting.promote()).await.unwrap();
    write(&journal, vec![begin(2, "r1"), begin(3, "r1")]).await;
    assert_all_there(&pair.on_standby(&database), &journal, &[1, 2, 3]).await;
    journal.verify(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_sessions_end_and_the_primary_crashes_again_and_again() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous).map(Arc::new) else { return };
    let database = pair.database();
    let promoted = pair.on_standby(&database);
    let journal = open(&settings(&pair.url(&database))).await;
    let terminate = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = '{}' AND application_name LIKE 'adjourn %'",
        database.name
    );
    let faults = async {
        for _ in 0..3 {
            // Also those that wait for the standby: their entries are committed all the same.
            for _ in 0..5 {
                database.server.sql("postgres", &terminate);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            more_entries(&database).await;
            let crashing = pair.clone();
            tokio::task::spawn_blocking(move || crashing.primary.crash_and_restart()).await.unwrap();
            more_entries(&database).await;
        }
        fail_over(&pair).await;
        more_entries(&promoted).await;
    };
    let (mut stored, failed) = under_load(&journal, CALLERS, faults).await;
    println!("{} entries acknowledged, {failed} failed", stored.len());
    last_entry(&journal, &mut stored).await;
    assert_all_there(&promoted, &journal, &stored).await;
    let sessions: usize = promoted.sql("SELECT session FROM writers").parse().unwrap();
    assert!(sessions > 5, "only {sessions} sessions");
    journal.verify(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_standby_is_refused_or_its_loss_is_found() {
    let Some(pair) = PostgresPair::start(Replication::Asynchronous).map(Arc::new) else { return };
    let database = pair.database();
    let promoted = pair.on_standby(&database);
    let careful = settings(&pair.url(&database));
    let refused = PostgresJournal::open(&careful).await.err();
    assert!(matches!(refused, Some(StoreError::Postgres(PostgresError::MayLose(_)))), "{refused:?}");

    let accepting = PostgresSettings { accept_loss: true, ..careful };
    let journal = open(&accepting).await;
    write(&journal, (1..=5).map(|number| begin(number, "r1")).collect()).await;
    let detached = pair.clone();
    tokio::task::spawn_blocking(move || detached.detach_standby()).await.unwrap();
    write(&journal, (6..=12).map(|number| begin(number, "r1")).collect()).await;
    fail_over(&pair).await;
    // Nothing is recorded: the journal finds the loss by itself.
    wait_until("the journal finds the loss", || journal.ended().is_some()).await;
    let error = journal.ended().unwrap();
    let JournalError::Damaged(why) = &error else { panic!("{error:?}") };
    assert!(why.contains("acknowledged up to entry 12: the chain ends at entry 5"), "{why}");
    assert_eq!(journal.record(begin(13, "r1")).await, Err(error.clone()));
    assert_eq!(journal.try_commit().await, Err(error));
    assert_eq!(promoted.sql("SELECT count(*) FROM entries"), "5");

    let next = open(&accepting).await;
    assert_ne!(next.writer(), journal.writer());
    write(&next, vec![begin(13, "r2")]).await;
    let verified = next.verify(None).await.unwrap();
    assert_eq!((verified.entries, verified.chains.len()), (6, 2));
}

/// Somebody starts the former primary again, as it was: the connection text names it first, and it accepts writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_former_primary_that_comes_back_beside_the_new_one_gets_no_entry() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous).map(Arc::new) else { return };
    let database = pair.database();
    let promoted = pair.on_standby(&database);
    let journal = open(&settings(&pair.url(&database))).await;
    write(&journal, (1..=3).map(|number| begin(number, "r1")).collect()).await;
    fail_over(&pair).await;
    write(&journal, (4..=5).map(|number| begin(number, "r1")).collect()).await;
    let returning = pair.clone();
    tokio::task::spawn_blocking(move || returning.primary.crash_and_restart()).await.unwrap();
    promoted.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'adjourn %'",
    );
    wait_until("the journal finds the other chain", || journal.ended().is_some()).await;
    let Some(JournalError::Damaged(why)) = journal.ended() else { panic!("{:?}", journal.ended()) };
    assert!(why.contains("acknowledged up to entry 5: the chain ends at entry 3"), "{why}");
    assert!(journal.record(begin(6, "r1")).await.is_err());
    let count = "SELECT count(*) FROM entries";
    assert_eq!([database.sql(count), promoted.sql(count)], ["3", "5"]);
}

/// The setting of a failover manager, or the lack of one, changes while the journal is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_stops_waiting_for_its_standby_is_refused_until_it_waits_again() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous) else { return };
    let database = pair.database();
    let journal = open(&settings(&pair.url(&database))).await;
    write(&journal, vec![begin(1, "r1")]).await;

    // On open connections.
    pair.require_standbys("");
    let may_lose = |result| matches!(result, Err(JournalError::MayLose(_)));
    wait_until_async("a trial commit is refused", async || may_lose(journal.try_commit().await)).await;
    let mut number = 2;
    let mut record = async || {
        number += 1;
        journal.record(begin(number, "r1")).await
    };
    // The next check is due within ten seconds, and an entry waits fifteen for a better server.
    let refused = async { while !may_lose(record().await) {} };
    tokio::time::timeout(Duration::from_secs(120), refused).await.unwrap();
    pair.require_standbys("*");
    record().await.unwrap();
    journal.try_commit().await.unwrap();

    // On a new connection.
    pair.require_standbys("");
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'adjourn %'",
    );
    let refused = record().await;
    assert!(may_lose(refused.clone()), "{refused:?}");
    assert_eq!(journal.ended(), None);
    pair.require_standbys("*");
    record().await.unwrap();
}
