//! The program with its journal in PostgreSQL: several processes on one journal, and what is said about the database.

use std::time::Duration;

use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{
    CommandOutput, Installation, Pooler, PostgresPair, PostgresServer, Replication, ServedProcess, room_name,
    wait_until, wait_until_async,
};
use serde_json::Value;

use crate::installed::{configure, install};

/// The program with this many rooms, and its journal in this database.
async fn install_with(url: &str, rooms: usize) -> Installation {
    let office = install(rooms).await;
    use_database(&office, url, "");
    office
}

/// Configures this database, with `more` in the table `[journal]`.
fn use_database(office: &Installation, url: &str, more: &str) {
    office.write_secret("database-url", url);
    let file = office.path("database-url");
    configure(office, &format!("[journal]\nurl = {{ file = \"{}\" }}\n{more}", file.display()));
}

/// Runs a command as another machine does: without the state directory of the service.
async fn run_elsewhere(office: &Installation, args: &[&str]) -> CommandOutput {
    office.finish(office.command_in(&office.path("elsewhere"), args)).await
}

/// The states of all actions in the audit.
async fn states(office: &Installation) -> Vec<String> {
    let lines = office.run(&["audit", "--json"]).await.lines();
    lines.iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect()
}

/// Kills the service in the middle of an action in this room.
async fn end_and_kill(office: &Installation, served: &mut ServedProcess, room: &str) {
    office.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(3))).on("UpdateItem"));
    let before = updates(office);
    let mut command = office.command(&["end", room]);
    let mut command = command.spawn().unwrap();
    wait_until("the service sends the request", || updates(office) > before).await;
    // Without the command, which would perform the action itself after the kill.
    command.kill().unwrap();
    command.wait().unwrap();
    served.child.kill().unwrap();
    served.child.wait().unwrap();
}

fn updates(office: &Installation) -> usize {
    office.sim.requests().iter().filter(|request| request.operation == "UpdateItem").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_a_command_and_the_next_service_share_one_journal() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let office = install_with(&database.url(), 3).await;
    let mut served = office.serve();
    let by_service = office.run(&["end", &room_name(0)]).await;
    assert_eq!(by_service.code, 0, "{}", by_service.err);
    let beside = run_elsewhere(&office, &["end", &room_name(1)]).await;
    assert_eq!(beside.code, 0, "{}", beside.err);
    let writers = "SELECT writer, sealed_by FROM writers ORDER BY writer";
    assert_eq!(database.sql(writers), "1|\n2|2", "the command has sealed its chain, the service has not");
    assert_eq!(database.sql("SELECT DISTINCT writer FROM entries ORDER BY writer"), "1\n2");

    end_and_kill(&office, &mut served, &room_name(2)).await;
    assert_eq!(states(&office).await.iter().filter(|state| *state == "open").count(), 1);
    let next = office.serve();
    wait_until_async("the open action is settled", async || states(&office).await == ["done"; 3]).await;
    assert_eq!(database.sql("SELECT sealed_by FROM writers WHERE writer = 1"), "3");
    next.terminate();
    assert!({ next }.child.wait().unwrap().success());
    assert_eq!(database.sql(writers), "1|3\n2|2\n3|3");

    let verified = office.run(&["--json", "audit", "verify"]).await;
    assert_eq!(verified.code, 0, "{}", verified.err);
    let report = verified.json();
    assert_eq!((&report["actions"], &report["open"]), (&3.into(), &0.into()));
    assert_eq!(report["chains"].as_array().unwrap().len(), 3);
    let text = office.run(&["audit"]).await.out;
    assert!((0..3).all(|room| text.contains(&room_name(room))), "{text}");
}

