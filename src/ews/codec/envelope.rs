//! A decoded response: the SOAP envelope and the content of its body. Both decoders return these values; neither decoder is known here.

use serde::Serialize;

use crate::ews::op::{
    CreateItemAnswer, DeleteItemAnswer, FindItemAnswer, GetFolderAnswer, GetItemAnswer, GetRoomListsAnswer,
    GetRoomsAnswer, GetStreamingEventsAnswer, GetUserAvailabilityAnswer, MoveItemAnswer, ResolveNamesAnswer,
    SubscribeAnswer, SyncFolderItemsAnswer, UnsubscribeAnswer, UpdateItemAnswer,
};
use crate::ews::soap::{ServerVersionInfo, SoapFault};
use crate::ews::types::{ResponseMessage, Text};

/// A SOAP envelope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoapEnvelope<'a> {
    /// `h:ServerVersionInfo`; faults often have none.
    pub server: Option<ServerVersionInfo<'a>>,
    /// The content of `Body`.
    pub body: SoapBody<'a>,
}

impl SoapEnvelope<'_> {
    /// An envelope to be filled: without a header, and with a body that no server sends.
    pub(super) const EMPTY: Self = Self { server: None, body: SoapBody::Unsubscribe(Vec::new()) };
}

/// The content of a SOAP body: the response of an operation, or a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the variants have the names of the operations")]
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
