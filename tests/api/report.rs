//! The report: a key's rights and rooms decide what it counts.

use adjourn::access::Right;

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER};

#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_the_rooms_of_the_key_alone() {
    let lobby = ApiFixture::open().await;
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    for room in [BUSY, OTHER] {
        let ended = lobby.send_as(&all, "POST", &format!("/v1/rooms/{room}/end"), &[], "").await;
        assert_eq!(ended.status, 200, "{ended:?}");
    }
    let refused = lobby.send_as(&all, "POST", &format!("/v1/rooms/{FREE}/end"), &[], "").await;
    assert_eq!(refused.problem(), "no-current-event");

    let everything = lobby.send_as(&all, "GET", "/v1/report", &[], "").await.json();
    assert_eq!((&everything["totals"]["actions"], &everything["by"]), (&3.into(), &"room".into()));
    assert_eq!(everything["totals"]["ended_early"]["count"], 2);
    // The display's key sees example.com alone. Actions of other keys there count too.
    let own = lobby.get("/v1/report").await;
    assert_eq!(own.status, 200, "{own:?}");
    assert!(!own.body.contains(OTHER), "{own:?}");
    let own = own.json();
    assert_eq!((&own["totals"]["actions"], &own["totals"]["refused"]), (&2.into(), &1.into()), "{own}");
    let minutes = own["rows"][0]["figures"]["released_minutes"].as_i64().unwrap();
    assert_eq!(own["rows"][0]["key"], BUSY);
    assert!((38..=41).contains(&minutes), "{own}");
    assert_eq!(own["refusals"][0]["reason"], "no-current-event");
    let elsewhere = lobby.get(&format!("/v1/report?rooms={OTHER}")).await.json();
    assert_eq!(elsewhere["totals"]["actions"], 0);
    let free = lobby.get("/v1/report?rooms=fr*&by=weekday").await.json();
    assert_eq!((&free["totals"]["actions"], free["rows"].as_array().unwrap().len()), (&1.into(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_needs_the_right_to_audit_and_names_no_organizer() {
    let lobby = ApiFixture::open().await;
    lobby.post(&format!("/v1/rooms/{BUSY}/delete"), "").await;
    let reader = lobby.key("reader", "*", &[Right::Read, Right::Cleanup], 600).await;
    let refused = lobby.send_as(&reader, "GET", "/v1/report", &[], "").await;
    assert_eq!((refused.status, refused.problem()), (403, "forbidden".to_owned()));
    let named = lobby.get("/v1/report?by=organizer").await;
    assert_eq!((named.status, named.problem()), (403, "forbidden".to_owned()));
    assert!(named.body.contains("report.organizers"), "{named:?}");
    let series = lobby.get("/v1/report?by=series").await;
    assert!(series.status == 200 && !series.body.contains("ada@"), "{series:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_report_is_refused_with_a_remedy() {
    let lobby = ApiFixture::open().await;
    for (query, word) in [
        ("by=rooom", "Did you mean `room`?"),
        ("since=2020-01-01T00:00:00Z", "366 days"),
        ("since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", "before `until`"),
        ("since=yesterday", "since"),
        ("colour=blue", "colour"),
    ] {
        let refused = lobby.get(&format!("/v1/report?{query}")).await;
        assert_eq!((refused.status, refused.problem()), (400, "bad-request".to_owned()), "{query}");
        assert!(refused.body.contains(word), "{query}: {refused:?}");
    }
}
