//! Places, people, free/busy, mail folders, Deleted Items and the translation of ids.

use adjourn::sim::{InvitationResponse, MeetingSpec, PlainSpec, RoomSpec};
use adjourn_test::{AURORA, ada, meeting, now, room_name, world, world_of_rooms};
use chrono::TimeDelta;
use serde_json::json;

use super::client::{GraphClient, IMMUTABLE, event_path, permitted, utc, view};

#[tokio::test]
async fn rooms_and_room_lists_are_places() {
    let mut world = world_of_rooms(103, |_, _, _| {});
    world.add_room_list("Building 1", "b1@example.com", &[&room_name(0), &room_name(1), "gone@example.com"]);
    world.add_equipment(RoomSpec::new("Beamer", "beamer@example.com"));
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let first = client.get("/places/microsoft.graph.room").await;
    assert_eq!(first.values().len(), 100, "a page of places");
    let all = client.all_pages("/places/microsoft.graph.room").await;
    assert_eq!((all.len(), &all[0]["emailAddress"]), (103, &json!(room_name(0))));
    let lists = client.get("/places/microsoft.graph.roomlist").await;
    assert_eq!(lists.all("emailAddress"), ["b1@example.com"]);
    let id = lists.values()[0]["id"].as_str().unwrap().to_owned();
    for list in ["b1@example.com", &id] {
        let rooms = client.get(&format!("/places/{list}/microsoft.graph.roomlist/rooms")).await;
        assert_eq!(rooms.all("displayName"), ["Room 0", "Room 1"]);
    }
    let answer = client.get("/places/other@example.com/microsoft.graph.roomlist/rooms").await;
    assert_eq!(answer.error(), (404, "ResourceNotFound"));
    assert_eq!(client.get("/places/graph.room?$top=5").await.values().len(), 5);
}

#[tokio::test]
async fn people_are_found_by_any_of_their_addresses() {
    let mut world = world();
    world.add_proxy_address("ada@example.com", "a.albers@example.com");
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let by = async |filter: &str| client.get(&format!("/users?$filter={filter}&$select=id,mail")).await;
    for filter in [
        "proxyAddresses/any(p:p eq 'smtp:a.albers@example.com')",
        "proxyAddresses/any(p:p eq 'smtp:ada@example.com')",
        "mail eq 'Ada@example.com'",
    ] {
        assert_eq!(by(filter).await.all("mail"), ["ada@example.com"], "{filter}");
    }
    assert!(by("mail eq 'nobody@example.com'").await.values().is_empty());
    assert_eq!(by("shoeSize eq 40").await.error(), (400, "Request_UnsupportedQuery"));
    let person = client.get("/users/a.albers@example.com").await;
    assert_eq!((person.status, &person.json["displayName"]), (200, &json!("Ada Albers")));
    let id = person.json["id"].as_str().unwrap();
    assert_eq!(
        client.get(&format!("/users/{id}/calendar")).await.json["owner"]["address"],
        "ada@example.com"
    );
    assert_eq!(client.get("/users/nobody@example.com").await.error(), (404, "Request_ResourceNotFound"));
}

