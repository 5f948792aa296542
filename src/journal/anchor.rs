//! Anchors: where several processes write, each has its own chain, and an anchor names the ends of all of them. Values and their text
//! only; `store` writes and verifies them.
//!
//! Anchors are a hash chain too. Each names the chains that grew since the anchor before it, so the hash of the last anchor covers every
//! chain, sealed ones included. A copy of that hash in another place proves later that no chain was dropped, shortened or replaced.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{EntryError, Head, predecessor};

/// Version of the text.
const VERSION: u32 = 1;

/// The ends of the chains that grew since the anchor before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The time, by the clock of the database.
    pub at: DateTime<Utc>,
    /// The number of the process that made it.
    pub by: i32,
    /// The ends.
    pub chains: Vec<AnchoredChain>,
}

/// The end of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoredChain {
    /// The number of the process that writes or wrote it.
    pub writer: i32,
    /// Its entries so far.
    pub length: u64,
    /// The last one's hash.
    #[serde(serialize_with = "predecessor::as_text", deserialize_with = "predecessor::from_text")]
    pub head: Head,
}

#[derive(Serialize, Deserialize)]
struct AnchorText<C> {
    v: u32,
    at: DateTime<Utc>,
    by: i32,
    chains: C,
}

impl Anchor {
    /// The text to seal.
    ///
    /// # Errors
    /// Never for an anchor of Adjourn: JSON has all types that an anchor uses.
    pub fn to_text(&self) -> Result<String, EntryError> {
        let text = AnchorText { v: VERSION, at: self.at, by: self.by, chains: &self.chains };
        Ok(serde_json::to_string(&text)?)
    }

    /// Parses the text.
    ///
    /// # Errors
    /// Not an anchor, or a later version of Adjourn wrote it.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let AnchorText { v, at, by, chains } = serde_json::from_str(text)?;
        if v > VERSION { Err(EntryError::Later(v.into())) } else { Ok(Self { at, by, chains }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_written() {
        let at = "2026-11-30T09:00:00Z".parse().unwrap();
        let chains = vec![AnchoredChain { writer: 3, length: 7, head: Head([0xab; 32]) }];
        let anchor = Anchor { at, by: 2, chains };
        let text = anchor.to_text().unwrap();
        let head = "ab".repeat(32);
        let expected = format!(
            r#"{{"v":1,"at":"2026-11-30T09:00:00Z","by":2,"chains":[{{"writer":3,"length":7,"head":"{head}"}}]}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(Anchor::parse(&text).unwrap(), anchor);
        let later = text.replace("\"v\":1", "\"v\":2");
        assert!(matches!(Anchor::parse(&later), Err(EntryError::Later(2))));
        assert!(Anchor::parse("{}").is_err());
    }
}
