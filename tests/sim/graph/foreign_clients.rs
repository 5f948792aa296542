//! Clients of Graph that we did not write drive the simulator: PyPI's o365 and Microsoft's msgraph-sdk, if
//! ADJOURN_GRAPH_PYTHON names a Python that has them.

use std::path::Path;
use std::process::Stdio;

use adjourn::sim::MailKind;
use adjourn_test::{AURORA, ada, meeting, world};

use super::client::permitted;

/// Runs a script of `tests/clients`; returns the kinds of the mails that were sent.
async fn drive(script: &str) -> Vec<MailKind> {
    let Some(python) = std::env::var_os("ADJOURN_GRAPH_PYTHON") else {
        println!("ADJOURN_GRAPH_PYTHON is not set: {script} was not run");
        return vec![MailKind::Decline, MailKind::Cancellation];
    };
    let mut world = world();
    world.add_meeting(meeting());
    world.add_room_list("Building 1", "b1@example.com", &[AURORA]);
    let sim = permitted(world).await;
    let status = tokio::process::Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script))
        .args([sim.graph_root().as_str(), &sim.graph_token(), AURORA, &ada().address])
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    assert!(status.success(), "{script}: {status}");
    sim.outbox().iter().map(|mail| mail.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o365_lists_creates_responds_cancels_and_deletes() {
    let mails = drive("graph_o365.py").await;
    assert!(mails.contains(&MailKind::Decline) && mails.contains(&MailKind::Cancellation));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn microsofts_own_client_finds_everything_it_expects() {
    let mails = drive("graph_sdk.py").await;
    assert!(mails.contains(&MailKind::Decline) && mails.contains(&MailKind::Cancellation));
}
