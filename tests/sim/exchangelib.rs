//! Python's exchangelib drives the simulator, if ADJOURN_EXCHANGELIB_PYTHON names a Python that has it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use adjourn::sim::{ExceptionIds, NotificationOptions, SimulatorOptions};
use adjourn_test::{AURORA, meeting, simulator_with, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchangelib_lists_creates_updates_declines_and_deletes() {
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: exchangelib was not run");
    };
    let mut world = world();
    let uid = world.add_meeting(meeting());
    world.add_room_list("Building 1", "b1@example.com", &[AURORA]);
    let options = SimulatorOptions::default();
    let sim = simulator_with(world, options.clone()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/drive.py");
    let status = tokio::process::Command::new(python)
        .arg(script)
        .args([sim.url().as_str(), &options.username, &options.password, AURORA, &uid])
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success(), "exchangelib: {status}");
    assert!(sim.outbox().iter().any(|mail| mail.kind == adjourn::sim::MailKind::Decline));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchangelib_listens_fetches_and_synchronizes() {
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: exchangelib was not run");
    };
    let mut world = world();
    world.add_meeting(meeting());
    // Two back ends, so that affinity matters; long streams in small chunks.
    let notifications = NotificationOptions {
        heartbeat: Duration::from_millis(200),
        minute: Duration::from_secs(15),
        chunk_bytes: Some(100),
        back_ends: 2,
        ..NotificationOptions::default()
    };
    let options = SimulatorOptions { notifications, ..SimulatorOptions::default() };
    let sim = simulator_with(world, options.clone()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/listen.py");
    let status = tokio::process::Command::new(python)
        .arg(script)
        .args([sim.url().as_str(), &options.username, &options.password, AURORA])
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success(), "exchangelib: {status}");
    assert_eq!(sim.subscriptions(), 0, "all were unsubscribed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchangelib_uses_every_part_of_a_calendar() {
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: exchangelib was not run");
    };
    let mut world = world();
    // Exceptions keep their occurrence's id; otherwise exchangelib gives up.
    world.set_exception_ids(ExceptionIds::Kept);
    let options = SimulatorOptions { username: "ada@example.com".to_owned(), ..SimulatorOptions::default() };
    let sim = simulator_with(world, options.clone()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/calendar_client.py");
    let status = tokio::process::Command::new(python)
        .arg(script)
        .args([sim.url().as_str(), &options.username, &options.password, "bo@example.com", AURORA])
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success(), "exchangelib: {status}");
}
