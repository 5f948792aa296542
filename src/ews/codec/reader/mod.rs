//! The path that is always right: quick-xml's events, namespaces resolved, any prefix, any order.

mod document;
mod namespace;

use super::decode::{Envelope, Limits};
use super::error::DecodeError;

/// Reads one body.
pub(super) fn read<'a>(_body: &'a [u8], _limits: &Limits) -> Result<Envelope<'a>, DecodeError> {
    Err(DecodeError::new(super::error::Deviation::Empty, 0))
}
