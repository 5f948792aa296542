//! Implements the engine's `Directory` trait: people, mailboxes behind an address, room lists. Each needs a right of its own; without
//! it the answer is "unknown", or an error that names the right.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::classify::RetryDecision;
use super::connection::Graph;
use super::contents::{body, readable};
use super::effect::Effect;
use super::error::missing_right;
use super::place::place;
use super::request;
use super::request_error::RequestError;
use super::resources::{Page, PlaceResource, RoomResource, Scalar, ScheduleResource, UserResource};
use crate::calendar::{Event, RoomAddress, Window};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::{
    AddressLookup, CalendarError, Directory, ErrorKind, MailboxAddresses, PersonLookup, Place,
};
use crate::http::delivery::HttpResponse;

/// Longest address that is kept (RFC 5321, section 4.5.3.1, and the marks around it).
pub(super) const ADDRESS_BYTES_MAX: usize = 320;
/// Pages of one room list.
pub(super) const PAGES_MAX: usize = 50;
/// `responseCode` of a recipient that does not exist (`MailRecipientNotFoundException`) …
const NO_RECIPIENT: &str = "5009";
/// … and its name in EWS.
const NO_RECIPIENT_NAME: &str = "ErrorMailRecipientNotFound";
/// Window of the request that shows whether a recipient exists; its content does not matter.
const AVAILABILITY_WINDOW: TimeDelta = TimeDelta::days(1);
/// Proxy addresses of one mailbox that are kept.
const PROXIES_MAX: usize = 100;

#[async_trait]
impl Directory for Graph {
    /// A person is gone only when no user has the address, and no recipient either: groups and contacts are no users.
    async fn find_person(&self, room: &RoomAddress, address: &str) -> Result<PersonLookup, CalendarError> {
        Ok(match self.look_up_address(room, address).await? {
            AddressLookup::Found(_) => PersonLookup::Found,
            AddressLookup::Unknown => PersonLookup::Unknown,
            AddressLookup::NotFound => self.look_up_recipient(room, address).await?,
        })
    }

