//! Sealed entries: one line of JSON with a version, and a hash that covers it and all entries before it. Never writes a file.
//!
//! ```text
//! hash(n) = SHA-256( hash(n-1) ‖ body(n) )        hash(0) = 32 zeros
//! ```
//!
//! A changed, dropped or inserted entry changes every later hash. A copy of the last hash in another place detects that even if
//! all hashes were computed again, and detects entries that were cut off at the end. The body is stored as the text that was
//! hashed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::personal::{self, HmacsByPointer, PersonalValue, PersonalValueError, Salt};
use super::{AdminActor, AdminEntry, AdminEvent, Fact, Head, Predecessor};
use crate::action::ActionId;

/// One fact about one action, and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionEntry {
    /// The action.
    pub action: ActionId,
    /// The time.
    pub at: DateTime<Utc>,
    /// The fact.
    pub fact: Fact,
}

/// The content of an entry: about an action or about the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry {
    /// An action.
    Action(ActionEntry),
    /// The installation.
    Admin(AdminEntry),
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// The number; the first entry has 1.
    pub number: u64,
    /// The JSON text.
    pub body: String,
    /// The hash of the body and of every entry before.
    pub hash: Head,
    /// The personal values beside the chain, except erased ones.
    pub personal: Vec<PersonalValue>,
}

/// The text of an entry before it is sealed, and its personal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryText {
    /// The JSON text.
    pub body: String,
    /// The personal values that were moved out of it.
    pub personal: Vec<PersonalValue>,
}

/// Version of the format. A journal may contain older versions, which are read for ever.
///
/// | version | new |
/// | --- | --- |
/// | 1 | end, delete, undo |
/// | 2 | extend and book: new words, and everything of version 1 as it was |
/// | 3 | whole series: new words, and everything of version 2 as it was |
/// | 4 | copies that were declined and kept: new words and new properties of events, and everything of version 3 as it was |
/// | 5 | `settled` after `closed`, `recheck`, `told: unknown`, a release's proof: new words, and everything of version 4 as it was |
/// | 6 | admin events, `key_id` of an actor: new words; personal values stand beside the body, which holds their HMACs |
/// | 7 | what a server other than Exchange's EWS does: new words, and everything of version 6 as it was |
/// | 8 | bookings of a time and with a subject, extensions to an end: new properties, and everything of version 7 as it was |
/// | 9 | the `origin` of a user: a new property, and everything of version 8 as it was |
/// | 10 | `late` after `closed`; `after`, the entry of another chain that this one follows: new words, and everything of version 9 as it was |
const VERSION: u32 = 10;

#[derive(Serialize, Deserialize)]
struct FactBody<F> {
    action: ActionId,
    at: DateTime<Utc>,
    fact: F,
}

/// The body of an admin event, which has no action.
#[derive(Serialize, Deserialize)]
struct AdminBody<A, E> {
    at: DateTime<Utc>,
    by: A,
    event: E,
}

