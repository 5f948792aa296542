//! One world behind both protocols: Graph shows a change made over EWS, and EWS shows a change made over Graph.

use adjourn::sim::{EventState, MailKind, MeetingSpec, RecurrenceRange, Series, Simulator};
use adjourn_test::{AURORA, meeting, now, world};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::client::{GraphClient, IMMUTABLE, event_path, permitted, utc, view};
use crate::raw_requests::{basic, envelope, post};

/// Sends a SOAP body for Aurora.
async fn ews(sim: &Simulator, body: &str) -> String {
    let (status, answer) = post(sim, &basic(), &envelope(AURORA, body)).await;
    assert!(status == 200 && answer.contains("NoError"), "{answer}");
    answer
}

async fn ews_get(sim: &Simulator, id: &str) -> String {
    let shape = "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>";
    ews(sim, &format!(r#"<m:GetItem>{shape}<m:ItemIds><t:ItemId Id="{id}"/></m:ItemIds></m:GetItem>"#)).await
}

fn state(sim: &Simulator, uid: &str) -> EventState {
    sim.world(|world| world.event(AURORA, uid)).unwrap()
}

fn attribute_of(xml: &str, element: &str, name: &str) -> String {
    let element = xml.split(&format!("<t:{element} ")).nth(1).unwrap().split('>').next().unwrap();
    element.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn ids_change_keys_and_uids_belong_together() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let over_graph = client.get(&view("")).await.values()[0].clone();
    let over_ews = ews_get(&sim, &state(&sim, &uid).id).await;
    let ews_id = attribute_of(&over_ews, "ItemId", "Id");
    assert_eq!(over_graph["id"], json!(ews_id.replace('/', "-").replace('+', "_")), "the URL-safe form");
    assert_eq!(over_graph["changeKey"], json!(attribute_of(&over_ews, "ItemId", "ChangeKey")));
    assert!(over_ews.contains(&format!("<t:UID>{uid}</t:UID>")) && over_graph["iCalUId"] == json!(uid));
}

#[tokio::test]
async fn an_event_created_over_graph_is_updated_over_ews_and_conflicts_over_graph() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let (start, end) = (utc(now()), utc(now() + TimeDelta::minutes(30)));
    let body = json!({ "subject": "Booked", "start": start, "end": end, "transactionId": "t" });
    let created =
        client.send("POST", &format!("/users/{AURORA}/events"), &[IMMUTABLE], Some(body)).await.json;
    let event = state(&sim, created["iCalUId"].as_str().unwrap());
    assert!(ews_get(&sim, &event.id).await.contains("<t:Subject>Booked</t:Subject>"));
    let (id, key) = (&event.id, &event.change_key);
    ews(&sim, &format!(
        r#"<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId Id="{id}" ChangeKey="{key}"/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>Renamed</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
    )).await;
    let seen = client.get(&event_path(&created["id"])).await.json;
    assert_eq!((&seen["subject"], &seen["transactionId"]), (&json!("Renamed"), &json!("t")));
    let stale = [("If-Match", created["@odata.etag"].as_str().unwrap())];
    let answer =
        client.send("PATCH", &event_path(&created["id"]), &stale, Some(json!({ "subject": "x" }))).await;
    assert_eq!(answer.status, 412);
}

#[tokio::test]
async fn an_end_over_graph_makes_a_known_change_key_of_ews_stale() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let before = state(&sim, &uid);
    let event = client.get(&view("")).await.values()[0].clone();
    let end = now();
    assert_eq!(client.patch(&event_path(&event["id"]), json!({ "end": utc(end) })).await.status, 200);
    let body = format!(
        r#"<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId Id="{}" ChangeKey="{}"/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Subject"/><t:CalendarItem><t:Subject>x</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#,
        before.id, before.change_key
    );
    let (_, answer) = post(&sim, &basic(), &envelope(AURORA, &body)).await;
    assert!(answer.contains("ErrorIrresolvableConflict"), "{answer}");
    let over_ews = ews_get(&sim, &before.id).await;
    assert!(over_ews.contains(&end.format("<t:End>%Y-%m-%dT%H:%M:%SZ</t:End>").to_string()), "{over_ews}");
}