    /// Graph resolves no X.500 address.
    async fn resolve_organizer(
        &self,
        _: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, CalendarError> {
        Ok(event.organizer.as_ref().and_then(|organizer| organizer.address.clone()))
    }

    async fn resolve_address(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<AddressLookup, CalendarError> {
        Ok(self.look_up_address(room, address).await?)
    }

    async fn room_list_members(
        &self,
        room_list: &str,
        asking: &RoomAddress,
    ) -> Result<Vec<RoomAddress>, CalendarError> {
        if !self.rights.read_places {
            return Err(missing_right("read room lists", "Place.Read.All"));
        }
        match self.members(room_list, asking).await {
            Err(RequestError::Refused(ErrorKind::Denied | ErrorKind::Permission, _)) => {
                Err(missing_right("read room lists", "Place.Read.All"))
            }
            members => Ok(members?),
        }
    }

    async fn place(&self, room: &RoomAddress) -> Result<Option<Place>, CalendarError> {
        if !self.rights.read_places {
            return Ok(None);
        }
        let read = |response: &HttpResponse| -> Result<Option<Place>, RetryDecision> {
            let resource: PlaceResource<'_> = body(Effect::Read, response)?;
            Ok(place(&resource, room))
        };
        match self.client.execute(room, &request::place(room), read).await {
            Err(RequestError::Refused(kind, _)) if is_without_entry(kind) => Ok(None),
            found => Ok(found?),
        }
    }
}

/// Whether the refusal says that the directory shows no entry of the room to this account, now and tomorrow.
fn is_without_entry(kind: ErrorKind) -> bool {
    use ErrorKind::{Denied, Gone, NoMailbox, PersonNotFound};
    matches!(kind, Denied | Gone | NoMailbox | PersonNotFound)
}

impl Graph {
    /// The one user that has this SMTP address.
    async fn look_up_address(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<AddressLookup, RequestError> {
        if !self.rights.read_users {
            return Ok(AddressLookup::Unknown);
        }
        let read = |response: &HttpResponse| -> Result<AddressLookup, RetryDecision> {
            let page: Page<'_> = body(Effect::Read, response)?;
            let users: Vec<UserResource<'_>> = readable(&page)?;
            Ok(match (users.as_slice(), &page.next_link) {
                ([], None) => AddressLookup::NotFound,
                ([user], None) => {
                    addresses(user, address).map_or(AddressLookup::Unknown, AddressLookup::Found)
                }
                _ => AddressLookup::Unknown,
            })
        };
        match self.client.execute(room, &request::users_by_address(address), read).await {
            Err(RequestError::Refused(..)) => Ok(AddressLookup::Unknown),
            answered => answered,
        }
    }

    /// Whether a recipient has this address, by the free/busy information that the room gets of it.
    async fn look_up_recipient(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<PersonLookup, RequestError> {
        let now = SystemClock.now();
        let Some(day) = Window::clamped(now, now + AVAILABILITY_WINDOW) else {
            return Ok(PersonLookup::Unknown);
        };
        let read = |response: &HttpResponse| -> Result<PersonLookup, RetryDecision> {
            let page: Page<'_> = body(Effect::Read, response)?;
            let schedules: Vec<ScheduleResource<'_>> = readable(&page)?;
            Ok(match schedules.as_slice() {
                [schedule] if has_no_recipient(schedule) => PersonLookup::NotFound,
                _ => PersonLookup::Unknown,
            })
        };
        match self.client.execute(room, &request::schedule(room, address, day), read).await {
            Err(RequestError::Refused(..)) => Ok(PersonLookup::Unknown),
            answered => answered,
        }
    }

    async fn members(&self, room_list: &str, asking: &RoomAddress) -> Result<Vec<RoomAddress>, RequestError> {
        let mut members = Vec::new();
        let mut pages = self.pages(asking, request::rooms_of_list(room_list), PAGES_MAX);
        while let Some(rooms) = pages.next(|page| Ok(usable_rooms(&readable(page)?))).await? {
            members.extend(rooms);
        }
        match pages.is_complete() {
            true => Ok(members),
            false => {
                let code = format!("a room list of more than {PAGES_MAX} pages");
                Err(RequestError::Refused(ErrorKind::TooLarge, code))
            }
        }
    }
}

/// The rooms with an address. A room without one is skipped: no action can reach it.
fn usable_rooms(rooms: &[RoomResource<'_>]) -> Vec<RoomAddress> {
    let usable = |(index, room): (usize, &RoomResource<'_>)| {
        let address = room.email_address.as_deref().unwrap_or_default().parse();
        if address.is_err() {
            tracing::warn!(
                member = index + 1,
                "a member of the room list is skipped: it has no SMTP address"
            );
        }
        address.ok()
    };
    rooms.iter().enumerate().filter_map(usable).collect()
}

/// The addresses of a user that the server found by this one. `User.ReadBasic.All` does not return the proxy addresses.
fn addresses(user: &UserResource<'_>, found_by: &str) -> Option<MailboxAddresses> {
    let primary =
        user.mail.as_deref().filter(|mail| mail.contains('@') && mail.len() <= ADDRESS_BYTES_MAX)?;
    let listed = user.proxy_addresses.as_deref().unwrap_or_default().iter().filter_map(|entry| {
        let (kind, address) = entry.split_once(':')?;
        let is_usable = kind.eq_ignore_ascii_case("smtp") && address.len() <= ADDRESS_BYTES_MAX;
        is_usable.then(|| address.to_owned())
    });
    let mut proxies: Vec<String> = listed.take(PROXIES_MAX).collect();
    if !proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(found_by)) {
        proxies.push(found_by.to_owned());
    }
    Some(MailboxAddresses { primary: primary.to_owned(), proxies })
}

/// Whether the server found no recipient, and returned nothing about one.
fn has_no_recipient(schedule: &ScheduleResource<'_>) -> bool {
    let code = schedule.error.as_ref().and_then(|error| error.response_code.as_ref()).map(Scalar::to_string);
    let is_empty = schedule.availability_view.as_ref().is_none_or(|view| view.is_empty())
        && schedule.schedule_items.as_ref().is_none_or(Vec::is_empty);
    is_empty && code.is_some_and(|code| code == NO_RECIPIENT || code == NO_RECIPIENT_NAME)
}
