//! One body in, one answer out, by whichever path can give it. Decides the path and nothing else.

use serde::Serialize;

use super::error::DecodeError;
use super::reader;
use super::scanner::{self, Declined};
use crate::ews::op::{
    CreateItemAnswer, DeleteItemAnswer, FindItemAnswer, GetFolderAnswer, GetItemAnswer, GetRoomListsAnswer,
    GetRoomsAnswer, GetStreamingEventsAnswer, GetUserAvailabilityAnswer, MoveItemAnswer, ResolveNamesAnswer,
    SubscribeAnswer, SyncFolderItemsAnswer, UnsubscribeAnswer, UpdateItemAnswer,
};
use crate::ews::soap::{ServerVersionInfo, SoapFault};
use crate::ews::types::{ResponseMessage, Text};

/// What a body may cost us. A stranger chooses the bytes, we choose these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of one body.
    pub body_bytes_max: usize,
    /// Elements inside one another.
    pub depth_max: usize,
    /// Attributes of one tag.
    pub attributes_max: usize,
    /// Namespace declarations in force at once.
    pub namespaces_max: usize,
    /// Entries of all lists of one answer together: items, attendees, response messages, …
    pub entries_max: usize,
}

impl Default for DecodeLimits {
    /// 64 MiB, 64 deep, 64 attributes, 64 namespaces, 200 000 entries: several times what Exchange sends for the
    /// largest view it grants (1 000 items on premises, `EWSFindCountLimit`).
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            depth_max: 64,
            attributes_max: 64,
            namespaces_max: 64,
            entries_max: 200_000,
        }
    }
}

/// A decoded body and how it was decoded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decoded<'a> {
    /// What it says; the same whichever path read it.
    pub envelope: SoapEnvelope<'a>,
    /// Which path read it.
    pub path: DecodePath,
}

/// A SOAP envelope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoapEnvelope<'a> {
    /// `h:ServerVersionInfo`; faults often come without.
    pub server: Option<ServerVersionInfo<'a>>,
    /// What it carries.
    pub body: SoapBody<'a>,
}

/// What a SOAP body carries: the answer of an operation, or a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub enum SoapBody<'a> {
    FindItem(FindItemAnswer<'a>),
    GetItem(GetItemAnswer<'a>),
    UpdateItem(UpdateItemAnswer<'a>),
    DeleteItem(DeleteItemAnswer<'a>),
    CreateItem(CreateItemAnswer<'a>),
    MoveItem(MoveItemAnswer<'a>),
    GetFolder(GetFolderAnswer<'a>),
    ResolveNames(ResolveNamesAnswer<'a>),
    GetRoomLists(GetRoomListsAnswer<'a>),
    GetRooms(GetRoomsAnswer<'a>),
    GetUserAvailability(GetUserAvailabilityAnswer<'a>),
    Subscribe(SubscribeAnswer<'a>),
    Unsubscribe(UnsubscribeAnswer<'a>),
    GetStreamingEvents(GetStreamingEventsAnswer<'a>),
    SyncFolderItems(SyncFolderItemsAnswer<'a>),
    /// The server did not carry out the request.
    Fault(SoapFault<'a>),
    /// An operation that we never call: its element and what its messages say.
    Other {
        element: Text<'a>,
        messages: Vec<ResponseMessage<'a, ()>>,
    },
}

/// Which path decoded a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecodePath {
    /// The fast one.
    Scanner,
    /// The one that is always right; why the scanner left it to this one, if it was asked.
    Reader(Option<Declined>),
}

impl DecodePath {
    /// `scanner` or `reader`, as metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Reader(_) => "reader",
        }
    }

    /// Why the scanner declined, if it was asked and did.
    pub fn declined(self) -> Option<Declined> {
        match self {
            Self::Scanner => None,
            Self::Reader(declined) => declined,
        }
    }
}

/// Decodes a body: by the scanner if it is of a shape the scanner knows, else by the reader.
///
/// # Errors
/// When the body is no SOAP envelope in UTF-8, is cut, or exceeds a limit; the error names the byte.
pub fn decode<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, DecodeError> {
    match scanner::scan(body, limits) {
        Ok(envelope) => Ok(Decoded { envelope, path: DecodePath::Scanner }),
        Err(declined) => {
            let envelope = reader::read(body, limits)?;
            Ok(Decoded { envelope, path: DecodePath::Reader(Some(declined)) })
        }
    }
}

/// Decodes a body by the reader alone.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_reader<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, DecodeError> {
    let envelope = reader::read(body, limits)?;
    Ok(Decoded { envelope, path: DecodePath::Reader(None) })
}

/// Decodes a body by the scanner alone, for benches and comparisons.
///
/// # Errors
/// When the body is not of a shape the scanner knows.
pub fn decode_with_scanner<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, Declined> {
    let envelope = scanner::scan(body, limits)?;
    Ok(Decoded { envelope, path: DecodePath::Scanner })
}
