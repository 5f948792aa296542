//! Whether a request reads or writes, which decides what a lost response means. Values only.

/// The effect of a request at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It may be sent again.
    Read,
    /// Without its response it is in doubt.
    Write,
}
