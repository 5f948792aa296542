//! Decodes one response body, by the scanner or else by the reader. Decides the path and nothing else.

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

/// Limits for decoding one body. The sender chooses the bytes, so the receiver bounds their cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of one body.
    pub body_bytes_max: usize,
    /// Nesting depth of elements.
    pub depth_max: usize,
    /// Attributes of one tag.
    pub attributes_max: usize,
    /// Namespace declarations in force at once.
    pub namespaces_max: usize,
    /// Entries of all lists of one response together: items, attendees, response messages, …
    pub entries_max: usize,
}

impl Default for DecodeLimits {
    /// 64 MiB, 64 deep, 64 attributes, 64 namespaces, 200 000 entries: several times the largest view that Exchange sends
    /// (1 000 items on premises, `EWSFindCountLimit`).
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

/// A decoded body, and the path that decoded it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decoded<'a> {
    /// The content; the same from both paths.
    pub envelope: SoapEnvelope<'a>,
    /// The path that decoded it.
    pub path: DecodePath,
}

/// A SOAP envelope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoapEnvelope<'a> {
    /// `h:ServerVersionInfo`; faults often have none.
    pub server: Option<ServerVersionInfo<'a>>,
    /// The content of `Body`.
    pub body: SoapBody<'a>,
}

/// The content of a SOAP body: the response of an operation, or a fault.
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
    /// The server did not execute the request.
    Fault(SoapFault<'a>),
    /// An operation that Adjourn never calls: its element and its messages without content.
    Other {
        element: Text<'a>,
        messages: Vec<ResponseMessage<'a, ()>>,
    },
}

/// The path that decoded a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecodePath {
    /// The scanner, the fast path.
    Scanner,
    /// The reader; the value says why the scanner declined, if it ran.
    Reader(Option<Declined>),
}

impl DecodePath {
    /// `scanner` or `reader`, as in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Reader(_) => "reader",
        }
    }

    /// Why the scanner declined, if it ran and declined.
    pub fn declined(self) -> Option<Declined> {
        match self {
            Self::Scanner => None,
            Self::Reader(declined) => declined,
        }
    }
}

/// Decodes a body by the scanner if it knows the shape, else by the reader.
///
/// # Errors
/// The body is not a SOAP envelope in UTF-8, is truncated, or exceeds a limit; the error holds the byte offset.
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
/// The scanner does not know the shape of the body.
pub fn decode_with_scanner<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, Declined> {
    let envelope = scanner::scan(body, limits)?;
    Ok(Decoded { envelope, path: DecodePath::Scanner })
}
