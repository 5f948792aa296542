//! Anchors: one hash over all chains, whichever process writes it.

use std::sync::Arc;
use std::time::Duration;

use adjourn::journal::{Anchor, AnchoredChain, Chain, Journal, JournalError, SealedEntry};
use adjourn::store::PostgresJournal;
use adjourn_test::{PostgresServer, PostgresTestDatabase};

use super::{begin, journal, settings, write};
use crate::sample_entries::{admin_events, an_end};

/// The anchors as the tables have them, checked from each to the next.
fn anchors(database: &PostgresTestDatabase) -> (Vec<Anchor>, Chain) {
    let rows = database.sql("SELECT number, body, encode(hash, 'hex') FROM anchors ORDER BY number");
    let (mut chain, mut anchors) = (Chain::default(), Vec::new());
    for row in rows.lines() {
        let [number, body, hash] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let (number, hash, personal) = (number.parse().unwrap(), hash.parse().unwrap(), Vec::new());
        chain.check(&SealedEntry { number, body: body.to_owned(), hash, personal }).unwrap();
        anchors.push(Anchor::parse(body).unwrap());
    }
    (anchors, chain)
}

fn end_of(journal: &PostgresJournal) -> AnchoredChain {
    let Chain { length, head } = journal.chain().unwrap();
    AnchoredChain { writer: journal.writer(), length, head }
}

#[tokio::test]
async fn an_anchor_names_the_chains_that_grew_since_the_one_before() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    assert_eq!(first.head().await.unwrap(), Some(Chain::default()), "an empty journal has no anchor");
    write(&first, an_end(1, "r1", "a", 0)).await;
    write(&second, an_end(2, "r2", "b", 0)).await;
    let head = first.head().await.unwrap().unwrap();
    assert_eq!(second.head().await.unwrap(), Some(head), "nothing was written in between");
    let ends = [end_of(&first), end_of(&second)];
    first.close().await;
    write(&second, vec![begin(3, "r3")]).await;
    let next = second.head().await.unwrap().unwrap();
    assert_eq!((head.length, next.length), (1, 2));
    let reader = PostgresJournal::read(&settings(&database.url())).await.unwrap();
    assert_eq!(reader.head().await.unwrap(), Some(next));
    let (anchors, chain) = anchors(&database);
    assert_eq!(chain, next);
    assert_eq!(anchors[0].chains, ends);
    assert_eq!(anchors[1].chains, [end_of(&second)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_anchors_at_once_agree() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let mut tasks = Vec::new();
    for number in 0..3_u128 {
        let journal = Arc::new(journal(&database).await);
        tasks.push(tokio::spawn(async move {
            let mut heads = Vec::new();
            for round in 0..15 {
                write(&journal, vec![begin(1 + number * 100 + round, &format!("r{number}"))]).await;
                heads.push(journal.head().await.unwrap().unwrap());
            }
            (end_of(&journal), heads)
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    let (anchors, last) = anchors(&database);
    assert!(results.iter().any(|(_, heads)| heads.contains(&last)));
    for (end, heads) in results {
        // Each report covers what was stored before it, so the last one covers the whole chain.
        let named =
            anchors.iter().rev().flat_map(|anchor| &anchor.chains).find(|chain| chain.writer == end.writer);
        assert_eq!(named, Some(&end));
        assert!(heads.windows(2).all(|pair| pair[0].length < pair[1].length), "{heads:?}");
    }
}

#[tokio::test]
async fn a_sealed_process_writes_no_anchor() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    write(&journal, vec![begin(1, "r1")]).await;
    database.sql("UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = 9");
    assert_eq!(journal.head().await, Err(JournalError::Fenced));
    assert_eq!(database.sql("SELECT count(*) FROM anchors"), "0");
}

#[tokio::test]
async fn a_thousand_entries_are_anchored_without_a_report() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = Arc::new(journal(&database).await);
    let event = admin_events()[0].clone();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (journal, event) = (journal.clone(), event.clone());
            tokio::spawn(async move { journal.record_admin(event).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for _ in 0..100 {
        if !anchors(&database).0.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(anchors(&database).0[0].chains, [end_of(&journal)]);
}
