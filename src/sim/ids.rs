//! Item ids, folder ids, change keys and meeting UIDs.
//!
//! To clients they are opaque and have the length and alphabet of Exchange's. The simulator can decode them, so it needs
//! no table of issued ids and can tell a foreign id from one whose item is gone. Encoding only; never looks an item up.
//!
//! ```text
//! item id, 114 bytes → 152 characters of base64
//! 0   3                                    39     44      48   49              69       77        85        114
//! |003|mailbox guid, as text, 36 bytes     |store |mailbox|kind|store, 20 bytes|item    |occurrence|padding  |
//! ```

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

/// Locates an item: a row of one mailbox, or one date of the series stored in that row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ItemLocator {
    pub(crate) mailbox: u32,
    pub(crate) item: u64,
    /// Original start of the occurrence; `None` for the row itself (a single event, a master, a message).
    pub(crate) occurrence: Option<DateTime<Utc>>,
}

/// A decoded id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodedId {
    Item(ItemLocator),
    Folder { mailbox: u32, folder: u8 },
}

const MARK: [u8; 3] = [0x00, 0x03, 0x24];
const STORE_SHORT: [u8; 5] = [0x00, 0x46, 0x00, 0x00, 0x00];
const STORE: [u8; 20] = *b"\x9d\x1b\x07\x5e\x44\xc1\x4f\x2a\x8e\x61\x30\xd2\x77\xb9\x05\x5c\x00\x01\x0d\x00";
const ID_BYTES: usize = 114;
const KEY_MARK: [u8; 8] = [0x0f, 0, 0, 0, 0x16, 0, 0, 0];
const KEY_STORE: [u8; 14] = *b"\x9d\x1b\x07\x5e\x44\xc1\x4f\x2a\x8e\x61\x30\xd2\x00\x00";
const ROW: u8 = 0;
const DATE: u8 = 1;
const FOLDER: u8 = 2;
const EXCEPTION: u8 = 3;

/// Folders never change in the simulator, so all have one change key.
pub(crate) const FOLDER_CHANGE_KEY: &str = "AQAAAA==";

pub(crate) fn item_id(at: ItemLocator) -> String {
    match at.occurrence {
        None => encode(at.mailbox, ROW, at.item, 0),
        Some(start) => encode(at.mailbox, DATE, at.item, start.timestamp()),
    }
}

/// The id of an exception, where the world gives exceptions ids of their own.
pub(crate) fn exception_id(at: ItemLocator) -> String {
    let start = at.occurrence.map_or(0, |start| start.timestamp());
    encode(at.mailbox, EXCEPTION, at.item, start)
}

/// Whether an id of this store is one of an exception.
pub(crate) fn is_exception_id(id: &str) -> bool {
    STANDARD.decode(id).is_ok_and(|bytes| bytes.get(48) == Some(&EXCEPTION))
}

pub(crate) fn folder_id(mailbox: u32, folder: u8) -> String {
    encode(mailbox, FOLDER, u64::from(folder), 0)
}

fn encode(mailbox: u32, kind: u8, item: u64, occurrence: i64) -> String {
    let mut bytes = Vec::with_capacity(ID_BYTES);
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(guid(mailbox).as_bytes());
    bytes.extend_from_slice(&STORE_SHORT);
    bytes.extend_from_slice(&mailbox.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&STORE);
    bytes.extend_from_slice(&item.to_be_bytes());
    bytes.extend_from_slice(&occurrence.to_be_bytes());
    bytes.resize(ID_BYTES, 0);
    STANDARD.encode(bytes)
}

