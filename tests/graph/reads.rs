//! Reading calendars: pages, all-day events, lost responses, missing events, series, many rooms at once.

use adjourn::action::{EventSnapshot, Step};
use adjourn::calendar::{ChangeKey, Event, EventId, Window};
use adjourn::engine::{CalendarReader as _, DeletedLookup, ErrorKind, EventLookup, Occupancy, TraceLookup};
use adjourn::graph::GraphRights;
use adjourn::live::Feed as _;
use adjourn_test::{aurora, numbered_room, wait_until};
use serde_json::{Value, json};

use crate::conversation::{at, error, error_with, event, graph, graph_with, lines, ok, page, root, time};
use crate::script::{Reaction, ScriptedServer};

const VIEW: &str = "GET /v1.0/users/aurora%40example.com/calendarView";

fn window() -> Window {
    Window::new(at(8, 0), at(18, 0)).unwrap()
}

fn at_hour(id: &str, hour: u32) -> Value {
    let mut event = event(id, "k1");
    event["start"] = time(at(hour, 0));
    event["end"] = time(at(hour, 30));
    event
}

async fn ids_of(script: &ScriptedServer) -> Vec<String> {
    let view = graph(script).events(&aurora(), window()).await.unwrap();
    view.events.iter().map(|event| event.id.as_str().to_owned()).collect()
}

#[tokio::test]
async fn all_pages_of_a_wider_view_are_read_and_the_window_is_returned() {
    let first = |root: String| {
        ok(&json!({
            "value": [at_hour("C", 12), at_hour("early", 3)],
            "@odata.nextLink": format!("{root}/v1.0/users/aurora%40example.com/calendarView?a=b&$skip=2"),
        }))
    };
    let script = ScriptedServer::answering(move |number, request| match number {
        0 => first(format!("http://{}", host(request))),
        1 => ok(&json!({"value": [], "@odata.nextLink": format!("http://{}/v1.0/x?$skip=3", host(request))})),
        _ => page(&[at_hour("A", 9), at_hour("C", 12)]),
    })
    .await;
    assert_eq!(ids_of(&script).await, ["A", "C"]);
    let requests = script.requests();
    assert!(
        requests[0]
            .contains("startDateTime=2026-10-04T08%3A00%3A00Z&endDateTime=2026-10-06T18%3A00%3A01Z&$top=100")
    );
    assert!(
        requests[1].starts_with("GET /v1.0/users/aurora%40example.com/calendarView?a=b&$skip=2 HTTP/1.1")
    );
    assert!(requests.iter().all(|request| request.contains("IdType=\"ImmutableId\"")));
    assert!(
        requests[3].contains("$select=id,changeKey,start,end,isAllDay,isCancelled,showAs "),
        "{}",
        requests[3]
    );
    assert_eq!(requests.len(), 4);
}

/// The first event is deleted after its page was read: the second page begins one event too far.
#[tokio::test]
async fn an_event_that_is_on_none_of_the_pages_is_noticed() {
    let script = ScriptedServer::answering(|number, request| match number {
        0 => ok(&json!({
            "value": [at_hour("A", 9), at_hour("B", 10)],
            "@odata.nextLink": format!("http://{}/v1.0/x?$skip=2", host(request)),
        })),
        1 => page(&[at_hour("D", 12)]),
        _ => page(&[at_hour("B", 10), at_hour("C", 11), at_hour("D", 12)]),
    })
    .await;
    let error = graph(&script).events(&aurora(), window()).await.unwrap_err();
    assert!(error.code.contains("changed while it was read"), "{error}");
}

fn host(request: &str) -> String {
    let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    host.trim().to_owned()
}

