//! `GetRoomLists`: lists the room lists (distribution groups of rooms) of the organization.

use super::{Effect, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Mailbox, ResponseMessage};

/// `GetRoomLists`: has no parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetRoomLists;

/// The response: one message with the lists.
pub type GetRoomListsAnswer<'a> = ResponseMessage<'a, Option<Vec<Mailbox<'a>>>>;

impl Operation for GetRoomLists {
    const NAME: &'static str = "GetRoomLists";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetRoomLists/>");
    }
}
