//! Whole years leave the database for an archive file, while processes write: both parts verify together, and what stops the archiving at any
//! step loses nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adjourn::action::{Outcome, Refusal};
use adjourn::journal::{
    AdminActor, AdminEvent, AdminQuery, Chain, ErasureRequest, ErasureTarget, Head, Journal as _,
    JournalError, Query,
};
use adjourn::store::{
    ArchiveError, ArchiveOrder, ArchiveReport, MoveError, PostgresJournal, VerifiedChains, VerifyError,
    move_to_database, move_to_directory,
};
use adjourn_test::{PostgresServer, PostgresTestDatabase, journal_in};
use chrono::{DateTime, TimeDelta, Utc};

use super::{begin, journal, settings, write};
use crate::sample_entries::{
    accepted, action, admin_events, an_end, at, closed, ended, id, in_doubt, intended, journal_of_everything,
};

/// Minutes after the sample's first instant: in the year after it.
const NEXT_YEAR: i64 = 60 * 24 * 364;

fn now() -> DateTime<Utc> {
    "2027-12-01T00:00:00Z".parse().unwrap()
}

fn root() -> AdminActor {
    AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) }
}

fn order(to: &Path) -> ArchiveOrder {
    ArchiveOrder { year: 2026, to: to.to_owned(), by: root(), now: now(), key_ttl: TimeDelta::days(1) }
}

/// Archives as a process of its own, as the command does.
async fn archive(
    database: &PostgresTestDatabase,
    order: ArchiveOrder,
) -> Result<ArchiveReport, ArchiveError> {
    let process = journal(database).await;
    let report = process.archive(order).await;
    process.close().await;
    report
}

async fn verified(
    database: &PostgresTestDatabase,
    files: &[&Path],
    known: Option<Head>,
) -> Result<VerifiedChains, VerifyError> {
    let files: Vec<PathBuf> = files.iter().map(|file| file.to_path_buf()).collect();
    let reader = PostgresJournal::read(&settings(&database.url())).await.unwrap();
    reader.verify_with_archives(known, &files).await
}

/// Everything in the tables that an archive changes, except the rows of writers.
fn content(database: &PostgresTestDatabase) -> String {
    [
        "entries ORDER BY writer, number",
        "personal ORDER BY writer, number, pointer",
        "actions",
        "archived",
        "anchors",
    ]
    .map(|table| database.sql(&format!("SELECT * FROM {table}")))
    .join("\n--\n")
}

/// What the chains of three processes of 2026 left behind: one that ended, one that ended in the middle of an action, and one that finished it.
/// Returns an early anchor and an early entry.
async fn old_chains(database: &PostgresTestDatabase) -> [Head; 2] {
    let first = journal(database).await;
    write(&first, an_end(1, "r1", "a", 0)[..2].to_vec()).await;
    let anchor = first.head().await.unwrap().unwrap();
    write(&first, an_end(1, "r1", "a", 0)[2..].to_vec()).await;
    first.head().await.unwrap();
    let entry = first.entries(2, 1).await.unwrap().remove(0);
    first.close().await;
    let second = journal(database).await;
    write(&second, vec![begin(2, "r2"), intended(2, "b", 0)]).await;
    second.close().await;
    let third = journal(database).await;
    write(&third, vec![in_doubt(2, 1), closed(2, Outcome::Done(ended("b")), 2)]).await;
    third.record_admin(admin_events()[0].clone()).await.unwrap();
    third.head().await.unwrap();
    third.close().await;
    [anchor.head, entry.hash]
}

/// An action of the next year, open.
fn begin_later(number: u128) -> adjourn::journal::ActionEntry {
    let kind = adjourn::action::ActionKind::End(adjourn::action::Notify::Attendees);
    accepted(action(number, "r9", kind), NEXT_YEAR)
}

