//! The rights of the service account in mailboxes that it opens as a delegate, without impersonation.

use super::event::{Event, Sensitivity};
use super::world::{World, key};

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

impl World {
    /// Gives the service account Full Access to these mailboxes; by default it has none.
    pub fn allow_full_access_to<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) -> &mut Self {
        for address in addresses {
            self.grant(address, DelegateRights::FullAccess);
        }
        self
    }

    /// Gives the service account rights in a mailbox, in place of earlier ones.
    pub fn grant(&mut self, address: &str, rights: DelegateRights) -> &mut Self {
        self.delegate_rights.insert(key(address), rights);
        self
    }

    pub(crate) fn rights_in(&self, mailbox: u32) -> Option<DelegateRights> {
        self.delegate_rights.get(&key(&self.mailboxes.get(&mailbox)?.address)).copied()
    }

    /// Rights follow the mailbox through a rename.
    pub(super) fn move_rights(&mut self, former: &str, new: &str) {
        if let Some(rights) = self.delegate_rights.remove(&key(former)) {
            self.delegate_rights.insert(key(new), rights);
        }
        if let super::world::ImpersonationScope::Only(allowed) = &mut self.scope
            && allowed.remove(&key(former))
        {
            allowed.insert(key(new));
        }
    }
}
