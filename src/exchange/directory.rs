//! Implements the engine's `Directory` trait: persons, organizers with X.500 addresses, mailboxes behind an address, room
//! lists. Translates requests and responses; decides nothing.
//!
//! `ResolveNames` searches the address lists that the room sees, and matches the beginnings of values. So a match
//! counts only if it has exactly the requested address, and no match proves only that the lists show none.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::calendar::{Exchange, wrong_response_type};
use super::contents;
use super::request_error::RequestError;
use super::response_messages::require_success;
use crate::calendar::{Event, Person, RoomAddress};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::{
    AddressLookup, CalendarError, Directory, ErrorKind, MailboxAddresses, PersonLookup, Place,
};
use crate::ews::codec::SoapBody;
use crate::ews::op::{
    Effect, FreeBusyView, GetRooms, GetUserAvailability, Resolution, ResolutionSet, ResolveNames,
};
use crate::ews::types::{Mailbox, ResponseClass};

/// `GetUserAvailability` has no recipient with this address.
const NO_RECIPIENT: &str = "ErrorMailRecipientNotFound";
/// Window of the availability request that shows whether a recipient exists; its content does not matter.
const AVAILABILITY_WINDOW: TimeDelta = TimeDelta::days(1);
/// The coarsest interval that Exchange accepts.
const AVAILABILITY_INTERVAL_MINUTES: u32 = 1440;

/// Proxy addresses of one mailbox that are kept; Exchange returns three.
const PROXIES_MAX: usize = 100;
/// Longest address that is kept (RFC 5321, section 4.5.3.1, and the marks around it).
pub(super) const ADDRESS_LEN_MAX: usize = 320;

#[async_trait]
impl Directory for Exchange {
    async fn find_person(&self, room: &RoomAddress, address: &str) -> Result<PersonLookup, CalendarError> {
        Ok(self.look_up_person(room, address).await?)
    }

    async fn resolve_organizer(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, CalendarError> {
        Ok(self.organizer_address(room, event).await?)
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
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::GetRooms(message) => {
                let rooms = &require_success(Effect::Read, message)?.payload;
                Ok(usable_rooms(contents::content(Effect::Read, rooms, "Rooms")?))
            }
            _ => Err(wrong_response_type(Effect::Read)),
        };
        Ok(self.client.execute(asking, &GetRooms { room_list }, read).await?)
    }

    /// EWS has the display name alone.
    async fn place(&self, room: &RoomAddress) -> Result<Option<Place>, CalendarError> {
        let name = self.resolve(room, room.as_str(), |found| exact_name(found, room.as_str()));
        match name.await {
            Err(RequestError::Refused(ErrorKind::PersonNotFound | ErrorKind::Denied, _)) => Ok(None),
            name => Ok(name?.flatten().map(|name| Place { name: Some(name), ..Place::default() })),
        }
    }
}

