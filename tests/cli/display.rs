//! `adjourn display`, beside a running service and without one.

use adjourn_test::{CommandOutput, HttpReply, Installation, ServedProcess, room_name};
use serde_json::Value;

use crate::installed::install;

/// Begins a pairing as a display does.
async fn begin(served: &ServedProcess) -> Value {
    HttpReply::parse(&served.send("none", "POST /v1/pairings", "").await).unwrap().json()
}

async fn poll(served: &ServedProcess, pairing: &Value) -> Value {
    let request = format!("GET /v1/pairings/{}", pairing["id"].as_str().unwrap());
    HttpReply::parse(&served.send(pairing["secret"].as_str().unwrap(), &request, "").await).unwrap().json()
}

/// Runs `display pair` with this key in the environment, at this address.
async fn pair(office: &Installation, token: &str, at: &str, code: &str) -> CommandOutput {
    let (room, url) = (room_name(0), format!("http://{at}"));
    let args = ["--json", "display", "pair", code, "--room", &room, "--name", "door", "--server", &url];
    let mut command = office.command(&args);
    command.env("ADJOURN_KEY", token);
    office.finish(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_is_paired_listed_with_its_last_contact_and_removed() {
    let office = install(1).await;
    let operator = office.add_key("operator", &[]).await;
    let mut served = office.serve();
    let pairing = begin(&served).await;
    let code = pairing["code"].as_str().unwrap();
    let paired = pair(&office, &operator, &served.at, code).await;
    assert_eq!(paired.code, 0, "{}", paired.err);
    assert_eq!((&paired.json()["room"], &paired.json()["state"]), (&room_name(0).into(), &"never".into()));
    let key = poll(&served, &pairing).await["key"].as_str().unwrap().to_owned();
    assert!(!paired.out.contains(&key), "the operator receives no key");
    let me = served.send(&key, "GET /v1/me", "Adjourn-Display-Version: b1\r\n").await;
    assert!(me.starts_with("HTTP/1.1 200"), "{me}");
    let other = if code == "000000" { "000001" } else { "000000" };
    let wrong = pair(&office, &operator, &served.at, other).await;
    assert!(wrong.code == 1 && wrong.err.contains("No display shows this code"), "{}", wrong.err);
    assert_eq!(
        wrong.json()["type"],
        "urn:adjourn:problem:no-such-code",
        "the problem as the service returned it"
    );
    served.terminate();
    assert!(served.child.wait().unwrap().success());

    let listed = office.run(&["display", "list", "--json"]).await.json();
    let display = &listed[0];
    assert_eq!(
        (&display["name"], &display["paired_by"], &display["version"], &display["state"]),
        (&"door".into(), &"operator".into(), &"b1".into(), &"connected".into())
    );
    assert!(display["last_contact_at"].is_string(), "a stop stores the contact: {listed}");
    assert_eq!(office.run(&["display", "remove", "door"]).await.code, 0);
    assert_eq!(office.run(&["display", "list", "--json"]).await.json(), serde_json::json!([]));
    let again = office.run(&["display", "remove", "door"]).await;
    assert!(again.code == 1 && again.err.contains("no display has the name door"), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_or_a_service_the_exit_code_says_which() {
    let office = install(1).await;
    let nowhere = pair(&office, "adj_0123456789_x", "127.0.0.1:1", "123456").await;
    assert!(nowhere.code == 4 && nowhere.err.contains("--server"), "{}", nowhere.err);
    let keyless = pair(&office, "", "127.0.0.1:1", "123456").await;
    assert!(keyless.code == 2 && keyless.err.contains("--key-file"), "{}", keyless.err);
    assert_eq!(office.run(&["display", "list", "--json"]).await.json(), serde_json::json!([]));
}
