//! Splits rooms over several machines, so that each room is swept by exactly one of them. Pure.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::calendar::RoomAddress;

/// Shard `part` of `of`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: u32,
    of: u32,
}

/// The text is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid shard `{0}`; use PART/PARTS, for example 2/4")]
pub struct InvalidShard(String);

impl Shard {
    /// Whether the room belongs to this shard. Depends only on its address, so that other rooms do not change it.
    pub fn holds(&self, room: &RoomAddress) -> bool {
        let hash: [u8; 32] = Sha256::digest(room.as_str()).into();
        let [a, b, c, d, ..] = hash;
        u32::from_be_bytes([a, b, c, d]) % self.of == self.part - 1
    }
}

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part, of)) if 1 <= part && part <= of => Ok(Self { part, of }),
            _ => Err(InvalidShard(text.to_owned())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_room_is_in_one_part() {
        let shards: Vec<Shard> = (1..=3).map(|part| format!("{part}/3").parse().unwrap()).collect();
        let mut sizes = [0; 3];
        for number in 0..300 {
            let room: RoomAddress = format!("room{number}@example.com").parse().unwrap();
            let holding: Vec<_> = (0..3).filter(|part| shards[*part].holds(&room)).collect();
            assert_eq!(holding.len(), 1, "{room}");
            sizes[holding[0]] += 1;
        }
        assert!(sizes.iter().all(|size| *size > 60), "{sizes:?}");
    }

    #[test]
    fn nonsense_is_none() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
