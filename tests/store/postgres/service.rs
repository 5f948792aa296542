//! What only a service store on PostgreSQL can have: limits that two processes share, connections that break, a server that crashes,
//! and another process that holds a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjourn::access::{KeyId, Right, Rights, StoredKey};
use adjourn::journal::{AdminActor, MemoryJournal};
use adjourn::presence::Interval;
use adjourn::store::{
    DISPLAYS_MAX, KEYS_MAX, KeyError, NewDisplay, OutboxBatch, OutboxNotice, PENDING_MAX, ServiceStore,
    StoreError, TABLE_BOUNDS,
};
use adjourn_test::{PostgresServer, at, room, wait_until};
use chrono::TimeDelta;
use tokio::time::timeout;

use crate::service_stores::{StoreUnderTest, of_postgres, open_postgres};

const BY: AdminActor = AdminActor::Service;

fn key(name: &str) -> StoredKey {
    StoredKey::generate(name, Rights::new([], [Right::Read]), 60).stored
}

/// The store of a new database, and a function that runs SQL in it.
async fn store() -> Option<(ServiceStore, ServiceStore, impl Fn(&str) -> String)> {
    let StoreUnderTest { store, other, postgres, .. } = of_postgres().await?;
    let database = postgres.unwrap();
    Some((store, other, move |sql: &str| database.sql(sql)))
}

/// Keys `k1`, `k2` ….
fn insert_keys(count: usize, revoked: &str) -> String {
    format!(
        "INSERT INTO keys (id, name, hash, rooms, rights, per_minute, created_ms, revoked_ms)
         SELECT 'k' || i, 'k' || i, decode(repeat('00', 32), 'hex'), '[]', '[]', 60, i, {revoked}
         FROM generate_series(1, {count}) AS i"
    )
}

#[tokio::test]
async fn keys_in_force_are_bounded() {
    let Some((store, _, sql)) = store().await else { return };
    sql(&insert_keys(KEYS_MAX, "NULL"));
    assert!(matches!(store.create_key(key("one more"), BY, at(9, 0)).await, Err(KeyError::TooMany)));
    assert!(store.revoke_key(KeyId("k1".to_owned()), at(9, 1)).await.unwrap());
    store.create_key(key("one more"), BY, at(9, 2)).await.unwrap();
    assert_eq!(store.count_keys().await.unwrap(), KEYS_MAX as u64);
}

#[tokio::test]
async fn the_oldest_rows_of_revoked_keys_are_deleted() {
    let Some((store, _, sql)) = store().await else { return };
    sql(&insert_keys(10_050, "i"));
    let door = key("door");
    store.add_key(door.clone(), at(9, 0)).await.unwrap();
    assert!(store.revoke_key(door.holder.id, at(9, 1)).await.unwrap());
    assert_eq!(sql("SELECT count(*), min(revoked_ms) FROM keys"), "10000|52");
}

#[tokio::test]
async fn displays_are_bounded() {
    let Some((store, _, sql)) = store().await else { return };
    sql(&format!(
        "INSERT INTO displays (key_id, room, paired_ms, paired_by)
         SELECT 'k' || i, 'r@x.y', 0, 'operator' FROM generate_series(1, {DISPLAYS_MAX}) AS i"
    ));
    let new = || NewDisplay { key: key("door"), room: room("r1"), paired_by: "operator".to_owned() };
    assert!(!store.pair_display(new(), BY, at(9, 0)).await.unwrap());
    assert_eq!(store.count_keys().await.unwrap(), 0, "nothing was stored");
    sql("DELETE FROM displays WHERE key_id = 'k1'");
    assert!(store.pair_display(new(), BY, at(9, 0)).await.unwrap());
}

/// The change of a key and its admin event are one transaction: where the event does not fit, the key stays as it is.
#[tokio::test]
async fn a_key_whose_admin_event_cannot_wait_is_not_created() {
    let Some((store, _, sql)) = store().await else { return };
    sql(&format!(
        "INSERT INTO pending_admin_events (entry) SELECT '{{}}' FROM generate_series(1, {PENDING_MAX})"
    ));
    let refused = store.create_key(key("door"), BY, at(9, 0)).await;
    assert!(matches!(refused, Err(KeyError::TooManyPending)), "{refused:?}");
    assert_eq!(store.count_keys().await.unwrap(), 0);
    sql("DELETE FROM pending_admin_events WHERE number = 1");
    store.create_key(key("door"), BY, at(9, 0)).await.unwrap();
}

#[tokio::test]
async fn a_table_keeps_its_newest_rows_up_to_its_bound() {
    let Some((store, _, sql)) = store().await else { return };
    let [uptimes, ..] = TABLE_BOUNDS;
    let start = at(9, 0).timestamp_millis();
    sql(&format!(
        "INSERT INTO uptimes SELECT {start} + i * 2, {start} + i * 2 + 1 FROM generate_series(1, {}) AS i",
        uptimes.rows + 500
    ));
    let up = Interval::new(at(9, 0), at(10, 0)).unwrap();
    store.record_uptime(up, Vec::new()).await.unwrap();
    let kept = store.uptimes().await.unwrap();
    assert_eq!(kept.len(), uptimes.rows);
    assert!(kept.contains(&up), "the newest is among them");
}

