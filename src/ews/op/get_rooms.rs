//! `GetRooms`: lists the rooms of one room list.

use super::{Effect, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Mailbox, ResponseMessage};

/// `GetRooms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRooms<'a> {
    /// SMTP address of the list. An unknown one returns `ErrorNameResolutionNoResults`.
    pub room_list: &'a str,
}

/// The response: one message with the rooms.
pub type GetRoomsAnswer<'a> = ResponseMessage<'a, Option<Vec<Mailbox<'a>>>>;

impl Operation for GetRooms<'_> {
    const NAME: &'static str = "GetRooms";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetRooms><m:RoomList>");
        out.element("t:EmailAddress", self.room_list);
        out.raw("</m:RoomList></m:GetRooms>");
    }
}
