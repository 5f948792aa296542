//! Memory budget for responses that are being received and inflated: one for all connections to Exchange.
//!
//! ```text
//! per response   the first 256 KiB are free, so that a small response never waits for large ones
//! pool           48 MiB, taken in steps as responses grow
//! reserve        16 MiB, for one response at a time while the pool is used up: the largest fits, so that one always ends
//! ```
//!
//! Servers other than Exchange have a pool of their own: 6 MiB, and a reserve of 2 MiB.
//!
//! A response that gets no share waits within its deadline and keeps the share that it has. Decoding needs no share: it
//! never waits, so at most one body per processor is decoded at a time.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use flate2::read::GzDecoder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::error::TransportError;

/// Largest body, as sent and as inflated: three times the largest view of Exchange on premises (1 000 items of some 2.5 KB).
pub const ANSWER_BYTES_MAX: usize = 8 << 20;
/// All responses together, besides [`FREE_BYTES`] of each.
pub const BUDGET_BYTES: usize = 64 << 20;
/// Bytes of each response that need no share. The throttle limits how many requests are under way.
pub const FREE_BYTES: usize = 256 << 10;

/// All responses of other servers together, besides [`FREE_BYTES`] of each.
pub(crate) const OTHER_SERVERS_BYTES: usize = 8 << 20;
/// Part of that budget for one response at a time.
const OTHER_SERVERS_RESERVE_BYTES: usize = 2 << 20;
/// Part of the budget for one response at a time: the largest one, compressed and inflated.
const RESERVE_BYTES: usize = 2 * ANSWER_BYTES_MAX;
/// Reads of one step each before other tasks get the processor: some ten milliseconds.
const STEPS_IN_A_ROW: usize = 32;
/// Shares are taken in steps of this size.
const STEP_BYTES: usize = 64 << 10;

static OF_PROCESS: LazyLock<Arc<BudgetPool>> =
    LazyLock::new(|| Arc::new(BudgetPool::new(BUDGET_BYTES - RESERVE_BYTES, RESERVE_BYTES)));

/// A server that hangs must not use up Exchange's memory.
static OF_OTHER_SERVERS: LazyLock<Arc<BudgetPool>> = LazyLock::new(|| {
    Arc::new(BudgetPool::new(OTHER_SERVERS_BYTES - OTHER_SERVERS_RESERVE_BYTES, OTHER_SERVERS_RESERVE_BYTES))
});

/// Bytes that responses hold now, and the most that they have held.
pub fn answer_bytes() -> (usize, usize) {
    (OF_PROCESS.held.load(Ordering::Relaxed), OF_PROCESS.highest.load(Ordering::Relaxed))
}

/// One connection's access to the budget.
#[derive(Clone)]
pub(crate) struct AnswerBudget {
    pool: Arc<BudgetPool>,
    answer_bytes_max: usize,
    /// Responses that had to wait for a share.
    waits: Arc<AtomicU64>,
}

struct BudgetPool {
    /// The whole budget.
    bytes: usize,
    /// One permit for each step.
    steps: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    held: AtomicUsize,
    highest: AtomicUsize,
}

/// The body of one response while it grows, with its share of the budget.
pub(crate) struct GrowingBody {
    budget: AnswerBudget,
    bytes: Vec<u8>,
    /// Bytes of this body and of its compressed form that are counted against the budget.
    counted: usize,
    share: Option<OwnedSemaphorePermit>,
    reserve: Option<OwnedSemaphorePermit>,
}

impl BudgetPool {
    /// `shared` bytes for all responses, and `reserve` bytes for one at a time.
    fn new(shared: usize, reserve: usize) -> Self {
        Self {
            bytes: shared + reserve,
            steps: Arc::new(Semaphore::new(shared / STEP_BYTES)),
            reserve: Arc::new(Semaphore::new(1)),
            held: AtomicUsize::new(0),
            highest: AtomicUsize::new(0),
        }
    }

    fn add(&self, bytes: usize) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.highest.fetch_max(held, Ordering::Relaxed);
    }
}

impl AnswerBudget {
    /// A share of the process's budget.
    pub(crate) fn of_process() -> Self {
        Self { pool: OF_PROCESS.clone(), answer_bytes_max: ANSWER_BYTES_MAX, waits: Arc::default() }
    }

    /// A share of the memory for servers other than Exchange, each of whose bodies has at most so many bytes.
    pub(crate) fn of_other_servers(body_bytes_max: usize) -> Self {
        Self { pool: OF_OTHER_SERVERS.clone(), answer_bytes_max: body_bytes_max, waits: Arc::default() }
    }

    /// Responses that had to wait for a share.
    pub(crate) fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    pub(crate) fn start_body(&self) -> GrowingBody {
        GrowingBody { budget: self.clone(), bytes: Vec::new(), counted: 0, share: None, reserve: None }
    }
}

