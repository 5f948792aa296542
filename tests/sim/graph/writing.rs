//! Writing: update, accept, decline, cancel, delete and create, and who receives a message.

use adjourn::sim::{GraphOptions, InvitationResponse, Mail, MailKind, MeetingSpec, Person, Simulator, World};
use adjourn_test::{AURORA, ada, bo, meeting, now, plain, world};
use chrono::{Datelike as _, TimeDelta};
use serde_json::{Value, json};

use super::client::{GraphAnswer, GraphClient, IMMUTABLE, event_path, permitted, utc, view, with_options};

const CONFLICT: (u16, &str) = (412, "ErrorIrresolvableConflict");
const GONE: (u16, &str) = (404, "ErrorItemNotFound");

/// Ada's meeting with Bo in Aurora, and its UID.
async fn attended() -> (Simulator, String) {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    (permitted(world).await, uid)
}

/// A meeting that Aurora itself organizes.
fn organized(world: &mut World) -> String {
    let room = Person::new("Aurora", AURORA);
    let (start, end) = (now() - TimeDelta::minutes(5), now() + TimeDelta::minutes(40));
    world.add_meeting(MeetingSpec { attendees: vec![ada(), bo()], ..MeetingSpec::new(room, start, end) })
}

async fn the_event(client: &GraphClient<'_>) -> Value {
    let answer = client.get_with(&view(""), &[IMMUTABLE]).await;
    assert_eq!(answer.values().len(), 1);
    answer.values()[0].clone()
}

fn kinds(mails: &[Mail]) -> Vec<MailKind> {
    mails.iter().map(|mail| mail.kind).collect()
}

/// The response that the organizer's copy shows for Aurora.
fn tracked(sim: &Simulator, uid: &str) -> InvitationResponse {
    let event = sim.world(|world| world.event("ada@example.com", uid)).unwrap();
    event.attendees.iter().find(|one| one.person.address == AURORA).unwrap().response
}

async fn decline(client: &GraphClient<'_>, event: &Value, body: Value) -> GraphAnswer {
    client.post(&format!("{}/decline", event_path(&event["id"])), body).await
}

#[tokio::test]
async fn an_end_of_an_attendees_copy_changes_this_copy_alone() {
    let (sim, uid) = attended().await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let etag = event["@odata.etag"].as_str().unwrap();
    let end = now();
    let body = json!({ "end": utc(end) });
    let headers = [("If-Match", etag), IMMUTABLE];
    let answer = client.send("PATCH", &event_path(&event["id"]), &headers, Some(body.clone())).await;
    assert_eq!((answer.status, &answer.json["end"]), (200, &utc(end)));
    assert_ne!(answer.json["changeKey"], event["changeKey"]);
    let seen = |who: &str| sim.world(|world| world.event(who, &uid)).unwrap();
    assert_eq!(seen(AURORA).end, end);
    assert!(seen("ada@example.com").end > end && sim.outbox().is_empty());
    let answer = client.send("PATCH", &event_path(&event["id"]), &headers, Some(body)).await;
    assert_eq!(answer.error(), CONFLICT, "stale");
}

#[tokio::test]
async fn a_stale_etag_writes_nothing_and_none_overwrites() {
    let (sim, uid) = attended().await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let path = event_path(&event["id"]);
    sim.world(|world| world.changes(AURORA, &uid, None, |details| details.location = "Elsewhere".to_owned()));
    let before = sim.world(|world| world.event(AURORA, &uid)).unwrap();
    let end = now();
    let body = json!({ "end": utc(end) });
    let stale = [("If-Match", event["@odata.etag"].as_str().unwrap())];
    assert_eq!(client.send("PATCH", &path, &stale, Some(body.clone())).await.error(), CONFLICT);
    assert_eq!(sim.world(|world| world.event(AURORA, &uid)).unwrap(), before);
    assert_eq!(client.patch(&path, body).await.status, 200);
    assert_eq!(sim.world(|world| world.event(AURORA, &uid)).unwrap().end, end);
}

