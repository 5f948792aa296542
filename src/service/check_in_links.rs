//! Check-ins by link: makes the link that a display shows as a QR code, and accepts a check-in by it. Which event a check-in is for is
//! decided in the service, for links and keys alike. Stores no link: [`crate::access::CheckInLinkKey`] signs them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{CheckInError, CheckInReceipt, CheckInRequest, Service};
use crate::access::{CheckInLink, CheckInLinkError};
use crate::action::IdempotencyKey;
use crate::calendar::{Event, RoomAddress};
use crate::live::CachedCalendar;

/// How long a link is valid: a photo of the door checks in for these minutes at most.
pub const LINK_LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// The source of a check-in by link, and in place of a key's id its reporter.
const SOURCE: &str = "link";
/// The characters at the end of a token that identify it: they hold its MAC.
const TOKEN_TAIL: usize = 24;

/// A new link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewCheckInLink {
    /// The token.
    pub(crate) token: String,
    /// What it permits.
    pub(crate) link: CheckInLink,
    /// The event.
    pub(crate) event: Event,
}

impl Service {
    /// Makes a link for the event that a check-in without an event id is for. It expires with the release of the event, at the latest.
    ///
    /// # Errors
    /// When there is no such event, or the calendar cannot be read.
    pub(crate) async fn make_check_in_link(
        &self,
        room: &RoomAddress,
        patience: Duration,
    ) -> Result<NewCheckInLink, CheckInError> {
        let kept = self.calendar(room, patience).await?;
        let event = self.event_to_check_in(room, &kept, None).ok_or(CheckInError::NoEvent)?;
        let link = CheckInLink::new(room.clone(), event, self.link_expiry(room, event, &kept));
        let token = self.check_in_link_key.sign(&link).ok_or(CheckInError::NoEvent)?;
        Ok(NewCheckInLink { token, link, event: event.clone() })
    }

    /// The earliest of: the end of the link's lifetime, the release of the event, its end.
    fn link_expiry(&self, room: &RoomAddress, event: &Event, kept: &CachedCalendar) -> DateTime<Utc> {
        let now = self.now();
        let status = self.status_from(room, self.room_info(room), kept);
        let release = match status.current.is_some_and(|current| current.id == event.id) {
            true => status.release_at,
            false => self.options().rules.check_in(room).map(|rule| event.start + rule.grace),
        };
        let limit = (now + LINK_LIFETIME).min(event.end);
        release.filter(|release| now < *release).map_or(limit, |release| limit.min(release))
    }

    /// The room and the event of a link, if a check-in to the event is accepted now.
    ///
    /// # Errors
    /// When the link is not valid, or the calendar cannot be read.
    pub(crate) async fn linked_event(
        &self,
        token: &str,
        patience: Duration,
    ) -> Result<(RoomAddress, Event), CheckInError> {
        let link = self.check_in_link_key.verify(token, self.now()).map_err(CheckInError::LinkRefused)?;
        let other = CheckInError::LinkRefused(CheckInLinkError::OtherEvent);
        if !self.engine.scope().contains(&link.room) {
            return Err(other);
        }
        let kept = self.calendar(&link.room, patience).await?;
        let named = kept.events.iter().find(|event| link.is_for(event));
        let event =
            named.and_then(|event| self.event_to_check_in(&link.room, &kept, Some(event.id.as_str())));
        match event.filter(|event| link.is_for(event)) {
            Some(event) => Ok((link.room, event.clone())),
            None => Err(other),
        }
    }

    /// Checks in by a link. A repetition by the same link returns the first answer and stores nothing.
    ///
    /// # Errors
    /// When the link is not valid, or as [`check_in_once`](Self::check_in_once).
    pub(crate) async fn check_in_by_link(
        &self,
        token: &str,
        patience: Duration,
    ) -> Result<CheckInReceipt, CheckInError> {
        let (room, event) = self.linked_event(token, patience).await?;
        let event = Some(event.id.as_str().to_owned());
        let wanted = CheckInRequest { room, event, source: SOURCE.to_owned(), reporter: SOURCE.to_owned() };
        match idempotency_key(token) {
            Some(key) => self.check_in_once(key, &wanted, patience).await,
            None => self.check_in_and_confirm(&wanted, patience).await,
        }
    }
}

/// The key under which a check-in by this link is answered once. The keys of callers begin with the id of an API key instead.
fn idempotency_key(token: &str) -> Option<IdempotencyKey> {
    let tail = token.get(token.len().checked_sub(TOKEN_TAIL)?..)?;
    format!("link:{tail}").parse().ok()
}
