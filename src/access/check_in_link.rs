//! The token of a check-in link: it permits a check-in to one event of one room, for minutes, and nothing else. The service signs it, so
//! it stores no link. The token names the room, and no person. Pure: time is an argument.
//!
//! ```text
//! version │ expires │ event │ room         │ MAC
//! 1       │ 4       │ 16    │ 3 to 320     │ 16      bytes, as base64url without padding
//! ```
//!
//! `expires` is the Unix time in seconds. `event` is a hash of the event's id and start: a moved event is another event. The MAC is the first
//! half of an HMAC-SHA-256 (RFC 2104, section 5) over all before it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::calendar::{Event, EventId, RoomAddress};

/// Characters of a token: that of a room with the longest address.
pub const CHECK_IN_TOKEN_CHARS_MAX: usize = 480;

/// The version of the format. A token of another version is refused.
const VERSION: u8 = 1;
/// Bytes of the event's hash.
const EVENT_BYTES: usize = 16;
/// Bytes of the MAC.
const MAC_BYTES: usize = 16;
/// Bytes before the room: version, expiry and event.
const HEAD_BYTES: usize = 1 + 4 + EVENT_BYTES;

/// What a token permits: a check-in to one event of one room, until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckInLink {
    /// The room.
    pub room: RoomAddress,
    /// The instant from which the link is invalid.
    pub expires: DateTime<Utc>,
    event: [u8; EVENT_BYTES],
}

/// Why a check-in link is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckInLinkError {
    /// The token is malformed, or this key did not sign it.
    #[error("the check-in link is not one that this service made since its start")]
    NotGenuine,
    /// The link has expired.
    #[error("the check-in link has expired")]
    Expired,
    /// The link's event is over, has moved, or is not in the room's calendar any more.
    #[error("the event of the check-in link is over, or has moved")]
    OtherEvent,
}

/// The key that signs check-in links. It is made at random when the service starts and is never stored, so a copy of the service store
/// makes no link, and a restart replaces it.
pub struct CheckInLinkKey([u8; 32]);

impl CheckInLink {
    /// A link for this event. Its expiry is cut to whole seconds.
    pub fn new(room: RoomAddress, event: &Event, expires: DateTime<Utc>) -> Self {
        let expires = DateTime::from_timestamp(expires.timestamp(), 0).unwrap_or(expires);
        Self { room, expires, event: hash_event(&event.id, event.start) }
    }

    /// Whether the link is for this event.
    pub fn is_for(&self, event: &Event) -> bool {
        self.event == hash_event(&event.id, event.start)
    }

    /// The fields before the MAC; `None` beyond the year 2106.
    fn encode(&self) -> Option<Vec<u8>> {
        let expires = u32::try_from(self.expires.timestamp()).ok()?;
        let mut bytes = vec![VERSION];
        bytes.extend(expires.to_be_bytes());
        bytes.extend(self.event);
        bytes.extend(self.room.as_str().as_bytes());
        Some(bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, room) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let (&version, head) = head.split_first()?;
        let (expires, event) = head.split_first_chunk::<4>()?;
        let expires = DateTime::from_timestamp(u32::from_be_bytes(*expires).into(), 0)?;
        let room = str::from_utf8(room).ok()?.parse().ok()?;
        (version == VERSION).then_some(Self { room, expires, event: event.try_into().ok()? })
    }
}

impl CheckInLinkKey {
    /// A new random key.
    pub fn generate() -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self(key)
    }

    /// Makes the token of a link; `None` if its expiry does not fit.
    pub fn sign(&self, link: &CheckInLink) -> Option<String> {
        let mut bytes = link.encode()?;
        let mac = self.mac(&bytes)?.finalize().into_bytes();
        bytes.extend(&mac[..MAC_BYTES]);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Returns what the token permits at this time.
    ///
    /// # Errors
    /// When this key did not sign the token, or the link has expired.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<CheckInLink, CheckInLinkError> {
        let link = self.decode_genuine(token).ok_or(CheckInLinkError::NotGenuine)?;
        if now < link.expires { Ok(link) } else { Err(CheckInLinkError::Expired) }
    }

    /// Decodes the token only after its MAC was compared, in constant time.
    fn decode_genuine(&self, token: &str) -> Option<CheckInLink> {
        if token.len() > CHECK_IN_TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
        self.mac(signed)?.verify_truncated_left(mac).ok()?;
        CheckInLink::decode(signed)
    }

    fn mac(&self, bytes: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(bytes);
        Some(mac)
    }
}