#[tokio::test]
async fn an_organizers_change_is_sent_to_every_attendee() {
    let mut world = world();
    let uid = organized(&mut world);
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let end = now();
    let answer = client.patch(&event_path(&event["id"]), json!({ "end": utc(end) })).await;
    assert_eq!(answer.status, 200);
    let mails = sim.outbox();
    assert_eq!((kinds(&mails), mails[0].to.len()), (vec![MailKind::Update], 2));
    assert_eq!(sim.world(|world| world.event("ada@example.com", &uid)).unwrap().end, end);
}

#[tokio::test]
async fn a_time_needs_its_zone_and_beta_properties_do_not_exist() {
    let (sim, _) = attended().await;
    let client = GraphClient::new(&sim);
    let path = event_path(&the_event(&client).await["id"]);
    let time = now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let bodies = [
        json!({ "end": { "dateTime": time } }),
        json!({ "end": { "dateTime": "soon", "timeZone": "UTC" } }),
        json!({ "end": time }),
        json!({ "end": utc(now() - TimeDelta::days(1)) }),
        json!({ "uid": "x" }),
        json!({ "showAs": "asleep" }),
        json!({ "subject": 5 }),
        json!({ "transactionId": "other" }),
        json!({ "attendees": [] }),
    ];
    for body in bodies {
        assert_eq!(client.patch(&path, body.clone()).await.status, 400, "{body}");
    }
    let zone = json!({ "end": { "dateTime": time, "timeZone": "Middle-earth" } });
    assert_eq!(client.patch(&path, zone).await.error(), (400, "TimeZoneNotSupportedException"));
    let july = format!("{}-07-01T", now().year() + 1);
    let berlin = json!({ "end": { "dateTime": format!("{july}09:00:00"), "timeZone": "Europe/Berlin" } });
    let end = client.patch(&path, berlin).await.json["end"]["dateTime"].clone();
    assert_eq!(end, json!(format!("{july}07:00:00.0000000")));
    let text = [("Content-Type", "text/plain")];
    let answer = client.send("PATCH", &path, &text, Some(json!({ "subject": "x" }))).await;
    assert_eq!(answer.error(), (400, "BadRequest"));
}

#[tokio::test]
async fn a_decline_tells_the_organizer_and_removes_the_meeting() {
    let (sim, uid) = attended().await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let answer = decline(&client, &event, json!({ "comment": "No one came.", "sendResponse": true })).await;
    assert_eq!((answer.status, answer.reply.body.as_str()), (202, ""));
    let mails = sim.outbox();
    assert_eq!((kinds(&mails), mails[0].text.as_str()), (vec![MailKind::Decline], "No one came."));
    assert_eq!(
        (mails[0].to.as_slice(), tracked(&sim, &uid)),
        (&[ada().address][..], InvitationResponse::Decline)
    );
    assert_eq!(sim.world(|world| world.deleted(AURORA)).len(), 1);
    assert_eq!(decline(&client, &event, json!({})).await.error(), GONE);
    let sent = client.get(&format!("/users/{AURORA}/mailFolders/sentitems/messages")).await;
    assert_eq!(sent.all("meetingMessageType"), ["meetingDeclined"]);
}

#[tokio::test]
async fn a_silent_decline_sends_nothing_and_may_not_have_a_comment() {
    let (sim, uid) = attended().await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let commented = json!({ "comment": "x", "sendResponse": false });
    assert_eq!(decline(&client, &event, commented).await.error(), (400, "ErrorInvalidParameter"));
    assert_eq!(decline(&client, &event, json!({ "sendResponse": false })).await.status, 202);
    assert_eq!((sim.outbox().len(), tracked(&sim, &uid)), (0, InvitationResponse::Decline));
}

