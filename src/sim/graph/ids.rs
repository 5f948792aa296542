//! Ids of items in Graph's two formats. A classic id is the EWS id in the URL-safe alphabet and changes when the item moves
//! to another folder; an immutable id names the item for as long as it is in the mailbox.
//!
//! ```text
//! immutable id, 54 bytes → 72 characters
//! |mark, 6|mailbox, 4|item's identity, 8|occurrence, 8|store, 28|
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use chrono::DateTime;

use super::error::GraphError;
use crate::sim::event::StoredItem;
use crate::sim::ids::{self, DecodedId, ItemLocator};
use crate::sim::mailbox::Mailbox;

const MARK: [u8; 6] = [0x00, 0x09, 0x00, 0x2e, 0x00, 0x01];
const STORE: [u8; 28] = *b"\x9d\x1b\x07\x5e\x44\xc1\x4f\x2a\x8e\x61\x30\xd2\x77\xb9\x05\x5c\x00\x01\x0d\x00\x51\x3c\x00\x00\x22\x07\x00\x00";
/// The occurrence of an item that is none.
const NO_OCCURRENCE: i64 = i64::MIN;

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
            Self::Immutable => immutable(at, item.identity),
        }
    }
}

/// The URL-safe form of an EWS id.
pub(super) fn classic(ews: &str) -> String {
    ews.replace('/', "-").replace('+', "_")
}

/// The EWS id of a classic id.
pub(super) fn ews(classic: &str) -> String {
    classic.replace('-', "/").replace('_', "+")
}

fn immutable(at: ItemLocator, identity: u64) -> String {
    let occurrence = at.occurrence.map_or(NO_OCCURRENCE, |start| start.timestamp());
    let bytes =
        [&MARK[..], &at.mailbox.to_be_bytes(), &identity.to_be_bytes(), &occurrence.to_be_bytes(), &STORE];
    BASE64_URL_SAFE.encode(bytes.concat())
}

/// The item that an id of either format names.
pub(super) fn find(mailbox: &Mailbox, id: &str) -> Result<ItemLocator, GraphError> {
    let named = match read_immutable(id) {
        Some((at, identity)) => by_identity(mailbox, at, identity),
        None => match ids::read_id(&ews(id)) {
            Some(DecodedId::Item(at)) => Some(at),
            _ => return Err(GraphError::bad_request("ErrorInvalidIdMalformed", "Id is malformed.")),
        },
    };
    let known = |at: &ItemLocator| at.mailbox == mailbox.number && mailbox.items.contains_key(&at.item);
    named.filter(known).ok_or_else(GraphError::item_not_found)
}

fn by_identity(mailbox: &Mailbox, at: ItemLocator, identity: u64) -> Option<ItemLocator> {
    let row = mailbox.items.values().find(|item| item.identity == identity)?;
    Some(ItemLocator { item: row.number, ..at })
}

/// The mailbox and occurrence of an immutable id, and the item's identity.
fn read_immutable(id: &str) -> Option<(ItemLocator, u64)> {
    let bytes = BASE64_URL_SAFE.decode(id).ok()?;
    let rest = bytes.strip_prefix(&MARK)?.strip_suffix(&STORE)?;
    let (mailbox, rest) = rest.split_first_chunk::<4>()?;
    let (identity, rest) = rest.split_first_chunk::<8>()?;
    let occurrence = i64::from_be_bytes(rest.try_into().ok()?);
    let occurrence = match occurrence {
        NO_OCCURRENCE => None,
        seconds => Some(DateTime::from_timestamp(seconds, 0)?),
    };
    let (mailbox, identity) = (u32::from_be_bytes(*mailbox), u64::from_be_bytes(*identity));
    Some((ItemLocator { mailbox, item: 0, occurrence }, identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_immutable_id_has_72_characters_and_reads_back() {
        let start = DateTime::from_timestamp(1_780_000_000, 0);
        for occurrence in [None, start] {
            let at = ItemLocator { mailbox: 7, item: 0, occurrence };
            let id = immutable(at, 42);
            assert_eq!(id.len(), 72);
            assert_eq!(read_immutable(&id), Some((at, 42)));
        }
        for noise in ["", "AAMkAD=", "not base64!", &"A".repeat(72)] {
            assert_eq!(read_immutable(noise), None, "{noise}");
        }
    }
}
