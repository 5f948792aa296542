//! The service's journal maintenance: it publishes the journal's head, and erases personal data when due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adjourn::access::Right;
use adjourn::action::{Action, ActionId, ActionKind, Actor, Notify};
use adjourn::calendar::Scope;
use adjourn::cleanup::Rules;
use adjourn::clock::{Clock, ClockDoubt, SystemClock};
use adjourn::engine::EngineOptions;
use adjourn::journal::ERASED;
use adjourn::service::{JournalMaintenance, Notice, Service, ServiceOptions};
use adjourn::store::{ServiceStore, SqliteJournal};
use adjourn_test::{
    account_settings, action, address, engine, exchange, journal_in, now, record_refused, service_options,
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::fixture::{ApiFixture, BUSY};

fn care() -> JournalMaintenance {
    JournalMaintenance {
        head_interval: Duration::from_secs(3600),
        erase_personal_after: Some(TimeDelta::days(30)),
        key_ttl: TimeDelta::days(1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_is_told_and_measured() {
    let lobby = ApiFixture::open().await;
    assert_eq!(lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await.status, 200);
    let chain = lobby.service.engine.journal().chain().unwrap();
    let mut notices = lobby.service.notices.subscribe().unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(lobby.service.clone().maintain_journal(care(), stop.clone()));
    let told = loop {
        let noted = notices.recv().await.unwrap();
        if let Notice::JournalHead { .. } = noted.notice {
            break noted.notice;
        }
    };
    assert_eq!(told.kind(), "journal-head");
    let expected = serde_json::json!({ "entry": chain.length, "hash": chain.head.to_string() });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told.to_json()).unwrap(), expected);
    stop.cancel();
    running.await.unwrap();
    let meter = lobby.key("meter", "*", &[Right::Metrics], 100).await;
    let metrics = lobby.send_as(&meter, "GET", "/metrics", &[], "").await.body;
    assert!(metrics.contains(&format!("\nadjourn_journal_entries {}\n", chain.length)), "{metrics}");
    let info = format!("adjourn_journal_head_info{{hash=\"{}\"}} 1", chain.head);
    assert!(metrics.contains(&info), "{metrics}");
}

/// A clock that is in doubt until the test trusts it.
struct DoubtfulClock(AtomicBool);

impl Clock for DoubtfulClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    fn doubt(&self) -> Option<ClockDoubt> {
        let doubt = ClockDoubt::Stepped { by: TimeDelta::days(400) };
        self.0.load(Ordering::SeqCst).then_some(doubt)
    }
}

async fn refused_at(journal: &SqliteJournal, at: DateTime<Utc>) -> ActionId {
    let actor = Actor::User { name: "ada".to_owned(), origin: None };
    let end = action(address(BUSY), ActionKind::End(Notify::Nobody));
    record_refused(journal, Action { actor, ..end }, at).await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_due_are_erased_unless_the_clock_is_in_doubt() {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    let old = refused_at(&journal, now() - TimeDelta::days(31)).await;
    let young = refused_at(&journal, now() - TimeDelta::days(29)).await;
    let clock = Arc::new(DoubtfulClock(AtomicBool::new(true)));
    // It sends no requests.
    let settings = account_settings("https://127.0.0.1:9/EWS/Exchange.asmx", "adjourn", "x");
    let exchange = Arc::new(exchange(&settings));
    let engine = engine(
        exchange.clone(),
        Arc::new(journal),
        clock.clone(),
        Scope::new([address(BUSY)], []),
        EngineOptions::default(),
    );
    let options = ServiceOptions { schedules: Vec::new(), ..service_options(Rules::default()) };
    let service = Service::open(engine, exchange, ServiceStore::in_memory().unwrap(), options).await.unwrap();
    let name = async |id| {
        let life = service.engine.journal().action_record(id).await.unwrap().unwrap();
        life.action.actor.name().to_owned()
    };
    service.erase_due_values(&care()).await;
    assert_eq!(name(old).await, "ada");
    clock.0.store(false, Ordering::SeqCst);
    service.erase_due_values(&JournalMaintenance { erase_personal_after: None, ..care() }).await;
    assert_eq!(name(old).await, "ada");
    service.erase_due_values(&care()).await;
    assert_eq!((name(old).await, name(young).await), (ERASED.to_owned(), "ada".to_owned()));
}