#[tokio::test]
async fn responses_are_for_attendees_and_cancellations_for_organizers() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world.clone()).await;
    let client = GraphClient::new(&sim);
    let cancel = format!("{}/cancel", event_path(&the_event(&client).await["id"]));
    let answer = client.post(&cancel, json!({})).await;
    assert_eq!(answer.error(), (400, "ErrorInvalidRequest"));
    assert!(answer.json["error"]["message"].as_str().unwrap().contains("need to be an organizer"));
    let mut world = adjourn_test::world();
    organized(&mut world);
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    for action in ["accept", "decline", "tentativelyAccept"] {
        let path = format!("{}/{action}", event_path(&event["id"]));
        let answer = client.post(&path, json!({})).await;
        assert_eq!(answer.error(), (400, "ErrorInvalidRequest"), "{action}");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("you're the meeting organizer"));
    }
    let unknown = json!({ "comment": "x", "sendResponse": true });
    let path = format!("{}/cancel", event_path(&event["id"]));
    assert_eq!(
        client.post(&path, unknown).await.error(),
        (400, "RequestBodyRead"),
        "cancel has no sendResponse"
    );
    assert!(sim.outbox().is_empty());
}

#[tokio::test]
async fn a_cancellation_goes_to_all_attendees() {
    let mut world = world();
    let uid = organized(&mut world);
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let path = format!("{}/cancel", event_path(&event["id"]));
    let answer = client.post(&path, json!({ "comment": "Closed." })).await;
    assert_eq!((answer.status, answer.reply.body.as_str()), (202, ""));
    assert_eq!(kinds(&sim.outbox()), [MailKind::Cancellation]);
    assert_eq!((sim.outbox()[0].to.len(), sim.outbox()[0].text.as_str()), (2, "Closed."));
    assert!(sim.world(|world| world.event("ada@example.com", &uid)).unwrap().cancelled);
    assert_eq!(client.get(&event_path(&event["id"])).await.error(), GONE);
}

#[tokio::test]
async fn accepting_tells_the_organizer_and_keeps_the_meeting() {
    for (action, kind, word) in [
        ("accept", MailKind::Accept, "accepted"),
        ("tentativelyAccept", MailKind::Tentative, "tentativelyAccepted"),
    ] {
        let (sim, _) = attended().await;
        let client = GraphClient::new(&sim);
        let event = the_event(&client).await;
        let path = format!("{}/{action}", event_path(&event["id"]));
        assert_eq!(client.post(&path, json!({ "sendResponse": true })).await.status, 202);
        assert_eq!(kinds(&sim.outbox()), [kind]);
        assert_eq!(the_event(&client).await["responseStatus"]["response"], word);
    }
}

#[tokio::test]
async fn a_deleted_attendees_copy_sends_nothing_but_shows_as_declined() {
    let (sim, uid) = attended().await;
    let client = GraphClient::new(&sim);
    let path = event_path(&the_event(&client).await["id"]);
    let answer = client.send("DELETE", &path, &[("If-Match", "W/\"stale\"")], None).await;
    assert_eq!((answer.status, answer.reply.body.as_str()), (204, ""), "If-Match is ignored");
    assert_eq!((sim.outbox().len(), tracked(&sim, &uid)), (0, InvitationResponse::Decline));
    let deleted = sim.world(|world| world.deleted(AURORA));
    assert_eq!((deleted.len(), deleted[0].my_response), (1, InvitationResponse::Decline));
    assert_eq!(client.delete(&path).await.error(), GONE);
    assert_eq!(client.get(&path).await.error(), GONE);
}

#[tokio::test]
async fn a_deleted_organizers_copy_is_cancelled_and_a_plain_event_just_goes() {
    let mut world = world();
    organized(&mut world);
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    assert_eq!(client.delete(&event_path(&the_event(&client).await["id"])).await.status, 204);
    assert_eq!(kinds(&sim.outbox()), [MailKind::Cancellation]);
    let mut world = adjourn_test::world();
    world.add_plain(plain());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    assert_eq!(client.delete(&event_path(&the_event(&client).await["id"])).await.status, 204);
    assert_eq!((sim.outbox().len(), sim.world(|world| world.deleted(AURORA)).len()), (0, 1));
}