impl Exchange {
    /// A person is gone only when the address lists show no match and no recipient has the address.
    pub(super) async fn look_up_person(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<PersonLookup, RequestError> {
        match self.look_up_address(room, address).await? {
            AddressLookup::Found(_) => Ok(PersonLookup::Found),
            AddressLookup::Unknown => Ok(PersonLookup::Unknown),
            AddressLookup::NotFound => self.look_up_recipient(room, address).await,
        }
    }

    /// The mailbox whose primary or proxy address is exactly this one.
    pub(super) async fn look_up_address(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<AddressLookup, RequestError> {
        match self.resolve(room, address, |found| exact_match(found, address)).await {
            Err(RequestError::Refused(..)) => Ok(AddressLookup::Unknown),
            answered => Ok(answered?.unwrap_or(AddressLookup::NotFound)),
        }
    }

    /// Searches the address lists for this address; `None` when there is no match.
    async fn resolve<T: Send>(
        &self,
        room: &RoomAddress,
        address: &str,
        read: impl Fn(&ResolutionSet<'_>) -> T + Send + Sync,
    ) -> Result<Option<T>, RequestError> {
        let entry = format!("smtp:{address}");
        let resolve = ResolveNames { unresolved_entry: &entry, full_contact_data: true };
        let found = self.client.execute(room, &resolve, |body| {
            let SoapBody::ResolveNames(messages) = body else {
                return Err(wrong_response_type(Effect::Read));
            };
            Ok(contents::resolved(messages)?.map(&read))
        });
        found.await
    }

    /// Whether a recipient has this address, also one that is hidden from the address lists.
    async fn look_up_recipient(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<PersonLookup, RequestError> {
        let now = SystemClock.now();
        let request = GetUserAvailability {
            mailboxes: &[address],
            start: now,
            end: now + AVAILABILITY_WINDOW,
            interval_minutes: AVAILABILITY_INTERVAL_MINUTES,
        };
        let found = self.client.execute(room, &request, |body| match body {
            SoapBody::GetUserAvailability(messages) => match messages.as_slice() {
                [message]
                    if message.class == ResponseClass::Error
                        && message.code.0 == NO_RECIPIENT
                        && message.payload == FreeBusyView::default() =>
                {
                    Ok(PersonLookup::NotFound)
                }
                _ => Ok(PersonLookup::Unknown),
            },
            _ => Err(wrong_response_type(Effect::Read)),
        });
        match found.await {
            Err(RequestError::Refused(..)) => Ok(PersonLookup::Unknown),
            answered => answered,
        }
    }

    /// The organizer's SMTP address: from the event, else from GetItem, which often has it where FindItem has an X.500
    /// address, else from the directory.
    pub(super) async fn organizer_address(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, RequestError> {
        let Some(organizer) = &event.organizer else { return Ok(None) };
        if organizer.address.is_some() {
            return Ok(organizer.address.clone());
        }
        let read = match self.item(room, &event.id).await {
            Ok(read) => read.and_then(|event| event.organizer),
            Err(RequestError::Refused(..)) => None,
            Err(failed) => return Err(failed),
        };
        if let Some(Person { address: Some(address), .. }) = read {
            return Ok(Some(address));
        }
        let legacy_dn = organizer.legacy_dn.clone().or_else(|| read?.legacy_dn);
        let Some(legacy_dn) = legacy_dn else { return Ok(None) };
        self.resolve_legacy_dn(room, &legacy_dn).await
    }

    /// The SMTP address of the one directory entry that has this `legacyExchangeDN`.
    async fn resolve_legacy_dn(
        &self,
        room: &RoomAddress,
        legacy_dn: &str,
    ) -> Result<Option<String>, RequestError> {
        let resolve = ResolveNames { unresolved_entry: legacy_dn, full_contact_data: false };
        let found = self.client.execute(room, &resolve, |body| {
            let SoapBody::ResolveNames(messages) = body else {
                return Err(wrong_response_type(Effect::Read));
            };
            Ok(contents::resolved(messages)?.and_then(|found| match found.resolutions.as_slice() {
                [only] => primary_address(only).map(str::to_owned),
                _ => None,
            }))
        });
        match found.await {
            Err(RequestError::Refused(..)) => Ok(None),
            answered => answered,
        }
    }
}

/// The members with an address. A member without one is skipped: no action can reach its room.
fn usable_rooms(members: &[Mailbox<'_>]) -> Vec<RoomAddress> {
    let usable = |(index, member): (usize, &Mailbox<'_>)| {
        let address = member.email_address.as_deref().unwrap_or_default().parse();
        if address.is_err() {
            tracing::warn!(
                member = index + 1,
                "a member of the room list is skipped: it has no SMTP address"
            );
        }
        address.ok()
    };
    members.iter().enumerate().filter_map(usable).collect()
}

/// The one match with exactly this address. Several matches with one primary address are the same mailbox.
fn exact_match(found: &ResolutionSet<'_>, address: &str) -> AddressLookup {
    let mut mailbox: Option<MailboxAddresses> = None;
    for addresses in found.resolutions.iter().filter_map(addresses) {
        let is_exact = addresses.include(address);
        match &mailbox {
            _ if !is_exact => {}
            Some(other) if !other.primary.eq_ignore_ascii_case(&addresses.primary) => {
                return AddressLookup::Unknown;
            }
            Some(_) => {}
            None => mailbox = Some(addresses),
        }
    }
    mailbox.map_or(AddressLookup::Unknown, AddressLookup::Found)
}

/// The display name of the one match with exactly this address.
fn exact_name(found: &ResolutionSet<'_>, address: &str) -> Option<String> {
    let is_exact = |hit: &&Resolution<'_>| addresses(hit).is_some_and(|addresses| addresses.include(address));
    let mut names = found.resolutions.iter().filter(is_exact).map(|hit| hit.mailbox.name.as_deref());
    match (names.next(), names.next()) {
        (Some(name), None) => name.map(str::to_owned),
        _ => None,
    }
}

fn addresses(hit: &Resolution<'_>) -> Option<MailboxAddresses> {
    let proxies = hit.email_addresses.iter().filter_map(|entry| {
        let (kind, address) = entry.trim().split_once(':')?;
        let is_usable = kind.eq_ignore_ascii_case("smtp") && address.len() <= ADDRESS_LEN_MAX;
        is_usable.then(|| address.to_owned())
    });
    let proxies = proxies.take(PROXIES_MAX);
    Some(MailboxAddresses { primary: primary_address(hit)?.to_owned(), proxies: proxies.collect() })
}

/// The address of the mailbox, if it is an SMTP address.
fn primary_address<'r>(hit: &'r Resolution<'_>) -> Option<&'r str> {
    let is_smtp =
        hit.mailbox.routing_type.as_deref().is_none_or(|kind| kind.trim().eq_ignore_ascii_case("SMTP"));
    hit.mailbox
        .email_address
        .as_deref()
        .map(str::trim)
        .filter(|address| is_smtp && address.contains('@') && address.len() <= ADDRESS_LEN_MAX)
}
