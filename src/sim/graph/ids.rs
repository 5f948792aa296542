//! Ids of items in Graph's two formats. A classic id is the EWS id in the URL-safe alphabet and changes when the item
//! moves to another folder; an immutable id does not. Requests may send either.

use super::error::GraphError;
use crate::sim::event::StoredItem;
use crate::sim::ids::{self, DecodedId, ItemLocator};
use crate::sim::immutable_ids::ImmutableId;
use crate::sim::mailbox::Mailbox;

/// An id format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdFormat {
    Classic,
    Immutable,
}

impl IdFormat {
    /// The id of the item in this row, or of an occurrence of it.
    pub(super) fn encode(self, at: ItemLocator, item: &StoredItem) -> String {
        match self {
            Self::Classic => classic(&ids::item_id(at)),
            Self::Immutable => {
                let ItemLocator { mailbox, occurrence, .. } = at;
                ImmutableId { mailbox, identity: item.identity, occurrence }.encode()
            }
        }
    }
}

/// The URL-safe form of an EWS id.
pub(super) fn classic(ews: &str) -> String {
    ews.replace('/', "-").replace('+', "_")
}

/// The item that an id of either format names.
pub(super) fn find(mailbox: &Mailbox, id: &str) -> Result<ItemLocator, GraphError> {
    let named = match ImmutableId::decode(id) {
        Some(id) => by_identity(mailbox, id),
        None => match ids::read_id(&id.replace('-', "/").replace('_', "+")) {
            Some(DecodedId::Item(at)) => Some(at),
            _ => return Err(GraphError::bad_request("ErrorInvalidIdMalformed", "Id is malformed.")),
        },
    };
    let is_here = |at: &ItemLocator| at.mailbox == mailbox.number && mailbox.items.contains_key(&at.item);
    named.filter(is_here).ok_or_else(GraphError::item_not_found)
}

fn by_identity(mailbox: &Mailbox, id: ImmutableId) -> Option<ItemLocator> {
    let row = mailbox.items.values().find(|item| item.identity == id.identity)?;
    Some(ItemLocator { mailbox: id.mailbox, item: row.number, occurrence: id.occurrence })
}
