//! The question that is asked right before a write leaves the process. The engine answers it, the HTTP client asks it, and neither
//! knows the other. Decides nothing.

use async_trait::async_trait;

/// Decides whether a write may leave the process now.
#[async_trait]
pub trait BeforeSend: Send + Sync {
    /// Asked when the connection is ready and the next bytes are those of the request's body. `false`: they are not sent, and the
    /// write is reported as not sent.
    async fn may_send(&self) -> bool;
}

/// Lets each write leave: for programs without a journal, which send what they decided a moment ago.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unconditional;

#[async_trait]
impl BeforeSend for Unconditional {
    async fn may_send(&self) -> bool {
        true
    }
}
