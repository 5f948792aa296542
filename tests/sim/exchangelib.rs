//! A client that we did not write drives the simulator: Python's exchangelib, if ADJOURN_EXCHANGELIB_PYTHON names a Python
//! that has it.

use std::path::Path;
use std::process::Stdio;

use adjourn::sim::{Options, Simulator};

use crate::office::{ROOM, meeting, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchangelib_lists_creates_updates_declines_and_deletes() {
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: exchangelib was not run");
    };
    let mut world = world();
    let uid = world.add_meeting(meeting());
    world.add_room_list("Building 1", "b1@example.com", &[ROOM]);
    let options = Options::default();
    let sim = Simulator::start(world, options.clone()).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/drive.py");
    let status = tokio::process::Command::new(python)
        .arg(script)
        .args([sim.url().as_str(), &options.username, &options.password, ROOM, &uid])
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success(), "exchangelib: {status}");
    assert!(sim.outbox().iter().any(|mail| mail.kind == adjourn::sim::MailKind::Decline));
}
