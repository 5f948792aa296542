//! The rights of the service account in mailboxes that it opens as a delegate, without impersonation.

use super::details::Sensitivity;
use super::event::Event;

/// The granted rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DelegateRights {
    /// The permission level Reviewer on the calendar: read only, without private items.
    Reviewer,
    /// The permission level Editor on the calendar: read and write, without private items.
    Editor,
    /// The mailbox permission FullAccess.
    FullAccess,
}

impl DelegateRights {
    pub(crate) fn may_write(self) -> bool {
        self != Self::Reviewer
    }

    /// Whether the delegate sees an event only as busy time.
    pub(crate) fn hides(self, event: &Event) -> bool {
        let series = event.series.iter().flat_map(|series| series.exceptions.values());
        let mut all = series.map(|exception| &exception.details).chain([&event.details]);
        self != Self::FullAccess && all.any(|details| details.sensitivity == Sensitivity::Private)
    }
}
