//! `/readyz` runs cheap checks, and names the failed ones without a key.

use std::sync::Arc;

use adjourn::access::Right;
use adjourn::action::ActionId;
use adjourn::calendar::Scope;
use adjourn::engine::EngineOptions;
use adjourn::journal::{
    ActionEntry, ActionRecord, AdminEntry, AdminPage, AdminQuery, Journal, JournalError, MemoryJournal,
    Position, Query, RecordPage, SealedEntry,
};
use adjourn::service::{CheckFinding, ReadinessCheck, Service};
use adjourn::sim::{FaultRule, InjectedFault};
use adjourn::store::ServiceStore;
use adjourn_test::{HttpReply, address, engine};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::fixture::{ApiFixture, BUSY};

async fn readyz(lobby: &ApiFixture, accept: &str) -> HttpReply {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    lobby.send_raw(&request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_askers_costs_exchange_one_request() {
    let lobby = ApiFixture::open().await;
    assert_eq!(lobby.ews_requests("FindItem"), 0);
    let asked = (0..200).map(|_| readyz(&lobby, "*/*"));
    for said in futures_util::future::join_all(asked).await {
        assert_eq!((said.status, said.body.as_str()), (200, "ready\n"));
    }
    assert_eq!(lobby.ews_requests("FindItem"), 1, "Exchange was asked once, by the first");
    let told = readyz(&lobby, "application/json").await;
    assert_eq!(told.header("content-type"), Some("application/json"));
    let view = told.json();
    assert_eq!((&view["ready"], view["checks"].as_array().unwrap().len()), (&json!(true), 4));
    assert!(view["checks"][0]["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{view}");
    let meter = lobby.key("meter", "*", &[Right::Metrics], 600).await;
    let metrics = lobby.send_as(&meter, "GET", "/metrics", &[], "").await.body;
    for name in [r#"adjourn_ready{check="journal"} 1"#, "adjourn_journal_commit_failures_total 0"] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_does_not_answer_is_named_and_no_room_is() {
    let lobby = ApiFixture::open().await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::ResetBefore).times(usize::MAX));
    let said = readyz(&lobby, "text/plain").await;
    assert_eq!(said.status, 503, "{said:?}");
    assert_eq!(said.body, "not ready\nexchange: Exchange has not responded since the service started\n");
    let view = readyz(&lobby, "application/json").await.json();
    let states: Vec<_> =
        view["checks"].as_array().unwrap().iter().map(|check| check["state"].clone()).collect();
    assert_eq!(
        (&view["ready"], states),
        (&json!(false), vec![json!("passed"), json!("passed"), json!("failed"), json!("passed")])
    );
    assert_eq!(lobby.send_as("", "GET", "/healthz", &[], "").await.status, 200, "the process runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_runs_the_checks_that_nobody_asked_for() {
    let lobby = ApiFixture::open().await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::ResetBefore).times(usize::MAX));
    let meter = lobby.key("meter", "*", &[Right::Metrics], 600).await;
    let scrape = async || lobby.send_as(&meter, "GET", "/metrics", &[], "").await.body;
    let metrics = scrape().await;
    for line in [
        r#"adjourn_ready{check="journal"} 1"#,
        r#"adjourn_ready{check="exchange"} 0"#,
        r#"adjourn_exchange_responding{connection="default"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let asked = lobby.ews_requests("FindItem");
    for _ in 0..20 {
        scrape().await;
    }
    assert_eq!(lobby.ews_requests("FindItem"), asked, "one trial serves five seconds");
}

/// A journal on a full disk: it can be read, and every write fails.
struct FullDisk(MemoryJournal);

fn full<T>() -> Result<T, JournalError> {
    Err(JournalError::Unusable("database or disk is full: /var/lib/adjourn/journal.sqlite".to_owned()))
}

#[async_trait]
impl Journal for FullDisk {
    async fn record(&self, _: ActionEntry) -> Result<(), JournalError> {
        full()
    }

    async fn record_admin(&self, _: AdminEntry) -> Result<(), JournalError> {
        full()
    }

    async fn try_commit(&self) -> Result<(), JournalError> {
        full()
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        self.0.admin_events(query).await
    }

    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        self.0.action_record(action).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
        self.0.find(query).await
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError> {
        self.0.page(query, after, examine).await
    }

    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError> {
        self.0.actions_since(since).await
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError> {
        self.0.entries(first, max).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_not_ready_although_the_journal_can_be_read() {
    let lobby = ApiFixture::open().await;
    let engine = engine(
        lobby.service.engine.calendar().clone(),
        Arc::new(FullDisk(MemoryJournal::default())),
        Arc::new(lobby.clock.clone()),
        Scope::new([address(BUSY)], []),
        EngineOptions::default(),
    );
    let options = (*lobby.service.options()).clone();
    let connections = lobby.service.connections.clone();
    let service =
        Service::open(engine, connections, ServiceStore::in_memory().unwrap(), options).await.unwrap();
    assert!(service.engine.journal().entries(1, 1).await.is_ok(), "what /readyz looked at before");
    let found = service.readiness().await;
    assert!(!found.is_ready());
    let failed: Vec<_> =
        found.results.iter().filter(|result| matches!(result.finding, CheckFinding::Failed(_))).collect();
    let expected = CheckFinding::Failed("the journal cannot be written: actions are rejected".to_owned());
    let [failed] = failed[..] else { panic!("{failed:?}") };
    assert_eq!(
        (failed.check, &failed.finding),
        (ReadinessCheck::Journal, &expected),
        "without the name of a file"
    );
}
