//! Checks the optional rights of the application by a request that needs each: an access token does not show the roles of Exchange
//! Online. For `doctor`; reads only, and keeps nothing of the responses.

use super::classify::{RetryDecision, unexpected_response};
use super::connection::Graph;
use super::contents::body;
use super::effect::Effect;
use super::request::{self, GraphRequest};
use super::request_error::RequestError;
use super::resources::{ExchangeSettingsResource, Page};
use super::settings::GraphRights;
use crate::calendar::RoomAddress;
use crate::http::delivery::HttpResponse;

/// A right of the application besides `Calendars.ReadWrite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionalRight {
    /// `Mail.ReadBasic`.
    ReadMail,
    /// `MailboxItem.Read`.
    ReadMailboxItems,
    /// `Place.Read.All`.
    ReadPlaces,
    /// `User.ReadBasic.All`.
    ReadUsers,
}

impl OptionalRight {
    /// Every optional right.
    pub const ALL: [Self; 4] = [Self::ReadMail, Self::ReadMailboxItems, Self::ReadPlaces, Self::ReadUsers];

    /// Its name in `optional_permissions`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadMail => "Mail.ReadBasic",
            Self::ReadMailboxItems => "MailboxItem.Read",
            Self::ReadPlaces => "Place.Read.All",
            Self::ReadUsers => "User.ReadBasic.All",
        }
    }

    /// Whether the configuration names it.
    pub fn is_in(self, rights: GraphRights) -> bool {
        match self {
            Self::ReadMail => rights.read_mail,
            Self::ReadMailboxItems => rights.read_mailbox_items,
            Self::ReadPlaces => rights.read_places,
            Self::ReadUsers => rights.read_users,
        }
    }
}

impl Graph {
    /// Sends a request that needs the right, whether the configuration names it or not.
    ///
    /// # Errors
    /// Why the request failed: without the right, Graph refuses it.
    pub async fn check_right(&self, room: &RoomAddress, right: OptionalRight) -> Result<(), RequestError> {
        match right {
            OptionalRight::ReadMail => self.check_page(room, &request::one_sent_message(room)).await,
            OptionalRight::ReadMailboxItems => {
                let mailbox = self.mailbox_id(room).await?;
                self.check_page(room, &request::one_deleted_item(&mailbox)).await
            }
            OptionalRight::ReadPlaces => self.check_page(room, &request::one_room_list()).await,
            OptionalRight::ReadUsers => self.check_page(room, &request::one_user()).await,
        }
    }

    async fn mailbox_id(&self, room: &RoomAddress) -> Result<String, RequestError> {
        let read = |response: &HttpResponse| -> Result<String, RetryDecision> {
            let settings: ExchangeSettingsResource<'_> = body(Effect::Read, response)?;
            let id = settings.primary_mailbox_id.as_deref().filter(|id| !id.is_empty());
            let missing =
                || unexpected_response(Effect::Read, "settings without primaryMailboxId".to_owned());
            id.map(str::to_owned).ok_or_else(missing)
        };
        self.client.execute(room, &request::mailbox_id(room), read).await
    }

    async fn check_page(&self, room: &RoomAddress, request: &GraphRequest) -> Result<(), RequestError> {
        let read = |response: &HttpResponse| body::<Page<'_>>(Effect::Read, response).map(drop);
        self.client.execute(room, request, read).await
    }
}
