//! `verify` finds what SQL changed in the chains, the index and the anchors.

use adjourn::action::Outcome;
use adjourn::journal::{AdminActor, Chain, ErasureRequest, ErasureTarget, Head, Journal};
use adjourn::store::{PostgresJournal, VerifiedChains, VerifyError};
use adjourn_test::{PostgresServer, PostgresTestDatabase};
use chrono::TimeDelta;

use super::{begin, journal, settings, write};
use crate::sample_entries::{admin_events, an_end, at, closed, ended, in_doubt, intended};

async fn verify(database: &PostgresTestDatabase, known: Option<Head>) -> Result<VerifiedChains, VerifyError> {
    PostgresJournal::read(&settings(&database.url())).await.unwrap().verify(known).await
}

/// Writer 1 ends an action. Writer 2 begins one, which writer 3 closes, and stores an admin event. Two anchors: after writer 1, and after
/// all. Returns the chain of writer 1, and the anchors.
async fn three_chains(database: &PostgresTestDatabase) -> [Chain; 3] {
    let first = journal(database).await;
    write(&first, an_end(1, "r1", "a", 0)).await;
    let (chain, early) = (first.chain().unwrap(), first.head().await.unwrap().unwrap());
    first.close().await;
    let second = journal(database).await;
    write(&second, vec![begin(2, "r2"), intended(2, "b", 0)]).await;
    second.close().await;
    let third = journal(database).await;
    write(&third, vec![in_doubt(2, 1), closed(2, Outcome::Done(ended("b")), 2), begin(3, "r3")]).await;
    third.record_admin(admin_events()[0].clone()).await.unwrap();
    let last = third.head().await.unwrap().unwrap();
    third.close().await;
    [chain, early, last]
}

#[tokio::test]
async fn all_chains_and_anchors_are_verified() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let [first, early, last] = three_chains(&database).await;
    let before = database.sql("SELECT * FROM writers");
    let verified = verify(&database, None).await.unwrap();
    let counts = (verified.actions, verified.open, verified.admin_events, verified.unanchored);
    assert_eq!((verified.anchor, counts), (last, (3, 1, 1, 0)));
    assert_eq!(verified.entries, first.length + 2 + 4);
    let lengths: Vec<_> = verified.chains.iter().map(|info| (info.writer, info.chain.length)).collect();
    assert_eq!(lengths, [(1, first.length), (2, 2), (3, 4)]);
    for known in [first, early, last] {
        assert_eq!(verify(&database, Some(known.head)).await.unwrap(), verified);
    }
    let elsewhere = verify(&database, Some(Head([7; 32]))).await;
    assert!(matches!(elsewhere, Err(VerifyError::HeadMissing)), "{elsewhere:?}");
    assert_eq!(database.sql("SELECT * FROM writers"), before, "verifying leaves no writer behind");

    let journal = journal(&database).await;
    let target = ErasureTarget::Person("ada".to_owned());
    let by = AdminActor::CommandLine { uid: Some(0), user: None };
    let erasure = ErasureRequest { target, by, now: at(1_000_000), key_ttl: TimeDelta::days(1) };
    let erased = journal.erase(erasure).await.unwrap().values;
    let verified = verify(&database, Some(early.head)).await.unwrap();
    assert!(erased > 0, "nothing was erased");
    assert_eq!((verified.erased, verified.unanchored), (erased, 1));
}

/// Appends another text in place of the last entry of writer 3, with hashes that fit.
const FORK: &str = "
    UPDATE entries SET body = replace(body, '\"at\":\"2', '\"at\":\"3') WHERE writer = 3 AND number = 4;
    UPDATE entries SET hash = sha256((SELECT hash FROM entries WHERE writer = 3 AND number = 3)
        || convert_to(body, 'UTF8')) WHERE writer = 3 AND number = 4;
    UPDATE writers SET head = (SELECT hash FROM entries WHERE writer = 3 AND number = 4) WHERE writer = 3";
/// Removes the last entry of writer 3.
const SHORTEN: &str = "
    DELETE FROM entries WHERE writer = 3 AND number = 4; DELETE FROM personal WHERE writer = 3 AND number = 4;
    UPDATE writers SET length = 3, head = (SELECT hash FROM entries WHERE writer = 3 AND number = 3)
    WHERE writer = 3";
/// Removes everything of writer 1.
const DROP: &str = "
    DELETE FROM actions WHERE action IN (SELECT action FROM entries WHERE writer = 1);
    DELETE FROM entries WHERE writer = 1; DELETE FROM personal WHERE writer = 1;
    DELETE FROM writers WHERE writer = 1";

