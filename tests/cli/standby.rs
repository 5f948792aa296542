//! Two services on one database, as processes: one is active, the other takes over when it is gone, and a wish is carried out once.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{
    HttpReply, Installation, PostgresServer, PostgresTestDatabase, ServedProcess, room_name, wait_until,
    wait_until_async,
};
use tokio::time::Instant;

use crate::installed::{configure, install};
use crate::served::{PATIENT_PRESS, PRESS, SERVE};

/// A process seals others when it has run for ten seconds. The tests pass without this wait; the times that they print need it.
const MAY_SEAL_AFTER: Duration = Duration::from_secs(11);

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
        tokio::time::sleep(MAY_SEAL_AFTER).await;
        Some(Self { office, database, active, standby, token })
    }

    /// A service that stands by for the second one.
    fn third(&self) -> ServedProcess {
        let command = self.office.command_in(&self.office.path("third"), &SERVE);
        self.office.serve_logging_to("third-log", command)
    }

    /// Presses the button at the first room's door, once: the key is always the same.
    async fn press(&self, at: &ServedProcess) -> Option<HttpReply> {
        self.press_with(at, PRESS).await
    }

    /// The same, and waits for the end.
    async fn press_to_the_end(&self, at: &ServedProcess) -> HttpReply {
        self.press_with(at, PATIENT_PRESS).await.unwrap()
    }

    async fn press_with(&self, at: &ServedProcess, headers: &str) -> Option<HttpReply> {
        let request = format!("POST /v1/rooms/{}/end", room_name(0));
        HttpReply::parse(&at.send(&self.token, &request, headers).await)
    }

    async fn status(&self, path: &str) -> u16 {
        let reply = self.standby.send(&self.token, &format!("GET {path}"), "").await;
        HttpReply::parse(&reply).map_or(0, |reply| reply.status)
    }

    /// The writer that is the active service.
    fn active_writer(&self) -> String {
        self.database.sql("SELECT writer FROM locks WHERE name = 'service'")
    }

    /// The writer that sealed this one; empty while it may write.
    fn sealed_by(&self, writer: &str) -> String {
        self.database.sql(&format!("SELECT sealed_by FROM writers WHERE writer = {writer}"))
    }

    /// Waits until the second service has sealed this writer and is active, and prints how long it took after `what`.
    async fn takes_over_from(&self, writer: &str, what: &str) {
        let begun = Instant::now();
        wait_until("the former service is sealed", || !self.sealed_by(writer).is_empty()).await;
        assert_ne!(self.sealed_by(writer), writer, "the former service did not end in order");
        self.is_ready(what, begun).await;
    }

    async fn is_ready(&self, what: &str, begun: Instant) {
        wait_until_async("the second service is active", async || self.status("/readyz").await == 200).await;
        println!("{what}: the second service is active after {} ms", begun.elapsed().as_millis());
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
        wait_until_async("the press is answered", async || {
            let repeated = self.press(&self.standby).await.unwrap();
            assert!([200, 202].contains(&repeated.status), "{}", repeated.body);
            repeated.status == 200 && repeated.json()["state"] == "done"
        })
        .await;
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
    let writer = pair.active_writer();
    pair.active.child.kill().unwrap();
    pair.active.child.wait().unwrap();
    let begun = Instant::now();
    pair.takes_over_from(&writer, "killed with a request on its way").await;
    pair.is_ended_once().await;
    println!("killed with a request on its way: answered after {} ms", begun.elapsed().as_millis());
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
    let writer = pair.active_writer();
    pair.active.signal("-STOP");
    pair.takes_over_from(&writer, "stopped").await;
    let record = async || pair.office.run(&["audit", "--json", "--outcome", "open"]).await.lines();
    wait_until_async("the second service closes the action", async || record().await.is_empty()).await;
    let sent = pair.requests("UpdateItem");
    pair.active.signal("-CONT");
    let status = tokio::task::spawn_blocking(move || pair.active.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(8), "another process has taken over from it");
    let requests = pair.office.sim.requests();
    let updates = requests.iter().filter(|request| request.operation == "UpdateItem").count();
    assert_eq!(updates, sent, "the first process sent what it had decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_in_order_hands_over_at_once() {
    let Some(mut pair) = Pair::start().await else { return };
    let pressed = pair.press_to_the_end(&pair.active).await;
    assert_eq!(pressed.status, 200, "{}", pressed.body);
    let (writer, begun) = (pair.active_writer(), Instant::now());
    pair.active.terminate();
    assert_eq!(pair.active.child.wait().unwrap().code(), Some(0));
    assert_eq!(pair.sealed_by(&writer), writer, "nobody else had to find out that it ended");
    pair.is_ready("ended in order", begun).await;
    pair.is_ended_once().await;
    // A signal ends one that stands by, too.
    let mut third = pair.third();
    third.terminate();
    let status = tokio::task::spawn_blocking(move || third.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    // The next third one takes over from the second.
    let third = pair.third();
    let mut second = std::mem::replace(&mut pair.standby, third);
    tokio::time::sleep(MAY_SEAL_AFTER).await;
    let writer = pair.active_writer();
    second.child.kill().unwrap();
    pair.takes_over_from(&writer, "killed while nothing was in progress").await;
    pair.is_ended_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ended_in_order_leaves_nobody_to_wait_for() {
    let Some(mut pair) = Pair::start().await else { return };
    pair.standby.terminate();
    pair.standby.child.wait().unwrap();
    pair.active.terminate();
    assert_eq!(pair.active.child.wait().unwrap().code(), Some(0));
    let open = pair.database.sql("SELECT count(*) FROM writers WHERE sealed_at IS NULL");
    assert_eq!(open, "0", "every process that ended has sealed its chain");
    pair.standby = pair.third();
    let first_answer = pair.standby.send(&pair.token, "GET /readyz", "").await;
    assert!(
        first_answer.starts_with("HTTP/1.1 200"),
        "it is active from its first answer on: {first_answer}"
    );
}

/// HAProxy with the configuration of `deploy/haproxy`, in front of both services; `None` where it is not installed.
fn balancer(pair: &Pair) -> Option<ServedProcess> {
    let Ok(version) = Command::new("haproxy").arg("-v").output() else {
        assert!(std::env::var_os("ADJOURN_REQUIRE_POSTGRES").is_none(), "haproxy is not installed");
        return None;
    };
    assert!(version.status.success(), "{version:?}");
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let child = Command::new("haproxy")
        .args(["-db", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy/haproxy.cfg")])
        .envs([
            ("ADJOURN_BIND", &at),
            ("ADJOURN_FIRST", &pair.active.at),
            ("ADJOURN_SECOND", &pair.standby.at),
        ])
        .spawn()
        .unwrap();
    Some(ServedProcess { child, at })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_sends_every_request_to_the_active_service() {
    let Some(mut pair) = Pair::start().await else { return };
    let Some(balancer) = balancer(&pair) else { return };
    // Until its first check, the balancer takes both for active.
    wait_until_async("the balancer sends twenty requests in a row to the active service", async || {
        for _ in 0..20 {
            // Needs no key, and so has no rate limit.
            if !balancer.send("", "GET /readyz", "").await.starts_with("HTTP/1.1 200") {
                return false;
            }
        }
        true
    })
    .await;
    let pressed = pair.press_to_the_end(&balancer).await;
    assert_eq!(pressed.status, 200, "{}", pressed.body);
    pair.active.child.kill().unwrap();
    pair.active.child.wait().unwrap();
    wait_until_async("the balancer finds the other one", async || {
        let repeated = pair.press(&balancer).await;
        repeated.is_some_and(|reply| reply.status == 200 && reply.json()["repeated"] == true)
    })
    .await;
    pair.is_ended_once().await;
}
