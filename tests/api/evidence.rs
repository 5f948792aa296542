//! Limits on evidence: one key sends the largest bodies it may, again and again. Memory and disk stay within their limits, a
//! restart loads no more, the room's meetings stay, and another key's signs still count.

use adjourn::access::Right;
use adjourn::presence::{REPORTER_BYTES_PER_ROOM_MAX, SignLog};
use adjourn::service::ReleaseState;
use serde_json::{Value, json};

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER, rules};

const ROUNDS: usize = 6;

/// A body full of signs, each for another event, each as long as allowed.
fn largest_body(round: usize, rooms: &[&str]) -> String {
    let sign = |number: usize| {
        let event = format!("{:02000}", round * 1_000 + number);
        json!({ "room": rooms[number % rooms.len()], "event": event, "source": "motion" })
    };
    json!({ "signs": (0..480).map(sign).collect::<Vec<Value>>() }).to_string()
}

async fn flood(lobby: &ApiFixture, token: &str, rooms: &[&str]) -> Vec<(u16, usize)> {
    let mut answers = Vec::new();
    for round in 0..ROUNDS {
        let body = largest_body(round, rooms);
        let said = lobby.send_as(token, "POST", "/v1/evidence", &[], &body).await;
        let rejected = said.json()["rejected"].as_array().map_or(0, Vec::len);
        answers.push((said.status, rejected));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_at_its_allowance_fills_its_share_in_memory_and_on_disk_and_no_more() {
    let lobby = ApiFixture::open().await;
    let door = [Right::Read, Right::CheckIn, Right::Evidence];
    let bad = lobby.key("door", "*@example.com", &door, 100_000).await;
    let answers = flood(&lobby, &bad, &[BUSY, FREE]).await;
    assert!(answers[0].0 == 200 && answers[0].1 > 0, "the first is taken in part, and says so: {answers:?}");
    assert_eq!(answers.last(), Some(&(429, 0)), "{answers:?}");
    let held = lobby.service.presence.read().signs.usage();
    assert!(held.bytes <= 2 * REPORTER_BYTES_PER_ROOM_MAX, "{held:?}");
    let (rows, bytes) = lobby.desk.count_signs().await.unwrap();
    assert_eq!(rows, held.signs as u64, "a row for each sign that is kept");
    assert!(bytes <= held.bytes as u64);

    // A restart loads what was stored.
    let now = adjourn::clock::Clock::now(&lobby.clock);
    let loaded = lobby.desk.load_signs(now, SignLog::default()).await.unwrap();
    assert_eq!(loaded.usage().signs, held.signs);
    assert_eq!(loaded.refused().len(), 2, "and for which rooms evidence was refused");

    let good = lobby.key("badges", "*@example.com", &door, 100).await;
    let body = json!({ "signs": [{ "room": BUSY, "source": "badge" }] }).to_string();
    let said = lobby.send_as(&good, "POST", "/v1/evidence", &[], &body).await.json();
    assert_eq!((&said["accepted"], &said["matched"]), (&1.into(), &1.into()));
    let said = lobby.send_as(&good, "POST", &format!("/v1/rooms/{BUSY}/check-in"), &[], "").await;
    assert_eq!(said.status, 200, "{said:?}");
    let reader = lobby.key("prometheus", "*", &[Right::Metrics], 100).await;
    let metrics = lobby.send_as(&reader, "GET", "/metrics", &[], "").await;
    let refused = "adjourn_evidence_refused_total{limit=\"key-in-room\"}";
    let line = metrics.body.lines().find(|line| line.starts_with(refused));
    assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_evidence_was_refused_is_not_released_and_the_others_are() {
    let lobby = ApiFixture::with(rules(adjourn::cleanup::ReleaseMethod::End)).await;
    let bad = lobby.key("door", "*@example.com", &[Right::Evidence], 100_000).await;
    flood(&lobby, &bad, &[BUSY]).await;
    // The stored signs of the flood have expired; the refusal is still known.
    let spans = lobby.service.presence.read().signs.refused().clone();
    let mut log = SignLog::default();
    spans.into_iter().for_each(|(room, span)| log.restore_refused(room, span));
    lobby.service.presence.write().signs = log;
    let mut releases = ReleaseState::default();
    lobby.service.run_background_once(&mut releases).await;
    let planned = lobby.began + chrono::TimeDelta::minutes(40);
    assert_eq!(lobby.event_end(BUSY), Some(planned), "its evidence is incomplete: the meeting stays");
    assert_ne!(lobby.event_end(OTHER), Some(planned), "nobody came: it is released");
    let decisions = lobby.desk.decisions(lobby.began).await.unwrap();
    let why = decisions.iter().find(|decision| decision.room.as_str() == BUSY).map(|decision| &decision.why);
    assert!(why.is_some_and(|why| why.contains("a limit on evidence was reached")), "{decisions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invented_sources_take_no_more_than_their_keys_places() {
    let lobby = ApiFixture::open().await;
    let bad = lobby.key("door", "*@example.com", &[Right::Evidence], 100_000).await;
    for round in 0..5 {
        let beat = |number: usize| json!({ "source": format!("source {round} {number}") });
        let body = json!({ "heartbeats": (0..100).map(beat).collect::<Vec<_>>() }).to_string();
        assert_eq!(lobby.send_as(&bad, "POST", "/v1/evidence", &[], &body).await.status, 200);
    }
    assert!(lobby.service.presence.read().watch.refused_sources() >= 5 * 100 - 16);
    lobby.service.run_background_once(&mut ReleaseState::default()).await;
    let stored = lobby.desk.sources().await.unwrap();
    assert!(stored.len() <= 17, "those of the key, and the sensors: {}", stored.len());
    let good = lobby.key("badges", "*@example.com", &[Right::Evidence], 100).await;
    let before = lobby.service.presence.read().watch.refused_sources();
    let body = json!({ "heartbeats": [{ "source": "badge" }] }).to_string();
    assert_eq!(lobby.send_as(&good, "POST", "/v1/evidence", &[], &body).await.status, 200);
    assert_eq!(
        lobby.service.presence.read().watch.refused_sources(),
        before,
        "another key's source is taken"
    );
    let rooms: Vec<_> = (0..101).map(|number| format!("room{number}-*@example.com")).collect();
    let body = json!({ "heartbeats": [{ "source": "badge", "rooms": rooms }] }).to_string();
    let said = lobby.send_as(&good, "POST", "/v1/evidence", &[], &body).await;
    assert_eq!((said.status, said.problem()), (400, "bad-request".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_with_too_many_events_is_too_full_to_judge_and_nothing_is_released_there() {
    use adjourn::live::EVENTS_PER_ROOM_MAX;
    let lobby = ApiFixture::with(rules(adjourn::cleanup::ReleaseMethod::End)).await;
    let start = lobby.began + chrono::TimeDelta::hours(2);
    lobby.sim.world(|world| {
        for number in 0..=EVENTS_PER_ROOM_MAX {
            let start = start + chrono::TimeDelta::minutes(number as i64);
            let end = start + chrono::TimeDelta::minutes(1);
            world.add_plain(adjourn::sim::PlainSpec::new(BUSY, start, end));
        }
    });
    let said = lobby.get(&format!("/v1/rooms/{BUSY}")).await;
    assert!(said.status >= 500 && said.body.contains("too many events"), "{said:?}");
    lobby.service.run_background_once(&mut ReleaseState::default()).await;
    let planned = lobby.began + chrono::TimeDelta::minutes(40);
    assert_eq!(lobby.event_end(BUSY), Some(planned));
    assert_ne!(lobby.event_end(OTHER), Some(planned));
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_is_repeated_under_its_key_is_stored_once() {
    let lobby = ApiFixture::open().await;
    let send = async |key: &str, body: &str| {
        lobby.send("POST", "/v1/evidence", &[("Idempotency-Key", key)], body).await
    };
    // Sign by sign two hours apart: none is merged into another.
    let body = |at: chrono::DateTime<chrono::Utc>| {
        json!({ "signs": [{ "room": BUSY, "source": "motion", "at": at }] }).to_string()
    };
    let signs = || lobby.service.presence.read().signs.usage().signs;
    let first = send("batch-1", &body(lobby.began)).await;
    assert_eq!((first.status, &first.json()["accepted"], signs()), (200, &1.into(), 1), "{first:?}");
    lobby.service.presence.write().signs = SignLog::default();
    let again = send("batch-1", &body(lobby.began)).await;
    assert_eq!((again.status, &again.body, signs()), (200, &first.body, 0), "answered, and not stored again");
    let other = send("batch-1", &body(lobby.began - chrono::TimeDelta::hours(2))).await;
    assert_eq!((other.status, other.problem(), signs()), (422, "key-reused".to_owned(), 0));
    let end =
        lobby.send("POST", &format!("/v1/rooms/{BUSY}/end"), &[("Idempotency-Key", "batch-1")], "").await;
    assert_eq!((end.status, end.problem()), (422, "key-reused".to_owned()));
    let check_in = format!("/v1/rooms/{BUSY}/check-in");
    let there = lobby.send("POST", &check_in, &[("Idempotency-Key", "batch-1")], "").await;
    assert_eq!((there.status, there.problem()), (422, "key-reused".to_owned()));
    let there = lobby.send("POST", &check_in, &[("Idempotency-Key", "press-1")], "").await;
    assert_eq!(there.status, 200, "{there:?}");
    let sign = send("press-1", &body(lobby.began)).await;
    assert_eq!((sign.status, sign.problem()), (422, "key-reused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_member_of_evidence_is_named_by_a_pointer_and_nothing_is_stored() {
    let lobby = ApiFixture::open().await;
    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "signs": [{ "room": BUSY, "source": "a" }, { "room": BUSY }] }), "/signs/1"),
        (json!({ "signs": [{ "room": BUSY, "source": "a", "at": "noon" }] }), "/signs/0/at"),
        (json!({ "signs": [{ "room": OTHER, "source": "a" }] }), "/signs/0"),
        (json!({ "heartbeats": [{ "source": "a" }, { "source": "" }] }), "/heartbeats/1/source"),
    ] {
        let said = lobby.post("/v1/evidence", &body.to_string()).await;
        assert_eq!((said.status, said.problem()), (400, "bad-request".to_owned()), "{body}: {said:?}");
        assert_eq!(said.json()["errors"][0]["pointer"], pointer, "{body}: {said:?}");
    }
    assert_eq!(lobby.service.presence.read().signs.usage().signs, 0);
}
