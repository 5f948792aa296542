//! `UpdateItem`. Changes single properties of one item: `calendar:End`, `calendar:Start`, `item:Subject`, `item:Body`.

use chrono::{DateTime, Utc};

use super::ItemRef;
use crate::ews::types::{Item, ResponseMessage};

/// `ConflictResolution`. Only `NeverOverwrite` detects a concurrent change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConflictResolution {
    NeverOverwrite,
    AutoResolve,
    AlwaysOverwrite,
}

/// `SendMeetingInvitationsOrCancellations`: required for calendar items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SendUpdates {
    ToNone,
    OnlyToAll,
    OnlyToChanged,
    ToAllAndSaveCopy,
    ToChangedAndSaveCopy,
}

/// One `t:SetItemField`: exactly one property each. There is deliberately no time-zone property: setting one on an
/// attendee copy is refused with `ErrorInvalidPropertySet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    /// `calendar:End`, written as UTC `Z`.
    End(DateTime<Utc>),
    /// `calendar:Start`, written as UTC `Z`.
    Start(DateTime<Utc>),
    /// `item:Subject`.
    Subject(&'a str),
    /// `item:Body`, as plain text.
    Body(&'a str),
}

/// `UpdateItem` of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateItem<'a> {
    /// Which item, at which version (Exchange wants the ChangeKey).
    pub item: ItemRef<'a>,
    /// In document order, as the server applies them.
    pub changes: &'a [Change<'a>],
    /// What a concurrent change means.
    pub conflict_resolution: ConflictResolution,
    /// Whom Exchange mails.
    pub send: SendUpdates,
}

/// What an update carries back.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Updated<'a> {
    /// The item, with its new ChangeKey.
    pub items: Vec<Item<'a>>,
    /// `m:ConflictResults/t:Count`.
    pub conflict_count: Option<u32>,
}

/// The answer: one message per change.
pub type UpdateItemAnswer<'a> = Vec<ResponseMessage<'a, Updated<'a>>>;
