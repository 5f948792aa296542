//! A journal that moves from a state directory into the database: the same entries with the same hashes, one place to write to at any time,
//! and an interrupted move that goes on.

use std::path::Path;
use std::sync::Arc;

use adjourn::action::{Outcome, Refusal};
use adjourn::journal::{
    AdminActor, AdminPage, AdminQuery, Chain, ErasureRequest, ErasureTarget, Head, Journal as _, LockName,
    Query,
};
use adjourn::progress::Progress;
use adjourn::store::{
    ArchiveOrder, JournalMove, MoveError, PostgresDatabase, PostgresError, PostgresJournal, ServiceStore,
    SqliteJournal, StoreError, StoreOptions, VerifyError, move_to_database, move_to_directory,
};
use adjourn_test::{PostgresServer, PostgresTestDatabase, journal_in, room};
use chrono::TimeDelta;
use rusqlite::Connection;

use super::{journal, refused, settings};
use crate::sample_entries::{admin_events, an_end, at, closed, id, journal_of_everything};

/// Ends the connections of the move, as a crash does.
const END_OF_CONNECTIONS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'adjourn move%'";

async fn moved(directory: &Path, database: &PostgresTestDatabase) -> Result<JournalMove, MoveError> {
    move_to_database(directory, &settings(&database.url()), None).await
}

/// Sends the one open action of the samples to its end.
async fn finish(directory: &Path) {
    let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
    journal_in(directory).record(closed(200, refused, 70)).await.unwrap();
}

fn root() -> AdminActor {
    AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) }
}

async fn read(database: &PostgresTestDatabase) -> PostgresJournal {
    PostgresJournal::read(&settings(&database.url())).await.unwrap()
}

