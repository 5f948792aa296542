//! The subject of bookings, with its limits. Checked where it is read, so that a booking never fails for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The subject of a booking: what people read in Outlook and on other displays.
///
/// It has 1 to [`CHARS_MAX`](Self::CHARS_MAX) characters, and no control characters. Exchange limits a subject to 255 characters
/// (EWS reference, "Subject").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "service", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct BookingSubject(String);

/// A text cannot be the subject of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject has 1 to {} characters, and no control characters", BookingSubject::CHARS_MAX)]
pub struct BookingSubjectError;

impl BookingSubject {
    /// The largest number of characters.
    pub const CHARS_MAX: usize = 255;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BookingSubject {
    fn default() -> Self {
        Self("Booked at the door".to_owned())
    }
}

impl TryFrom<String> for BookingSubject {
    type Error = BookingSubjectError;

    fn try_from(text: String) -> Result<Self, BookingSubjectError> {
        let is_valid = !text.trim().is_empty()
            && text.chars().count() <= Self::CHARS_MAX
            && !text.chars().any(char::is_control);
        if is_valid { Ok(Self(text)) } else { Err(BookingSubjectError) }
    }
}

impl FromStr for BookingSubject {
    type Err = BookingSubjectError;

    fn from_str(text: &str) -> Result<Self, BookingSubjectError> {
        Self::try_from(text.to_owned())
    }
}

impl From<BookingSubject> for String {
    fn from(subject: BookingSubject) -> Self {
        subject.0
    }
}

impl fmt::Display for BookingSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_exchange_would_refuse_is_refused_when_it_is_read() {
        let longest = "ü".repeat(BookingSubject::CHARS_MAX);
        assert_eq!(longest.parse::<BookingSubject>().map(String::from), Ok(longest.clone()));
        for bad in ["", "  ", "two\nlines", "\u{7}", &format!("{longest}x")] {
            assert_eq!(bad.parse::<BookingSubject>(), Err(BookingSubjectError), "{bad:?}");
        }
    }
}
