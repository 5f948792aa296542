//! One JSON dialect: what the commands print with `--json` follows the rules of the API's answers, and what both return is the same.

use std::collections::BTreeSet;

use adjourn_test::{Installation, ServedProcess, now, room_name};
use chrono::TimeDelta;
use serde_json::Value;

use crate::installed::{configure, install};

/// Members whose values are names of a closed set.
const NAMES: [&str; 12] = [
    "actor_kind",
    "by",
    "copy",
    "fault",
    "free_busy",
    "kind",
    "notification",
    "outcome",
    "rule",
    "state",
    "tracking",
    "verdict",
];

/// Checks the rules of docs/http-api.md, "Answers", in this value and all values within.
pub fn check_dialect(value: &Value) {
    check(value, "");
}

fn check(value: &Value, path: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{path}/{name}");
                assert!(is_snake_case(name), "{path} is not in snake_case");
                if NAMES.contains(&name.as_str()) {
                    assert!(
                        member.as_str().is_none_or(is_kebab_case),
                        "{path} is not in kebab-case: {member}"
                    );
                }
                check(member, &path);
            }
        }
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(index, entry)| check(entry, &format!("{path}/{index}")));
            let objects: BTreeSet<Vec<&String>> =
                entries.iter().filter_map(Value::as_object).map(|object| object.keys().collect()).collect();
            assert!(objects.len() <= 1, "{path}: a member is absent in some objects: {objects:?}");
        }
        Value::String(text) if is_time(text) => {
            assert!(text.len() == 20 && text.ends_with('Z'), "{path} is not UTC with whole seconds: {text}");
        }
        _ => {}
    }
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_kebab_case(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(2, 'T');
    parts.next().is_some_and(|date| date.len() == 10 && date.parse::<chrono::NaiveDate>().is_ok())
        && parts.next().is_some_and(|time| !time.contains(' '))
}

async fn printed(office: &Installation, args: &[&str], code: i32) -> Value {
    let said = office.run(&[&["--json"], args].concat()).await;
    assert_eq!(said.code, code, "{args:?}: {} {}", said.out, said.err);
    // The audit prints a document for each line.
    let value = if args == ["audit"] { Value::Array(said.lines()) } else { said.json() };
    check_dialect(&value);
    value
}