/// The hashes of all entries of the directory, oldest first.
async fn hashes(directory: &Path) -> Vec<Head> {
    let entries = SqliteJournal::read(directory).unwrap().entries(1, 10_000).await.unwrap();
    entries.into_iter().map(|entry| entry.hash).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_arrives_as_it_was_and_an_earlier_head_is_found() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    let source = journal_in(directory.path());
    for event in admin_events().into_iter().take(2) {
        source.record_admin(event).await.unwrap();
    }
    drop(source);
    let (before, heads) = (SqliteJournal::read(directory.path()).unwrap(), hashes(directory.path()).await);
    let there = moved(directory.path(), &database).await.unwrap();
    assert_eq!((there.entries, there.last.length), (heads.len() as u64, heads.len() as u64));
    assert_eq!((there.last.head, there.anchor.length, there.was_done), (heads[heads.len() - 1], 1, false));

    let after = read(&database).await;
    let chains = after.chains().await.unwrap();
    assert_eq!(chains.len(), 1);
    let first = after.first_entry().await.unwrap().unwrap();
    assert_eq!(
        (first.number, first.hash),
        (1, heads[0]),
        "a process that only reads sees where the journal begins"
    );
    assert_eq!((chains[0].chain, chains[0].sealed_by), (there.last, Some(1)));
    let query = Query::default();
    assert_eq!(after.find(&query).await.unwrap(), before.find(&query).await.unwrap());
    let events = after.admin_events(&AdminQuery::default()).await.unwrap().events;
    assert_eq!(events.len(), 2);
    for head in [heads[0], heads[3], there.last.head, there.anchor.head] {
        let verified = after.verify(Some(head)).await.unwrap();
        assert_eq!((verified.entries, verified.unanchored), (there.entries, 0));
    }
    assert!(after.verify(Some(Head([7; 32]))).await.is_err());

    // New entries go on there, also those of an action that moved.
    let writer = journal(&database).await;
    let _lock = writer.lock(&LockName::Room(room("r1"))).await.unwrap();
    super::write(&writer, an_end(900, "r1", "z", 90)).await;
    writer.close().await;
    assert_eq!(after.verify(Some(heads[0])).await.unwrap().chains.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_takes_no_more_entries_and_stays_readable() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    let store = ServiceStore::open(directory.path()).unwrap();
    store.record_run("hourly".to_owned(), at(1)).await.unwrap();
    let heads = hashes(directory.path()).await;
    moved(directory.path(), &database).await.unwrap();
    let Err(refused) = SqliteJournal::open(directory.path(), StoreOptions::default()) else {
        panic!("opened")
    };
    assert!(matches!(refused, StoreError::Moved { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("has moved to the PostgreSQL database {}", database.name)));
    assert_eq!(hashes(directory.path()).await, heads);
    // Also for a process that had opened the service store before.
    let refused = store.record_run("hourly".to_owned(), at(2)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Moved { .. }), "{refused}");
    assert_eq!(store.last_run("hourly".to_owned()).await.unwrap(), Some(at(1)));
    // The same command again has nothing to do.
    assert!(moved(directory.path(), &database).await.unwrap().was_done);
    std::fs::remove_file(directory.path().join("moved-to")).unwrap();
    journal_in(directory.path()).record_admin(admin_events()[0].clone()).await.unwrap();
    let other = moved(directory.path(), &database).await.unwrap_err();
    assert!(matches!(other, MoveError::OtherJournal(_)), "the directory went on: {other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_store_moves_along() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    let store = ServiceStore::open(directory.path()).unwrap();
    store.record_run("hourly".to_owned(), at(1)).await.unwrap();
    let sql = "
        INSERT INTO keys VALUES ('k1', 'door', x'0102', '[\"*\"]', '[\"read\"]', 60, 1, NULL, NULL, NULL, 5);
        INSERT INTO displays VALUES ('k1', 'r1@example.com', 1, 'ada', 2, '0.1', NULL);
        INSERT INTO evidence VALUES (8589934599, 'r1@example.com', NULL, 1, 'panel', 1, NULL, NULL, 9, 'k1', 3);
        INSERT INTO pending_admin_events VALUES (7, 'later'), (3, 'sooner');
        INSERT INTO webhook_queues VALUES ('hook', 2, NULL, NULL, NULL);
        INSERT INTO webhook_notices VALUES ('hook', 2, 'n2', 'ended', 1, 9, 0, 0, NULL, 4, 'body');
        INSERT INTO series VALUES ('r1@example.com', 'uid' || char(0), 4);";
    Connection::open(directory.path().join("service.sqlite")).unwrap().execute_batch(sql).unwrap();
    assert_eq!(moved(directory.path(), &database).await.unwrap().service_rows, 9);
    assert_eq!(database.sql("SELECT name, per_minute, last_used_ms FROM keys"), "door|60|5");
    assert_eq!(
        database.sql("SELECT string_agg(entry, ' ' ORDER BY number) FROM pending_admin_events"),
        "sooner later"
    );
    assert_eq!(database.sql("SELECT bytes, body FROM webhook_notices"), "4|body");
    assert_eq!(database.sql("SELECT minutes, reporter FROM evidence"), "3|k1");
    let there = PostgresDatabase::new(&settings(&database.url())).unwrap();
    let there = ServiceStore::open_postgres(there).await.unwrap();
    assert_eq!(there.last_run("hourly".to_owned()).await.unwrap(), Some(at(1)));
    // The next sign has a higher number than those that moved.
    assert_eq!(database.sql("SELECT last FROM sign_number_ranges"), "2");
}

/// Everything up to the end of 2026, into this directory.
fn archive_order(to: &Path) -> ArchiveOrder {
    let (to, now) = (to.join("2026.jsonl"), "2027-03-01T00:00:00Z".parse().unwrap());
    ArchiveOrder { year: 2026, to, by: root(), now, key_ttl: TimeDelta::days(1) }
}

/// An end, a name that was erased, and an archived beginning.
async fn archived_and_erased() -> (tempfile::TempDir, tempfile::TempDir, Chain) {
    let (directory, elsewhere) = (journal_of_everything().await, tempfile::tempdir().unwrap());
    let source = journal_in(directory.path());
    let order = archive_order(elsewhere.path());
    let now = order.now;
    let report = source.archive(order).await.unwrap();
    let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
    source.record(closed(200, refused, 70)).await.unwrap();
    for entry in an_end(901, "r1", "y", 80) {
        source.record(entry).await.unwrap();
    }
    let target = ErasureTarget::Person("ada".to_owned());
    let erased =
        source.erase(ErasureRequest { target, by: root(), now, key_ttl: TimeDelta::days(1) }).await.unwrap();
    assert!(erased.values > 0);
    drop(source);
    (directory, elsewhere, Chain { length: report.last, head: report.head })
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_and_erased_entries_stay_what_they_are() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (directory, elsewhere, archived) = archived_and_erased().await;
    let before = SqliteJournal::read(directory.path()).unwrap().verify(None).await.unwrap();
    let there = moved(directory.path(), &database).await.unwrap();
    assert_eq!(there.last.length, archived.length + there.entries);
    let after = read(&database).await;
    let alone = after.verify(Some(archived.head)).await.unwrap();
    assert_eq!(
        (alone.erased, alone.entries, alone.archived),
        (before.erased, before.entries, Some(archived))
    );
    assert!(!alone.archives_verified && alone.erased > 0 && alone.unanchored == 0);
    let files = [elsewhere.path().join("2026.jsonl")];
    assert!(after.verify_with_archives(None, &files).await.unwrap().archives_verified);
    assert_eq!(after.archived().await.unwrap().unwrap().last, archived.length);
    // The first entry that is not archived is read by its hash, too.
    assert!(after.action_record(id(200)).await.unwrap().is_some());
    assert_eq!(
        database.sql("SELECT count(*) FROM personal WHERE convert_from(value, 'UTF8') ILIKE 'ada'"),
        "0"
    );
    for damage in [
        "DELETE FROM archived",
        "UPDATE archived SET file = 'other'",
        "UPDATE archived SET erased = erased + 1",
    ] {
        let rows =
            database.sql("SELECT last, hash, file, erased, erased_through FROM archived WHERE writer = 1");
        database.sql(damage);
        assert!(after.verify(None).await.is_err(), "{damage}");
        let columns: Vec<&str> = rows.split('|').collect();
        database.sql(&format!(
            "DELETE FROM archived; INSERT INTO archived VALUES (1, {}, '{}', '{}', {}, {})",
            columns[0], columns[1], columns[2], columns[3], columns[4]
        ));
        after.verify(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_journal_or_an_open_action_is_not_moved() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    let open = moved(directory.path(), &database).await.unwrap_err();
    assert!(matches!(&open, MoveError::Open(named) if *named == [id(200).to_string()]), "{open}");
    finish(directory.path()).await;
    let file = directory.path().join("journal.sqlite");
    let sql = "UPDATE entries SET body = replace(body, 'r1', 'r9') WHERE number = 1";
    Connection::open(file).unwrap().execute_batch(sql).unwrap();
    let changed = moved(directory.path(), &database).await.unwrap_err();
    assert!(matches!(changed, MoveError::Verify(_)), "{changed}");
    // Nothing was begun.
    assert_eq!(database.sql("SELECT to_regnamespace('adjourn') IS NULL"), "t");
    journal_in(directory.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_empty_database_takes_a_journal() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    let writer = journal(&database).await;
    let refused = moved(directory.path(), &database).await.unwrap_err();
    assert!(matches!(refused, MoveError::Writing(_)), "{refused}");
    writer.record_admin(admin_events()[0].clone()).await.unwrap();
    writer.close().await;
    let refused = moved(directory.path(), &database).await.unwrap_err();
    assert!(matches!(refused, MoveError::OtherJournal(_)), "{refused}");
    let held = journal_in(directory.path());
    let used = moved(directory.path(), &server.database()).await.unwrap_err();
    assert!(matches!(used, MoveError::Store(StoreError::InUse { .. })), "{used}");
    drop(held);

    let other = server.database();
    let store = PostgresDatabase::new(&settings(&other.url())).unwrap();
    ServiceStore::open_postgres(store).await.unwrap().record_run("hourly".to_owned(), at(1)).await.unwrap();
    let refused = moved(directory.path(), &other).await.unwrap_err();
    assert!(refused.to_string().contains("`runs`"), "{refused}");
}

/// A journal of 400 actions, and a service store.
async fn journal_of_many() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let source = Arc::new(journal_in(directory.path()));
    let tasks: Vec<_> = (0..400)
        .map(|number| {
            let source = source.clone();
            tokio::spawn(async move {
                for entry in an_end(number, "r1", "a", 0) {
                    source.record(entry).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let store = ServiceStore::open(directory.path()).unwrap();
    store.record_run("hourly".to_owned(), at(1)).await.unwrap();
    directory
}

/// Checks that no process opens the database.
async fn is_refused_everywhere(database: &PostgresTestDatabase) {
    let is_unfinished = |error: StoreError| {
        assert!(matches!(error, StoreError::Postgres(PostgresError::MoveUnfinished(_))), "{error}");
    };
    is_unfinished(refused(database).await);
    is_unfinished(PostgresJournal::read(&settings(&database.url())).await.map(|_| ()).unwrap_err());
    let store = PostgresDatabase::new(&settings(&database.url())).unwrap();
    is_unfinished(ServiceStore::open_postgres(store).await.map(|_| ()).unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_interrupted_goes_on() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_many().await);
    let same = PostgresTestDatabase { server: server.clone(), name: database.name.clone() };
    let stop = move |progress: Progress<'_>| {
        if progress.done == 500 {
            assert_ne!(same.sql(END_OF_CONNECTIONS), "0");
        }
    };
    let broken = move_to_database(directory.path(), &settings(&database.url()), Some(&stop)).await;
    assert!(broken.is_err(), "{broken:?}");
    assert_eq!(database.sql("SELECT length, sealed_at IS NULL FROM writers"), "500|t");
    is_refused_everywhere(&database).await;
    let other = journal_of_everything().await;
    finish(other.path()).await;
    let refused = moved(other.path(), &database).await.unwrap_err();
    assert!(matches!(refused, MoveError::OtherJournal(_)), "{refused}");

    // The directory may go on before the next run.
    let source = journal_in(directory.path());
    for entry in an_end(901, "r1", "y", 80) {
        source.record(entry).await.unwrap();
    }
    drop(source);
    let heads = hashes(directory.path()).await;
    let there = moved(directory.path(), &database).await.unwrap();
    assert_eq!((there.entries, there.was_done, there.service_rows), (heads.len() as u64, false, 1));
    read(&database).await.verify(Some(heads[10])).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM writers"), "1");
}

/// A crash between the mark in the directory and the one in the database: nobody writes to either, and the same command completes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_stopped_before_its_end_is_completed() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    let store = ServiceStore::open(directory.path()).unwrap();
    store.record_run("hourly".to_owned(), at(1)).await.unwrap();
    let there = moved(directory.path(), &database).await.unwrap();
    database.sql("UPDATE moves SET done_at = NULL; UPDATE writers SET sealed_at = NULL, sealed_by = NULL");
    is_refused_everywhere(&database).await;
    assert!(SqliteJournal::open(directory.path(), StoreOptions::default()).is_err());
    let again = moved(directory.path(), &database).await.unwrap();
    assert_eq!((again.was_done, again.last, again.service_rows), (false, there.last, 1));
    journal(&database).await.close().await;
}

async fn returned(database: &PostgresTestDatabase, directory: &Path) -> Result<JournalMove, MoveError> {
    move_to_directory(&settings(&database.url()), directory, None).await
}

/// Two chains beside the one that came from a directory: the second process continues an action of the first.
async fn chains_of_several(database: &PostgresTestDatabase) {
    let first = journal(database).await;
    super::write(&first, an_end(910, "r1", "x", 90)[..2].to_vec()).await;
    first.record_admin(admin_events()[0].clone()).await.unwrap();
    first.close().await;
    let second = journal(database).await;
    super::write(&second, an_end(910, "r1", "x", 90)[2..].to_vec()).await;
    super::write(&second, an_end(911, "r2", "w", 95)).await;
    second.head().await.unwrap();
    second.record_admin(admin_events()[1].clone()).await.unwrap();
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_goes_to_the_database_and_back() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (old, elsewhere, archived) = archived_and_erased().await;
    let first = moved(old.path(), &database).await.unwrap();
    chains_of_several(&database).await;
    let there = read(&database).await;
    let early = there.entries_of(1, archived.length + 2, 1).await.unwrap()[0].hash;
    let before = there.verify(None).await.unwrap();

    let directory = tempfile::tempdir().unwrap();
    let back = returned(&database, directory.path()).await.unwrap();
    assert_eq!((back.entries, back.actions, back.was_done), (before.entries, before.actions, false));
    let here = SqliteJournal::read(directory.path()).unwrap();
    let query = Query::default();
    assert_eq!(here.find(&query).await.unwrap(), there.find(&query).await.unwrap());
    for head in
        [early, archived.head, first.last.head, first.anchor.head, before.anchor.head, back.anchor.head]
    {
        let verified = here.verify(Some(head)).await.unwrap();
        assert_eq!((verified.entries, verified.erased), (before.entries, before.erased));
    }
    assert!(here.verify(Some(Head([7; 32]))).await.is_err());
    let files = vec![elsewhere.path().join("2026.jsonl")];
    assert!(here.verify_with_archives(Some(early), files).await.unwrap().archives_verified);
    let events = |page: AdminPage| page.events.into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    let (one, other) = (AdminQuery::default(), AdminQuery::default());
    assert_eq!(
        events(here.admin_events(&one).await.unwrap()),
        events(there.admin_events(&other).await.unwrap())
    );

    // The database refuses, and stays readable. The same command again has nothing to do.
    let refused = refused(&database).await;
    assert!(matches!(refused, StoreError::Postgres(PostgresError::Moved(_))), "{refused}");
    let store = PostgresDatabase::new(&settings(&database.url())).unwrap();
    assert!(ServiceStore::open_postgres(store).await.is_err());
    assert!(returned(&database, directory.path()).await.unwrap().was_done);
    let other = returned(&database, tempfile::tempdir().unwrap().path()).await.unwrap_err();
    assert!(other.to_string().contains("has moved to"), "{other}");
}

/// New entries, an erasure, a start and a look back: as in any other directory.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_a_journal_came_to_goes_on() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    chains_of_several(&database).await;
    let back = returned(&database, directory.path()).await.unwrap();
    let source = journal_in(directory.path());
    assert_eq!(source.chain().unwrap(), Chain { length: back.entries, head: back.anchor.head });
    drop(source);
    let source = journal_in(directory.path());
    let more = an_end(901, "r1", "y", 100);
    for entry in more.clone() {
        source.record(entry).await.unwrap();
    }
    let chain = source.chain().unwrap();
    assert_eq!(chain.length, back.entries + more.len() as u64);
    assert_eq!(source.actions_since(at(95)).await.unwrap().len(), 2);
    let now = at(1_000_000);
    let target = ErasureTarget::Person("ada".to_owned());
    let erased =
        source.erase(ErasureRequest { target, by: root(), now, key_ttl: TimeDelta::days(1) }).await.unwrap();
    assert!(erased.values > 0 && erased.spared == 0, "{erased:?}");
    let refused = source.archive(archive_order(directory.path())).await.unwrap_err();
    assert!(refused.to_string().contains("was in a database"), "{refused}");
    drop(source);
    for head in [back.anchor.head, chain.head] {
        let verified = SqliteJournal::read(directory.path()).unwrap().verify(Some(head)).await.unwrap();
        assert_eq!((verified.erased, verified.actions), (erased.values, 3));
    }
    let refused = moved(directory.path(), &server.database()).await.unwrap_err();
    assert!(matches!(refused, MoveError::SeveralChains), "{refused}");
}

/// An erasure names the number of an entry in its chain, which is another one in the file.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_from_several_chains_counts_as_erased_in_the_file() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    chains_of_several(&database).await;
    let writer = journal(&database).await;
    let (now, key_ttl) = (at(1_000_000), TimeDelta::days(1));
    let target = ErasureTarget::Person("ada".to_owned());
    let erased = writer.erase(ErasureRequest { target, by: root(), now, key_ttl }).await.unwrap();
    writer.close().await;
    returned(&database, directory.path()).await.unwrap();
    let verified = SqliteJournal::read(directory.path()).unwrap().verify(None).await.unwrap();
    assert!(erased.values > 0 && verified.erased == erased.values, "{erased:?} {verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_in_a_journal_that_came_back_shows() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    chains_of_several(&database).await;
    returned(&database, directory.path()).await.unwrap();
    let file = directory.path().join("journal.sqlite");
    let whole = std::fs::read(&file).unwrap();
    for damage in [
        "UPDATE entries SET body = replace(body, 'r1', 'r9') WHERE number = 1",
        "DELETE FROM entries WHERE number = 5",
        "DELETE FROM chained WHERE entry = 2",
        "UPDATE chained SET writer = 7 WHERE writer = 2",
        "DELETE FROM chains WHERE writer = 2",
        "UPDATE chains SET length = length - 1",
        "DELETE FROM anchors WHERE number = (SELECT max(number) FROM anchors)",
        "UPDATE anchors SET body = replace(body, 'length', 'lenght')",
        "UPDATE beginning SET hash = zeroblob(32)",
        "UPDATE beginning SET last = last - 1",
        "DELETE FROM beginning",
    ] {
        std::fs::write(&file, &whole).unwrap();
        SqliteJournal::read(directory.path()).unwrap().verify(None).await.unwrap();
        let connection = Connection::open(&file).unwrap();
        assert!(connection.execute(damage, []).unwrap() > 0, "{damage}");
        drop(connection);
        assert!(SqliteJournal::read(directory.path()).unwrap().verify(None).await.is_err(), "{damage}");
    }
}

/// Hashes that were computed again are in no anchor.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_sealed_again_shows_in_a_journal_that_came_back() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    chains_of_several(&database).await;
    returned(&database, directory.path()).await.unwrap();
    let connection = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    let sql =
        "SELECT e.number, e.body, e.hash, c.number FROM chained AS c JOIN entries AS e ON e.number = c.entry
               WHERE c.writer = 2 ORDER BY c.number DESC LIMIT 2";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let length = row.get::<_, i64>(3)?.unsigned_abs();
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, Chain { length, head: Head(row.get(2)?) }))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let [(last, body, _), (_, _, before)] = &rows[..] else { panic!("{rows:?}") };
    let again = { *before }.seal(body.replacen("\"at\":\"20", "\"at\":\"19", 1));
    assert_ne!(again.body, *body);
    let sql = "UPDATE entries SET body = ?1, hash = ?2 WHERE number = ?3";
    connection.execute(sql, (&again.body, again.hash.0, last)).unwrap();
    connection.execute("UPDATE chains SET head = ?1 WHERE writer = 2", [again.hash.0]).unwrap();
    let verified = SqliteJournal::read(directory.path()).unwrap().verify(None).await;
    assert!(matches!(verified, Err(VerifyError::Anchor { .. })), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_waits_for_writers_and_open_actions_and_needs_an_empty_directory() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    let nothing = returned(&database, directory.path()).await.unwrap_err();
    assert!(matches!(nothing, MoveError::Store(StoreError::Postgres(PostgresError::Absent))), "{nothing}");
    let writer = journal(&database).await;
    super::write(&writer, an_end(1, "r1", "a", 0)[..2].to_vec()).await;
    let refused = returned(&database, directory.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::Writing(_)), "{refused}");
    writer.close().await;
    let refused = returned(&database, directory.path()).await.unwrap_err();
    assert!(matches!(&refused, MoveError::Open(named) if *named == [id(1).to_string()]), "{refused}");
    let writer = journal(&database).await;
    super::write(&writer, an_end(1, "r1", "a", 0)[2..].to_vec()).await;
    writer.close().await;
    let used = journal_of_everything().await;
    let refused = returned(&database, used.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotVacant(_)), "{refused}");
    drop(ServiceStore::open(directory.path()).unwrap());
    let refused = returned(&database, directory.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotVacant(_)), "{refused}");
    // All of these left the database as it was.
    journal(&database).await.close().await;
    returned(&database, tempfile::tempdir().unwrap().path()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_that_was_interrupted_goes_on() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, old) = (server.database(), journal_of_many().await);
    moved(old.path(), &database).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let same = PostgresTestDatabase { server: server.clone(), name: database.name.clone() };
    let stop = move |progress: Progress<'_>| {
        if progress.done == 500 {
            assert_ne!(same.sql(END_OF_CONNECTIONS), "0");
        }
    };
    let broken = move_to_directory(&settings(&database.url()), directory.path(), Some(&stop)).await;
    assert!(broken.is_err(), "{broken:?}");
    let unfinished = refused(&database).await;
    assert!(matches!(unfinished, StoreError::Postgres(PostgresError::MoveUnfinished(_))), "{unfinished}");
    assert!(matches!(
        SqliteJournal::open(directory.path(), StoreOptions::default()),
        Err(StoreError::Moved { .. })
    ));
    let elsewhere = returned(&database, tempfile::tempdir().unwrap().path()).await.unwrap_err();
    assert!(elsewhere.to_string().contains("has not finished"), "{elsewhere}");

    let back = returned(&database, directory.path()).await.unwrap();
    assert_eq!((back.actions, back.service_rows, back.was_done), (400, 1, false));
    assert!(!directory.path().join("arriving.sqlite").exists());
    // A crash before the last two steps.
    database.sql("UPDATE moves SET done_at = NULL WHERE direction = 'out'; UPDATE writers SET sealed_at = NULL WHERE writer = 2");
    std::fs::write(directory.path().join("moved-to"), "the database").unwrap();
    let again = returned(&database, directory.path()).await.unwrap();
    assert_eq!((again.anchor, again.was_done), (back.anchor, false));
    drop(journal_in(directory.path()));
    let store = ServiceStore::open(directory.path()).unwrap();
    assert_eq!(store.last_run("hourly".to_owned()).await.unwrap(), Some(at(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_has_moved_goes_to_no_second_database() {
    let Some(server) = PostgresServer::shared() else { return };
    let (first, second, directory) = (server.database(), server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    moved(directory.path(), &first).await.unwrap();
    let refused = moved(directory.path(), &second).await.unwrap_err();
    assert!(matches!(refused, MoveError::Store(StoreError::Moved { .. })), "{refused}");
    assert_eq!(second.sql("SELECT count(*) FROM adjourn.entries"), "0");
    assert!(moved(directory.path(), &first).await.unwrap().was_done, "the first one has it still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_does_not_replace_a_journal_that_began_meanwhile() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    chains_of_several(&database).await;
    let place = directory.path().canonicalize().unwrap();
    // The run stopped right after it had recorded the departure.
    database.sql(&format!(
        "INSERT INTO adjourn.moves (direction, place, writer)
         SELECT 'out', 'the directory {}', max(writer) FROM adjourn.writers",
        place.display()
    ));
    drop(journal_in(directory.path()));
    let refused = returned(&database, directory.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotVacant(_)), "{refused}");
    assert!(hashes(directory.path()).await.is_empty(), "the directory has its own journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_journal_does_not_begin_to_return() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), tempfile::tempdir().unwrap());
    chains_of_several(&database).await;
    database.sql("UPDATE adjourn.entries SET body = body || ' ' WHERE number = 1");
    let refused = returned(&database, directory.path()).await.unwrap_err();
    assert!(matches!(refused, MoveError::Verify(_)), "{refused}");
    assert_eq!(database.sql("SELECT count(*) FROM adjourn.moves"), "0", "processes still open the database");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_between_two_runs_is_named() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, directory) = (server.database(), journal_of_everything().await);
    finish(directory.path()).await;
    moved(directory.path(), &database).await.unwrap();
    // As if the run had stopped before its end.
    database.sql("UPDATE adjourn.moves SET done_at = NULL; UPDATE adjourn.writers SET sealed_at = NULL, sealed_by = NULL");
    std::fs::remove_file(directory.path().join("moved-to")).unwrap();
    let everything = ErasureTarget::Before(at(10_000));
    let erasure =
        ErasureRequest { target: everything, by: root(), now: at(10_001), key_ttl: TimeDelta::zero() };
    assert!(journal_in(directory.path()).erase(erasure).await.unwrap().values > 0);
    let refused = moved(directory.path(), &database).await.unwrap_err();
    assert!(refused.to_string().contains("drop its schema"), "{refused}");
}
