//! Two services on one database, as processes: one is active, the other takes over when it is gone, and a wish is carried out once.

use std::time::Duration;

use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{
    HttpReply, Installation, PostgresServer, PostgresTestDatabase, ServedProcess, room_name, wait_until,
    wait_until_async,
};

use crate::installed::{configure, install};
use crate::served::{PRESS, SERVE};

/// Two services: the first is active, the second stands by.
struct Pair {
    office: Installation,
    database: PostgresTestDatabase,
    active: ServedProcess,
    standby: ServedProcess,
    token: String,
}

impl Pair {
    async fn start() -> Option<Self> {
        let database = PostgresServer::shared()?.database();
        let office = install(1).await;
        office.write_secret("database-url", database.url());
        let url = office.path("database-url");
        configure(&office, &format!("[journal]\nurl = {{ file = \"{}\" }}\n", url.display()));
        let token = office.add_key("display", &[]).await;
        let active = office.serve_by(office.command(&SERVE));
        let second = office.command_in(&office.path("second"), &SERVE);
        let standby = office.serve_logging_to("second-log", second);
        Some(Self { office, database, active, standby, token })
    }

    /// Presses the button at the first room's door, once: the key is always the same.
    async fn press(&self, at: &ServedProcess) -> Option<HttpReply> {
        let request = format!("POST /v1/rooms/{}/end", room_name(0));
        HttpReply::parse(&at.send(&self.token, &request, PRESS).await)
    }

    async fn status(&self, path: &str) -> u16 {
        let reply = self.standby.send(&self.token, &format!("GET {path}"), "").await;
        HttpReply::parse(&reply).map_or(0, |reply| reply.status)
    }

    async fn takes_over(&self) {
        wait_until("the former service is sealed", || {
            let sealed = "SELECT count(*) FROM writers WHERE sealed_by <> writer";
            self.database.sql(sealed) != "0"
        })
        .await;
        self.is_ready().await;
    }

    async fn is_ready(&self) {
        wait_until_async("the second service is active", async || self.status("/readyz").await == 200).await;
    }

    /// The operations that Exchange was asked for.
    fn operations(&self) -> Vec<String> {
        self.office.sim.requests().into_iter().map(|request| request.operation).collect()
    }

    fn requests(&self, operation: &str) -> usize {
        self.operations().iter().filter(|one| *one == operation).count()
    }

    /// The one press ended the meeting, nobody sent a change again without a look, and the journal says so.
    async fn is_ended_once(&self) {
        let repeated = self.press(&self.standby).await.unwrap();
        let view = repeated.json();
        assert_eq!((repeated.status, &view["state"]), (200, &"done".into()), "{}", repeated.body);
        let operations = self.operations();
        assert!(operations.windows(2).all(|two| two != ["UpdateItem", "UpdateItem"]), "{operations:?}");
        let record = self.office.run(&["audit", "--json"]).await.lines();
        assert_eq!((record.len(), &record[0]["state"]), (1, &"done".into()));
        let verified = self.office.run(&["audit", "verify"]).await;
        assert_eq!(verified.code, 0, "{}", verified.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_stands_by_and_takes_over_from_one_that_was_killed() {
    let Some(mut pair) = Pair::start().await else { return };
    assert_eq!(pair.status("/healthz").await, 200, "it lives");
    let ready = pair.standby.send(&pair.token, "GET /readyz", "").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("active service"), "{ready}");
    let json = pair.standby.send(&pair.token, "GET /readyz", "Accept: application/json\r\n").await;
    let checks = HttpReply::parse(&json).unwrap().json()["checks"].clone();
    assert_eq!((&checks[0]["check"], &checks[0]["state"]), (&"active".into(), &"failed".into()), "{json}");
    let refused = pair.press(&pair.standby).await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.head.contains("retry-after: 1") && refused.body.contains("Nothing was changed"));

    let slow = InjectedFault::Slow(Duration::from_secs(3));
    pair.office.sim.inject_fault(FaultRule::new(slow).on("UpdateItem"));
    let pressed = pair.press(&pair.active).await.unwrap();
    assert_eq!(pressed.status, 202, "{}", pressed.body);
    pair.active.child.kill().unwrap();
    pair.active.child.wait().unwrap();
    pair.takes_over().await;
    pair.is_ended_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_stopped_and_wakes_up_sends_nothing_more() {
    let Some(mut pair) = Pair::start().await else { return };
    let slow = InjectedFault::Slow(Duration::from_secs(5));
    pair.office.sim.inject_fault(FaultRule::new(slow).on("FindItem"));
    let before = pair.requests("FindItem");
    let pressed = pair.press(&pair.active).await.unwrap();
    assert_eq!(pressed.status, 202, "{}", pressed.body);
    wait_until("the action reads the calendar", || pair.requests("FindItem") > before).await;
    // The process is stopped before it knows the event, and so before it stores an intent.
    pair.active.signal("-STOP");
    pair.takes_over().await;
    let record = async || pair.office.run(&["audit", "--json", "--outcome", "open"]).await.lines();
    wait_until_async("the second service closes the action", async || record().await.is_empty()).await;
    pair.active.signal("-CONT");
    let status = tokio::task::spawn_blocking(move || pair.active.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(8), "another process has taken over from it");
    let sent = pair.office.sim.requests().into_iter().filter(|request| request.operation == "UpdateItem");
    assert!(sent.count() <= 1, "the first process sent what it had decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_in_order_hands_over_at_once() {
    let Some(mut pair) = Pair::start().await else { return };
    let pressed = pair.press(&pair.active).await.unwrap();
    assert_eq!(pressed.status, 200, "{}", pressed.body);
    pair.active.terminate();
    pair.is_ready().await;
    pair.active.child.wait().unwrap();
    pair.is_ended_once().await;
    // The third one stands by for the second, and a signal ends it.
    let third = pair.office.command_in(&pair.office.path("third"), &SERVE);
    let mut third = pair.office.serve_logging_to("third-log", third);
    third.terminate();
    let status = tokio::task::spawn_blocking(move || third.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}
