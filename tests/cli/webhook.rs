//! `adjourn webhook`, beside a running service and without one.

use adjourn_test::{
    CommandOutput, Installation, ServedProcess, WebhookReceiver, room_name, wait_until, wait_until_async,
};
use serde_json::json;

use crate::installed::{configure, install};

const FACILITY: &str = "facility";

/// One room, and a webhook of which the path is secret.
async fn installed(receiver: &WebhookReceiver, more: &str) -> Installation {
    let office = install(1).await;
    office.write_secret("secret", "shared\n");
    let url = format!("http://{}/T0/hunter2", receiver.at);
    configure(
        &office,
        &format!(
            "[[webhooks]]\nname = \"{FACILITY}\"\nurl = \"{url}\"\nsecret = {{ file = \"secret\" }}\n{more}"
        ),
    );
    office
}

async fn listed(office: &Installation) -> serde_json::Value {
    let listed = office.run(&["webhook", "list", "--json"]).await;
    assert_eq!(listed.code, 0, "{}", listed.err);
    assert!(!listed.out.contains("hunter2"), "{}", listed.out);
    listed.json()[0].clone()
}

async fn end_meeting(office: &Installation, served: &ServedProcess) {
    let token = office.add_key("display", &[]).await;
    served.until_known(&token).await;
    let said = served.send(&token, &format!("POST /v1/rooms/{}/end", room_name(0)), "").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

async fn wait_for_result(office: &Installation, result: &str) -> serde_json::Value {
    wait_until_async(result, async || listed(office).await["last_result"] == result).await;
    listed(office).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_listed_and_its_failed_notices_are_sent_again() {
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|_| "503 Later\r\nRetry-After: 600".to_owned());
    let office = installed(&receiver, "kinds = [\"action\"]\nrooms = [\"room*@example.com\"]\n").await;
    let nothing = listed(&office).await;
    assert_eq!(
        nothing,
        json!({
            "name": FACILITY,
            "url": format!("http://{}/…", receiver.at),
            "kinds": ["action"],
            "rooms": ["room*@example.com"],
            "waiting": 0,
            "oldest_at": null,
            "dropped": 0,
            "paused_until": null,
            "last_attempt_at": null,
            "last_result": null,
        })
    );
    assert!(!office.state().exists(), "listing makes no state directory");

    let served = office.serve();
    end_meeting(&office, &served).await;
    let waiting = wait_for_result(&office, "HTTP 503").await;
    assert_eq!((&waiting["waiting"], receiver.numbers()), (&1.into(), vec![1]));
    assert!(waiting["paused_until"].is_string() && waiting["oldest_at"].is_string(), "{waiting}");
    let table = office.run(&["webhook", "list"]).await.out;
    assert!(table.contains("HTTP 503") && table.contains("1 webhooks"), "{table}");

    receiver.answer(|_| "200 OK".to_owned());
    let later = office.run(&["webhook", "redeliver", FACILITY, "--since", "2999-01-01T00:00:00Z"]).await;
    assert_eq!((later.code, later.out.trim()), (0, "0 notices of facility are queued again"));
    let again = office.run(&["webhook", "redeliver", FACILITY, "--json"]).await;
    assert_eq!((again.code, again.json()), (0, json!({ "webhook": FACILITY, "queued": 1 })), "{}", again.err);
    wait_until("the service sends it within seconds", || receiver.numbers() == [1, 1]).await;
    let done = wait_for_result(&office, "HTTP 200").await;
    assert_eq!((&done["waiting"], &done["paused_until"]), (&0.into(), &serde_json::Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_shows_the_answer_by_its_exit_code_too() {
    let receiver = WebhookReceiver::start().await;
    let office = installed(&receiver, "").await;
    let test = async || office.run(&["webhook", "test", FACILITY, "--json"]).await;
    let of = |output: &CommandOutput| {
        (output.code, output.json()["accepted"].clone(), output.json()["status"].clone())
    };
    assert_eq!(of(&test().await), (0, true.into(), 204.into()));
    let post = receiver.posts().remove(0);
    assert_eq!((&post.json()["event"], post.number()), (&"test".into(), 0));
    assert!(post.header("adjourn-signature").starts_with("v1="), "{post:?}");
    receiver.answer(|_| "401 Unauthorized".to_owned());
    assert_eq!(of(&test().await), (1, false.into(), 401.into()));
    let text = office.run(&["webhook", "test", FACILITY]).await;
    assert!(text.out.contains("did not accept the test notice: HTTP 401"), "{}", text.out);
    drop(receiver);
    let unreachable = test().await;
    assert_eq!(of(&unreachable), (4, false.into(), serde_json::Value::Null));
    assert!(!unreachable.out.contains("hunter2"), "{}", unreachable.out);
    assert!(!office.state().exists(), "a test needs no state directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_webhook_is_answered_with_the_nearest() {
    let receiver = WebhookReceiver::start().await;
    let office = installed(&receiver, "").await;
    for command in ["test", "redeliver"] {
        let unknown = office.run(&["webhook", command, "facilty"]).await;
        assert_eq!(unknown.code, 2, "{}", unknown.err);
        assert!(unknown.err.contains("did you mean facility?"), "{}", unknown.err);
    }
    assert!(receiver.posts().is_empty());
    let none = office.run(&["webhook", "redeliver", FACILITY]).await;
    assert_eq!((none.code, none.out.trim()), (0, "0 notices of facility are queued again"));
}
