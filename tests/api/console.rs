//! The console before sign-in, and the API's console-only endpoints (`/v1/me`, `/v1/doctor`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjourn::access::Right;
use adjourn::api::{self, Doctor, ListenerLimits};
use adjourn::cleanup::{RoomGroup, Rules};
use adjourn::console::{self, SignInConfig, SignInConfigSource};
use adjourn::doctor::{DoctorFinding, DoctorReport, FindingId, FindingStatus};
use adjourn_test::HttpReply;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::fixture::{ApiFixture, BUSY, FREE};

/// A sign-in provider, or none.
struct FakeSignIn(Option<&'static str>);

#[async_trait::async_trait]
impl SignInConfigSource for FakeSignIn {
    async fn sign_in_config(&self) -> Option<SignInConfig> {
        Some(SignInConfig {
            client_id: "console".to_owned(),
            scope: "openid".to_owned(),
            authorization_endpoint: "https://login.example.com/authorize".to_owned(),
            token_endpoint: self.0?.to_owned(),
        })
    }
}

/// A doctor that runs until the test lets it finish, and counts its runs.
#[derive(Default)]
struct SlowDoctor {
    asked: AtomicUsize,
    ready: Notify,
}

#[async_trait::async_trait]
impl Doctor for SlowDoctor {
    async fn examine(&self) -> DoctorReport {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.ready.notified().await;
        DoctorReport::new(vec![DoctorFinding {
            connection: Some("default".to_owned()),
            room: None,
            check: "clock",
            id: Some(FindingId::ClockSkew),
            status: FindingStatus::Warn,
            message: "two minutes apart".to_owned(),
            remedy: Some("mend it".to_owned()),
            code: None,
        }])
    }
}

impl ApiFixture {
    /// Replaces the API by one with the console and this doctor.
    async fn furnish(&mut self, provider: Option<&'static str>, doctor: Arc<dyn Doctor>) {
        let router = api::router(self.api().with_doctor(doctor));
        let router = router.merge(console::router(Arc::new(FakeSignIn(provider))));
        self.at = self.serve(router, None, ListenerLimits::default()).await;
    }

    async fn as_a_stranger(&self, path: &str, more: &str) -> HttpReply {
        self.send_raw(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n")).await
    }
}

async fn with_console(provider: Option<&'static str>) -> ApiFixture {
    let mut lobby = ApiFixture::open().await;
    lobby.furnish(provider, Arc::new(SlowDoctor::default())).await;
    lobby
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_need_no_key_and_hold_nothing() {
    let lobby = with_console(None).await;
    for path in [
        "/",
        "/plan",
        "/audit",
        "/report",
        "/doctor",
        "/keys",
        "/displays",
        "/display",
        "/rooms/busy@example.com",
        "/rooms/nobody@nowhere.example",
    ] {
        let page = lobby.as_a_stranger(path, "").await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(
            policy.contains("connect-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!((page.header("referrer-policy"), page.header("set-cookie")), (Some("no-referrer"), None));
        assert!(!page.body.contains("example.com") && !page.body.contains(" style="), "{}", page.body);
        let tag = page.header("etag").unwrap();
        let again = lobby.as_a_stranger(path, &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    for (part, kind) in [
        ("/console/console.css", "text/css"),
        ("/console/board.js", "text/javascript"),
        ("/console/languages/he.js", "text/javascript"),
        ("/console/display.webmanifest", "application/manifest+json"),
        ("/console/icon.svg", "image/svg+xml"),
        ("/display-worker.js", "text/javascript"),
    ] {
        let part = lobby.as_a_stranger(part, "").await;
        assert!(part.status == 200 && part.header("content-type").unwrap().starts_with(kind), "{part:?}");
    }
    assert_eq!(lobby.as_a_stranger("/console/..%2Fmod.rs", "").await.status, 404);
    // Everything else still needs a key.
    for path in ["/v1/rooms", "/v1/me", "/v1/doctor", "/nothing", "/metrics"] {
        assert_eq!(lobby.as_a_stranger(path, "").await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_offered_and_may_be_asked_and_nobody_else() {
    let lobby = with_console(Some("https://login.example.com/token")).await;
    let page = lobby.as_a_stranger("/", "").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("connect-src 'self' https://login.example.com;"), "{policy}");
    let config = lobby.as_a_stranger("/console/config.json", "").await;
    assert_eq!(
        config.json()["oidc"],
        json!({
            "client_id": "console",
            "scope": "openid",
            "authorization_endpoint": "https://login.example.com/authorize",
            "token_endpoint": "https://login.example.com/token",
        })
    );
    assert_eq!(config.header("cache-control"), Some("no-store"));
    let lobby = with_console(Some("https://login.example.com;script-src/token")).await;
    let policy = lobby.as_a_stranger("/", "").await.header("content-security-policy").unwrap().to_owned();
    assert!(policy.contains("connect-src 'self';"), "an address that says more is left out: {policy}");
    let none = with_console(None).await.as_a_stranger("/console/config.json", "").await;
    assert_eq!(none.json()["oidc"], Value::Null);
    assert_eq!(none.json()["build"], config.json()["build"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_hears_what_it_is_good_for() {
    let lobby = ApiFixture::open().await;
    let some = lobby.key("some", BUSY, &[Right::Read, Right::End], 600).await;
    let me = lobby.send_as(&some, "GET", "/v1/me", &[], "").await.json();
    let known = json!({
        "name": "some", "rights": ["read", "end"], "rooms": [BUSY], "all_rooms": false, "check_in_links": false,
    });
    assert_eq!(me, known);
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let me = lobby.send_as(&all, "GET", "/v1/me", &[], "").await.json();
    assert_eq!((&me["all_rooms"], me["rights"].as_array().unwrap().len()), (&json!(true), Right::ALL.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_have_names_buildings_and_zones_where_the_places_say() {
    let place = RoomGroup {
        name: "here".to_owned(),
        rooms: vec![BUSY.parse().unwrap_or_else(|never| match never {})],
        building: Some("Main".to_owned()),
        time_zone: Some("Asia/Tokyo".to_owned()),
        language: Some("ja".to_owned()),
        names: BTreeMap::from([(BUSY.parse().unwrap(), "Busy one".to_owned())]),
        ..RoomGroup::default()
    };
    let lobby = ApiFixture::with(Rules { room_groups: vec![place], ..Rules::default() }).await;
    let listed = lobby.get("/v1/rooms").await.json();
    let known = |room: &Value| ["name", "building", "time_zone"].map(|key| room[key].clone());
    let here = ["Busy one", "Main", "Asia/Tokyo"].map(Value::from);
    assert_eq!(known(&listed["rooms"][0]), here);
    assert_eq!(known(&listed["rooms"][1]), [const { Value::Null }; 3]);
    let view = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    assert_eq!((known(&view), &view["language"]), (here, &json!("ja")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_asked_once_at_a_time_by_those_who_may_know_everything() {
    let mut lobby = ApiFixture::open().await;
    let doctor = Arc::new(SlowDoctor::default());
    lobby.furnish(None, doctor.clone()).await;
    assert_eq!(lobby.get("/v1/doctor").await.status, 403, "its rooms are not all rooms");
    let reader = lobby.key("reader", "*", &[Right::Read], 600).await;
    assert_eq!(lobby.send_as(&reader, "POST", "/v1/doctor", &[], "").await.status, 403);
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let ask = async |method: &str| lobby.send_as(&all, method, "/v1/doctor", &[], "").await;
    let never = ask("GET").await.json();
    assert_eq!(
        (&never["running"], &never["finished_at"], &never["findings"]),
        (&json!(false), &Value::Null, &json!([]))
    );
    for _ in 0..3 {
        let begun = ask("POST").await;
        assert_eq!((begun.status, &begun.json()["running"]), (202, &json!(true)));
    }
    doctor.ready.notify_one();
    let report = loop {
        let report = ask("GET").await.json();
        if report["running"] == false {
            break report;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(doctor.asked.load(Ordering::SeqCst), 1);
    assert_eq!((&report["status"], &report["findings"][0]["check"]), (&json!("warn"), &json!("clock")));
    assert!(report["headline"].as_str().unwrap().contains("two minutes apart"), "{report}");
}

/// A doctor that returns one finding at once, and counts its runs.
struct FixedDoctor {
    check: &'static str,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Doctor for FixedDoctor {
    async fn examine(&self) -> DoctorReport {
        self.asked.fetch_add(1, Ordering::SeqCst);
        DoctorReport::new(vec![DoctorFinding {
            connection: Some("default".to_owned()),
            room: None,
            check: self.check,
            id: None,
            status: FindingStatus::Fail,
            message: "no".to_owned(),
            remedy: None,
            code: None,
        }])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_not_asked_so_often_that_the_account_is_locked_out() {
    for (check, stands) in [("scope", 60), ("sign-in", 900), ("token", 900), ("account", 900)] {
        let mut lobby = ApiFixture::open().await;
        let doctor = Arc::new(FixedDoctor { check, asked: AtomicUsize::new(0) });
        lobby.furnish(None, doctor.clone()).await;
        let all = lobby.key("all", "*", &Right::ALL, 600).await;
        let ask = async |method: &str| lobby.send_as(&all, method, "/v1/doctor", &[], "").await;
        ask("POST").await;
        while ask("GET").await.json()["finished_at"] == Value::Null {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        lobby.clock.advance(stands - 10);
        for _ in 0..3 {
            let answer = ask("POST").await;
            assert_eq!((answer.status, &answer.json()["running"]), (200, &json!(false)), "{check}");
            assert_eq!(answer.json()["findings"][0]["check"], check);
            assert!(answer.json()["valid_until"].is_string(), "{answer:?}");
        }
        assert_eq!(doctor.asked.load(Ordering::SeqCst), 1, "{check}");
        lobby.clock.advance(11);
        ask("POST").await;
        for _ in 0..500 {
            if doctor.asked.load(Ordering::SeqCst) == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(doctor.asked.load(Ordering::SeqCst), 2, "{check} is examined again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_doctor_there_is_none() {
    let lobby = ApiFixture::open().await;
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    assert_eq!(lobby.send_as(&all, "POST", "/v1/doctor", &[], "").await.status, 404);
    assert_eq!(lobby.get(&format!("/v1/rooms/{FREE}")).await.json()["name"], Value::Null);
}
