//! Archiving, erasing, and a cut journal, from the command line.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{Action, ActionId, ActionKind, Actor, Notify};
use adjourn::store::SqliteJournal;
use adjourn_test::{Installation, action, journal_in, now, numbered_room, record_refused, room_name};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use crate::installed::install;

/// Ada's action at this time, refused a second later.
async fn refused(journal: &SqliteJournal, at: DateTime<Utc>) -> ActionId {
    let actor = Actor::User { name: "ada".to_owned(), origin: None };
    let reason = "Ada went home".parse().ok();
    let end = action(numbered_room(0), ActionKind::End(Notify::Nobody));
    record_refused(journal, Action { actor, reason, ..end }, at).await
}

/// Adds two actions of the year before last and one of an hour ago; returns the old ones.
async fn with_old_actions(office: &Installation) -> [ActionId; 2] {
    let journal = journal_in(&office.state());
    let old = now() - TimeDelta::days(800);
    let olds = [refused(&journal, old).await, refused(&journal, old + TimeDelta::hours(1)).await];
    refused(&journal, now() - TimeDelta::hours(1)).await;
    olds
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_year_is_archived_and_its_actions_are_not_undone() {
    let office = install(1).await;
    let [first, _] = with_old_actions(&office).await;
    let year = (now() - TimeDelta::days(800)).year().to_string();
    let this_year = now().year().to_string();
    let early = office.run(&["audit", "archive", "--year", &this_year, "--to", "now.jsonl"]).await;
    assert_eq!(early.code, 2, "{}", early.err);

    let archive = ["--json", "audit", "archive", "--year", &year, "--to", "old.jsonl"];
    let archived = office.run(&archive).await;
    assert_eq!(archived.code, 0, "{}", archived.err);
    assert_eq!((&archived.json()["first"], &archived.json()["last"]), (&1.into(), &4.into()));
    // The same command again finds nothing to do.
    assert_eq!(office.run(&archive).await.json()["last"], 4);
    assert_eq!(office.run(&["audit", "--json"]).await.lines().len(), 1);
    let admin = office.run(&["audit", "--admin", "--json"]).await.lines();
    assert_eq!((&admin[0]["kind"], &admin[0]["actor_kind"]), (&"archived".into(), &"command-line".into()));

    let undone = office.run(&["undo", &first.to_string()]).await;
    assert_eq!(undone.code, 1, "{}", undone.err);
    assert!(undone.err.contains("Entries 1 to 4 are archived (old.jsonl)"), "{}", undone.err);

    let alone = office.run(&["audit", "verify"]).await;
    assert!(alone.out.contains("Entries 1 to 4 are archived"), "{} {}", alone.out, alone.err);
    let verify = ["audit", "verify", "--json", "--archive", "old.jsonl"];
    let both = office.run(&verify).await;
    assert_eq!((both.code, &both.json()["archived_entries"]), (0, &4.into()), "{}", both.err);
    let text = std::fs::read_to_string(office.path("old.jsonl")).unwrap();
    std::fs::write(office.path("old.jsonl"), text.replacen("Ada went", "Eve went", 1)).unwrap();
    assert_eq!(office.run(&verify).await.code, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_erased_by_time_and_by_person() {
    let office = install(1).await;
    with_old_actions(&office).await;
    let before = (now() - TimeDelta::days(30)).to_rfc3339();
    let erased = office.run(&["--json", "audit", "erase", "--before", &before]).await;
    assert_eq!((erased.code, &erased.json()["values"]), (0, &4.into()), "{}", erased.err);
    let who = || async {
        let lines = office.run(&["audit", "--json"]).await.lines();
        lines.iter().map(|line| line["actor"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(who().await, ["ada", "erased", "erased"]);
    let erased = office.run(&["audit", "erase", "--person", "Ada"]).await;
    assert_eq!(erased.code, 0, "{}", erased.err);
    assert_eq!(who().await, ["erased", "erased", "erased"]);
    assert_eq!(office.run(&["audit", "erase"]).await.code, 2);
    let verified = office.run(&["audit", "verify", "--json"]).await;
    assert_eq!((verified.code, &verified.json()["erased_values"]), (0, &6.into()), "{}", verified.err);
    let database = std::fs::read(office.state().join("journal.sqlite")).unwrap();
    assert!(!database.windows(8).any(|window| window == b"Ada went"));
}

/// Every command that opens a cut journal detects it and does not act.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_put_back_ends_every_command_with_9() {
    let office = install(1).await;
    let database = office.state().join("journal.sqlite");
    with_old_actions(&office).await;
    let older = std::fs::read(&database).unwrap();
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    std::fs::write(&database, older).unwrap();
    let end = office.end_of(0);
    for args in [
        &["delete", &room_name(0)] as &[&str],
        &["delete", &room_name(0), "--dry-run"],
        &["audit"],
        &["audit", "verify"],
        &["audit", "erase", "--person", "ada"],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let said = office.run(args).await;
        assert_eq!(said.code, 9, "{args:?}: {}", said.err);
        assert!(said.err.contains("the journal is truncated: it ends at entry 6"), "{args:?}: {}", said.err);
    }
    assert_eq!(office.end_of(0), end);
}

/// Wherever the command is killed, the journal is intact, and the same command completes the archive.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_killed_loses_nothing() {
    let office = install(1).await;
    let journal = Arc::new(journal_in(&office.state()));
    let old = now() - TimeDelta::days(800);
    let tasks: Vec<_> = (0..1_500)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move { refused(&journal, old).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(journal);
    let year = old.year().to_string();
    let archive = ["--json", "audit", "archive", "--year", &year, "--to", "old.jsonl"];
    for milliseconds in [20, 60, 120, 200, 300, 450] {
        let mut child = office.command(&archive).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        // It may have ended by now.
        let _ = child.kill();
        child.wait().unwrap();
        let verified = office.run(&["audit", "verify"]).await;
        assert_eq!(verified.code, 0, "{}", verified.err);
    }
    let archived = office.run(&archive).await;
    assert_eq!((archived.code, &archived.json()["last"]), (0, &3_000.into()), "{}", archived.err);
    let both = office.run(&["audit", "verify", "--json", "--archive", "old.jsonl"]).await;
    assert_eq!((both.code, &both.json()["archived_entries"]), (0, &3_000.into()), "{}", both.err);
    assert!(!both.err.contains("still in the journal"), "{}", both.err);
    assert_eq!(office.run(&["audit", "--json"]).await.lines().len(), 0);
}
