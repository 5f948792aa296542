//! The head of a chain: the hash of its last entry. Values only; `seal.rs` computes it.

use std::fmt;
use std::str::FromStr;

/// The hash of an entry and of all entries before it; zeros for an empty chain. Printed and parsed as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head(pub [u8; 32]);

/// A text is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits, as `adjourn audit verify` prints it")]
pub struct InvalidHead;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Head {
    type Err = InvalidHead;

    fn from_str(text: &str) -> Result<Self, InvalidHead> {
        let (pairs, rest) = text.trim().as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).ok_or(InvalidHead)?;
        bytes.try_into().map(Self).map_err(|_| InvalidHead)
    }
}
