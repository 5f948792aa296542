//! The published example of a lamp, against a running service: its colour follows the room.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use adjourn_test::room_name;

use crate::installed::install;

#[tokio::test(flavor = "multi_thread")]
async fn a_lamp_follows_the_events_of_the_stream() {
    if std::env::var_os("ADJOURN_WEBHOOK_VERIFIERS").is_none() {
        return println!("ADJOURN_WEBHOOK_VERIFIERS is not set: the example of Python was not run");
    }
    let office = install(1).await;
    // A stream begins with the rooms that the configuration names.
    office.configure(&format!("[scope]\nrooms = [\"{}\"]\n", room_name(0)));
    let token = office.add_key("lamp", &[]).await;
    let served = office.serve();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/lamp.py");
    let mut lamp = Command::new("python3")
        .args([script, &format!("http://{}", served.at), &token])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let colors = BufReader::new(lamp.stdout.take().unwrap()).lines();
    let (found, mut seen) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || colors.map_while(Result::ok).for_each(|line| drop(found.send(line))));
    let mut wait_for = async |color: &str| {
        let line = format!("{} {color}", room_name(0));
        let shown = async { while seen.recv().await.is_some_and(|shown| shown != line) {} };
        tokio::time::timeout(std::time::Duration::from_secs(20), shown).await.is_ok()
    };
    // Until then the meeting awaits a check-in.
    let said = served.send(&token, &format!("POST /v1/rooms/{}/check-in", room_name(0)), "").await;
    let is_red = wait_for("red").await;
    let ended = served.send(&token, &format!("POST /v1/rooms/{}/end", room_name(0)), "").await;
    let is_green = wait_for("green").await;
    lamp.kill().unwrap();
    lamp.wait().unwrap();
    assert!(is_red && is_green, "{said} {ended}");
}
