//! Ids of calendar items. All opaque: they are compared and passed on, never parsed. Only the UIDs that Adjourn chooses itself are
//! recognized, by their prefix.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// An id with this value.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The value as received.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque! {
    /// The id of an event in one mailbox (EWS `ItemId`). It changes when the event moves to another folder.
    ///
    /// An id that a caller supplies is parsed, which limits its length; [`new`](Self::new) takes an id as the server returned it.
    EventId
}

/// A text is not an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event id has 1 to {} bytes", EventId::BYTES_MAX)]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        if (1..=Self::BYTES_MAX).contains(&text.len()) { Ok(Self::new(text)) } else { Err(EventIdError) }
    }
}

/// Begins the UID of every booking of Adjourn.
const OWN_UID_PREFIX: &str = "adjourn-";

impl Uid {
    /// The UID of a booking of Adjourn with this name.
    pub(crate) fn own(name: impl fmt::Display) -> Self {
        Self(format!("{OWN_UID_PREFIX}{name}"))
    }

    /// Whether this text is the UID of a booking of Adjourn.
    pub(crate) fn is_own(text: &str) -> bool {
        text.starts_with(OWN_UID_PREFIX)
    }
}

impl EventId {
    /// The longest id that a caller may supply. Exchange's ids have a few hundred ASCII characters.
    pub const BYTES_MAX: usize = 2_000;

    /// Whether both name the same item: Graph and the REST API spell `/` as `-` and `+` as `_`, which no EWS id has.
    pub fn is_same(&self, other: &Self) -> bool {
        let ews = |byte| match byte {
            b'-' => b'/',
            b'_' => b'+',
            other => other,
        };
        self.0.len() == other.0.len() && self.0.bytes().map(ews).eq(other.0.bytes().map(ews))
    }
}

opaque! {
    /// The version of an event (EWS `ChangeKey`). It changes with every write to the event.
    ChangeKey
}
opaque! {
    /// The id that all copies of a meeting and all occurrences of its series share (EWS `UID`).
    Uid
}
