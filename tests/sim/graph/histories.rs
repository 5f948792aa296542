//! Random histories over both protocols: whatever was done, over whichever protocol, both show the same calendar.

use adjourn::sim::{EventState, MeetingSpec, PlainSpec, RecurrenceRange, Series, Simulator};
use adjourn_test::{AURORA, SeededRandom, Seeds, ada, now, world};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::client::{GraphClient, IMMUTABLE, between, event_path, permitted, utc};
use crate::raw_requests::{basic, envelope, post};

const STEPS: u64 = 25;

/// Aurora's calendar, as the world has it.
fn calendar(sim: &Simulator, begun: DateTime<Utc>) -> Vec<EventState> {
    let (from, to) = (begun - TimeDelta::days(1), begun + TimeDelta::days(20));
    sim.world(|world| world.events(AURORA, from, to))
}

async fn history(seed: u64) {
    let (mut dice, begun) = (SeededRandom::new(seed), now());
    let mut world = world();
    for hour in 1..=3 {
        let (start, end) = (begun + TimeDelta::hours(hour), begun + TimeDelta::hours(hour + 1));
        let meeting = MeetingSpec { rooms: vec![AURORA.to_owned()], ..MeetingSpec::new(ada(), start, end) };
        let series = (hour == 2).then(|| Series::weekly_on(start, RecurrenceRange::Count(3)));
        world.add_meeting(MeetingSpec { series, ..meeting });
    }
    world.add_plain(PlainSpec::new(AURORA, begun, begun + TimeDelta::hours(1)));
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    for _ in 0..STEPS {
        let events = calendar(&sim, begun);
        if events.is_empty() {
            break;
        }
        let event = &events[dice.below(events.len() as u64) as usize];
        let minutes = 1 + i64::try_from(dice.below(50)).unwrap();
        match dice.below(2) {
            0 => over_graph(&client, event, dice.below(5), minutes).await,
            _ => over_ews(&sim, event, dice.below(4), minutes).await,
        }
        both_agree(&sim, &client, begun).await;
    }
}

async fn over_graph(client: &GraphClient<'_>, event: &EventState, what: u64, minutes: i64) {
    let path = event_path(&json!(event.immutable_id));
    let end = event.start + TimeDelta::minutes(minutes);
    let answer = match what {
        0 => client.patch(&path, json!({ "end": utc(end) })).await,
        1 => client.post(&format!("{path}/decline"), json!({ "sendResponse": minutes % 2 == 0 })).await,
        2 => client.post(&format!("{path}/accept"), json!({})).await,
        3 => client.delete(&path).await,
        _ => {
            let body = json!({ "subject": "New", "start": utc(event.start), "end": utc(end) });
            client.post(&format!("/users/{AURORA}/events"), body).await
        }
    };
    let is_organizers = answer.json["error"]["code"] == "ErrorInvalidRequest";
    assert!((200..300).contains(&answer.status) || is_organizers, "{answer:?}");
}

async fn over_ews(sim: &Simulator, event: &EventState, what: u64, minutes: i64) {
    let (id, key) = (&event.id, &event.change_key);
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (start, end) = (time(event.start), time(event.start + TimeDelta::minutes(minutes)));
    let body = match what {
        0 => format!(
            r#"<m:UpdateItem ConflictResolution="NeverOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId Id="{id}" ChangeKey="{key}"/><t:Updates><t:SetItemField><t:FieldURI FieldURI="calendar:End"/><t:CalendarItem><t:End>{end}</t:End></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"#
        ),
        1 => format!(
            r#"<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:DeclineItem><t:ReferenceItemId Id="{id}" ChangeKey="{key}"/></t:DeclineItem></m:Items></m:CreateItem>"#
        ),
        2 => format!(
            r#"<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToNone"><m:ItemIds><t:ItemId Id="{id}"/></m:ItemIds></m:DeleteItem>"#
        ),
        _ => format!(
            r#"<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:Subject>New</t:Subject><t:Start>{start}</t:Start><t:End>{end}</t:End></t:CalendarItem></m:Items></m:CreateItem>"#
        ),
    };
    let (status, answer) = post(sim, &basic(), &envelope(AURORA, &body)).await;
    let is_organizers = answer.contains("ErrorCalendarIsOrganizer");
    assert!(status == 200 && (answer.contains("NoError") || is_organizers), "{answer}");
}

/// Compares what Graph shows with the world that EWS serves, and opens each event by its id.
async fn both_agree(sim: &Simulator, client: &GraphClient<'_>, begun: DateTime<Utc>) {
    let window = between(begun - TimeDelta::days(1), begun + TimeDelta::days(20));
    let path = format!("/users/{AURORA}/calendarView?{window}&$top=1000");
    let answer = client.get_with(&path, &[IMMUTABLE]).await;
    let mut shown: Vec<[Value; 4]> = answer
        .values()
        .iter()
        .map(|event| ["id", "changeKey", "start", "end"].map(|name| event[name].clone()))
        .collect();
    let mut expected: Vec<[Value; 4]> = calendar(sim, begun)
        .iter()
        .map(|event| [json!(event.immutable_id), json!(event.change_key), utc(event.start), utc(event.end)])
        .collect();
    for list in [&mut shown, &mut expected] {
        list.sort_by_key(|event| event[0].to_string());
    }
    assert_eq!(shown, expected);
    for event in answer.values().iter().take(3) {
        let one = client.get_with(&event_path(&event["id"]), &[IMMUTABLE]).await.json;
        assert_eq!((&one["iCalUId"], &one["changeKey"]), (&event["iCalUId"], &event["changeKey"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_protocols_show_one_calendar_after_any_history() {
    for seed in Seeds::from_environment("ADJOURN_GRAPH", 12).range {
        println!("seed {seed}");
        history(seed).await;
    }
}
