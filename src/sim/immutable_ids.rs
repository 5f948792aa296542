//! Immutable ids: each names an item for as long as it is in its mailbox, through moves between folders. To clients
//! they are opaque. Encoding only; never looks an item up.
//!
//! ```text
//! immutable id, 54 bytes → 72 characters
//! |mark, 6|mailbox, 4|item's identity, 8|occurrence, 8|store, 28|
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use chrono::{DateTime, Utc};

const MARK: [u8; 6] = [0x00, 0x09, 0x00, 0x2e, 0x00, 0x01];
const STORE: [u8; 28] =
    *b"\x9d\x1b\x07\x5e\x44\xc1\x4f\x2a\x8e\x61\x30\xd2\x77\xb9\x05\x5c\x00\x01\x0d\x00\x51\x3c\x00\x00\x22\x07\x00\x00";
/// The occurrence of an item that is none.
const NO_OCCURRENCE: i64 = i64::MIN;

/// What an immutable id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImmutableId {
    pub(crate) mailbox: u32,
    /// `StoredItem::identity`.
    pub(crate) identity: u64,
    /// Original start of the occurrence.
    pub(crate) occurrence: Option<DateTime<Utc>>,
}

impl ImmutableId {
    pub(crate) fn encode(self) -> String {
        let occurrence = self.occurrence.map_or(NO_OCCURRENCE, |start| start.timestamp());
        let bytes = [
            &MARK[..],
            &self.mailbox.to_be_bytes(),
            &self.identity.to_be_bytes(),
            &occurrence.to_be_bytes(),
            &STORE,
        ];
        BASE64_URL_SAFE.encode(bytes.concat())
    }

    /// Decodes an id; `None` if this store did not issue it.
    pub(crate) fn decode(id: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE.decode(id).ok()?;
        let rest = bytes.strip_prefix(&MARK)?.strip_suffix(&STORE)?;
        let (mailbox, rest) = rest.split_first_chunk::<4>()?;
        let (identity, rest) = rest.split_first_chunk::<8>()?;
        let occurrence = match i64::from_be_bytes(rest.try_into().ok()?) {
            NO_OCCURRENCE => None,
            seconds => Some(DateTime::from_timestamp(seconds, 0)?),
        };
        let (mailbox, identity) = (u32::from_be_bytes(*mailbox), u64::from_be_bytes(*identity));
        Some(Self { mailbox, identity, occurrence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_immutable_id_has_72_characters_and_reads_back() {
        for occurrence in [None, DateTime::from_timestamp(1_780_000_000, 0)] {
            let id = ImmutableId { mailbox: 7, identity: 42, occurrence };
            assert_eq!(id.encode().len(), 72);
            assert_eq!(ImmutableId::decode(&id.encode()), Some(id));
        }
        for noise in ["", "AAMkAD=", "not base64!", &"A".repeat(72)] {
            assert_eq!(ImmutableId::decode(noise), None, "{noise}");
        }
    }
}