/// Each change, and a part of the error.
const CHANGES: [(&str, &str); 23] = [
    (FORK, "anchor 2: the chain of writer 3 had another entry 4"),
    (SHORTEN, "anchor 2: the chain of writer 3 had another entry 4"),
    (DROP, "anchor 1: the chain of writer 1 had another entry"),
    (
        "UPDATE entries SET body = body || ' ' WHERE writer = 3 AND number = 4",
        "the chain of writer 3: entry 4 was changed",
    ),
    (
        "UPDATE entries SET hash = sha256('x') WHERE writer = 2 AND number = 2",
        "the chain of writer 2: entry 2 was changed",
    ),
    ("DELETE FROM entries WHERE writer = 3 AND number = 1", "the chain of writer 3: entry 1 is missing"),
    (
        "DELETE FROM entries WHERE writer = 3 AND number = 4",
        "entry 3: the chain ends here, and the row of its writer says entry 4",
    ),
    ("DELETE FROM writers WHERE writer = 1", "the row of its writer is gone"),
    ("UPDATE writers SET head = sha256('x') WHERE writer = 1", "the chain ends here"),
    (
        "DELETE FROM writers WHERE writer = 2; DELETE FROM entries WHERE writer = 2",
        "the chain of writer 3: entry 1: it continues the chain of writer 2, which is gone",
    ),
    ("UPDATE writers SET sealed_at = NULL, sealed_by = NULL WHERE writer = 2", "which was not sealed there"),
    (
        "UPDATE entries SET step = 7 WHERE writer = 3 AND number = 2",
        "does not follow the entry before it of its action",
    ),
    (
        "UPDATE entries SET action = gen_random_uuid() WHERE writer = 1 AND number = 2",
        "it is stored under another action",
    ),
    ("UPDATE actions SET status = 'open' WHERE room LIKE 'r1%'", "its row differs from the entries"),
    ("UPDATE actions SET accepted = accepted + 1 WHERE room LIKE 'r1%'", "its row differs from the entries"),
    ("DELETE FROM actions WHERE room LIKE 'r1%'", "the index has no row for it"),
    (
        "INSERT INTO actions SELECT gen_random_uuid(), 0, 0, 'r9', 'ada', NULL, NULL, 'done', NULL",
        "no entry names it",
    ),
    (
        "DELETE FROM personal WHERE writer = 1 AND number > 1",
        "personal values are missing, but the journal records 0 as erased",
    ),
    (
        "UPDATE anchors SET body = replace(body, '\"by\":1', '\"by\":2') WHERE number = 1",
        "anchor 1: it was changed",
    ),
    ("DELETE FROM anchors WHERE number = 1", "anchor 2: it was changed, or anchors before it were removed"),
    ("DELETE FROM anchors WHERE number = 2", "anchor 1: the table of anchored lengths has others"),
    (
        "UPDATE anchored SET length = 900 WHERE writer = 3",
        "anchor 2: the table of anchored lengths has others",
    ),
    ("DROP INDEX actions_by_room", "missing: index"),
];

/// Each change is made in a copy of the database, which nobody may use while it is copied.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_changed_is_found() {
    let Some(server) = PostgresServer::shared() else { return };
    let original = server.database();
    three_chains(&original).await;
    for (number, (sql, expected)) in CHANGES.into_iter().enumerate() {
        let (server, name) = (server.clone(), format!("changed_{number}"));
        server.sql("postgres", &format!("CREATE DATABASE {name} OWNER adjourn TEMPLATE {}", original.name));
        let database = PostgresTestDatabase { server, name };
        database.sql(sql);
        let error = verify(&database, None).await.expect_err(sql).to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
}

/// Who removes the anchors as well leaves nothing behind that shows it, except the hash outside.
#[tokio::test]
async fn a_hash_outside_shows_what_was_removed_with_its_anchors() {
    let Some(server) = PostgresServer::shared() else { return };
    for change in [DROP, SHORTEN, FORK] {
        let database = server.database();
        let [_, _, last] = three_chains(&database).await;
        database.sql(&format!("{change}; DELETE FROM anchors; DELETE FROM anchored"));
        assert_eq!(verify(&database, None).await.unwrap().anchor, Chain::default());
        let known = verify(&database, Some(last.head)).await;
        assert!(matches!(known, Err(VerifyError::HeadMissing)), "{change}: {known:?}");
    }
}

/// Other processes go on while one verifies: the snapshot ends somewhere, and is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_verified_while_others_write_to_it() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    let writing = tokio::spawn(async move {
        for number in 1..=60 {
            write(&journal, an_end(number, "r1", "a", 0)).await;
            journal.head().await.unwrap();
        }
    });
    let mut before = 0;
    while !writing.is_finished() {
        let entries = verify(&database, None).await.unwrap().entries;
        assert!(entries >= before);
        before = entries;
    }
    writing.await.unwrap();
    assert_eq!(verify(&database, None).await.unwrap().entries, 60 * 4);
}
