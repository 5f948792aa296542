//! A plan for a person who reviews it: what each release would do, on which evidence the plan rests, and events that are left out.

use adjourn::api::{self, Api, ApiOptions, ListenerLimits};
use adjourn::cleanup::{ReleaseMethod, Rules, SweepLimits};
use adjourn::sim::{MeetingSpec, Person};
use adjourn_test::{bo, meeting_in, now};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::fixture::{ApiFixture, BUSY, FREE, rules};
use crate::operator::wait_for_state;

/// A meeting in each of the two rooms.
async fn two_meetings(rules: Rules) -> ApiFixture {
    let lobby = ApiFixture::with(rules).await;
    lobby.sim.world(|world| world.add_meeting(meeting_in(FREE)));
    lobby
}

/// Plans a sweep; returns its address and the plan.
async fn planned(lobby: &ApiFixture) -> (String, Value) {
    let place = lobby.post("/v1/sweeps", "").await.header("location").unwrap().to_owned();
    let plan = wait_for_state(lobby, &place, "planned").await;
    (place, plan)
}

fn releases(plan: &Value) -> Vec<&Value> {
    plan["events"].as_array().unwrap().iter().filter(|event| event["acts"] == true).collect()
}

/// The entry of `except` for an event of a plan.
fn entry(event: &Value) -> Value {
    json!({ "room": event["room"], "event": event["event"]["id"] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_each_release_would_send_and_whether_it_can_be_undone() {
    let lobby = two_meetings(rules(ReleaseMethod::Decline)).await;
    let (_, plan) = planned(&lobby).await;
    let releases = releases(&plan);
    assert_eq!(releases.len(), 2, "{plan}");
    for event in releases {
        let change = &event["change"];
        assert_eq!((&event["copy"], &event["messages"]), (&"attendee".into(), &1.into()), "{event}");
        assert_eq!((&change["kind"], &change["notification"]), (&"declined".into(), &"sent".into()));
        assert_eq!(
            (&change["undoable"], &change["not_undoable"]),
            (&false.into(), &"decline-was-sent".into())
        );
        assert_eq!((&change["organizer_informed"], &change["dry_run"]), (&true.into(), &true.into()));
    }
    let kept = plan["events"].as_array().unwrap().iter().find(|event| event["acts"] == false).unwrap();
    assert_eq!(
        (&kept["copy"], &kept["change"], &kept["messages"]),
        (&"plain".into(), &Value::Null, &Value::Null)
    );
    assert_eq!(lobby.ews_requests("CreateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_end_can_be_undone_and_the_number_of_attendees_is_not_known() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::End)).await;
    let own = MeetingSpec { organizer: Person::new("Free", FREE), attendees: vec![bo()], ..meeting_in(FREE) };
    lobby.sim.world(|world| world.add_meeting(MeetingSpec { rooms: Vec::new(), ..own }));
    let (_, plan) = planned(&lobby).await;
    let in_room =
        |room: &str| releases(&plan).into_iter().find(|event| event["room"] == room).unwrap().clone();
    let (attendee, organizer) = (in_room(BUSY), in_room(FREE));
    assert_eq!(
        (&attendee["messages"], &attendee["change"]["undoable"]),
        (&0.into(), &true.into()),
        "{attendee}"
    );
    assert_eq!(attendee["change"]["not_undoable"], Value::Null);
    assert_eq!(
        (&organizer["copy"], &organizer["messages"]),
        (&"organizer".into(), &Value::Null),
        "{organizer}"
    );
    assert_eq!(organizer["change"]["attendees_informed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_subjects_and_organizers_only_where_they_are_shown_and_never_private_ones() {
    let mut lobby = ApiFixture::with(rules(ReleaseMethod::Decline)).await;
    // The room's own meeting keeps its mark and its subject.
    let own = MeetingSpec { organizer: Person::new("Free", FREE), rooms: Vec::new(), ..meeting_in(FREE) };
    let private = MeetingSpec { subject: "A surprise".to_owned(), private: true, ..own };
    lobby.sim.world(|world| world.add_meeting(private));
    let (place, plan) = planned(&lobby).await;
    let texts = plan.to_string();
    assert!(!texts.contains("surprise") && !texts.contains("Ada"), "{texts}");
    let options = ApiOptions { subjects: true, ..ApiOptions::default() };
    let api = Api::new(lobby.service.clone(), lobby.keys.clone(), options);
    lobby.at = lobby.serve(api::router(api), None, ListenerLimits::default()).await;
    let plan = lobby.get(&place).await.json();
    let in_room = |room: &str| {
        releases(&plan).into_iter().find(|event| event["room"] == room).unwrap()["event"].clone()
    };
    let (shown, private) = (in_room(BUSY), in_room(FREE));
    assert_eq!((&shown["subject"], &shown["organizer"]), (&"Ada Albers".into(), &"Ada Albers".into()));
    assert_eq!(
        (&private["private"], &private["subject"], &private["organizer"]),
        (&true.into(), &Value::Null, &Value::Null)
    );
    assert!(!plan.to_string().contains("surprise"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_left_out_of_a_plan_stays() {
    let lobby = two_meetings(rules(ReleaseMethod::Decline)).await;
    let (place, plan) = planned(&lobby).await;
    let kept = releases(&plan).into_iter().find(|event| event["room"] == FREE).unwrap();
    let body = json!({ "except": [entry(kept), entry(kept)] }).to_string();
    let apply = format!("{place}/apply");
    assert_eq!(lobby.post(&apply, &body).await.status, 202);
    let applied = wait_for_state(&lobby, &place, "applied").await;
    let rooms: Vec<_> =
        applied["applied"].as_array().unwrap().iter().map(|one| one["room"].clone()).collect();
    assert_eq!((rooms, lobby.ews_requests("CreateItem")), (vec![json!(BUSY)], 1), "{applied}");
    let left_out: Vec<_> =
        applied["events"].as_array().unwrap().iter().filter(|event| event["left_out"] == true).collect();
    assert_eq!(left_out.len(), 1, "{applied}");
    assert_eq!((&left_out[0]["room"], &left_out[0]["acts"]), (&FREE.into(), &false.into()));
    assert_eq!(left_out[0]["reason"], "left out by display");
    let again = lobby.post(&apply, &body).await;
    assert_eq!((again.status, again.problem()), (409, "not-planned".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_not_applied_where_an_exception_names_no_event_that_it_releases() {
    let lobby = two_meetings(rules(ReleaseMethod::Decline)).await;
    let (place, plan) = planned(&lobby).await;
    let apply = format!("{place}/apply");
    let known = entry(releases(&plan)[0]);
    let kept = plan["events"].as_array().unwrap().iter().find(|event| event["acts"] == false).unwrap();
    let elsewhere =
        json!({ "room": if known["room"] == BUSY { FREE } else { BUSY }, "event": known["event"] });
    let body = json!({ "except": [known, elsewhere, entry(kept)] }).to_string();
    let refused = lobby.post(&apply, &body).await;
    assert_eq!((refused.status, refused.problem()), (422, "not-in-plan".to_owned()), "{refused:?}");
    let pointers: Vec<_> =
        refused.json()["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/except/1", "/except/2"]);
    let malformed = lobby.post(&apply, r#"{"except":[{"room":"busy@example.com"}]}"#).await;
    assert_eq!((malformed.status, &malformed.json()["errors"][0]["pointer"]), (400, &"/except/0".into()));
    assert_eq!(lobby.get(&place).await.json()["state"], "planned");
    assert_eq!(lobby.ews_requests("CreateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_events_out_does_not_lift_a_limit() {
    let limits = SweepLimits { actions_max: 1, ..SweepLimits::default() };
    let lobby = two_meetings(Rules { limits, ..rules(ReleaseMethod::Decline) }).await;
    let (place, plan) = planned(&lobby).await;
    assert!(plan["message"].as_str().unwrap().contains("max_actions"), "{plan}");
    let body = json!({ "except": [entry(releases(&plan)[0])] }).to_string();
    assert_eq!(lobby.post(&format!("{place}/apply"), &body).await.status, 202);
    wait_for_state(&lobby, &place, "stopped").await;
    assert_eq!(lobby.ews_requests("CreateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_on_how_much_evidence_it_rests() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::Decline)).await;
    let (_, plan) = planned(&lobby).await;
    let evidence = &plan["evidence"];
    assert_eq!((&evidence["rooms"], &evidence["watched"]), (&2.into(), &2.into()), "{evidence}");
    assert_eq!((&evidence["signs"], &evidence["newest_sign"]), (&0.into(), &Value::Null));
    let since: chrono::DateTime<chrono::Utc> = evidence["receiving_since"].as_str().unwrap().parse().unwrap();
    assert!(now() - since > TimeDelta::minutes(170), "the up-time before this start counts: {evidence}");
    let signs = json!({ "signs": [{ "room": BUSY, "source": "motion" }] }).to_string();
    assert_eq!(lobby.post("/v1/evidence", &signs).await.status, 200);
    let (_, plan) = planned(&lobby).await;
    assert_eq!(plan["evidence"]["signs"], 1);
    assert!(
        plan["evidence"]["newest_sign"].is_string() && plan["evidence"]["oldest_sign"].is_string(),
        "{plan}"
    );
    // A sensor system may be silent for an hour.
    lobby.clock.advance(2 * 60 * 60);
    let (_, plan) = planned(&lobby).await;
    let evidence = &plan["evidence"];
    assert_eq!((&evidence["watched"], &evidence["silent"]), (&0.into(), &2.into()), "{evidence}");
    let lobby = ApiFixture::open().await;
    let (_, plan) = planned(&lobby).await;
    assert_eq!(
        (&plan["evidence"]["rooms"], &plan["evidence"]["watched"]),
        (&0.into(), &0.into()),
        "the rule is off"
    );
}