#[tokio::test]
async fn a_next_page_on_another_server_is_not_requested() {
    let other = ScriptedServer::start(vec![page(&[])]).await;
    for link in [format!("{}/v1.0/x", root(&other)), "https://example.org/v1.0/x".to_owned()] {
        let script = ScriptedServer::start(vec![ok(&json!({"value": [], "@odata.nextLink": link}))]).await;
        let error = graph(&script).events(&aurora(), window()).await.unwrap_err();
        assert!(error.code.contains("nextLink"), "{error}");
        assert_eq!((script.requests().len(), other.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn pages_without_end_are_an_error() {
    let script = ScriptedServer::answering(|_, request| {
        ok(&json!({"value": [], "@odata.nextLink": format!("http://{}/v1.0/x", host(request))}))
    })
    .await;
    let error = graph(&script).events(&aurora(), window()).await.unwrap_err();
    assert_eq!((error.kind, script.requests().len()), (ErrorKind::TooLarge, 100));
}

#[tokio::test]
async fn a_read_whose_response_is_lost_is_sent_again() {
    let script = ScriptedServer::start(vec![
        Reaction::Drop,
        error(502, "UnknownError"),
        Reaction::Half(br#"{"value":[],"x":""}"#.to_vec()),
        page(&[at_hour("A", 9)]),
    ])
    .await;
    assert_eq!((ids_of(&script).await, script.requests().len()), (vec!["A".to_owned()], 4));
}

#[tokio::test]
async fn a_view_without_its_list_is_no_empty_calendar() {
    for body in [json!({}), json!({"value": null}), json!([]), json!({"error": {"code": "x"}})] {
        let script = ScriptedServer::start(vec![ok(&body)]).await;
        assert!(graph(&script).events(&aurora(), window()).await.is_err(), "{body}");
    }
    for refused in
        [error(404, "ErrorItemNotFound"), error(404, "MailboxNotEnabledForRESTAPI"), error(403, "x")]
    {
        let script = ScriptedServer::start(vec![refused]).await;
        assert!(graph(&script).events(&aurora(), window()).await.is_err());
    }
}

#[tokio::test]
async fn an_unreadable_event_takes_its_time() {
    let mut unreadable = at_hour("A", 9);
    unreadable["changeKey"] = json!(7);
    let script = ScriptedServer::start(vec![page(&[unreadable, at_hour("B", 10)])]).await;
    let view = graph(&script).events(&aurora(), window()).await.unwrap();
    assert_eq!((view.events.len(), view.unreadable.len()), (1, 1));
    assert_eq!((view.unreadable[0].start, view.unreadable[0].end), (Some(at(9, 0)), Some(at(9, 30))));
}

#[tokio::test]
async fn a_poll_notices_any_version_and_fails_without_one() {
    let poll = |element: Value| async move {
        let script = ScriptedServer::start(vec![page(&[element])]).await;
        let polled = graph(&script).sync_changes(&aurora(), None).await;
        (polled.map(|result| result.state).map_err(|error| error.kind), script.requests())
    };
    let (first, requests) = poll(json!({"id": "A", "changeKey": "k1"})).await;
    assert!(
        requests[0].contains("$select=id,changeKey,start,end,isAllDay,isCancelled,showAs "),
        "{requests:?}"
    );
    assert_eq!(first, poll(json!({"id": "A", "changeKey": "k1"})).await.0);
    assert_ne!(first, poll(json!({"id": "A", "changeKey": "k2"})).await.0);
    assert!(poll(json!({"id": "A", "@odata.etag": "W/\"k1\""})).await.0.is_ok());
    for unusable in [
        json!({"id": "A", "start": time(at(9, 0))}),
        json!({"id": "A", "changeKey": ""}),
        json!({"changeKey": "k1"}),
        json!(7),
    ] {
        assert_eq!(poll(unusable.clone()).await.0, Err(ErrorKind::Unknown), "{unusable}");
    }
}

#[tokio::test]
async fn a_poll_of_too_many_events_is_an_error() {
    let script = ScriptedServer::answering(|number, request| {
        let event = |index: usize| json!({"id": format!("{number}-{index}"), "changeKey": "k1"});
        let events: Vec<_> = (0..1_000).map(event).collect();
        ok(&json!({"value": events, "@odata.nextLink": format!("http://{}/v1.0/x", host(request))}))
    })
    .await;
    let error = graph(&script).sync_changes(&aurora(), None).await.unwrap_err();
    assert_eq!((error.kind, script.requests().len()), (ErrorKind::TooLarge, 6));
}

#[tokio::test]
async fn a_page_of_too_many_elements_is_an_error() {
    let script = ScriptedServer::start(vec![ok(&json!({"value": vec![0; 1_001]}))]).await;
    let error = graph(&script).events(&aurora(), window()).await.unwrap_err();
    assert_eq!((error.kind, script.requests().len()), (ErrorKind::Unknown, 1));
}

async fn read_event(reactions: Vec<Reaction>) -> Result<Option<Event>, ErrorKind> {
    let script = ScriptedServer::start(reactions).await;
    graph(&script).event(&aurora(), &EventId::new("A")).await.map_err(|error| error.kind)
}

#[tokio::test]
async fn a_missing_event_is_none_and_a_missing_mailbox_is_an_error() {
    let found = read_event(vec![ok(&event("A", "k1")), page(&[event("A", "k1")])]).await.unwrap();
    assert_eq!(found.unwrap().change_key, ChangeKey::new("k1"));
    assert_eq!(read_event(vec![error(404, "ErrorItemNotFound")]).await, Ok(None));
    for (code, kind) in [
        ("ErrorInvalidUser", ErrorKind::NoMailbox),
        ("MailboxNotEnabledForRESTAPI", ErrorKind::WrongServer),
        ("AFutureCode", ErrorKind::Unknown),
    ] {
        assert_eq!(read_event(vec![error(404, code)]).await, Err(kind), "{code}");
    }
    assert_eq!(read_event(vec![ok(&event("B", "k1"))]).await, Err(ErrorKind::Unknown), "another event");
}

/// The journal of a room that was on EWS has such ids.
#[tokio::test]
async fn an_id_of_ews_is_sent_in_graphs_alphabet_and_names_the_event_under_its_own_id() {
    let script = ScriptedServer::start(vec![ok(&event("A", "k1")), page(&[event("A", "k1")])]).await;
    let found = graph(&script).event(&aurora(), &EventId::new("AAMk/x+y=")).await.unwrap();
    assert_eq!(found.unwrap().id, EventId::new("A"));
    let sent = lines(&script);
    assert!(sent[0].ends_with("/events/AAMk-x_y%3D"), "{sent:?}");
    let rejected = read_event(vec![error(400, "ErrorInvalidIdMalformed")]).await;
    assert_eq!(rejected, Err(ErrorKind::InvalidId));
}

#[tokio::test]
async fn an_event_that_is_in_deleted_items_under_its_id_is_gone() {
    let get = ok(&event("A", "k2"));
    assert_eq!(read_event(vec![get.clone(), page(&[event("B", "k1")]), get]).await, Ok(None));
}

#[tokio::test]
async fn an_event_that_is_moved_between_the_two_reads_is_not_gone() {
    let moved = |key: &str| {
        let mut moved = at_hour("A", 15);
        moved["changeKey"] = json!(key);
        moved
    };
    let (before, none) = (ok(&event("A", "k1")), page(&[]));
    let found =
        read_event(vec![before.clone(), none.clone(), ok(&moved("k2")), page(&[moved("k2")])]).await.unwrap();
    assert_eq!(found.unwrap().start, at(15, 0));
    let again = |key| [ok(&moved(key)), none.clone()];
    let restless =
        [vec![before, none.clone()], again("k2").to_vec(), again("k3").to_vec(), vec![ok(&moved("k4"))]];
    assert!(read_event(restless.concat()).await.is_err(), "its version is unknown");
}

#[tokio::test]
async fn a_series_is_in_the_calendar_with_any_later_occurrence_and_never_gone_without_one() {
    let mut master: Value =
        serde_json::from_str(include_str!("../../fixtures/graph/series-master.json")).unwrap();
    master["id"] = json!("A");
    let now = adjourn_test::now();
    let mut date = event("O", "k1");
    date["type"] = json!("occurrence");
    date["iCalUId"] = master["iCalUId"].clone();
    (date["start"], date["end"]) = (time(now), time(now + chrono::TimeDelta::minutes(30)));
    let late = read_event(vec![ok(&master), page(&[]), page(&[date])]).await.unwrap();
    assert_eq!(late.unwrap().kind, adjourn::calendar::EventKind::Series);
    let unknown = read_event(vec![ok(&master), page(&[]), page(&[]), ok(&master)]).await;
    assert_eq!(unknown, Err(ErrorKind::Unknown), "it may have occurrences elsewhere");
}

#[tokio::test]
async fn the_version_that_the_calendar_shows_is_the_later_one() {
    let found = read_event(vec![ok(&event("A", "k1")), page(&[event("A", "k2")])]).await.unwrap();
    assert_eq!(found.unwrap().change_key, ChangeKey::new("k2"));
}

#[tokio::test]
async fn an_external_id_is_found_in_the_rooms_own_calendar_alone() {
    let lookup = |reactions: Vec<Reaction>| async {
        let script = ScriptedServer::start(reactions).await;
        let found = graph(&script).event_by_external_id(&aurora(), &EventId::new("AAMk/classic=")).await;
        (found.map_err(|error| error.kind), lines(&script))
    };
    let here = vec![ok(&event("A", "k1")), page(&[event("A", "k1")])];
    let (found, requests) = lookup(here).await;
    assert!(matches!(found, Ok(EventLookup::Found(event)) if event.id == EventId::new("A")));
    assert_eq!(requests, ["GET /v1.0/users/aurora%40example.com/events/AAMk-classic%3D", VIEW]);
    let get = ok(&event("A", "k1"));
    let (elsewhere, _) = lookup(vec![get.clone(), page(&[]), get, ok(&json!({"id": "c"}))]).await;
    assert_eq!(elsewhere, Ok(EventLookup::NotFound));
    let (missing, requests) = lookup(vec![error(404, "ErrorItemNotFound"), ok(&json!({"id": "c"}))]).await;
    assert_eq!((missing, requests.len()), (Ok(EventLookup::NotFound), 2));
    let (unseen, _) = lookup(vec![error(404, "ErrorItemNotFound"), error(403, "ErrorAccessDenied")]).await;
    assert_eq!(unseen, Err(ErrorKind::Denied), "a calendar that may not be seen proves no absence");
    let (invalid, _) = lookup(vec![error(400, "ErrorInvalidIdMalformed")]).await;
    assert!(matches!(invalid, Ok(EventLookup::InvalidId { .. })), "{invalid:?}");
}

#[tokio::test]
async fn a_series_is_read_by_its_master_with_its_exceptions() {
    let master: Value =
        serde_json::from_str(include_str!("../../fixtures/graph/series-master.json")).unwrap();
    let mut date = event("O", "k1");
    date["type"] = json!("occurrence");
    date["seriesMasterId"] = master["id"].clone();
    let script = ScriptedServer::start(vec![ok(&date), ok(&master)]).await;
    let series = graph(&script).series(&aurora(), &EventId::new("O")).await.unwrap().unwrap();
    assert_eq!(series.exceptions.len(), 1);
    assert!(script.requests()[1].contains("$expand=exceptionOccurrences"));
    let script = ScriptedServer::start(vec![ok(&date), error(404, "ErrorItemNotFound")]).await;
    assert_eq!(graph(&script).series(&aurora(), &EventId::new("O")).await, Ok(None));
    let script = ScriptedServer::start(vec![ok(&event("S", "k1"))]).await;
    assert!(graph(&script).series(&aurora(), &EventId::new("S")).await.is_err(), "no date of a series");
}

#[tokio::test]
async fn the_question_which_rooms_are_free_costs_no_request() {
    let rooms: Vec<_> = (0..23).map(numbered_room).collect();
    let script = ScriptedServer::start(vec![page(&[])]).await;
    let found = graph(&script).occupancy(&rooms, window()).await.unwrap();
    assert_eq!(found, [Occupancy::MaybeBusy; 23]);
    assert_eq!(script.requests().len(), 0);
}

#[tokio::test]
async fn at_most_three_reads_of_a_room_are_under_way() {
    let script = ScriptedServer::start(vec![Reaction::Silence]).await;
    let graph = graph(&script);
    let room = aurora();
    let reads = futures_util::future::join_all((0..8).map(|_| graph.check_calendar(&room)));
    let three_are_there = async {
        wait_until("three requests", || script.requests().len() >= 3).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    tokio::select! {
        _ = reads => panic!("nothing was answered"),
        () = three_are_there => {}
    }
    assert_eq!((script.requests().len(), script.connections()), (3, 3));
}

#[tokio::test]
async fn a_throttled_room_waits_as_long_as_the_server_wants() {
    let busy = error_with(429, "Retry-After: 3600\r\n", "TooManyRequests");
    let script = ScriptedServer::start(vec![busy]).await;
    let graph = graph(&script);
    let first = graph.events(&aurora(), window()).await.unwrap_err();
    assert_eq!(first.kind, ErrorKind::Busy);
    let second = graph.events(&aurora(), window()).await.unwrap_err();
    assert_eq!((second.kind, script.requests().len()), (ErrorKind::Busy, 1));
}

fn seen() -> Event {
    Event {
        id: EventId::new("A"),
        change_key: ChangeKey::new("k1"),
        uid: None,
        original_start: None,
        start: at(9, 0),
        end: at(10, 0),
        subject: Some("Ada Example".to_owned()),
        organizer: Some(adjourn::calendar::Person {
            address: Some("ada@example.com".to_owned()),
            ..adjourn::calendar::Person::default()
        }),
        kind: adjourn::calendar::EventKind::Single,
        copy: None,
        is_all_day: false,
        is_cancelled: false,
        is_declined: false,
        free_busy: adjourn::calendar::FreeBusy::Busy,
        is_private: false,
        created: None,
        modified: None,
    }
}

fn decline() -> Step {
    Step::Decline { id: EventId::new("A"), change_key: ChangeKey::new("k1"), text: None }
}

#[tokio::test]
async fn without_a_right_a_trace_is_unknown_and_nothing_is_requested() {
    let script = ScriptedServer::start(vec![page(&[])]).await;
    let graph = graph_with(&script, GraphRights::default());
    let sent = graph.find_sent_message(&aurora(), &decline(), &seen(), at(9, 5)).await;
    assert_eq!(sent, Ok(TraceLookup::Unknown));
    let deleted = graph.find_deleted(&aurora(), &EventSnapshot::from(&seen())).await;
    assert_eq!((deleted, script.requests().len()), (Ok(DeletedLookup::Unknown), 0));
}

#[tokio::test]
async fn a_message_that_is_found_proves_a_decline_and_a_missing_one_proves_nothing() {
    let message = json!({
        "meetingMessageType": "meetingDeclined", "subject": "Declined: Ada Example",
        "sentDateTime": "2026-10-05T09:10:00Z", "startDateTime": time(at(9, 0)),
        "toRecipients": [{"emailAddress": {"address": "ada@example.com"}}],
    });
    for (found, expected) in [
        (page(&[json!({"subject": 7}), message.clone()]), TraceLookup::Found),
        (page(&[message.clone(), message]), TraceLookup::Unknown),
        (page(&[]), TraceLookup::Unknown),
        (error(403, "ErrorAccessDenied"), TraceLookup::Unknown),
    ] {
        let script = ScriptedServer::start(vec![found]).await;
        let sent = graph(&script).find_sent_message(&aurora(), &decline(), &seen(), at(9, 5)).await;
        assert_eq!(sent, Ok(expected));
        let request = &script.requests()[0];
        assert!(request.contains("$filter=sentDateTime%20ge%202026-10-05T09%3A04%3A50Z"), "{request}");
    }
}

#[tokio::test]
async fn a_removed_event_is_searched_by_its_id_and_then_by_its_uid_and_times() {
    let settings = ok(&json!({"id": "guid", "primaryMailboxId": "MBX:1@2"}));
    let lookup = |pages: Vec<Reaction>| {
        let reactions = [vec![settings.clone()], pages].concat();
        async {
            let script = ScriptedServer::start(reactions).await;
            let found = graph(&script).find_deleted(&aurora(), &EventSnapshot::from(&seen())).await.unwrap();
            (matches!(found, DeletedLookup::Found(_)), script.requests())
        }
    };
    let other = json!({"id": "B", "type": "IPM.Appointment"});
    let (found, requests) =
        lookup(vec![page(&[other.clone(), json!({"id": "A", "type": "IPM.Appointment"})])]).await;
    assert!(found && requests.len() == 2);
    assert!(
        requests[1].starts_with("GET /v1.0/admin/exchange/mailboxes/MBX%3A1%402/folders/deleteditems/items?")
    );
    let (found, requests) = lookup(vec![page(&[other]), error(400, "RequestBroker--ParseUri")]).await;
    assert!(!found && requests[2].contains("$expand=singleValueExtendedProperties"), "{requests:?}");
}
