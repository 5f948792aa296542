//! The link from one hash chain to another: where several processes write, each has its own chain, and the facts of an action may
//! continue on the chain of the process that took over. Values only; `store` decides when that is allowed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Head;

/// The entry of another chain that an entry follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// The number of the process that wrote it.
    pub writer: i32,
    /// Its number in that chain.
    pub number: u64,
    /// Its hash.
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub hash: Head,
}

pub(super) fn as_text<S: Serializer>(head: &Head, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(head)
}

pub(super) fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Head, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
