//! `GetRooms`. Lists the rooms of one room list.

use crate::ews::types::{Mailbox, ResponseMessage};

/// `GetRooms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRooms<'a> {
    /// SMTP address of the list. Unknown: `ErrorNameResolutionNoResults`.
    pub room_list: &'a str,
}

/// The answer: one message at operation level, holding the rooms.
pub type GetRoomsAnswer<'a> = ResponseMessage<'a, Vec<Mailbox<'a>>>;
