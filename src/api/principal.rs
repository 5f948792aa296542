//! An authenticated caller, whether by an API key or by a token, and its rate limit. Both [`super::key_ring`] and
//! [`super::provider`] make one; it never decides what a caller may do.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::access::Holder;

/// An authenticated caller with its rate limiter.
pub(super) struct Principal {
    pub(super) holder: Holder,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl Principal {
    pub(super) fn new(holder: Holder) -> Self {
        let per_minute = NonZeroU32::new(holder.per_minute).unwrap_or(NonZeroU32::MIN);
        let limiter = Arc::new(RateLimiter::direct(Quota::per_minute(per_minute)));
        Self { holder, limiter }
    }

    /// The same caller with other rights and the same rate limit; the request count stays.
    pub(super) fn with_holder(&self, holder: Holder) -> Self {
        Self { holder, limiter: self.limiter.clone() }
    }

    /// Counts one request. `Err` holds the seconds until the next request is allowed.
    pub(super) fn take_request(&self) -> Result<(), u32> {
        self.limiter.check().map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}
