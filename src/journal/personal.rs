//! Personal values: names and addresses are moved out of an entry's body before it is sealed, and are stored beside the chain,
//! so that they can be erased without breaking it. Never decides what is erased.
//!
//! ```text
//! body     … "organizer":null … "personal":{"/fact/done/event/organizer":"HMAC-SHA-256(salt, value)"}
//! beside   number, "/fact/done/event/organizer", salt, "ada@example.com"
//! ```
//!
//! The chain covers the HMAC. While the value exists, the HMAC proves it; once value and salt are erased, the HMAC reveals nothing
//! about the value, because a guess cannot be checked without the salt. Positions are JSON pointers (RFC 6901).

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::Head;

/// The placeholder for an erased name where the entry's type requires one.
pub const ERASED: &str = "erased";

/// The random key of one value's HMAC.
pub type Salt = [u8; 16];

/// The person that a value names. A request to erase a person covers all values of an action that have the role of a matching
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The requester, and the texts that they supplied.
    Actor,
    /// The organizer, and the meeting's subject.
    Organizer,
    /// The owner of an IP address.
    Address,
}

impl Role {
    /// The role of the value at this pointer.
    pub fn of(pointer: &str) -> Option<Self> {
        let same = |place: &str| {
            let is_as_long = place.split('/').count() == pointer.split('/').count();
            is_as_long
                && place.split('/').zip(pointer.split('/')).all(|(one, other)| one == "*" || one == other)
        };
        PERSONAL_POINTERS.iter().find(|(place, _)| same(place)).map(|(_, role)| *role)
    }
}

/// One value that was moved out of a body.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalValue {
    /// The JSON pointer to its position in the body.
    pub pointer: String,
    /// The key of its HMAC.
    pub salt: Salt,
    /// The value.
    pub value: String,
}

/// Never prints the value: it must not reach a log.
impl std::fmt::Debug for PersonalValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalValue").field("pointer", &self.pointer).finish_non_exhaustive()
    }
}

/// The positions in entries that name people. `*` stands for every element of an array.
const PERSONAL_POINTERS: [(&str, Role); 18] = [
    ("/fact/action/actor/name", Role::Actor),
    ("/fact/action/actor/origin", Role::Actor),
    ("/fact/action/reason", Role::Actor),
    ("/fact/action/subject", Role::Actor),
    ("/fact/step/text", Role::Actor),
    ("/fact/step/subject", Role::Actor),
    // Why a planned action no longer applies: it may name who came.
    ("/fact/outcome/refusal/why", Role::Actor),
    ("/fact/before/subject", Role::Organizer),
    ("/fact/before/organizer/name", Role::Organizer),
    ("/fact/before/organizer/address", Role::Organizer),
    ("/fact/before/organizer/legacy_dn", Role::Organizer),
    ("/fact/done/event/organizer", Role::Organizer),
    ("/fact/outcome/event/organizer", Role::Organizer),
    ("/fact/outcome/refusal/events/*/organizer", Role::Organizer),
    ("/by/name", Role::Actor),
    ("/by/user", Role::Actor),
    ("/event/name", Role::Actor),
    ("/event/address", Role::Address),
];

/// Positions whose type requires a text. Elsewhere an erased value is absent.
const REQUIRED_POINTERS: [&str; 3] =
    ["/fact/action/actor/name", "/fact/step/subject", "/fact/outcome/refusal/why"];

/// The HMACs of a body, by pointer.
pub(super) type HmacsByPointer = BTreeMap<String, String>;

/// Moves the personal values out of a body, and leaves null in their positions.
pub(super) fn extract(
    body: &mut Value,
    salt: &mut dyn FnMut() -> Salt,
) -> (HmacsByPointer, Vec<PersonalValue>) {
    let (mut proofs, mut values) = (HmacsByPointer::new(), Vec::new());
    for (place, _) in PERSONAL_POINTERS {
        for pointer in pointers(body, place) {
            let Some(slot) = body.pointer_mut(&pointer) else { continue };
            let Value::String(value) = slot.take() else { continue };
            let salt = salt();
            proofs.insert(pointer.clone(), value_hmac(&salt, &value));
            values.push(PersonalValue { pointer, salt, value });
        }
    }
    (proofs, values)
}

/// The pointers in this body that match a pattern of [`PERSONAL_POINTERS`].
fn pointers(body: &Value, place: &str) -> Vec<String> {
    let Some((array, rest)) = place.split_once("/*") else { return vec![place.to_owned()] };
    let elements = body.pointer(array).and_then(Value::as_array).map_or(0, Vec::len);
    (0..elements).map(|index| format!("{array}/{index}{rest}")).collect()
}

fn value_hmac(salt: &Salt, value: &str) -> String {
    // HMAC pads a shorter key with zeros to a block (RFC 2104, section 2).
    let mut block = [0; 64];
    block[..salt.len()].copy_from_slice(salt);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(value.as_bytes());
    Head(mac.finalize().into_bytes().into()).to_string()
}

/// A personal value that is not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PersonalValueError {
    /// The value does not have the HMAC that the body holds.
    #[error("the personal value at {0} was changed")]
    Changed(String),
    /// The body knows nothing of a value in this place.
    #[error("the personal value at {0} belongs to no entry")]
    Unknown(String),
}

/// Puts the values back. Returns the number of erased ones.
pub(super) fn restore(
    body: &mut Value,
    proofs: &HmacsByPointer,
    values: &[PersonalValue],
) -> Result<usize, PersonalValueError> {
    if let Some(stray) = values.iter().find(|value| !proofs.contains_key(&value.pointer)) {
        return Err(PersonalValueError::Unknown(stray.pointer.clone()));
    }
    let mut erased = 0;
    for (pointer, expected) in proofs {
        let kept = values.iter().find(|value| value.pointer == *pointer);
        erased += usize::from(kept.is_none());
        let text = match kept {
            Some(kept) if value_hmac(&kept.salt, &kept.value) != *expected => {
                return Err(PersonalValueError::Changed(pointer.clone()));
            }
            Some(kept) => Some(kept.value.clone()),
            None => REQUIRED_POINTERS.contains(&pointer.as_str()).then(|| ERASED.to_owned()),
        };
        if let Some(slot) = body.pointer_mut(pointer) {
            *slot = text.map_or(Value::Null, Value::String);
        }
    }
    Ok(erased)
}