/// Never prints the key.
impl fmt::Debug for CheckInLinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckInLinkKey")
    }
}

fn hash_event(id: &EventId, start: DateTime<Utc>) -> [u8; EVENT_BYTES] {
    let hash = Sha256::new().chain_update(start.timestamp_millis().to_be_bytes()).chain_update(id.as_str());
    let mut event = [0; EVENT_BYTES];
    event.copy_from_slice(&hash.finalize()[..EVENT_BYTES]);
    event
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_258_000 + minute * 60, 0).unwrap()
    }

    fn event(id: &str, start: i64) -> Event {
        Event::sample(id, at(start), at(60))
    }

    fn room() -> RoomAddress {
        "room-aurora@example.com".parse().unwrap()
    }

    #[test]
    fn a_link_is_for_one_event_of_one_room_until_it_expires() {
        let key = CheckInLinkKey::generate();
        let expires = at(10) + TimeDelta::milliseconds(900);
        let token = key.sign(&CheckInLink::new(room(), &event("id", 0), expires)).unwrap();
        let link = key.verify(&token, at(10) - TimeDelta::milliseconds(1)).unwrap();
        assert_eq!((&link.room, link.expires), (&room(), at(10)));
        assert!(link.is_for(&event("id", 0)));
        assert!(!link.is_for(&event("id", 1)), "it was moved");
        assert!(!link.is_for(&event("other", 0)));
        assert_eq!(key.verify(&token, at(10)), Err(CheckInLinkError::Expired));
    }

    #[test]
    fn a_token_that_is_cut_or_changed_anywhere_is_refused() {
        let key = CheckInLinkKey::generate();
        let token = key.sign(&CheckInLink::new(room(), &event("id", 0), at(10))).unwrap();
        let refused = |text: &str| key.verify(text, at(0)) == Err(CheckInLinkError::NotGenuine);
        for end in 0..token.len() {
            assert!(refused(&token[..end]), "cut at {end}");
            let mut changed = token.clone().into_bytes();
            changed[end] = if changed[end] == b'A' { b'B' } else { b'A' };
            assert!(refused(str::from_utf8(&changed).unwrap()), "changed at {end}");
        }
        for text in [format!("{token}A"), format!("{token}="), format!(" {token}"), "é".to_owned()] {
            assert!(refused(&text), "{text}");
        }
        let other = CheckInLinkKey::generate();
        assert_eq!(other.verify(&token, at(0)), Err(CheckInLinkError::NotGenuine), "after a restart");
    }

    #[test]
    fn signed_bytes_of_another_version_or_without_a_room_are_refused() {
        let key = CheckInLinkKey::generate();
        let sign = |bytes: &[u8]| {
            let mac = key.mac(bytes).unwrap().finalize().into_bytes();
            URL_SAFE_NO_PAD.encode([bytes, &mac[..MAC_BYTES]].concat())
        };
        let signed = CheckInLink::new(room(), &event("id", 0), at(10)).encode().unwrap();
        assert!(key.verify(&sign(&signed), at(0)).is_ok());
        let newer = [&[VERSION + 1], &signed[1..]].concat();
        for bytes in [&newer, &signed[..HEAD_BYTES], &signed[..3], &[]] {
            assert_eq!(key.verify(&sign(bytes), at(0)), Err(CheckInLinkError::NotGenuine), "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_address_fits_and_the_key_is_not_printed() {
        let key = CheckInLinkKey::generate();
        let room: RoomAddress = format!("{}@example.com", "r".repeat(308)).parse().unwrap();
        assert_eq!(room.as_str().len(), 320);
        let token = key.sign(&CheckInLink::new(room.clone(), &event("id", 0), at(10))).unwrap();
        assert!(token.len() <= CHECK_IN_TOKEN_CHARS_MAX, "{}", token.len());
        assert_eq!(key.verify(&token, at(0)).unwrap().room, room);
        assert_eq!(format!("{key:?}"), "CheckInLinkKey");
    }
}
