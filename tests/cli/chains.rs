//! A journal in PostgreSQL from the command line: reading leaves no writer behind, and verifying finds what was changed.

use adjourn::action::{ActionKind, Notify};
use adjourn::journal::Journal as _;
use adjourn::prelude::Secret;
use adjourn::store::{PostgresJournal, PostgresSettings};
use adjourn_test::{PostgresServer, action, now, numbered_room, room_name};

use crate::installed::{configure, install};

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
