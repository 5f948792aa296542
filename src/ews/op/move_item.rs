//! `MoveItem`. Moves items to another folder of the same mailbox (undo). Occurrences cannot be moved.

use super::{FolderId, ItemRef};
use crate::ews::types::{Item, ResponseMessage};

/// `MoveItem`; asks for the new ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveItem<'a> {
    /// Which items.
    pub items: &'a [ItemRef<'a>],
    /// Where to.
    pub to: FolderId<'a>,
}

/// The answer: one message per id, with the item under its new id.
pub type MoveItemAnswer<'a> = Vec<ResponseMessage<'a, Vec<Item<'a>>>>;
