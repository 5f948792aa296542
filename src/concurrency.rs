//! A concurrency limit that slow operations cannot exhaust: an operation that takes longer than expected releases its
//! slot and continues without one.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Limits concurrent operations that finish in time.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    slots: Semaphore,
    slow_after: Duration,
}

impl ConcurrencyLimit {
    pub(crate) fn new(at_once: usize, slow_after: Duration) -> Self {
        Self { slots: Semaphore::new(at_once.max(1)), slow_after }
    }

    /// Waits for a slot and runs the operation. The caller bounds how many operations it starts in all.
    pub(crate) async fn run<T>(&self, operation: impl Future<Output = T>) -> T {
        let slot = self.slots.acquire().await;
        call_when_slow(self.slow_after, operation, || drop(slot)).await
    }
}

/// Runs the operation to its end, and calls `on_slow` when it takes longer than `slow_after`.
pub(crate) async fn call_when_slow<T>(
    slow_after: Duration,
    operation: impl Future<Output = T>,
    on_slow: impl FnOnce(),
) -> T {
    let mut operation = pin!(operation);
    match timeout(slow_after, &mut operation).await {
        Ok(done) => done,
        Err(_) => {
            on_slow();
            operation.await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn operations_that_hang_delay_the_others_by_a_moment_and_prompt_ones_take_turns() {
        let limit = ConcurrencyLimit::new(2, Duration::from_secs(3));
        let begun = Instant::now();
        let hanging = join_all((0..4).map(|_| limit.run(pending::<()>())));
        let prompt = async {
            tokio::task::yield_now().await;
            join_all((0..4).map(|_| limit.run(async { sleep(Duration::from_secs(1)).await }))).await;
            begun.elapsed()
        };
        let took = tokio::select! {
            biased;
            _ = hanging => unreachable!("they hang"),
            took = prompt => took,
        };
        assert_eq!(took, Duration::from_secs(3 + 3 + 2));
    }
}
