//! The service's own work: warnings, releases, scheduled sweeps, and the webhook.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::access::Right;
use adjourn::cleanup::{Attendance as _, CleanupMode, NoCheckIn, OnLastStrike, ReleaseMethod, Rules};
use adjourn::clock::SystemClock;
use adjourn::exchange::Secret;
use adjourn::service::{Notice, ReleaseState, SequencedNotice, WebhookSender};
use adjourn::sim::{MeetingSpec, Person, RecurrencePattern, RecurrenceRange, Series};
use adjourn_test::now;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER, rules};

/// Rules with this grace; the meetings started twenty minutes ago.
fn grace(minutes: i64) -> Rules {
    let rule = NoCheckIn {
        release_by: ReleaseMethod::End,
        grace: TimeDelta::minutes(minutes),
        ..NoCheckIn::default()
    };
    Rules { mode: Some(CleanupMode::Act), no_check_in: Some(rule), ..Rules::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_warned_once_before_the_room_is_released() {
    let lobby = ApiFixture::with(grace(22)).await;
    let (mut heard, mut warned) = (lobby.service.notices.subscribe().unwrap(), ReleaseState::default());
    lobby.service.run_background_once(&mut warned).await;
    lobby.service.run_background_once(&mut warned).await;
    let mut rooms = Vec::new();
    while let Ok(SequencedNotice { notice, .. }) = heard.try_recv() {
        let Notice::ReleaseWarning { room, at } = notice else { panic!("{notice:?}") };
        assert_eq!(at, lobby.began + TimeDelta::minutes(2));
        rooms.push(room.to_string());
    }
    assert_eq!(rooms, [BUSY, OTHER], "each once");
    assert_eq!(lobby.ews_requests("UpdateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_comes_to_is_released_and_what_somebody_came_to_is_not() {
    let lobby = ApiFixture::with(grace(15)).await;
    let sign = serde_json::json!({ "signs": [{ "room": OTHER, "source": "motion" }] }).to_string();
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    assert_eq!(lobby.send_as(&all, "POST", "/v1/evidence", &[], &sign).await.status, 200);
    lobby.service.run_background_once(&mut ReleaseState::default()).await;
    assert!(lobby.event_end(BUSY).unwrap() <= now());
    assert_eq!(lobby.event_end(OTHER), Some(lobby.began + TimeDelta::minutes(40)));
    let record = lobby.get("/v1/actions").await.json();
    assert_eq!(
        (&record["actions"][0]["actor_kind"], &record["actions"][0]["actor"]),
        (&"sweep".into(), &"no-check-in".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_was_missed_runs_once() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::End)).await;
    // Only the schedule acts here: with signs, the rule on check-ins does not.
    let mut warned = ReleaseState::default();
    assert_eq!(lobby.desk.last_run("hourly".to_owned()).await.unwrap(), None);
    lobby.service.run_background_once(&mut warned).await;
    let first = lobby.desk.last_run("hourly".to_owned()).await.unwrap().unwrap();
    lobby.service.run_background_once(&mut warned).await;
    assert_eq!(lobby.desk.last_run("hourly".to_owned()).await.unwrap(), Some(first), "nothing was missed");
    lobby.desk.record_run("hourly".to_owned(), first - TimeDelta::hours(9)).await.unwrap();
    lobby.service.run_background_once(&mut warned).await;
    let caught_up = lobby.desk.last_run("hourly".to_owned()).await.unwrap().unwrap();
    assert!(caught_up >= first);
}

/// A daily series in the free room; today's occurrence started twenty minutes ago.
fn add_series(lobby: &ApiFixture) {
    lobby.sim.world(|world| {
        let (start, ada) =
            (lobby.began - TimeDelta::minutes(20), Person::new("Ada Albers", "ada@example.com"));
        let mut daily = MeetingSpec::new(ada, start, start + TimeDelta::minutes(60));
        daily.rooms = vec![FREE.to_owned()];
        daily.series = Some(Series::new(RecurrencePattern::Daily { interval: 1 }, RecurrenceRange::Count(5)));
        world.add_meeting(daily);
    });
}

fn one_strike() -> Rules {
    let (strikes, strikes_then) = (1, OnLastStrike::Delete);
    let rule = grace(15).no_check_in.map(|rule| NoCheckIn { strikes, on_last_strike: strikes_then, ..rule });
    Rules { mode: Some(CleanupMode::Act), no_check_in: rule, ..Rules::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_goes_is_told_of() {
    let lobby = ApiFixture::with(one_strike()).await;
    add_series(&lobby);
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let sign = serde_json::json!({ "signs": [{ "room": OTHER, "source": "motion" }] }).to_string();
    assert_eq!(lobby.send_as(&all, "POST", "/v1/evidence", &[], &sign).await.status, 200);
    let mut heard = lobby.service.notices.subscribe().unwrap();
    lobby.service.run_background_once(&mut ReleaseState::default()).await;
    let (mut acted, mut missed) = (0, Vec::new());
    while let Ok(SequencedNotice { notice, .. }) = heard.try_recv() {
        match &notice {
            Notice::SeriesMissed { room, missed: 1, deleted: true, .. } => missed.push(room.to_string()),
            Notice::ActionFinished { .. } => acted += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((acted, missed), (2, vec![FREE.to_owned()]), "a single meeting and a series");
    let tomorrow = lobby.began + TimeDelta::days(1);
    let left = lobby.sim.world(|world| world.events(FREE, tomorrow - TimeDelta::hours(1), tomorrow));
    assert!(left.is_empty(), "{left:?}");
    assert!(
        lobby.ews_requests("UpdateItem") == 1 && lobby.ews_requests("CreateItem") == 1,
        "a series is declined, not ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_that_comes_late_takes_the_strike_back() {
    let (strikes, strikes_then) = (2, OnLastStrike::Delete);
    let rule = grace(15).no_check_in.map(|rule| NoCheckIn { strikes, on_last_strike: strikes_then, ..rule });
    let lobby =
        ApiFixture::with(Rules { mode: Some(CleanupMode::Act), no_check_in: rule, ..Rules::default() }).await;
    add_series(&lobby);
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let alive = serde_json::json!({ "signs": [{ "room": OTHER, "source": "motion" }] }).to_string();
    assert_eq!(lobby.send_as(&all, "POST", "/v1/evidence", &[], &alive).await.status, 200);
    let uid = lobby
        .sim
        .world(|world| world.events(FREE, lobby.began, lobby.began + TimeDelta::minutes(1))[0].uid.clone());
    lobby.service.run_background_once(&mut ReleaseState::default()).await;
    let (room, uid) = (FREE.parse().unwrap(), adjourn::calendar::Uid::new(uid));
    let last = async || lobby.desk.last_attended(&room, &uid).await.unwrap().unwrap();
    let start = lobby.began - TimeDelta::minutes(20);
    assert!(last().await < start, "counting begins just before");
    let sign = serde_json::json!({ "signs": [{ "room": FREE, "at": start + TimeDelta::minutes(3), "source": "motion" }] });
    assert_eq!(lobby.send_as(&all, "POST", "/v1/evidence", &[], &sign.to_string()).await.status, 200);
    assert_eq!(last().await, start, "somebody came after all");
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_in_to_a_date_keeps_its_series() {
    let lobby = ApiFixture::with(one_strike()).await;
    add_series(&lobby);
    assert_eq!(lobby.post(&format!("/v1/rooms/{FREE}/check-in"), "").await.status, 200);
    lobby.service.run_background_once(&mut ReleaseState::default()).await;
    assert_eq!(lobby.ews_requests("CreateItem"), 0);
}

/// A webhook receiver that rejects the first POST.
async fn receiver() -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let kept = taken.clone();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !text.contains("\r\n\r\n{") || !text.ends_with('}') {
                let mut buffer = [0; 4096];
                let len = stream.read(&mut buffer).await.unwrap();
                text += std::str::from_utf8(&buffer[..len]).unwrap();
            }
            kept.lock().unwrap().push(text);
            let status = if number == 0 { "503 Later" } else { "204 Taken" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (at, taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_signed_and_told_again_when_it_did_not_listen() {
    let lobby = ApiFixture::open().await;
    let (at, taken) = receiver().await;
    let hook = |url: &str| {
        let outbox = lobby.service.outbox.clone();
        WebhookSender::new(url, Secret::new("shared".to_owned()), Arc::new(SystemClock), outbox)
    };
    let running = hook(&format!("http://{at}/hook")).unwrap();
    let running =
        tokio::spawn(running.run(lobby.service.notices.subscribe().unwrap(), CancellationToken::new()));
    let ended = lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await.json();
    for _ in 0..100 {
        if taken.lock().unwrap().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let taken = taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 2, "{taken:?}");
    let parts = |text: &str| {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let lines = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            lines.unwrap_or_else(|| panic!("{name} in {head}")).to_owned()
        };
        (header("adjourn-timestamp"), header("adjourn-signature"), body.to_owned())
    };
    let ((_, _, refused), (timestamp, signature, body)) = (parts(&taken[0]), parts(&taken[1]));
    assert_eq!(refused, body, "the same notice, by the same id");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"shared").unwrap();
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, format!("v1={expected}"));
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&told["room"], &told["action_id"]), (&BUSY.into(), &ended["id"]));
    lobby.service.notices.close();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    for url in ["http://elsewhere.example/hook", "ftp://127.0.0.1/", "nonsense"] {
        assert!(hook(url).is_err(), "{url}");
    }
}