#[tokio::test]
async fn a_mailbox_has_one_calendar_under_three_paths() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let calendars = client.get(&format!("/users/{AURORA}/calendars")).await;
    assert_eq!((calendars.values().len(), &calendars.values()[0]["isDefaultCalendar"]), (1, &json!(true)));
    let id = calendars.values()[0]["id"].as_str().unwrap();
    assert_eq!(client.get(&format!("/users/{AURORA}/calendar?$select=name")).await.json["name"], "Calendar");
    assert_eq!(client.get(&format!("/users/{AURORA}/calendars/{id}")).await.json["id"], id);
    for path in ["calendar", &format!("calendars/{id}")] {
        let events = client.get(&format!("/users/{AURORA}/{path}/events")).await;
        assert_eq!(events.values().len(), 1, "{path}");
    }
    assert_eq!(client.get(&format!("/users/ada@example.com/calendars/{id}/events")).await.status, 404);
    let event = client.get(&view("")).await.values()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/users/{AURORA}/calendar/events/{event}");
    assert_eq!(client.get(&path).await.status, 200);
    let answer = client.patch(&path, json!({ "subject": "x" })).await;
    assert!(
        answer.json["error"]["message"].as_str().unwrap().starts_with("Recursive navigation"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn schedules_show_busy_times_without_ids() {
    let mut world = world();
    world.add_meeting(MeetingSpec { private: true, ..meeting() });
    world.fail_availability_of("bo@example.com", "ErrorProxyRequestProcessingFailed");
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let path = "/users/ada@example.com/calendar/getSchedule";
    let body = |schedules: Vec<&str>, days: i64| {
        json!({
            "schedules": schedules, "startTime": utc(now()), "endTime": utc(now() + TimeDelta::days(days)),
            "availabilityViewInterval": 720,
        })
    };
    let answer = client.post(path, body(vec![AURORA, "bo@example.com", "nobody@example.com"], 1)).await;
    let [room, failed, unknown] = answer.values() else { panic!("{answer:?}") };
    assert_eq!((&room["scheduleId"], &room["availabilityView"]), (&json!(AURORA), &json!("20")));
    let item = &room["scheduleItems"][0];
    assert_eq!((&item["status"], &item["isPrivate"]), (&json!("busy"), &json!(true)));
    assert!(item.get("id").is_none() && item.get("subject").is_none());
    assert_eq!((&failed["error"]["responseCode"], &failed["scheduleItems"]), (&json!("5016"), &json!(null)));
    assert_eq!(unknown["error"]["responseCode"], "5009");
    assert_eq!(client.post(path, body(vec![AURORA], 62)).await.status, 200);
    assert_eq!(client.post(path, body(vec![AURORA], 63)).await.error(), (400, "ErrorTimeIntervalTooBig"));
    assert_eq!(client.post(path, body(vec![AURORA; 21], 1)).await.status, 400);
    let mut odd = body(vec![AURORA], 1);
    odd["availabilityViewInterval"] = json!(4);
    assert_eq!(client.post(path, odd).await.status, 400);
}

#[tokio::test]
async fn sent_items_prove_what_was_sent_and_when() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = client.get(&view("")).await.values()[0].clone();
    client.post(&format!("{}/decline", event_path(&event["id"])), json!({})).await;
    let since = |at: chrono::DateTime<chrono::Utc>| {
        let at = at.format("%Y-%m-%dT%H:%M:%SZ");
        format!("/users/{AURORA}/mailFolders/sentitems/messages?$filter=sentDateTime ge {at}")
    };
    let answer = client.get(&since(now() - TimeDelta::minutes(1))).await;
    let message = &answer.values()[0];
    assert_eq!(message["@odata.type"], "#microsoft.graph.eventMessageResponse");
    assert_eq!(
        (&message["meetingMessageType"], &message["responseType"]),
        (&json!("meetingDeclined"), &json!("declined"))
    );
    assert_eq!(message["toRecipients"][0]["emailAddress"]["address"], json!(ada().address));
    assert!(message.get("body").is_none() && message["subject"].as_str().unwrap().starts_with("Declined: "));
    assert!(client.get(&since(now() + TimeDelta::minutes(1))).await.values().is_empty());
    let inbox = client.get("/users/ada@example.com/mailFolders/inbox/messages?$select=subject").await;
    assert_eq!(inbox.values().len(), 1);
    let deleted = client.get(&format!("/users/{AURORA}/mailFolders/deleteditems/messages")).await;
    assert!(deleted.values().is_empty(), "calendar items are no messages");
}

#[tokio::test]
async fn deleted_items_show_a_removed_event_by_its_immutable_id() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let id = client.get_with(&view(""), &[IMMUTABLE]).await.values()[0]["id"].clone();
    assert_eq!(client.delete(&event_path(&id)).await.status, 204);
    let settings = client.get(&format!("/users/{AURORA}/settings/exchange")).await;
    let mailbox = settings.json["primaryMailboxId"].as_str().unwrap();
    let path = format!("/admin/exchange/mailboxes/{mailbox}/folders/deleteditems/items");
    let answer = client.get(&format!("{path}?$select=id,type")).await;
    assert_eq!((&answer.values()[0]["type"], &answer.values()[0]["id"]), (&json!("IPM.Appointment"), &id));
    let wrong = client.get("/admin/exchange/mailboxes/x/folders/deleteditems/items").await;
    assert_eq!(wrong.error(), (400, "ErrorInvalidIdMalformed"));
}

#[tokio::test]
async fn ids_are_translated_in_both_directions() {
    let mut world = world();
    let uid = world.add_plain(PlainSpec::new(AURORA, now(), now() + TimeDelta::minutes(5)));
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = sim.world(|world| world.event(AURORA, &uid)).unwrap();
    let path = format!("/users/{AURORA}/translateExchangeIds");
    let translate = async |id: &str, from: &str, to: &str| {
        let body = json!({ "inputIds": [id, "nonsense"], "sourceIdType": from, "targetIdType": to });
        let answer = client.post(&path, body).await;
        assert_eq!(answer.values()[1]["errorDetails"]["code"], "ErrorInvalidIdMalformed");
        answer.values()[0]["targetId"].as_str().unwrap().to_owned()
    };
    assert_eq!(translate(&event.id, "ewsId", "restImmutableEntryId").await, event.immutable_id);
    assert_eq!(translate(&event.immutable_id, "restImmutableEntryId", "ewsId").await, event.id);
    let classic = client.get(&view("")).await.values()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(translate(&event.id, "ewsId", "restId").await, classic);
    let odd = json!({ "inputIds": [], "sourceIdType": "paper", "targetIdType": "ewsId" });
    assert_eq!(client.post(&path, odd).await.status, 400);
    assert_eq!(event.my_response, InvitationResponse::Organizer);
}
