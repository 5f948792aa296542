//! An authenticated caller, whether by an API key or by a token, and its rate limit. Both [`super::key_ring`] and
//! [`super::provider`] make one; it never decides what a caller may do.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::access::Holder;

/// An authenticated caller with its rate limiter.
pub(super) struct Principal {
    pub(super) holder: Holder,
    limiter: Arc<DefaultDirectRateLimiter<StateInformationMiddleware>>,
}

/// What is left of a caller's requests a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Requests that the caller may send in a minute.
    pub(super) per_minute: u32,
    /// Requests that it may send now.
    pub(super) remaining: u32,
    /// Seconds until it may send all of them again; after a refusal, until it may send the next one.
    pub(super) reset_s: u32,
}

impl Principal {
    pub(super) fn new(holder: Holder) -> Self {
        let per_minute = NonZeroU32::new(holder.per_minute).unwrap_or(NonZeroU32::MIN);
        let limiter = RateLimiter::direct(Quota::per_minute(per_minute)).with_middleware();
        Self { holder, limiter: Arc::new(limiter) }
    }

    /// The same caller with other rights and the same rate limit; the request count stays.
    pub(super) fn with_holder(&self, holder: Holder) -> Self {
        Self { holder, limiter: self.limiter.clone() }
    }

    /// Counts one request. `Err`: the request is refused.
    pub(super) fn take_request(&self) -> Result<Allowance, Allowance> {
        match self.limiter.check() {
            Ok(state) => {
                let (per_minute, remaining) =
                    (state.quota().burst_size().get(), state.remaining_burst_capacity());
                let used = u64::from(per_minute.saturating_sub(remaining));
                let reset = (used * 60).div_ceil(u64::from(per_minute));
                Ok(Allowance { per_minute, remaining, reset_s: u32::try_from(reset).unwrap_or(u32::MAX) })
            }
            Err(refused) => {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                let reset_s = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                Err(Allowance { per_minute: refused.quota().burst_size().get(), remaining: 0, reset_s })
            }
        }
    }
}