/// A process that was killed after it had claimed something holds it up for a minute.
#[tokio::test]
async fn a_claim_ends_by_the_clock_of_the_database() {
    let Some((store, other, sql)) = store().await else { return };
    let notice = OutboxNotice {
        id: uuid::Uuid::new_v4(),
        kind: "sweep".to_owned(),
        at: at(9, 0),
        body: "{}".to_owned(),
    };
    let batch = OutboxBatch { webhook: "lobby".to_owned(), missed: 0, notices: vec![notice] };
    store.enqueue_notices(vec![batch], at(18, 0)).await.unwrap();
    assert!(store.claim_notice("lobby".to_owned(), 1, 0).await.unwrap());
    let left = "SELECT (claimed_until_ms - extract(epoch FROM now()) * 1000) BETWEEN 55000 AND 60000 FROM webhook_notices";
    assert_eq!(sql(left), "t");
    sql("UPDATE webhook_notices SET claimed_until_ms = claimed_until_ms - 60000");
    assert!(other.claim_notice("lobby".to_owned(), 1, 0).await.unwrap());

    let journal = MemoryJournal::default();
    store.create_key(key("door"), BY, at(9, 0)).await.unwrap();
    let claimed = "UPDATE pending_admin_events SET claimed_until_ms = extract(epoch FROM now()) * 1000 + ";
    sql(&format!("{claimed} 30000"));
    assert_eq!(other.move_pending_events(&journal).await.unwrap(), 0, "another process moves it");
    sql(&format!("{claimed} 0"));
    assert_eq!(other.move_pending_events(&journal).await.unwrap(), 1);
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let Some((store, _, sql)) = store().await else { return };
    let name = || "hourly".to_owned();
    for minute in 0..5 {
        store.record_run(name(), at(9, minute)).await.unwrap();
        sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()");
        assert_eq!(store.last_run(name()).await.unwrap(), Some(at(9, minute)));
    }
}

/// The server loses its memory as in a power failure while several tasks change the store.
#[tokio::test]
async fn what_was_acknowledged_before_a_crash_of_the_server_is_there() {
    let Some(server) = PostgresServer::start() else { return };
    let store = open_postgres(&server.database().url()).await.unwrap();
    let acknowledged = AtomicUsize::new(0);
    let write = async |task: usize| {
        let (mut last, mut failures) = (None, 0);
        for second in 0..200 {
            let begins = at(9, 0) + TimeDelta::seconds(second);
            match store.claim_run(format!("task {task}"), last, begins).await {
                Ok(claimed) => {
                    assert!(claimed, "nobody else claims it: {last:?}");
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    last = Some(begins);
                }
                Err(_) => {
                    failures += 1;
                    let stored = store.last_run(format!("task {task}")).await.unwrap();
                    assert!(stored == last || stored == Some(begins), "{last:?}: {stored:?}");
                    last = stored;
                }
            }
        }
        (last, failures)
    };
    let crash = async {
        while acknowledged.load(Ordering::Relaxed) < 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let server = server.clone();
        tokio::task::spawn_blocking(move || server.crash_and_restart()).await.unwrap();
    };
    let (one, two, ()) = tokio::join!(write(1), write(2), crash);
    for (task, (last, _)) in [(1, one), (2, two)] {
        assert_eq!(store.last_run(format!("task {task}")).await.unwrap(), last);
    }
    assert!(one.1 + two.1 <= 4, "the store comes back by itself: {one:?} {two:?}");
}

#[tokio::test]
async fn a_lock_that_another_process_holds_ends_the_call_in_time_and_concerns_its_subject_alone() {
    let Some((store, _, sql)) = store().await else { return };
    // The lock of the subject `schedules`, held by a session that does nothing.
    let lock = 0x61_64_6a_73_76_63_00_04_i64;
    let (sql, wait) = (Arc::new(sql), format!("SELECT pg_advisory_lock({lock}); SELECT pg_sleep(20)"));
    let holder = std::thread::spawn({
        let sql = sql.clone();
        move || sql(&wait)
    });
    let held = format!(
        "SELECT count(*) FROM pg_locks WHERE granted AND objid = {} AND classid = {}",
        lock & 0xffff_ffff,
        lock >> 32
    );
    wait_until("the session holds the lock", || sql(&held) == "1").await;
    let refused = timeout(Duration::from_secs(18), store.record_run("hourly".to_owned(), at(9, 0)));
    // Another subject does not wait.
    let other = timeout(Duration::from_secs(8), store.add_key(key("door"), at(9, 0)));
    let (refused, other) = tokio::join!(refused, other);
    other.unwrap().unwrap();
    let refused = refused.unwrap();
    assert!(matches!(refused, Err(StoreError::Postgres(_))), "{refused:?}");
    holder.join().unwrap();
    store.record_run("hourly".to_owned(), at(9, 1)).await.unwrap();
}

#[tokio::test]
async fn a_write_ends_as_a_whole_when_its_caller_goes() {
    let Some((store, _, _)) = store().await else { return };
    let name = || "hourly".to_owned();
    let mut write = Box::pin(store.record_run(name(), at(9, 0)));
    let begun = timeout(Duration::from_millis(1), &mut write).await;
    drop(write);
    let mut stored = store.last_run(name()).await.unwrap();
    for _ in 0..200 {
        if stored.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        stored = store.last_run(name()).await.unwrap();
    }
    assert_eq!(stored, Some(at(9, 0)), "{begun:?}");
}

#[tokio::test]
async fn tables_that_were_changed_by_hand_are_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    drop(open_postgres(&database.url()).await.unwrap());
    database.sql("DROP INDEX keys_in_force");
    let refused = open_postgres(&database.url()).await.map(|_| ()).unwrap_err();
    assert!(refused.is_damage(), "{refused}");
    assert!(refused.to_string().contains("keys_in_force"), "{refused}");
}

#[tokio::test]
async fn an_error_shows_no_password() {
    let Some(server) = PostgresServer::shared() else { return };
    let url = server.database().url().replace("open-sesame", "swordfish");
    let refused = open_postgres(&url).await.map(|_| ()).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("swordfish"), "{refused:?}");
}