fn refused() -> Outcome {
    Outcome::Refused { refusal: Refusal::NoCurrentEvent }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_leaves_all_chains_beside_a_process_that_writes() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    let [anchor, entry] = old_chains(&database).await;
    let live = journal(&database).await;
    write(&live, an_end(4, "r4", "d", 5)).await;
    write(&live, vec![begin_later(5)]).await;
    let file = elsewhere.path().join("2026.jsonl");
    let report = archive(&database, order(&file)).await.unwrap();
    // 4 entries, 2 and 3, and 4 of the process that writes.
    assert_eq!((report.first, report.last, report.blocked_by), (1, 13, None));
    assert_eq!(database.sql("SELECT writer, last FROM archived ORDER BY writer"), "1|4\n2|2\n3|3\n4|4");
    let left = "SELECT writer, number FROM entries ORDER BY writer, number";
    assert_eq!(database.sql(left), "4|5\n5|1", "the open action, and the event of the archive");
    let archived = live.archived().await.unwrap().unwrap();
    assert_eq!((archived.last, archived.file.as_str()), (13, "2026.jsonl"));

    // The process goes on.
    write(&live, vec![closed(5, refused(), NEXT_YEAR)]).await;
    write(&live, an_end(6, "r6", "f", NEXT_YEAR)).await;
    let records = live.find(&Query::default()).await.unwrap();
    assert_eq!(records.iter().map(|record| record.action.id).collect::<Vec<_>>(), [id(6), id(5)]);
    let alone = verified(&database, &[], Some(anchor)).await.unwrap();
    assert_eq!((alone.entries, alone.actions, alone.archives_verified), (7, 2, false));
    assert_eq!(alone.archived.unwrap().length, 13);
    for known in [None, Some(anchor), Some(entry), Some(report.head)] {
        assert!(verified(&database, &[&file], known).await.unwrap().archives_verified);
    }
    let missing = verified(&database, &[], Some(entry)).await;
    assert!(matches!(missing, Err(VerifyError::HeadMissing)), "{missing:?}");
    let events = live.admin_events(&AdminQuery::default()).await.unwrap().events;
    assert!(matches!(&events[0].1.event, AdminEvent::Archived(event) if event.last == 13), "{events:?}");

    // The next year follows, from the same chain and from that of the command.
    let second = elsewhere.path().join("2027.jsonl");
    let later = ArchiveOrder { year: 2027, now: now() + TimeDelta::days(400), ..order(&second) };
    let report = archive(&database, later.clone()).await.unwrap();
    assert_eq!(report.first, 14);
    // The last entry of a process that may still write stays, and so does its action.
    assert_eq!(database.sql("SELECT last FROM archived WHERE writer = 4"), "6");
    live.close().await;
    for files in [vec![], vec![&*file, &*second]] {
        let after = verified(&database, &files, Some(anchor)).await.unwrap();
        assert_eq!((after.actions, after.archived.unwrap().length), (1, report.last));
    }
    for wrong in [vec![&*file], vec![&*second], vec![&*second, &*file], vec![&*file, &*file]] {
        assert!(verified(&database, &wrong, None).await.is_err(), "{wrong:?}");
    }
    // The same command again finds nothing to do.
    let again = archive(&database, later).await.unwrap();
    assert_eq!((again.first, again.last), (report.first, report.last));
    let other = archive(&database, order(&file)).await;
    assert!(matches!(other, Err(ArchiveError::OtherFile { .. })), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_file_or_a_row_that_was_changed_shows() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    let file = elsewhere.path().join("2026.jsonl");
    archive(&database, order(&file)).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without = |left_out: std::ops::Range<usize>| {
        let kept = lines.iter().enumerate().filter(|(at, _)| !left_out.contains(at)).map(|(_, line)| *line);
        kept.collect::<Vec<_>>().join("\n") + "\n"
    };
    let section = (1..lines.len()).find(|at| lines[*at].contains("\"writer\":2")).unwrap();
    let changes = [
        text.replacen("r1@rooms", "r9@rooms", 1),
        text.replacen("\"ada\"", "\"eve\"", 1),
        text.replacen("\"writer\":2", "\"writer\":7", 1),
        text.replacen("\"chains\":3", "\"chains\":2", 1),
        without(0..1),
        without(3..4),
        without(section..section + 4).replacen("\"chains\":3", "\"chains\":2", 1),
        without(lines.len() - 1..lines.len()),
        format!("{text}{}\n", lines[1]),
    ];
    for changed in changes {
        assert_ne!(changed, text);
        std::fs::write(&file, &changed).unwrap();
        assert!(verified(&database, &[&file], None).await.is_err(), "{changed}");
    }
    std::fs::write(&file, text).unwrap();
    verified(&database, &[&file], None).await.unwrap();
    for (damage, cure) in [
        ("UPDATE archived SET file = 'x' WHERE writer = 2", "UPDATE archived SET file = '2026.jsonl'"),
        ("UPDATE archived SET erased = erased + 1", "UPDATE archived SET erased = erased - 1"),
        (
            "UPDATE archived SET writer = 9 WHERE writer = 2",
            "UPDATE archived SET writer = 2 WHERE writer = 9",
        ),
    ] {
        database.sql(damage);
        assert!(verified(&database, &[], None).await.is_err(), "{damage}");
        database.sql(cure);
        verified(&database, &[], None).await.unwrap();
    }
}

/// Replaces the archived beginning of writer 1 by another one, as a person with rights on the database and the file can: entries with other rooms,
/// whose hashes fit, and rows and an event that fit too. Only an anchor from before has the true hash.
fn forge(database: &PostgresTestDatabase, file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut chain, mut forged, mut is_first) = (Chain::default(), String::new(), false);
    for line in text.lines() {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(writer) = line.get("writer") {
            is_first = *writer == 1;
        } else if is_first && line.get("body").is_some() {
            let sealed = chain.seal(line["body"].as_str().unwrap().replace("r1@rooms", "r8@rooms"));
            (line["body"], line["hash"]) = (sealed.body.into(), sealed.hash.to_string().into());
        } else if is_first {
            line["head"] = chain.head.to_string().into();
        }
        forged.push_str(&format!("{line}\n"));
    }
    assert_ne!(forged, text);
    std::fs::write(file, forged).unwrap();
    let end = chain.head;
    database.sql(&format!("UPDATE archived SET hash = '\\x{end}' WHERE writer = 1"));
    database.sql(&format!("UPDATE writers SET head = '\\x{end}' WHERE writer = 1"));
    let mut rows = Chain::default();
    let columns = "concat_ws(' ', writer, last, encode(hash, 'hex'), erased, erased_through, file)";
    for row in database.sql(&format!("SELECT {columns} FROM archived ORDER BY writer")).lines() {
        rows.seal(row.to_owned());
    }
    database.sql(&format!(
        "UPDATE entries SET body = regexp_replace(body, '\"head\":\"[0-9a-f]+\"', '\"head\":\"{}\"');
         UPDATE entries SET hash = sha256('\\x{}'::bytea || convert_to(body, 'UTF8'));
         UPDATE writers SET head = (SELECT hash FROM entries) WHERE writer = (SELECT writer FROM entries);
         DELETE FROM anchored WHERE writer = (SELECT writer FROM entries);
         DELETE FROM anchors WHERE number = (SELECT max(number) FROM anchors)",
        rows.head,
        Head::default()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_from_before_finds_another_beginning_in_the_file() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    let [anchor, _] = old_chains(&database).await;
    let file = elsewhere.path().join("2026.jsonl");
    archive(&database, order(&file)).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM entries"), "1");
    forge(&database, &file);
    let forged = verified(&database, &[&file], Some(anchor)).await;
    let Err(VerifyError::Anchor { number: 1, why }) = &forged else { panic!("{forged:?}") };
    assert!(why.contains("the chain of writer 1 had another entry 2"), "{why}");
}

/// A function for a trigger: it waits until the table `go` has a row, then goes on.
const WAITING: &str = "
    CREATE FUNCTION public.wait_for_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        WHILE NOT EXISTS (SELECT 1 FROM public.go) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN old;
    END $$;
    CREATE TABLE public.go (one integer); GRANT SELECT ON public.go TO PUBLIC;
    CREATE TRIGGER t BEFORE DELETE ON entries FOR EACH ROW EXECUTE FUNCTION public.wait_for_go()";
/// Whether a statement waits there.
const DELETES: &str =
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'
    AND datname = current_database()";

async fn until_it_deletes(database: &PostgresTestDatabase) {
    adjourn_test::wait_until("the statement deletes", || database.sql(DELETES) == "t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_appends_while_entries_are_removed() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    let live = journal(&database).await;
    let file = elsewhere.path().join("2026.jsonl");
    let process = journal(&database).await;
    database.sql(WAITING);
    let (report, ()) = tokio::join!(process.archive(order(&file)), async {
        until_it_deletes(&database).await;
        write(&live, an_end(4, "r4", "d", NEXT_YEAR)).await;
        live.head().await.unwrap();
        live.try_commit().await.unwrap();
        // The process that archives renews its own row meanwhile.
        let until = format!("SELECT until FROM writers WHERE writer = {}", process.writer());
        let before = database.sql(&until);
        adjourn_test::wait_until("it renews its row", || database.sql(&until) != before).await;
        assert_eq!(database.sql(DELETES), "t");
        database.sql("INSERT INTO public.go VALUES (1)");
    });
    report.unwrap();
    process.close().await;
    database.sql("DROP TRIGGER t ON entries");
    let after = verified(&database, &[&file], None).await.unwrap();
    assert_eq!((after.entries, after.actions, after.archived.unwrap().length), (5, 1, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_by_another_process_waits_for_the_archive() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    let (live, process) = (journal(&database).await, journal(&database).await);
    write(&live, an_end(4, "r4", "d", NEXT_YEAR)).await;
    let file = elsewhere.path().join("2026.jsonl");
    database.sql(WAITING);
    let (report, erased) = tokio::join!(process.archive(order(&file)), async {
        until_it_deletes(&database).await;
        let mut erasing = std::pin::pin!(live.erase(erasure(&now())));
        // However long it lasts, the erasure waits, and the process that erases appends.
        assert!(tokio::time::timeout(Duration::from_secs(2), &mut erasing).await.is_err());
        write(&live, vec![begin_later(5)]).await;
        database.sql("INSERT INTO public.go VALUES (1)");
        erasing.await
    });
    report.unwrap();
    assert!(erased.unwrap().values > 0);
    database.sql("DROP TRIGGER t ON entries");
    for files in [vec![], vec![&*file]] {
        assert!(verified(&database, &files, None).await.unwrap().erased > 0);
    }
}

/// Ends the connections that append, as a network that fails does.
const END_OF_APPENDS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'adjourn append%' AND wait_event = 'PgSleep'";

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_whose_connection_breaks_is_made_once() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    let process = journal(&database).await;
    let file = elsewhere.path().join("2026.jsonl");
    database.sql(WAITING);
    let (report, ()) = tokio::join!(process.archive(order(&file)), async {
        until_it_deletes(&database).await;
        assert_eq!(database.sql(END_OF_APPENDS), "1");
        until_it_deletes(&database).await;
        database.sql("INSERT INTO public.go VALUES (1)");
    });
    assert_eq!(report.unwrap().last, 9);
    database.sql("DROP TRIGGER t ON entries");
    let after = verified(&database, &[&file], None).await.unwrap();
    assert_eq!((after.entries, after.admin_events), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_sealed_meanwhile_removes_nothing() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    let file = elsewhere.path().join("2026.jsonl");
    let before = content(&database);
    let process = journal(&database).await;
    database.sql(WAITING);
    let (stopped, ()) = tokio::join!(process.archive(order(&file)), async {
        until_it_deletes(&database).await;
        database
            .sql("UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = 1 WHERE sealed_at IS NULL");
        database.sql("INSERT INTO public.go VALUES (1)");
    });
    assert!(matches!(stopped, Err(ArchiveError::Journal(JournalError::Fenced))), "{stopped:?}");
    database.sql("DROP TRIGGER t ON entries");
    assert_eq!(content(&database), before);
    archive(&database, order(&file)).await.unwrap();
    verified(&database, &[&file], None).await.unwrap();
}

/// Whatever the statement meets, it removes what the file has or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_that_differs_from_the_file_and_the_next_run_replaces_it() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    let [anchor, _] = old_chains(&database).await;
    let (file, before) = (elsewhere.path().join("2026.jsonl"), content(&database));
    let function = |body: &str| {
        format!("CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    };
    for (table, event, body) in [
        ("entries", "DELETE", "RAISE EXCEPTION 'killed';"),
        ("entries", "DELETE", "IF old.number = 3 THEN RETURN NULL; END IF; RETURN old;"),
        ("personal", "DELETE", "RETURN NULL;"),
        ("actions", "DELETE", "RETURN NULL;"),
        ("archived", "INSERT", "RETURN NULL;"),
        ("entries", "INSERT", "RETURN NULL;"),
        ("personal", "INSERT", "RETURN NULL;"),
    ] {
        let process = journal(&database).await;
        let why = if body.contains("RAISE") { "killed" } else { "no longer those of the file" };
        database.sql(&function(body));
        let on = format!("TRIGGER t BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION public.f()");
        database.sql(&format!("CREATE {on}"));
        let stopped = process.archive(order(&file)).await;
        let stopped = stopped.unwrap_err();
        assert!(
            matches!(stopped, ArchiveError::Journal(JournalError::Unusable(_))),
            "{table} {event}: {stopped}"
        );
        assert!(stopped.to_string().contains(why), "{table} {event}: {stopped}");
        database.sql(&format!("DROP TRIGGER t ON {table}; DROP FUNCTION public.f()"));
        process.close().await;
        assert!(file.exists(), "the file is complete before anything is removed");
        assert_eq!(content(&database), before, "{table} {event}");
        verified(&database, &[], Some(anchor)).await.unwrap();
    }
    // What was erased since is not in the file that the next run writes.
    let process = journal(&database).await;
    assert!(process.erase(erasure(&now())).await.unwrap().values > 0);
    process.close().await;
    archive(&database, order(&file)).await.unwrap();
    assert!(!std::fs::read_to_string(&file).unwrap().contains("\"value\":\"ada\""));
    for files in [vec![], vec![&*file]] {
        verified(&database, &files, Some(anchor)).await.unwrap();
    }
}

fn erasure(now: &DateTime<Utc>) -> ErasureRequest {
    let target = ErasureTarget::Person("ada".to_owned());
    ErasureRequest { target, by: root(), now: *now, key_ttl: TimeDelta::days(1) }
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_values_stay_announced_before_and_after_an_archive() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    let process = journal(&database).await;
    // Values that leave are announced in a chain that stays, and so on.
    let first = process.erase(erasure(&now())).await.unwrap().values;
    write(&process, an_end(5, "r5", "e", NEXT_YEAR)).await;
    process.close().await;
    let (file, second) = (elsewhere.path().join("one.jsonl"), elsewhere.path().join("two.jsonl"));
    archive(&database, order(&file)).await.unwrap();
    let process = journal(&database).await;
    let later = now() + TimeDelta::days(1);
    let next = process.erase(erasure(&later)).await.unwrap().values;
    process.close().await;
    assert!(first > 0 && next > 0, "{first} {next}");
    assert_eq!(verified(&database, &[], None).await.unwrap().erased, next);
    assert_eq!(verified(&database, &[&file], None).await.unwrap().erased, first + next);
    let order = ArchiveOrder { year: 2027, now: now() + TimeDelta::days(400), ..order(&second) };
    archive(&database, order).await.unwrap();
    verified(&database, &[], None).await.unwrap();
    assert_eq!(verified(&database, &[&file, &second], None).await.unwrap().erased, first + next);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_that_is_not_over() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    let early = ArchiveOrder { now: "2026-12-31T23:00:00Z".parse().unwrap(), ..order(&file) };
    let refused = archive(&database, early).await;
    assert!(matches!(refused, Err(ArchiveError::YearNotOver(2026))), "{refused:?}");
    let none = archive(&database, order(&file)).await;
    assert!(matches!(none, Err(ArchiveError::Nothing { blocked_by: None })), "{none:?}");
    // Action 1 is in progress while action 2 begins, which stays open.
    let process = journal(&database).await;
    write(&process, an_end(9, "r9", "z", 0)).await;
    let mut facts = an_end(1, "r1", "a", 1);
    let last = facts.pop().unwrap();
    write(&process, facts).await;
    write(&process, vec![begin(2, "r2"), last]).await;
    process.close().await;
    let report = archive(&database, order(&file)).await.unwrap();
    assert_eq!((report.last, report.blocked_by), (4, Some(id(2).to_string())));
    assert_eq!(
        database.sql("SELECT DISTINCT action FROM entries WHERE writer = 3"),
        format!("{}\n{}", id(1), id(2))
    );
    // A file that holds something else stays.
    let other = elsewhere.path().join("other");
    std::fs::write(&other, "something else").unwrap();
    let refused = archive(&database, order(&other)).await;
    assert!(matches!(refused, Err(ArchiveError::OtherFile { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "something else");
    verified(&database, &[&file], None).await.unwrap();
}

/// A service that was down for days settles its actions, and looks at their rooms again minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_action_that_was_closed_a_moment_ago_stays() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    let file = elsewhere.path().join("2026.jsonl");
    let minute = |time: &str| (time.parse::<DateTime<Utc>>().unwrap() - at(0)).num_minutes();
    let process = journal(&database).await;
    write(&process, an_end(1, "r1", "a", 0)).await;
    let kind = adjourn::action::ActionKind::End(adjourn::action::Notify::Attendees);
    let began = accepted(action(2, "r2", kind), minute("2026-12-28T09:00:00Z"));
    write(&process, vec![began, closed(2, refused(), minute("2027-01-03T08:55:00Z"))]).await;
    process.close().await;
    let now = "2027-01-03T09:00:00Z".parse().unwrap();
    let report = archive(&database, ArchiveOrder { now, ..order(&file) }).await.unwrap();
    assert_eq!((report.last, report.blocked_by), (4, None));
    assert_eq!(database.sql("SELECT count(*) FROM entries WHERE writer = 1"), "2");
    let weeks_later =
        ArchiveOrder { now: now + TimeDelta::days(32), ..order(&elsewhere.path().join("more.jsonl")) };
    assert_eq!(archive(&database, weeks_later).await.unwrap().last, 6);
}

/// The archive file of a directory without its first entries.
fn without_first(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last: serde_json::Value = serde_json::from_str(lines[count]).unwrap();
    let first_line =
        serde_json::json!({ "adjourn_archive": 1, "first": count + 1, "before": last["hash"] }).to_string();
    [&[first_line.as_str()], &lines[count + 1..]].concat().join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_archived_in_a_directory_is_archived_on() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    let directory = journal_of_everything().await;
    let (file, second) = (elsewhere.path().join("one.jsonl"), elsewhere.path().join("two.jsonl"));
    let source = journal_in(directory.path());
    let early = source.entries(5, 1).await.unwrap()[0].hash;
    let in_directory = source.archive(order(&file)).await.unwrap();
    source.record(closed(200, refused(), 70)).await.unwrap();
    drop(source);
    move_to_database(directory.path(), &settings(&database.url()), None).await.unwrap();
    let report =
        archive(&database, ArchiveOrder { year: 2027, now: now() + TimeDelta::days(400), ..order(&second) });
    let report = report.await.unwrap();
    assert_eq!(report.first, in_directory.last + 1);
    verified(&database, &[], None).await.unwrap();
    let both = verified(&database, &[&file, &second], Some(early)).await.unwrap();
    assert_eq!((both.actions, both.archives_verified), (0, true));
    // The directory's second file, without its first.
    let later = elsewhere.path().join("later.jsonl");
    std::fs::write(&later, without_first(&std::fs::read_to_string(&file).unwrap(), 3)).unwrap();
    for wrong in [vec![&*second], vec![&*file], vec![&*second, &*file], vec![&*later, &*second]] {
        assert!(verified(&database, &wrong, None).await.is_err(), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_journal_does_not_move_to_a_directory() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, elsewhere) = (server.database(), tempfile::tempdir().unwrap());
    old_chains(&database).await;
    archive(&database, order(&elsewhere.path().join("2026.jsonl"))).await.unwrap();
    let before = content(&database);
    let directory = elsewhere.path().join("state");
    let refused = move_to_directory(&settings(&database.url()), &directory, None).await;
    assert!(matches!(refused, Err(MoveError::ArchivedChains)), "{refused:?}");
    assert_eq!(content(&database), before);
    assert_eq!(database.sql("SELECT count(*) FROM moves"), "0");
    assert!(!directory.join("journal.sqlite").exists() && !directory.join("moved-to").exists());
    journal(&database).await.close().await;
}
