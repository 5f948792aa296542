//! `/readyz` tries what it vouches for, cheaply, and names what fails without a key.

use adjourn::access::Right;
use adjourn::sim::{Trouble, Wrong};
use serde_json::json;

use crate::lobby::{Lobby, Said};

async fn readyz(lobby: &Lobby, accept: &str) -> Said {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    lobby.raw(&request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_askers_costs_exchange_one_request() {
    let lobby = Lobby::open().await;
    assert_eq!(lobby.asked("FindItem"), 0);
    let asked = (0..200).map(|_| readyz(&lobby, "*/*"));
    for said in futures_util::future::join_all(asked).await {
        assert_eq!((said.status, said.body.as_str()), (200, "ready\n"));
    }
    assert_eq!(lobby.asked("FindItem"), 1, "Exchange was asked once, by the first");
    let told = readyz(&lobby, "application/json").await;
    assert_eq!(told.header("content-type"), Some("application/json"));
    let view = told.json();
    assert_eq!((&view["ready"], view["checks"].as_array().unwrap().len()), (&json!(true), 4));
    let meter = lobby.key("meter", "*", &[Right::Metrics], 600).await;
    let metrics = lobby.ask_as(&meter, "GET", "/metrics", &[], "").await.body;
    for name in [r#"adjourn_ready{check="journal"} 1"#, "adjourn_journal_failed_commits_total 0"] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_does_not_answer_is_named_and_no_room_is() {
    let lobby = Lobby::open().await;
    lobby.sim.trouble(Trouble::new(Wrong::ResetBefore).times(usize::MAX));
    let said = readyz(&lobby, "text/plain").await;
    assert_eq!(said.status, 503, "{said:?}");
    assert_eq!(said.body, "not ready\nexchange: Exchange has not answered since the service began\n");
    let view = readyz(&lobby, "application/json").await.json();
    let states: Vec<_> =
        view["checks"].as_array().unwrap().iter().map(|check| check["state"].clone()).collect();
    assert_eq!(
        (&view["ready"], states),
        (&json!(false), vec![json!("passed"), json!("passed"), json!("failed"), json!("passed")])
    );
    assert_eq!(lobby.ask_as("", "GET", "/healthz", &[], "").await.status, 200, "the process runs");
}
