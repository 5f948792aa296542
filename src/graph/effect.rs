//! Whether a request reads or writes, which decides what a lost response means. Values only.

/// The effect of a request at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It may be sent again.
    Read,
    /// Without its response it is in doubt. Graph compares the version, or knows the repetition.
    Write,
    /// The same, but Graph compares nothing: it is sent once after each read of its event.
    UnguardedWrite,
}
