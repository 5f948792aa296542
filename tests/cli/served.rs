//! `adjourn serve` as a process: keys created while it runs, orderly shutdown, and kills.

use std::time::Duration;

use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{Installation, ServedProcess, now, room_name};
use chrono::TimeDelta;
use serde_json::Value;

use crate::installed::{configure, install};

fn serve(office: &Installation) -> ServedProcess {
    serve_with(office, &[])
}

pub fn serve_with(office: &Installation, environment: &[(&str, &str)]) -> ServedProcess {
    let mut command = office.command(&SERVE);
    command.envs(environment.iter().copied());
    office.serve_by(command)
}

/// Serves on a free port, with a log file.
pub const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--log", "json"];

/// The header fields of a press at a door.
pub const PRESS: &str = "Idempotency-Key: press-1\r\nPrefer: wait=1\r\nAccept: */*\r\n";

/// The same of a caller that waits for the end.
pub const PATIENT_PRESS: &str = "Idempotency-Key: press-1\r\nPrefer: wait=30\r\nAccept: */*\r\n";

pub async fn key(office: &Installation) -> String {
    office.add_key("display", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_stopped_finishes_what_it_took_on() {
    let office = install(1).await;
    let before = office.end_of(0);
    let mut served = serve(&office);
    let token = key(&office).await;
    served.until_known(&token).await;
    office.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(3))).on("UpdateItem"));
    let said = served.send(&token, &format!("POST /v1/rooms/{}/end", room_name(0)), PRESS).await;
    assert!(said.starts_with("HTTP/1.1 202"), "{said}");
    served.terminate();
    let status = tokio::task::spawn_blocking(move || served.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert_ne!(office.end_of(0), before);
    let record = office.run(&["audit", "--json"]).await.lines();
    assert_eq!(
        (record.len(), &record[0]["state"], &record[0]["actor"]),
        (1, &"done".into(), &"display".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_knows_afterwards_what_it_did() {
    let office = install(1).await;
    let before = office.end_of(0);
    let token = key(&office).await;
    let mut served = serve(&office);
    office.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(2))).on("UpdateItem"));
    let said = served.send(&token, &format!("POST /v1/rooms/{}/end", room_name(0)), PRESS).await;
    assert!(said.starts_with("HTTP/1.1 202"), "{said}");
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let mut served = serve(&office);
    let said = served.send(&token, &format!("POST /v1/rooms/{}/end", room_name(0)), PATIENT_PRESS).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let view: Value = serde_json::from_str(said.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&view["state"], &view["repeated"]), (&"done".into(), &true.into()), "one press, one answer");
    assert_ne!(office.end_of(0), before);
    let record = office.run(&["audit", "--json"]).await.lines();
    assert_eq!((record.len(), &record[0]["state"]), (1, &"done".into()));
    served.child.kill().unwrap();
    served.child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_and_revoked_and_never_shown_again() {
    let office = install(1).await;
    let token = key(&office).await;
    let listed = office.run(&["--json", "key", "list"]).await;
    let id = listed.json()[0]["id"].as_str().unwrap().to_owned();
    assert!(token.contains(&id) && !listed.out.contains(&token), "{}", listed.out);
    assert_eq!(office.run(&["key", "revoke", &id]).await.code, 0);
    assert_eq!(office.run(&["key", "revoke", &id]).await.code, 1);
    assert_eq!(office.run(&["key", "list", "--json"]).await.json(), serde_json::json!([]));
    assert_eq!(office.run(&["key", "add", "x", "--rights", "everything"]).await.code, 2);
    let open = office.run(&["serve", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(open.code, 2);
    assert!(open.err.contains("readable on the network"), "{}", open.err);
}

/// The admin events, oldest first: each kind with the key's name.
async fn admin_events(office: &Installation) -> Vec<(String, String)> {
    let events = office.run(&["audit", "--admin", "--json"]).await.lines();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut events: Vec<_> = events.iter().map(|line| (text(&line["event"]), line.to_string())).collect();
    events.reverse();
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_keys_stand_in_the_journal_whether_a_service_runs_or_not() {
    let office = install(1).await;
    key(&office).await;
    let made = admin_events(&office).await;
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].1.contains("key-created") && made[0].1.contains("display"), "{made:?}");
    let mut served = serve(&office);
    let id = office.run(&["--json", "key", "list"]).await.json()[0]["id"].as_str().unwrap().to_owned();
    let changed = office.run(&["key", "change", &id, "--expires", "30d", "--rights", "read"]).await;
    assert_eq!(
        (changed.code, changed.err.as_str()),
        (0, ""),
        "the service has the journal, and nothing is wrong"
    );
    assert_eq!(office.run(&["key", "add", "display"]).await.code, 1, "the name is taken");
    assert_eq!(office.run(&["key", "change", &id]).await.code, 2, "nothing to change");
    assert_eq!(office.run(&["key", "change", &id, "--expires", "2020-01-01"]).await.code, 2, "over already");
    let listed = office.run(&["--json", "key", "list"]).await.json();
    assert_eq!(listed[0]["rights"], serde_json::json!(["read"]));
    assert!(listed[0]["expires_at"].is_string() && listed[0]["last_used_at"].is_null(), "{listed}");
    assert_eq!(office.run(&["key", "revoke", &id]).await.code, 0);
    // SIGHUP: the hash is what sha256sum prints of the file.
    served.signal("-HUP");
    let mut events = Vec::new();
    while events.len() < 4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        events = admin_events(&office).await;
    }
    served.terminate();
    let status = tokio::task::spawn_blocking(move || served.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    for kind in ["key-created", "key-changed", "key-revoked", "configuration-reloaded"] {
        assert_eq!(events.iter().filter(|(_, line)| line.contains(kind)).count(), 1, "{kind} in {events:?}");
    }
    assert_eq!(office.run(&["audit", "verify"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_extends_books_and_explains() {
    let office = install(2).await;
    let extended = office.run(&["--json", "extend", &room_name(0), "--minutes", "15"]).await;
    assert_eq!(
        (extended.code, &extended.json()["change"]["kind"]),
        (0, &"extended".into()),
        "{}",
        extended.err
    );
    let taken = office.run(&["book", &room_name(0), "--minutes", "15"]).await;
    assert_eq!(taken.code, 1, "{}", taken.out);
    office.run(&["end", &room_name(1)]).await;
    let booked = office.run(&["--json", "book", &room_name(1), "--minutes", "15"]).await;
    assert_eq!((booked.code, &booked.json()["change"]["kind"]), (0, &"booked".into()), "{}", booked.err);
    let at = |minutes| (now() + TimeDelta::minutes(minutes)).format("%FT%TZ").to_string();
    let room = room_name(1);
    let start = at(180);
    let later = ["--json", "book", &room, "--start", &start, "--minutes", "15", "--subject", "Planning"];
    let later = office.run(&later).await;
    assert_eq!((later.code, &later.json()["change"]["kind"]), (0, &"booked".into()), "{}", later.err);
    let too_late = office.run(&["book", &room_name(1), "--start", &at(600), "--until-next"]).await;
    assert!(too_late.code == 1 && too_late.out.contains("The start must be between"), "{}", too_late.out);
    for wrong in [&["--minutes", "5", "--until-next"][..], &[]] {
        let usage = office.run(&[&["book", room.as_str()][..], wrong].concat()).await;
        assert_eq!(usage.code, 2, "{}", usage.err);
    }
    let until_next = office.run(&["--json", "extend", &room_name(1), "--until-next"]).await;
    assert_eq!(until_next.code, 0, "{} {}", until_next.out, until_next.err);
    configure(&office, "[[room_groups]]\nname = \"lab\"\nrooms = [\"room1@*\"]\ngrace_minutes = 25\n");
    let settings = office.run(&["config", "explain", &room_name(1)]).await;
    assert!(settings.out.contains("25 min") && settings.out.contains("lab"), "{}", settings.out);
}

/// Waits until the log has this line once more than before.
async fn logged(office: &Installation, what: &str, times: usize) -> String {
    for _ in 0..100 {
        let log = std::fs::read_to_string(office.directory.path().join("log")).unwrap();
        if log.matches(what).count() >= times {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not logged: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_taken_over_and_a_wrong_one_is_not() {
    let office = install(2).await;
    let mut served = serve(&office);
    let token = key(&office).await;
    served.until_known(&token).await;
    let release = async || {
        let said = served.send(&token, &format!("GET /v1/rooms/{}", room_name(0)), PRESS).await;
        let body: Value = serde_json::from_str(said.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        (body["allowed_actions"].as_array().unwrap().contains(&"check-in".into()), said)
    };
    assert!(release().await.0, "the rule on check-ins is on");
    configure(
        &office,
        "[[room_groups]]\nname = \"lab\"\nrooms = [\"room0@example.com\"]\ncheck_in = false\n",
    );
    served.signal("-HUP");
    logged(&office, "configuration reloaded", 1).await;
    assert!(!release().await.0, "it is off in this room now");

    configure(
        &office,
        "[[room_groups]]\nname = \"lab\"\nrooms = [\"room0@example.com\"]\ngrace_minutes = -1\n",
    );
    served.signal("-HUP");
    let log = logged(&office, "the old one stays in force", 1).await;
    assert!(log.contains("grace_minutes") && log.contains("-1 is not between"), "{log}");
    assert!(!release().await.0, "as before");

    configure(&office, "[api]\nlisten = \"127.0.0.1:1\"\n");
    served.signal("-HUP");
    let log = logged(&office, "configuration reloaded", 2).await;
    assert!(log.contains("changed setting needs a restart") && log.contains("api.listen"), "{log}");
    assert!(release().await.0);
    served.terminate();
    let status = tokio::task::spawn_blocking(move || served.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}
