//! A journal in PostgreSQL from the command line: a reader leaves no writer behind, `verify` finds changes, and old years are archived.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{ActionId, ActionKind, Notify};
use adjourn::journal::Journal as _;
use adjourn::prelude::Secret;
use adjourn::store::{PostgresJournal, PostgresSettings};
use adjourn_test::{
    Installation, PostgresServer, PostgresTestDatabase, action, now, numbered_room, record_refused, room_name,
};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use crate::installed::{configure, install};

/// The program with one room, and its journal in this database.
async fn install_with(database: &PostgresTestDatabase) -> Installation {
    let office = install(1).await;
    office.write_secret("database-url", database.url());
    let file = office.path("database-url");
    configure(&office, &format!("[journal]\nurl = {{ file = \"{}\" }}\n", file.display()));
    office
}

/// Opens the journal as one more writer.
async fn open(database: &PostgresTestDatabase) -> PostgresJournal {
    let (url, name) = (Secret::new(database.url()), "test".to_owned());
    PostgresJournal::open(&PostgresSettings { url, name, ca_file: None, accept_loss: false }).await.unwrap()
}

/// Records an action of this time.
async fn old_action(journal: &PostgresJournal, at: DateTime<Utc>) -> ActionId {
    record_refused(journal, action(numbered_room(0), ActionKind::End(Notify::Nobody)), at).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_year_is_archived_beside_the_service() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let office = install_with(&database).await;
    let old = now() - TimeDelta::days(800);
    let journal = open(&database).await;
    let first = old_action(&journal, old).await;
    journal.close().await;
    let journal = open(&database).await;
    old_action(&journal, old + TimeDelta::minutes(1)).await;
    let early = journal.head().await.unwrap().unwrap().head.to_string();
    journal.close().await;
    let served = office.serve();
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    let year = old.year().to_string();
    let this_year = now().year().to_string();
    let refused = office.run(&["audit", "archive", "--year", &this_year, "--to", "now.jsonl"]).await;
    assert_eq!(refused.code, 2, "{}", refused.err);
    let archive = ["--json", "audit", "archive", "--year", &year, "--to", "old.jsonl"];
    let archived = office.run(&archive).await;
    assert_eq!(archived.code, 0, "{}", archived.err);
    let report = archived.json();
    assert_eq!((&report["first"], &report["last"]), (&1.into(), &4.into()));
    assert_eq!(office.run(&archive).await.json()["last"], 4);
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0, "the service goes on");
    let undone = office.run(&["undo", &first.to_string()]).await;
    assert!(undone.err.contains("Entries 1 to 4 are archived (old.jsonl)"), "{}", undone.err);

    let alone = office.run(&["audit", "verify", "--head", &early]).await;
    assert!(alone.out.contains("Entries 1 to 4 are archived"), "{} {}", alone.out, alone.err);
    let verify =
        ["--json", "audit", "verify", "--archive", "old.jsonl", "--head", report["head"].as_str().unwrap()];
    let both = office.run(&verify).await;
    assert_eq!((both.code, &both.json()["archived_entries"]), (0, &4.into()), "{}", both.err);
    assert_eq!(both.json()["archives_verified"], true);
    let erased = office.run(&["--json", "audit", "erase", "--before", &now().to_rfc3339()]).await;
    assert_eq!(erased.code, 0, "an erasure works beside the service: {}", erased.err);
    let text = std::fs::read_to_string(office.path("old.jsonl")).unwrap();
    std::fs::write(office.path("old.jsonl"), text.replacen("room0", "room9", 1)).unwrap();
    assert_eq!(office.run(&verify).await.code, 9);
    drop(served);
}

/// Wherever the command is killed, the journal is intact, and the same command completes the archive.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_a_database_that_is_killed_loses_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let office = install_with(&database).await;
    let old = now() - TimeDelta::days(800);
    let journal = Arc::new(open(&database).await);
    let tasks: Vec<_> = (0..1_500)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move { old_action(&journal, old).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let early = journal.head().await.unwrap().unwrap().head.to_string();
    journal.close().await;
    let year = old.year().to_string();
    let archive = ["--json", "audit", "archive", "--year", &year, "--to", "old.jsonl"];
    for milliseconds in [100, 300, 500, 700, 900, 1_200, 1_600] {
        let mut child = office.command(&archive).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        // It may have ended by now.
        let _ = child.kill();
        child.wait().unwrap();
        let verified = office.run(&["audit", "verify", "--head", &early]).await;
        assert_eq!(verified.code, 0, "{}", verified.err);
    }
    let archived = office.run(&archive).await;
    assert_eq!((archived.code, &archived.json()["last"]), (0, &3_000.into()), "{}", archived.err);
    let both = office.run(&["--json", "audit", "verify", "--archive", "old.jsonl", "--head", &early]).await;
    assert_eq!((both.code, &both.json()["archived_entries"]), (0, &3_000.into()), "{}", both.err);
    assert_eq!(office.run(&["audit", "--json"]).await.lines().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_in_postgresql_is_listed_and_verified() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let office = install(1).await;
    office.write_secret("database-url", database.url());
    configure(
        &office,
        &format!("[journal]\nurl = {{ file = \"{}\" }}\n", office.path("database-url").display()),
    );
    let verify = ["--json", "audit", "verify"];
    let early = office.run(&verify).await;
    assert_eq!(early.code, 2, "{}", early.err);
    assert!(early.err.contains("holds no journal"), "{}", early.err);

    let ended = office.run(&["end", &room_name(0)]).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let writers = "SELECT count(*), max(length) FROM writers";
    let before = database.sql(writers);
    assert_eq!(office.run(&["audit", "--json"]).await.lines().len(), 1);
    let alone = office.run(&verify).await;
    assert_eq!((alone.code, &alone.json()["anchors"]), (0, &0.into()), "{}", alone.err);
    assert_eq!(database.sql(writers), before, "reading leaves no writer behind");

    let (url, name) = (Secret::new(database.url()), "test".to_owned());
    let settings = PostgresSettings { url, name, ca_file: None, accept_loss: false };
    let journal = PostgresJournal::open(&settings).await.unwrap();
    adjourn_test::record_refused(&journal, action(numbered_room(0), ActionKind::End(Notify::Nobody)), now())
        .await;
    let head = journal.head().await.unwrap().unwrap().head.to_string();
    journal.close().await;
    let verified = office.run(&["--json", "audit", "verify", "--head", &head]).await;
    assert_eq!(verified.code, 0, "{}", verified.err);
    let report = verified.json();
    assert_eq!((&report["head"], &report["last"], &report["actions"]), (&head.into(), &1.into(), &2.into()));
    assert_eq!((report["chains"].as_array().unwrap().len(), &report["unanchored_entries"]), (2, &0.into()));
    let text = office.run(&["audit", "verify"]).await;
    assert!(text.out.contains("in 2 chains: nothing was changed"), "{}", text.out);

    database.sql("DELETE FROM personal WHERE writer = 2; DELETE FROM entries WHERE writer = 2");
    let changed = office.run(&verify).await;
    assert_eq!(changed.code, 9, "{} {}", changed.out, changed.err);
    let other = office.run(&["audit", "verify", "--head", &"7".repeat(64)]).await;
    assert_eq!(other.code, 9, "{}", other.err);
    assert_eq!(office.run(&["audit", "verify", "--archive", "old.jsonl"]).await.code, 2);
}