impl GrowingBody {
    /// Appends a chunk of the body, once there is memory for it.
    pub(crate) async fn push(&mut self, piece: &[u8], until: Instant) -> Result<(), TransportError> {
        self.make_room(piece.len(), 0, until).await?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The body, which keeps its share until it is dropped.
    pub(crate) fn finish(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The body inflated: a small body may hide a huge one.
    pub(crate) async fn inflate(mut self, until: Instant) -> Result<Bytes, TransportError> {
        let zipped = std::mem::take(&mut self.bytes);
        let mut decoder = GzDecoder::new(zipped.as_slice());
        let mut piece = vec![0; STEP_BYTES];
        for step in 1_usize.. {
            if step.is_multiple_of(STEPS_IN_A_ROW) {
                yield_now().await;
            }
            match decoder.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => {
                    self.make_room(count, zipped.capacity(), until).await?;
                    self.bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(TransportError::InvalidGzip),
            }
        }
        Ok(self.finish())
    }

    async fn make_room(&mut self, more: usize, beside: usize, until: Instant) -> Result<(), TransportError> {
        let (len, max) = (self.bytes.len() + more, self.budget.answer_bytes_max);
        if len > max {
            return Err(TransportError::TooLarge(max));
        }
        if len > self.bytes.capacity() {
            let capacity = len.max(self.bytes.capacity() * 2).max(STEP_BYTES).min(max);
            self.reserve(beside + capacity, until).await?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        Ok(())
    }

    /// Waits for a share that covers so many bytes.
    async fn reserve(&mut self, bytes: usize, until: Instant) -> Result<(), TransportError> {
        let steps = bytes.saturating_sub(FREE_BYTES).div_ceil(STEP_BYTES);
        let missing = steps.saturating_sub(self.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing > 0 && self.reserve.is_none() {
            let missing =
                u32::try_from(missing).map_err(|_| TransportError::TooLarge(self.budget.answer_bytes_max))?;
            match self.budget.pool.steps.clone().try_acquire_many_owned(missing) {
                Ok(permit) => self.keep(permit),
                Err(_) => self.wait(missing, until).await?,
            }
        }
        if bytes > self.counted {
            self.budget.pool.add(bytes - self.counted);
            self.counted = bytes;
        }
        Ok(())
    }

    async fn wait(&mut self, missing: u32, until: Instant) -> Result<(), TransportError> {
        self.budget.waits.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            budget_mib = self.budget.pool.bytes >> 20,
            "a response waits for memory: too many large responses arrive at once"
        );
        let (steps, reserve) = (self.budget.pool.steps.clone(), self.budget.pool.reserve.clone());
        let either = async {
            tokio::select! {
                permit = steps.acquire_many_owned(missing) => (permit.ok(), None),
                permit = reserve.acquire_owned() => (None, permit.ok()),
            }
        };
        match timeout_at(until, either).await {
            Ok((Some(permit), _)) => self.keep(permit),
            Ok((None, Some(permit))) => self.reserve = Some(permit),
            Ok((None, None)) | Err(_) => {
                return Err(TransportError::OutOfMemoryBudget(self.budget.pool.bytes));
            }
        }
        Ok(())
    }

    fn keep(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.share {
            Some(share) => share.merge(permit),
            None => self.share = Some(permit),
        }
    }
}

impl AsRef<[u8]> for GrowingBody {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for GrowingBody {
    fn drop(&mut self) {
        self.budget.pool.held.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn budget(pool: usize, answer_bytes_max: usize) -> AnswerBudget {
        AnswerBudget {
            pool: Arc::new(BudgetPool::new(pool, BUDGET_BYTES - pool)),
            answer_bytes_max,
            waits: Arc::default(),
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    async fn received(budget: &AnswerBudget, bytes: usize) -> Result<GrowingBody, TransportError> {
        let mut answer = budget.start_body();
        for _ in 0..bytes / STEP_BYTES {
            answer.push(&[b' '; STEP_BYTES], soon()).await?;
        }
        Ok(answer)
    }

    fn zipped(bytes: usize) -> Vec<u8> {
        let mut zip = GzEncoder::new(Vec::new(), Compression::best());
        zip.write_all(&vec![b' '; bytes]).unwrap();
        zip.finish().unwrap()
    }

    async fn inflated(zipped: &[u8], max: usize) -> Result<usize, TransportError> {
        let mut answer = budget(1 << 20, max).start_body();
        answer.push(zipped, soon()).await?;
        Ok(answer.inflate(soon()).await?.len())
    }

    #[tokio::test]
    async fn what_inflates_beyond_the_limit_is_refused_and_so_is_what_is_no_gzip() {
        let bomb = zipped(1_000_000);
        assert_eq!(inflated(&bomb, 999_999).await, Err(TransportError::TooLarge(999_999)));
        assert_eq!(inflated(&bomb, 1_000_000).await, Ok(1_000_000));
        assert_eq!(inflated(b"<html>", 1_000_000).await, Err(TransportError::InvalidGzip));
        assert_eq!(inflated(&bomb[..bomb.len() / 2], 1_000_000).await, Err(TransportError::InvalidGzip));
    }

    #[tokio::test(start_paused = true)]
    async fn forty_large_answers_share_the_budget_and_all_arrive() {
        let (pool, answer) = (4 << 20, 2 << 20);
        let budget = budget(pool, answer);
        let all = (0..40).map(|_| async {
            let answer = received(&budget, answer).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(answer.finish());
            Ok::<_, TransportError>(())
        });
        let answers = futures_util::future::join_all(all).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let highest = budget.pool.highest.load(Ordering::Relaxed);
        let bound = pool + answer + 40 * FREE_BYTES;
        assert!(highest <= bound && highest > pool, "{highest} of {bound}");
        assert!(budget.waits() > 0);
        assert_eq!(budget.pool.held.load(Ordering::Relaxed), 0, "all was given back");
        assert_eq!(budget.pool.steps.available_permits(), pool / STEP_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_answer_waits_for_no_large_one_and_a_large_one_within_its_time() {
        let budget = budget(STEP_BYTES, 1 << 20);
        let _large = received(&budget, 1 << 20).await.unwrap();
        let small = received(&budget, FREE_BYTES).await;
        assert!(small.is_ok());
        let begun = Instant::now();
        let other = received(&budget, 1 << 20).await.err();
        assert_eq!(other, Some(TransportError::OutOfMemoryBudget(BUDGET_BYTES)));
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }
}