#[tokio::test]
async fn a_move_over_ews_changes_the_classic_id_and_not_the_immutable_one() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let classic = client.get(&view("")).await.values()[0]["id"].clone();
    let immutable = client.get_with(&view(""), &[IMMUTABLE]).await.values()[0]["id"].clone();
    let move_to = |id: &str, folder: &str| {
        format!(
            r#"<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="{folder}"/></m:ToFolderId><m:ItemIds><t:ItemId Id="{id}"/></m:ItemIds></m:MoveItem>"#
        )
    };
    ews(&sim, &move_to(&state(&sim, &uid).id, "deleteditems")).await;
    assert_eq!(client.get(&event_path(&immutable)).await.status, 404);
    let deleted = sim.world(|world| world.deleted(AURORA));
    ews(&sim, &move_to(&deleted[0].id, "calendar")).await;
    assert_eq!(client.get(&event_path(&classic)).await.status, 404);
    assert_eq!(client.get(&event_path(&immutable)).await.json["iCalUId"], json!(uid));
}

#[tokio::test]
async fn a_removal_over_graph_is_in_deleted_items_over_ews() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = client.get(&view("")).await.values()[0].clone();
    assert_eq!(client.delete(&event_path(&event["id"])).await.status, 204);
    let find = r#"<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:IndexedPageItemView MaxEntriesReturned="10" Offset="0" BasePoint="Beginning"/><m:ParentFolderIds><t:DistinguishedFolderId Id="deleteditems"/></m:ParentFolderIds></m:FindItem>"#;
    let answer = ews(&sim, find).await;
    assert!(answer.contains(&format!("<t:UID>{uid}</t:UID>")), "{answer}");
}

#[tokio::test]
async fn an_exception_has_one_id_over_graph_and_is_translated_to_its_new_one_of_ews() {
    let mut world = world();
    let spec = meeting();
    let start = spec.start;
    let series = Some(Series::weekly_on(start, RecurrenceRange::Count(3)));
    let uid = world.add_meeting(MeetingSpec { series, ..spec });
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let occurrence = || sim.world(|world| world.occurrence(AURORA, &uid, start)).unwrap();
    let before = occurrence();
    let answer =
        client.patch(&event_path(&json!(before.immutable_id)), json!({ "subject": "Changed" })).await;
    assert_eq!((answer.status, &answer.json["type"]), (200, &json!("exception")));
    let after = occurrence();
    assert_eq!((after.id == before.id, &after.immutable_id), (false, &before.immutable_id));
    let body = json!({
        "inputIds": [after.immutable_id], "sourceIdType": "restImmutableEntryId", "targetIdType": "ewsId",
    });
    let translated = client.post(&format!("/users/{AURORA}/translateExchangeIds"), body).await;
    assert_eq!(translated.values()[0]["targetId"], json!(after.id));
    assert!(ews_get(&sim, &after.id).await.contains("<t:Subject>Changed</t:Subject>"));
}

#[tokio::test]
async fn an_occurrence_declined_over_ews_is_gone_over_graph() {
    let mut world = world();
    let spec = meeting();
    let start = spec.start;
    let series = Some(Series::weekly_on(start, RecurrenceRange::Count(3)));
    let uid = world.add_meeting(MeetingSpec { series, ..spec });
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let dates: Vec<Value> = client.get(&view("")).await.values().to_vec();
    assert_eq!(dates.len(), 1);
    let at = sim.world(|world| world.occurrence(AURORA, &uid, start)).unwrap();
    ews(&sim, &format!(
        r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:DeclineItem><t:ReferenceItemId Id="{}" ChangeKey="{}"/></t:DeclineItem></m:Items></m:CreateItem>"#,
        at.id, at.change_key
    )).await;
    assert!(client.get(&view("")).await.values().is_empty());
    assert_eq!(client.get(&event_path(&dates[0]["id"])).await.status, 404);
    let master = client
        .get(&format!("{}?$select=cancelledOccurrences", event_path(&dates[0]["seriesMasterId"])))
        .await;
    assert_eq!(master.json["cancelledOccurrences"].as_array().unwrap().len(), 1);
    let sent = client.get(&format!("/users/{AURORA}/mailFolders/sentitems/messages")).await;
    assert_eq!(sent.all("meetingMessageType"), ["meetingDeclined"]);
    assert_eq!(sim.outbox()[0].kind, MailKind::Decline);
}
