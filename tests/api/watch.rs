//! The service's own work: warnings, releases, and scheduled sweeps.

use adjourn::access::Right;
use adjourn::cleanup::{Attendance as _, CleanupMode, NoCheckIn, OnLastStrike, ReleaseMethod, Rules};
use adjourn::service::{Notice, ReleaseState, SequencedNotice};
use adjourn::sim::{MeetingSpec, Person, RecurrencePattern, RecurrenceRange, Series};
use adjourn_test::now;
use chrono::TimeDelta;

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