#[tokio::test]
async fn what_the_documentation_leaves_open_can_be_switched() {
    let mut world = world();
    world.add_meeting(meeting());
    let options = GraphOptions {
        guards_responses: true,
        shows_deleted_events: true,
        keeps_sent_copies: false,
        ..GraphOptions::with_all_permissions()
    };
    let sim = with_options(world, options).await;
    let client = GraphClient::new(&sim);
    let event = the_event(&client).await;
    let path = format!("{}/decline", event_path(&event["id"]));
    let stale = [("If-Match", "W/\"stale\"")];
    assert_eq!(client.send("POST", &path, &stale, Some(json!({}))).await.error(), CONFLICT);
    assert_eq!(client.post(&path, json!({})).await.status, 202);
    assert_eq!(client.get(&event_path(&event["id"])).await.json["iCalUId"], event["iCalUId"]);
    assert_eq!(client.delete(&event_path(&event["id"])).await.error(), GONE);
    let sent = client.get(&format!("/users/{AURORA}/mailFolders/sentitems/messages")).await;
    assert!(sent.values().is_empty() && sim.outbox().len() == 1);
}

#[tokio::test]
async fn a_booking_repeated_with_its_transaction_id_is_made_once() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let path = format!("/users/{AURORA}/events");
    let body = json!({
        "subject": "Booked", "start": utc(now()), "end": utc(now() + TimeDelta::minutes(30)), "showAs": "busy",
        "transactionId": "t-1", "isReminderOn": false,
    });
    let first = client.send("POST", &path, &[IMMUTABLE], Some(body.clone())).await;
    assert_eq!((first.status, &first.json["transactionId"]), (201, &json!("t-1")));
    assert_eq!((&first.json["isOrganizer"], &first.json["isReminderOn"]), (&json!(true), &json!(false)));
    let location = first.reply.header("location").unwrap();
    assert!(location.ends_with(first.json["id"].as_str().unwrap()), "{location}");
    let again = client.send("POST", &path, &[IMMUTABLE], Some(body.clone())).await;
    assert_eq!((again.status, &again.json), (201, &first.json));
    let mut other = body.clone();
    other["transactionId"] = json!("t-2");
    assert_ne!(client.post(&path, other).await.json["iCalUId"], first.json["iCalUId"]);
    assert_eq!(client.get(&view("")).await.values().len(), 2);
    for missing in ["start", "end"] {
        let mut body = body.clone();
        (body["transactionId"], body[missing]) = (Value::Null, Value::Null);
        assert_eq!(client.post(&path, body).await.error(), (400, "ErrorPropertyValidationFailure"));
    }
}

#[tokio::test]
async fn attendees_of_a_new_event_are_invited() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let attendee =
        |address: &str, kind: &str| json!({ "emailAddress": { "address": address }, "type": kind });
    let body = json!({
        "subject": "Planning", "body": { "contentType": "html", "content": "<p>Agenda</p>" },
        "start": utc(now()), "end": utc(now() + TimeDelta::minutes(30)),
        "location": { "displayName": "Aurora" }, "categories": ["Blue"], "importance": "high",
        "attendees": [attendee("bo@example.com", "optional"), attendee(AURORA, "resource")],
    });
    let answer = client.post("/users/ada@example.com/events", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(kinds(&sim.outbox()), [MailKind::Request, MailKind::Accept]);
    let event = the_event(&client).await;
    assert_eq!((&event["iCalUId"], &event["importance"]), (&answer.json["iCalUId"], &json!("high")));
    assert_eq!(event["attendees"][0]["type"], "optional");
}
