//! A write that may not leave the process any more.

use adjourn::before_send::BeforeSend;
use async_trait::async_trait;

/// Lets no write leave.
pub struct TooLate;

#[async_trait]
impl BeforeSend for TooLate {
    async fn may_send(&self) -> bool {
        false
    }
}