/// The doctor's finding about the database: its status, its id and its message. There may be a warning after it.
async fn finding(office: &Installation) -> (String, String, String) {
    let report = office.run(&["--json", "doctor"]).await.json();
    let findings = report["findings"].as_array().unwrap();
    let about = findings.iter().filter(|finding| finding["check"] == "database");
    let worst =
        about.max_by_key(|finding| ["pass", "warn", "fail"].iter().position(|one| finding["status"] == *one));
    let text = |member: &str| worst.unwrap()[member].as_str().unwrap_or_default().to_owned();
    (text("status"), text("id"), text("message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_a_failover_would_lose() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous) else { return };
    let url = pair.url(&pair.database());
    let office = install_with(&url, 1).await;
    let (status, _, message) = finding(&office).await;
    assert!(
        status == "pass" && message.contains("standbys that stream: 1; commits wait for one"),
        "{message}"
    );

    pair.require_standbys("");
    let (status, id, message) = finding(&office).await;
    assert_eq!((&*status, &*id), ("fail", "database-may-lose-entries"), "{message}");
    assert!(message.contains("synchronous_standby_names is empty"), "{message}");
    let refused = office.run(&["end", &room_name(0)]).await;
    assert_eq!(refused.code, 8, "{} {}", refused.out, refused.err);
    use_database(&office, &url, "accept_loss = true\n");
    let (status, id, message) = finding(&office).await;
    assert_eq!((&*status, &*id), ("warn", "database-may-lose-entries"), "{message}");

    use_database(&office, &url, "");
    pair.require_standbys("*");
    pair.standby.kill();
    let streams = "SELECT count(*) FROM pg_stat_replication";
    wait_until("the standby is gone", || pair.primary.sql("postgres", streams) == "0").await;
    let (status, id, message) = finding(&office).await;
    assert_eq!((&*status, &*id), ("fail", "database-unusable"), "{message}");
    assert!(message.contains("none streams: nothing can be stored"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_sessions_is_named_and_one_that_does_not_is_used() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let Some(pooler) = Pooler::start(&database, &["pool_mode = transaction"]) else { return };
    let office = install_with(&pooler.url(), 1).await;
    let (status, id, message) = finding(&office).await;
    assert_eq!((&*status, &*id), ("fail", "database-pooled"), "{message}");
    for command in [&["end", &room_name(0)][..], &["audit"], &["key", "list"]] {
        let refused = office.run(command).await;
        assert_eq!(refused.code, 8, "{command:?} {} {}", refused.out, refused.err);
        assert!(refused.err.contains("set its `pool_mode` to `session`"), "{}", refused.err);
    }
    drop(pooler);
    let Some(pooler) = Pooler::start(&database, &["pool_mode = session"]) else { return };
    use_database(&office, &pooler.url(), "");
    assert_eq!(finding(&office).await.0, "pass");
    let ended = office.run(&["end", &room_name(0)]).await;
    assert_eq!(ended.code, 0, "{} {}", ended.out, ended.err);
    assert_eq!(office.run(&["audit", "verify"]).await.code, 0);
}

/// The answer of `/readyz`: its status line, and its text.
async fn readiness(served: &ServedProcess) -> String {
    served.send("", "GET /readyz", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_does_nothing_while_a_failover_would_lose_its_entries() {
    let Some(pair) = PostgresPair::start(Replication::Synchronous) else { return };
    let office = install_with(&pair.url(&pair.database()), 2).await;
    let before = office.end_of(0);
    let served = office.serve();
    assert!(readiness(&served).await.starts_with("HTTP/1.1 200"), "{}", readiness(&served).await);
    pair.require_standbys("");
    pair.primary.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'adjourn %'",
    );
    let refused = office.run(&["end", &room_name(0)]).await;
    assert_eq!(refused.code, 8, "{} {}", refused.out, refused.err);
    assert!(refused.err.contains("The journal's database may lose what it stores"), "{}", refused.err);
    assert_eq!(office.end_of(0), before, "nothing was sent");
    wait_until_async("the service is not ready", async || {
        let answer = readiness(&served).await;
        answer.starts_with("HTTP/1.1 503")
            && answer.contains("the journal's database may lose what it stores")
    })
    .await;
    let log = std::fs::read_to_string(office.path("log")).unwrap();
    assert!(
        log.contains("this process stores no facts") && log.contains("synchronous_standby_names"),
        "{log}"
    );

    pair.require_standbys("*");
    wait_until_async("it is ready", async || readiness(&served).await.starts_with("HTTP/1.1 200")).await;
    let ended = office.run(&["end", &room_name(0)]).await;
    assert_eq!(ended.code, 0, "{} {}", ended.out, ended.err);
    assert_ne!(office.end_of(0), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_entries_a_failover_lost_says_so_and_ends() {
    let Some(pair) = PostgresPair::start(Replication::Asynchronous).map(std::sync::Arc::new) else { return };
    let office = install(3).await;
    use_database(&office, &pair.url(&pair.database()), "accept_loss = true\n");
    let mut served = office.serve();
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    let changing = pair.clone();
    tokio::task::spawn_blocking(move || changing.detach_standby()).await.unwrap();
    assert_eq!(office.run(&["end", &room_name(1)]).await.code, 0);
    let changing = pair.clone();
    tokio::task::spawn_blocking(move || changing.fail_over()).await.unwrap();
    let mut ended = None;
    wait_until("the service ends", || {
        ended = served.child.try_wait().unwrap();
        ended.is_some()
    })
    .await;
    let log = std::fs::read_to_string(office.path("log")).unwrap();
    assert_eq!(ended.and_then(|status| status.code()), Some(9), "{log}");
    assert!(log.contains("PostgreSQL no longer has what it acknowledged"), "{log}");

    // The new primary has a journal that is whole in itself, without the second action.
    let rooms: Vec<Value> =
        office.run(&["audit", "--json"]).await.lines().iter().map(|line| line["room"].clone()).collect();
    assert_eq!(rooms, [Value::from(room_name(0))]);
    assert_eq!(office.run(&["audit", "verify"]).await.code, 0);
    let next = office.run(&["end", &room_name(2)]).await;
    assert_eq!(next.code, 0, "{} {}", next.out, next.err);
}
