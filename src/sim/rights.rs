//! What the service account may do in a mailbox that it opens in its own name, as a delegate.

use super::event::{Event, Sensitivity};
use super::world::{World, key};

/// What was granted on a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DelegateRights {
    /// The permission level Reviewer on the calendar: reads, and writes nothing. Private items are not for it.
    Reviewer,
    /// The permission level Editor on the calendar: reads and writes. Private items are not for it.
    Editor,
    /// The mailbox permission FullAccess.
    FullAccess,
}

impl DelegateRights {
    pub(crate) fn may_write(self) -> bool {
        self != Self::Reviewer
    }

    /// Whether an event is one that such a delegate sees only as taken time.
    pub(crate) fn hides(self, event: &Event) -> bool {
        let series = event.series.iter().flat_map(|series| series.exceptions.values());
        let mut all = series.map(|exception| &exception.details).chain([&event.details]);
        self != Self::FullAccess && all.any(|details| details.sensitivity == Sensitivity::Private)
    }
}

impl World {
    /// Gives the service account Full Access to these mailboxes; without it, it has none.
    pub fn allow_full_access_to<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) -> &mut Self {
        for address in addresses {
            self.grant(address, DelegateRights::FullAccess);
        }
        self
    }

    /// Gives the service account these rights in a mailbox, in place of those it had.
    pub fn grant(&mut self, address: &str, rights: DelegateRights) -> &mut Self {
        self.delegate_rights.insert(key(address), rights);
        self
    }

    pub(crate) fn rights_in(&self, mailbox: u32) -> Option<DelegateRights> {
        self.delegate_rights.get(&key(&self.mailboxes.get(&mailbox)?.address)).copied()
    }

    /// Rights belong to the mailbox, whatever it is called.
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
