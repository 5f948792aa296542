//! `$batch`: own headers, answers by id, dependencies and limits.

use adjourn::sim::{FaultRule, InjectedFault, PlainSpec};
use adjourn_test::{AURORA, meeting, now, plain, request_count, world};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::client::{GraphAnswer, GraphClient, event_path, permitted, utc, view};

/// The response to one request.
fn by_id<'a>(answer: &'a GraphAnswer, id: &str) -> &'a Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut responses = answer.json["responses"].as_array().unwrap().iter();
    responses.find(|response| response["id"] == id).unwrap()
}

fn get(id: &str, url: &str) -> Value {
    json!({ "id": id, "method": "GET", "url": url })
}

async fn batch(client: &GraphClient<'_>, requests: Value) -> GraphAnswer {
    client.post("/$batch", json!({ "requests": requests })).await
}

#[tokio::test]
async fn each_request_has_headers_and_an_answer_of_its_own() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let immutable = json!({ "Prefer": "IdType=\"ImmutableId\"" });
    let requests = json!([
        { "id": "a", "method": "GET", "url": view(""), "headers": immutable },
        get("b", &view("")),
        get("c", "/users/nobody@example.com/events"),
        get("d", "teapots"),
    ]);
    let answer = batch(&client, requests).await;
    let id = |step: &str| by_id(&answer, step)["body"]["value"][0]["id"].as_str().unwrap().len();
    assert_eq!((id("a"), id("b") > 140), (72, true), "the outer header does not count, the inner does");
    assert_eq!(by_id(&answer, "a")["headers"]["Content-Type"], "application/json");
    let error = |step: &str| by_id(&answer, step)["body"]["error"]["code"].clone();
    assert_eq!((error("c"), error("d")), (json!("ErrorInvalidUser"), json!("BadRequest")));
    assert_eq!(answer.json["responses"][0]["id"], "d", "not in the order of the requests");
    assert_eq!((request_count(&sim, "CalendarView"), request_count(&sim, "Batch")), (2, 1));
}

#[tokio::test]
async fn dependents_of_a_failure_are_not_performed() {
    let mut world = world();
    world.add_plain(plain());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let event = client.get(&view("")).await.values()[0].clone();
    let delete =
        json!({ "id": "3", "method": "DELETE", "url": event_path(&event["id"]), "dependsOn": ["2"] });
    let requests = json!([
        delete,
        { "id": "2", "method": "GET", "url": "/users/nobody@example.com/events", "dependsOn": ["1"] },
        get("1", &view("")),
    ]);
    let answer = batch(&client, requests).await;
    let statuses: Vec<_> =
        ["1", "2", "3"].iter().map(|id| by_id(&answer, id)["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 404, 424]);
    assert_eq!(client.get(&view("")).await.values().len(), 1);
}

#[tokio::test]
async fn a_throttled_request_is_429_inside_and_its_dependents_424() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    sim.inject_fault(FaultRule::new(InjectedFault::BusyFault(7_000)).on("CalendarView"));
    let dependent = json!({ "id": "2", "method": "GET", "url": view(""), "dependsOn": ["1"] });
    let answer = batch(&client, json!([get("1", &view("")), dependent, get("3", &view(""))])).await;
    let first = by_id(&answer, "1");
    assert_eq!((&first["status"], &first["headers"]["Retry-After"]), (&json!(429), &json!("7")));
    assert_eq!(first["body"]["error"]["code"], "ApplicationThrottled");
    assert_eq!((&by_id(&answer, "2")["status"], &by_id(&answer, "3")["status"]), (&json!(424), &json!(200)));
}

#[tokio::test]
async fn a_batch_writes_and_loses_all_its_answers_together() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let (start, end) = (utc(now()), utc(now() + TimeDelta::minutes(30)));
    let create = |id: &str| {
        json!({
            "id": id, "method": "POST", "url": format!("/users/{AURORA}/events"),
            "headers": { "Content-Type": "application/json" },
            "body": { "subject": id, "start": start, "end": end },
        })
    };
    let answer = batch(&client, json!([create("1")])).await;
    assert_eq!(
        (&by_id(&answer, "1")["status"], &by_id(&answer, "1")["body"]["subject"]),
        (&json!(201), &json!("1"))
    );
    sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("CreateEvent"));
    let body = json!({ "requests": [create("2"), create("3")] });
    assert!(client.try_send("POST", "/$batch", &[], Some(body.clone())).await.is_none());
    assert_eq!(client.get(&view("")).await.values().len(), 3, "performed all the same");
    sim.inject_fault(FaultRule::new(InjectedFault::ResetBefore).on("Batch"));
    assert!(client.try_send("POST", "/$batch", &[], Some(body)).await.is_none());
    assert_eq!(client.get(&view("")).await.values().len(), 3);
}

#[tokio::test]
async fn malformed_batches_are_refused_whole() {
    let mut world = world();
    world.add_plain(PlainSpec::new(AURORA, now(), now() + TimeDelta::minutes(5)));
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let many = |count: usize| (0..count).map(|id| get(&id.to_string(), &view(""))).collect::<Vec<_>>();
    assert_eq!(batch(&client, json!(many(20))).await.status, 200);
    let circle =
        |id: &str, on: &str| json!({ "id": id, "method": "GET", "url": "/users", "dependsOn": [on] });
    let rows = [
        json!(many(21)),
        json!([]),
        json!(5),
        json!([5]),
        json!([{ "id": "1", "url": "/users" }]),
        json!([{ "id": "1", "method": "GET" }]),
        json!([{ "method": "GET", "url": "/users" }]),
        json!([get("1", "/users"), get("1", "/users")]),
        json!([circle("1", "2"), circle("2", "1")]),
        json!([circle("1", "0")]),
    ];
    for requests in rows {
        assert_eq!(batch(&client, requests.clone()).await.error(), (400, "BadRequest"), "{requests}");
    }
    let nested = json!({ "id": "1", "method": "POST", "url": "/$batch", "body": { "requests": many(1) } });
    let answer = batch(&client, json!([nested])).await;
    assert_eq!(by_id(&answer, "1")["status"], 400);
}
