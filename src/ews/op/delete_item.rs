//! `DeleteItem`. Removes items. Never hand it a series master: that deletes the whole series.

use super::ItemRef;
use crate::ews::types::ResponseMessage;

/// `DeleteType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DeleteType {
    MoveToDeletedItems,
    SoftDelete,
    HardDelete,
}

/// `SendMeetingCancellations`: required for calendar items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SendCancellations {
    ToNone,
    OnlyToAll,
    ToAllAndSaveCopy,
}

/// `DeleteItem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteItem<'a> {
    /// Which items.
    pub items: &'a [ItemRef<'a>],
    /// Where they go.
    pub delete_type: DeleteType,
    /// Whom Exchange mails (defined for the organizer's copy only).
    pub send: SendCancellations,
}

/// The answer: one message per id, in request order.
pub type DeleteItemAnswer<'a> = Vec<ResponseMessage<'a, ()>>;