/// The outer object of every body: the version first, the HMACs of the personal values last.
#[derive(Serialize)]
struct VersionedBody {
    v: u32,
    #[serde(flatten)]
    rest: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Predecessor>,
    #[serde(skip_serializing_if = "HmacsByPointer::is_empty")]
    personal: HmacsByPointer,
}

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A later version of Adjourn wrote it.
    #[error("format {0}, which a later version of Adjourn wrote; this one reads up to {VERSION}")]
    Later(u64),
    /// Not an entry.
    #[error("not a journal entry: {0}")]
    Malformed(#[from] serde_json::Error),
    /// JSON without a version.
    #[error("not a journal entry: it has no version")]
    NoVersion,
    /// The personal values do not belong to it.
    #[error(transparent)]
    Personal(#[from] PersonalValueError),
}

impl JournalEntry {
    /// The text to seal. `salt` returns a random key for each personal value.
    ///
    /// # Errors
    /// Never for an entry of Adjourn: JSON has all types that an entry uses.
    pub fn to_text(&self, salt: &mut dyn FnMut() -> Salt) -> Result<EntryText, EntryError> {
        self.to_linked_text(None, salt)
    }

    /// The same, for an entry that follows one of another chain.
    ///
    /// # Errors
    /// Never for an entry of Adjourn.
    pub fn to_linked_text(
        &self,
        after: Option<Predecessor>,
        salt: &mut dyn FnMut() -> Salt,
    ) -> Result<EntryText, EntryError> {
        let mut body = match self {
            Self::Action(ActionEntry { action, at, fact }) => {
                serde_json::to_value(FactBody { action: *action, at: *at, fact })
            }
            Self::Admin(AdminEntry { at, by, event }) => {
                serde_json::to_value(AdminBody { at: *at, by, event })
            }
        }?;
        let (proofs, personal) = personal::extract(&mut body, salt);
        let Value::Object(rest) = body else { return Err(EntryError::NoVersion) };
        let envelope = VersionedBody { v: VERSION, rest, after, personal: proofs };
        Ok(EntryText { body: serde_json::to_string(&envelope)?, personal })
    }

    /// Parses an entry of any version, with its personal values.
    pub fn parse(body: &str, values: &[PersonalValue]) -> Result<Self, EntryError> {
        Ok(Self::parse_counting_erased(body, values)?.0)
    }

    /// The same, with the number of its erased personal values.
    pub fn parse_counting_erased(body: &str, values: &[PersonalValue]) -> Result<(Self, usize), EntryError> {
        let mut members: Map<String, Value> = serde_json::from_str(body)?;
        let version =
            members.remove("v").and_then(|version| version.as_u64()).ok_or(EntryError::NoVersion)?;
        if version > u64::from(VERSION) {
            return Err(EntryError::Later(version));
        }
        let proofs = members.remove("personal").map(serde_json::from_value::<HmacsByPointer>).transpose()?;
        let mut body = Value::Object(members);
        let erased = personal::restore(&mut body, &proofs.unwrap_or_default(), values)?;
        let is_admin = body.get("action").is_none() && body.get("event").is_some();
        let record = if is_admin {
            let AdminBody::<AdminActor, AdminEvent> { at, by, event } = serde_json::from_value(body)?;
            Self::Admin(AdminEntry { at, by, event })
        } else {
            let FactBody::<Fact> { action, at, fact } = serde_json::from_value(body)?;
            Self::Action(ActionEntry { action, at, fact })
        };
        Ok((record, erased))
    }

    /// The time of the record.
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Action(entry) => entry.at,
            Self::Admin(entry) => entry.at,
        }
    }

    /// The action id under which the store files the entry; the empty text for an admin event.
    pub fn filed_under(&self) -> String {
        match self {
            Self::Action(entry) => entry.action.to_string(),
            Self::Admin(_) => String::new(),
        }
    }
}

impl SealedEntry {
    /// Parses the entry.
    pub fn parse(&self) -> Result<JournalEntry, EntryError> {
        JournalEntry::parse(&self.body, &self.personal)
    }

    /// The entry of another chain that this one follows.
    ///
    /// # Errors
    /// The body is not an entry's.
    pub fn predecessor(&self) -> Result<Option<Predecessor>, EntryError> {
        #[derive(Deserialize)]
        struct Link {
            after: Option<Predecessor>,
        }
        Ok(serde_json::from_str::<Link>(&self.body)?.after)
    }
}

impl From<ActionEntry> for JournalEntry {
    fn from(entry: ActionEntry) -> Self {
        Self::Action(entry)
    }
}

impl From<AdminEntry> for JournalEntry {
    fn from(entry: AdminEntry) -> Self {
        Self::Admin(entry)
    }
}

/// The end of a chain, to which the next entry is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// Entries so far.
    pub length: u64,
    /// The last one's hash.
    pub head: Head,
}

/// A chain does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// One or more entries are missing, or there is one too many.
    #[error("entry {expected} is missing: entry {found} is in its place")]
    Missing {
        /// Its number.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// The entry, its hash, or something before it was changed.
    #[error("entry {0} was changed, or entries before it were removed or inserted")]
    Changed(u64),
}

impl Chain {
    /// Seals one more entry.
    pub fn seal(&mut self, body: String) -> SealedEntry {
        self.length += 1;
        self.head = hash(self.head, &body);
        SealedEntry { number: self.length, body, hash: self.head, personal: Vec::new() }
    }

    /// Seals one more entry, with its personal values.
    pub fn seal_text(&mut self, text: EntryText) -> SealedEntry {
        SealedEntry { personal: text.personal, ..self.seal(text.body) }
    }

    /// Checks that `sealed` is the next.
    pub fn check(&mut self, sealed: &SealedEntry) -> Result<(), ChainError> {
        if sealed.number != self.length + 1 {
            return Err(ChainError::Missing { expected: self.length + 1, found: sealed.number });
        }
        let expected = hash(self.head, &sealed.body);
        if sealed.hash != expected {
            return Err(ChainError::Changed(sealed.number));
        }
        *self = Self { length: sealed.number, head: expected };
        Ok(())
    }
}

fn hash(before: Head, body: &str) -> Head {
    let mut hash = Sha256::new();
    hash.update(before.0);
    hash.update(body.as_bytes());
    Head(hash.finalize().into())
}