/// Decodes an id; `None` if this store did not issue it.
pub(crate) fn read_id(id: &str) -> Option<DecodedId> {
    let bytes = STANDARD.decode(id).ok().filter(|bytes| bytes.len() == ID_BYTES)?;
    let mailbox = u32::from_be_bytes(bytes.get(44..48)?.try_into().ok()?);
    let item = u64::from_be_bytes(bytes.get(69..77)?.try_into().ok()?);
    let occurrence = i64::from_be_bytes(bytes.get(77..85)?.try_into().ok()?);
    let named = match *bytes.get(48)? {
        ROW => DecodedId::Item(ItemLocator { mailbox, item, occurrence: None }),
        DATE | EXCEPTION => {
            let start = DateTime::from_timestamp(occurrence, 0)?;
            DecodedId::Item(ItemLocator { mailbox, item, occurrence: Some(start) })
        }
        FOLDER => DecodedId::Folder { mailbox, folder: u8::try_from(item).ok()? },
        _ => return None,
    };
    let written = match named {
        DecodedId::Item(at) if bytes.get(48) == Some(&EXCEPTION) => exception_id(at),
        _ => named.encode(),
    };
    (written == id).then_some(named)
}

impl DecodedId {
    fn encode(self) -> String {
        match self {
            Self::Item(at) => item_id(at),
            Self::Folder { mailbox, folder } => folder_id(mailbox, folder),
        }
    }
}

/// Offset of the MAPI entry id in the id.
const ENTRY_AT: usize = 3 + 36;

/// The MAPI entry id in the bytes of an id.
pub(crate) fn entry_id_of(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(ENTRY_AT..)
}

/// The bytes of the id with this MAPI entry id.
pub(crate) fn id_bytes_of_entry(entry: &[u8]) -> Option<Vec<u8>> {
    let mailbox = u32::from_be_bytes(entry.get(5..9)?.try_into().ok()?);
    Some([&MARK, guid(mailbox).as_bytes(), entry].concat())
}

/// Decodes hexadecimal digits.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let even = digits.len().is_multiple_of(2);
    even.then(|| pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect())?
}

pub(crate) fn change_key(version: u64) -> String {
    let mut bytes = Vec::with_capacity(30);
    bytes.extend_from_slice(&KEY_MARK);
    bytes.extend_from_slice(&KEY_STORE);
    bytes.extend_from_slice(&version.to_be_bytes());
    STANDARD.encode(bytes)
}

/// Decodes a change key into the row version.
pub(crate) fn read_change_key(key: &str) -> Option<u64> {
    let bytes = STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 30)?;
    let version = u64::from_be_bytes(bytes.get(22..30)?.try_into().ok()?);
    (change_key(version) == key).then_some(version)
}

/// A `GlobalObjectId` in the form that Outlook generates: 112 hexadecimal digits.
pub(crate) fn meeting_uid(number: u64) -> String {
    format!("040000008200E00074C5B7101A82E00800000000{number:032X}0000000010000000{:024X}", number ^ 0x5eed)
}

/// The mailbox's GUID, also used in its directory entry.
pub(crate) fn guid(mailbox: u32) -> String {
    format!("5ad0{mailbox:04x}-6d1c-4e02-9f3b-{mailbox:012x}", mailbox = mailbox & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_what_was_written_and_nothing_else_reads() {
        let start = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        for occurrence in [None, Some(start)] {
            let at = ItemLocator { mailbox: 7, item: 42, occurrence };
            assert_eq!(item_id(at).len(), 152);
            assert_eq!(read_id(&item_id(at)), Some(DecodedId::Item(at)));
        }
        let at = ItemLocator { mailbox: 7, item: 42, occurrence: Some(start) };
        assert_eq!(read_id(&exception_id(at)), Some(DecodedId::Item(at)));
        assert!(is_exception_id(&exception_id(at)) && !is_exception_id(&item_id(at)));
        assert_eq!(read_id(&folder_id(7, 3)), Some(DecodedId::Folder { mailbox: 7, folder: 3 }));
        assert_eq!(read_change_key(&change_key(9)), Some(9));
        for noise in ["", "AAMkAD=", "not base64!", &"A".repeat(152)] {
            assert_eq!((read_id(noise), read_change_key(noise)), (None, None), "{noise}");
        }
        assert_eq!(meeting_uid(5).len(), 112);
    }
}
