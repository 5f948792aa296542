//! Waiting for what happens in other tasks.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than any condition takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition, which asks another task or process, holds; `what` names it where it never does.
pub async fn wait_until_async(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the condition holds; `what` names it where it never does.
pub async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_until_async(what, async || holds()).await;
}