/// The members of a problem.
fn check_problem(problem: &Value, kind: &str) {
    assert_eq!(problem["type"], format!("urn:adjourn:problem:{kind}"), "{problem}");
    for member in ["title", "detail", "fault", "next"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_prints_the_dialect_of_the_api() {
    let office = install(4).await;
    let room = |number| room_name(number);
    printed(&office, &["events", &room(0), "--subjects"], 0).await;
    printed(&office, &["end", &room(0)], 0).await;
    let removed = printed(&office, &["delete", &room(1), "--silent"], 0).await;
    printed(&office, &["undo", removed["id"].as_str().unwrap()], 0).await;
    printed(&office, &["extend", &room(2), "--minutes", "15"], 0).await;
    printed(&office, &["book", &room(0), "--minutes", "15", "--dry-run"], 0).await;
    std::fs::write(office.path("rooms.txt"), format!("{}\n", room(3))).unwrap();
    let sweep = ["cleanup", "--apply", "--accept-no-evidence", "--rooms", "rooms.txt"];
    let swept = printed(&office, &sweep, 0).await;
    assert_eq!(swept["applied"].as_array().unwrap().len(), 1, "{swept}");
    let key = printed(&office, &["key", "add", "door", "--expires", "30d"], 0).await;
    let id = key["id"].as_str().unwrap();
    printed(&office, &["key", "add", "lobby"], 0).await;
    printed(&office, &["key", "change", id, "--rights", "read"], 0).await;
    let listed = printed(&office, &["key", "list"], 0).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["last_used_at"]), (2, &Value::Null));
    printed(&office, &["audit"], 0).await;
    printed(&office, &["audit", "verify"], 0).await;
    printed(&office, &["audit", "erase", "--before", "2020-01-01T00:00:00Z"], 0).await;
    printed(&office, &["report", "--by", "weekday"], 0).await;
    printed(&office, &["decisions"], 0).await;
    printed(&office, &["doctor"], 5).await;
    printed(&office, &["webhook", "list"], 0).await;
    printed(&office, &["config", "explain", &room(0)], 0).await;
    printed(&office, &["config", "reference"], 0).await;
    printed(&office, &["limits"], 0).await;
    printed(&office, &["setup"], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_events_follow_the_rules_beside_what_is_stored() {
    let office = install(2).await;
    printed(&office, &["key", "add", "door"], 0).await;
    for mut line in office.run(&["audit", "--admin", "--json"]).await.lines() {
        let stored = line.as_object_mut().unwrap().remove("event");
        assert!(stored.is_some(), "{line}");
        check_dialect(&line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_actions_as_the_api_does() {
    let office = install(1).await;
    let mut demo = office.run(&["demo", "--json"]).await.json();
    let plan = demo.as_object_mut().unwrap().remove("plan").unwrap();
    assert!(plan["version"].is_number(), "{plan}");
    check_dialect(&demo);
    assert_eq!(demo["actions"][0]["state"], "done", "{demo}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_the_problem_object_of_the_api_on_stdout() {
    let office = install(1).await;
    office.run(&["end", &room_name(0)]).await;
    let over = printed(&office, &["extend", &room_name(0), "--minutes", "15"], 1).await;
    check_problem(&over, "no-current-event");
    assert!(over["action_id"].is_string(), "{over}");
    check_problem(&printed(&office, &["end", "nonsense"], 2).await, "bad-request");
    check_problem(&printed(&office, &["end"], 2).await, "bad-request");
    check_problem(&printed(&office, &["key", "revoke", "unknown"], 1).await, "refused");
    check_problem(&printed(&office, &["end", "room0@elsewhere.example"], 1).await, "no-such-room");
    let without =
        office.finish(office.command_in("/dev/null/state".as_ref(), &["--json", "end", &room_name(0)]));
    check_problem(&without.await.json(), "journal-unavailable");
    // People read the same error on stderr; without --json it is there alone.
    let shown = office.run(&["end", "nonsense"]).await;
    assert!(shown.out.is_empty() && shown.err.starts_with("adjourn: "), "{} {}", shown.out, shown.err);
}

async fn answer(served: &ServedProcess, token: &str, request: &str) -> Value {
    let said = served.send(token, request, "").await;
    let body = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said}")).1;
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Checks that `whole` has every member of `part` with the same value, except these.
fn check_contains(whole: &Value, part: &Value, except: &[&str]) {
    for (name, value) in part.as_object().unwrap() {
        if !except.contains(&name.as_str()) {
            assert_eq!(&whole[name], value, "{name}: {whole} {part}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_and_api_return_the_same_action_room_and_report() {
    let office = install(2).await;
    configure(&office, "[api]\nshow_subjects = true\n");
    let token = office.add_key("display", &[]).await;
    let (ended_room, room) = (room_name(0), room_name(1));
    let ended = printed(&office, &["end", &ended_room], 0).await;
    let refused = printed(&office, &["extend", &ended_room, "--minutes", "15"], 1).await;
    let record = office.run(&["audit", "--outcome", "done", "--json"]).await.lines();
    let at = |time: chrono::DateTime<chrono::Utc>| time.format("%FT%TZ").to_string();
    let (from, to) = (at(now() - TimeDelta::hours(1)), at(now() + TimeDelta::hours(23)));
    let events = ["events", &room, "--subjects", "--from", &from, "--hours", "24"];
    let events = printed(&office, &events, 0).await;
    let (since, until) = (at(now() - TimeDelta::hours(1)), at(now() + TimeDelta::hours(1)));
    let report = printed(&office, &["report", "--since", &since, "--until", &until], 0).await;

    let served = office.serve();
    let id = ended["id"].as_str().unwrap();
    let action = answer(&served, &token, &format!("GET /v1/actions/{id}")).await;
    // Only the record of a closed action knows when it was accepted.
    check_contains(&ended, &action, &["accepted_at"]);
    check_contains(&action, &ended, &["accepted_at"]);
    check_contains(&record[0], &action, &[]);

    let listed = answer(&served, &token, &format!("GET /v1/rooms/{room}/events?from={from}&to={to}")).await;
    check_contains(&events, &listed, &["read_at", "events"]);
    assert_eq!(listed["events"].as_array().unwrap().len(), 1, "{listed}");
    assert!(listed["events"][0]["subject"].is_string(), "{listed}");
    check_contains(&events["events"][0], &listed["events"][0], &[]);

    let path = format!("GET /v1/report?since={since}&until={until}");
    assert_eq!(answer(&served, &token, &path).await, report);

    let body = served.send(&token, &format!("POST /v1/rooms/{ended_room}/extend?"), "").await;
    assert!(body.starts_with("HTTP/1.1 4"), "{body}");
    let problem: Value = serde_json::from_str(body.split_once("\r\n\r\n").unwrap().1).unwrap();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&problem), members(&refused));
}
