//! An action that was undone cannot be undone again, and its record names the action that did it to those who may read that one.

use adjourn::access::Right;
use serde_json::{Value, json};

use crate::fixture::{ApiFixture, BUSY, FREE};

async fn record(lobby: &ApiFixture, token: &str, id: &Value) -> Value {
    let path = format!("/v1/actions/{}", id.as_str().unwrap());
    lobby.send_as(token, "GET", &path, &[], "").await.json()
}

async fn perform(lobby: &ApiFixture, token: &str, path: &str, body: &str) -> Value {
    let said = lobby.send_as(token, "POST", path, &[], body).await;
    assert_eq!(said.status, 200, "{path}: {said:?}");
    said.json()
}

async fn undo(lobby: &ApiFixture, action: &Value) -> Value {
    let path = format!("/v1/actions/{}/undo", action["id"].as_str().unwrap());
    perform(lobby, &lobby.token, &path, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_was_undone_is_not_undoable_and_names_the_undo() {
    let lobby = ApiFixture::open().await;
    let booked = perform(&lobby, &lobby.token, &format!("/v1/rooms/{FREE}/book"), r#"{"minutes":15}"#).await;
    let ended = perform(&lobby, &lobby.token, &format!("/v1/rooms/{BUSY}/end"), "").await;
    for action in [&booked, &ended] {
        let before = record(&lobby, &lobby.token, &action["id"]).await;
        assert_eq!(
            (&before["change"]["undoable"], &before["undone_by"]),
            (&true.into(), &Value::Null),
            "{before}"
        );
        let undone = undo(&lobby, action).await;
        assert_eq!(undone["change"]["not_undoable"], "is-an-undo", "{undone}");
        let after = record(&lobby, &lobby.token, &action["id"]).await;
        assert_eq!(
            (&after["change"]["undoable"], &after["undone_by"]),
            (&false.into(), &undone["id"]),
            "{after}"
        );
        assert_eq!(after["change"]["not_undoable"], "undone");
        assert!(after["message"].as_str().unwrap().ends_with("It was undone."), "{after}");
    }
    let removed =
        perform(&lobby, &lobby.token, &format!("/v1/rooms/{BUSY}/delete"), r#"{"silent":true}"#).await;
    let undone = undo(&lobby, &removed).await;
    let listed = lobby.get(&format!("/v1/actions?room={BUSY}&state=done")).await.json();
    let row =
        listed["actions"].as_array().unwrap().iter().find(|row| row["id"] == removed["id"]).unwrap().clone();
    assert_eq!(
        (&row["change"]["not_undoable"], &row["undone_by"]),
        (&"undone".into(), &undone["id"]),
        "{row}"
    );
    let again = perform(&lobby, &lobby.token, &format!("/v1/rooms/{BUSY}/end"), "").await;
    let row = record(&lobby, &lobby.token, &again["id"]).await;
    assert_eq!(
        row["change"]["undoable"], true,
        "the undo of an earlier action on the event is none of this one: {row}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_undo_of_another_key_is_not_named() {
    let lobby = ApiFixture::open().await;
    let panel = lobby.key("panel", "*", &[Right::Read, Right::End], 600).await;
    let ended = perform(&lobby, &panel, &format!("/v1/rooms/{BUSY}/end"), "").await;
    let undone = undo(&lobby, &ended).await;
    let own = record(&lobby, &panel, &ended["id"]).await;
    assert_eq!((&own["change"]["not_undoable"], &own["undone_by"]), (&"undone".into(), &Value::Null));
    assert!(!own.to_string().contains(undone["id"].as_str().unwrap()), "{own}");
    assert_eq!(record(&lobby, &lobby.token, &ended["id"]).await["undone_by"], json!(undone["id"]));
}
