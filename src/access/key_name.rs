//! Names of API keys, for lists, logs and the audit. A name never identifies a key: its id does.

use std::fmt;
use std::str::FromStr;

use crate::printable::is_printable_name;

/// Limit on the characters of a name, so that it fits a table.
const NAME_CHARS_MAX: usize = 64;

/// 1 to 64 printable characters without white space at the ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// A text is not a key's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key's name has 1 to {NAME_CHARS_MAX} printable characters: no control characters, line breaks or bidirectional controls"
)]
pub struct KeyNameError;

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    /// Ignores white space at the ends.
    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let name = text.trim();
        let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
        if fits && is_printable_name(name) { Ok(Self(name.to_owned())) } else { Err(KeyNameError) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_a_terminal_shows_as_it_is() {
        for name in ["door-17", "Büro Nord, 3. OG", "受付", "a", &"x".repeat(64)] {
            assert_eq!(name.parse::<KeyName>().unwrap().as_str(), name);
        }
        assert_eq!("  lobby \t".parse::<KeyName>().unwrap().as_str(), "lobby");
        let bad = ["", "  ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{2028}b", "a\u{200b}b", "a\u{85}b"];
        for name in bad.into_iter().chain([&*"x".repeat(65)]) {
            assert_eq!(name.parse::<KeyName>(), Err(KeyNameError), "{name:?}");
        }
    }
}
