//! Checks and applies changes of API keys: names, rooms, rights, expiry. The command line and the HTTP API use the same checks. Knows
//! no store.

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{Fingerprint, KeyName, Right, Rights, StoredKey};
use crate::calendar::{RoomPattern, can_match_address};
use crate::printable::is_printable;

/// Characters of a room pattern: an address has at most 254 (RFC 5321, 4.5.3.1.3, without the brackets).
pub const ROOM_PATTERN_CHARS_MAX: usize = 254;

/// A change of a key. A member that is `None` changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyChange {
    /// The name.
    pub name: Option<KeyName>,
    /// The room patterns.
    pub rooms: Option<Vec<RoomPattern>>,
    /// The rights.
    pub rights: Option<Vec<Right>>,
    /// Limit on requests per minute.
    pub per_minute: Option<u32>,
    /// The expiry; `Some(None)`: the key does not expire any more.
    pub expires: Option<Option<DateTime<Utc>>>,
    /// The client certificate; `Some(None)`: the key needs none any more.
    pub certificate: Option<Option<Fingerprint>>,
}

/// A list of room patterns is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", if *.invalid > 1 { format!(" ({invalid} of {total} are invalid)") } else { String::new() })]
pub struct RoomPatternsError {
    /// The index of the first invalid pattern.
    pub index: usize,
    reason: String,
    invalid: usize,
    total: usize,
}

/// An expiry is in the past, which is most likely a mistake: to end a key now, it is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is in the past; to end a key now, revoke it")]
pub struct ExpiryInPast(DateTime<Utc>);

impl KeyChange {
    /// The changed key.
    pub fn apply(self, mut key: StoredKey) -> StoredKey {
        let old = &key.holder.rights;
        let rooms = self.rooms.unwrap_or_else(|| old.rooms().to_vec());
        let rights = self.rights.unwrap_or_else(|| old.all().collect());
        key.holder.rights = Rights::new(rooms, rights);
        if let Some(name) = self.name {
            key.holder.name = name.to_string();
        }
        key.holder.per_minute = self.per_minute.unwrap_or(key.holder.per_minute);
        key.expires = self.expires.unwrap_or(key.expires);
        key.certificate = self.certificate.unwrap_or(key.certificate);
        key
    }
}

/// Parses room patterns, and refuses those that match no address.
///
/// # Errors
/// The first invalid pattern, and the number of them.
pub fn room_patterns(texts: &[String]) -> Result<Vec<RoomPattern>, RoomPatternsError> {
    let mut invalid = texts.iter().enumerate().filter_map(|(at, text)| Some((at, invalid_reason(text)?)));
    match invalid.next() {
        None => Ok(texts.iter().flat_map(|pattern| pattern.parse()).collect()),
        Some((index, reason)) => {
            Err(RoomPatternsError { index, reason, invalid: 1 + invalid.count(), total: texts.len() })
        }
    }
}

fn invalid_reason(pattern: &str) -> Option<String> {
    if pattern.chars().count() > ROOM_PATTERN_CHARS_MAX {
        return Some(format!("a room pattern has at most {ROOM_PATTERN_CHARS_MAX} characters"));
    }
    if !is_printable(pattern) {
        return Some("a room pattern has no control characters and no invisible characters".to_owned());
    }
    (!can_match_address(pattern))
        .then(|| format!("`{pattern}` matches no room: it is neither an address nor a pattern with `*`"))
}

/// The expiry in whole seconds.
///
/// # Errors
/// The expiry is in the past.
pub fn future_expiry(expires: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, ExpiryInPast> {
    if expires > now { Ok(expires.trunc_subsecs(0)) } else { Err(ExpiryInPast(expires)) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_change_touches_what_it_names_and_nothing_else() {
        let rights = Rights::new(["*".parse().unwrap()], [Right::Read]);
        let mut key = StoredKey::generate("door", rights, 60).stored;
        key.expires = Some(DateTime::UNIX_EPOCH);
        key.certificate = Some(Fingerprint([7; 32]));
        assert_eq!(KeyChange::default().apply(key.clone()), key);
        let change = KeyChange {
            name: Some("lobby".parse().unwrap()),
            rooms: Some(vec!["one@x.y".parse().unwrap()]),
            rights: Some(vec![Right::End]),
            per_minute: Some(7),
            expires: Some(None),
            certificate: Some(None),
        };
        let changed = change.apply(key.clone());
        let holder = &changed.holder;
        assert_eq!((&*holder.name, holder.per_minute, &holder.id), ("lobby", 7, &key.holder.id));
        assert_eq!(holder.rights, Rights::new(["one@x.y".parse().unwrap()], [Right::End]));
        assert_eq!((changed.expires, changed.certificate, changed.hash), (None, None, key.hash));
    }

    #[test]
    fn a_pattern_that_matches_no_address_is_refused_with_its_place() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(room_patterns(&texts(&["*", "a@b", "a?"])).unwrap().len(), 3);
        let long = "*".repeat(ROOM_PATTERN_CHARS_MAX + 1);
        for bad in ["", "room1", "*\u{202e}", "a\n@b", &long] {
            let error = room_patterns(&texts(&["*", bad])).unwrap_err();
            assert_eq!((error.index, error.to_string().contains("invalid)")), (1, false), "{error}");
        }
        let two = room_patterns(&texts(&["x", "*", "y"])).unwrap_err().to_string();
        assert!(two.ends_with("(2 of 3 are invalid)"), "{two}");
    }

    #[test]
    fn an_expiry_lies_ahead_and_has_whole_seconds() {
        let now = DateTime::from_timestamp_millis(1_767_225_600_123).unwrap();
        assert!(future_expiry(now, now).is_err());
        let later = future_expiry(now + TimeDelta::milliseconds(1_500), now).unwrap();
        assert_eq!(later.timestamp_millis(), 1_767_225_601_000);
    }
}
