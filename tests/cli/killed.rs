//! `kill -9` during a sweep of a thousand rooms, twice: running it again ends as if nothing had happened.

use std::collections::BTreeMap;
use std::time::Duration;

use adjourn::sim::MailKind;
use adjourn_test::{Installation, room_name};
use serde_json::Value;

use crate::installed::install;

const ROOMS: usize = 1_000;
/// The same plan each time: its events are processed whether they still exist or not.
const APPLY: [&str; 5] = ["cleanup", "--apply", "--from-plan", "plan.json", "--accept-no-evidence"];

/// Declines by the room that sent them.
fn declines(office: &Installation) -> BTreeMap<String, usize> {
    let mut declines = BTreeMap::new();
    for mail in office.sim.outbox().into_iter().filter(|mail| mail.kind == MailKind::Decline) {
        *declines.entry(mail.from).or_default() += 1;
    }
    declines
}

/// Starts the sweep and kills it after this many declines.
async fn killed_at(office: &Installation, sent: usize) {
    let mut child = office.command(&APPLY).spawn().unwrap();
    while declines(office).len() < sent {
        assert!(child.try_wait().unwrap().is_none(), "over before it could be killed at {sent}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // SIGKILL, by the id of the process that was started.
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sweep_ends_as_if_it_had_not_been_killed() {
    let office = install(ROOMS).await;
    let rooms: Vec<_> = (0..ROOMS).map(room_name).collect();
    std::fs::write(office.path("rooms.txt"), rooms.join("\n")).unwrap();
    let plan =
        office.run(&["cleanup", "--plan", "--json", "--accept-no-evidence", "--rooms", "rooms.txt"]).await;
    assert_eq!(plan.code, 0, "{}", plan.err);
    std::fs::write(office.path("plan.json"), &plan.out).unwrap();

    killed_at(&office, ROOMS / 4).await;
    let interrupted = office.run(&["audit", "--json", "--outcome", "open"]).await.lines().len();
    killed_at(&office, ROOMS / 2).await;
    let last = office.run(&APPLY).await;
    assert_eq!(last.code, 0, "{}", last.err);

    let declines = declines(&office);
    assert_eq!(declines.len(), ROOMS, "every room declined");
    assert!(declines.values().all(|sent| *sent == 1), "a room declined twice");
    let record = office.run(&["audit", "--json"]).await.lines();
    let done = record.iter().filter(|line| line["state"] == "done").count();
    assert_eq!(done, ROOMS, "each decline is on record once");
    assert_eq!(record.iter().filter(|line| line["state"] == "open").count(), 0);
    let verified = office.run(&["audit", "verify", "--json"]).await;
    assert_eq!((verified.code, &verified.json()["open"]), (0, &Value::from(0)));
    println!("{ROOMS} rooms, killed twice, {interrupted} actions in progress at the first kill");
}
