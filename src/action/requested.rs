//! The values of a request that have a limit: its minutes and its reason. The command line, the HTTP API and the sweeps make them here,
//! so the limit is the same for each of them. Values only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The minutes that an extension adds or a booking takes.
///
/// A new value is from [`MIN`](Self::MIN) to [`MAX`](Self::MAX). A value from a journal is as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestedMinutes(u16);

/// A number of minutes is outside the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("minutes are {} to {}", RequestedMinutes::MIN, RequestedMinutes::MAX)]
pub struct RequestedMinutesError;

impl RequestedMinutes {
    /// The shortest request.
    pub const MIN: u16 = 1;
    /// The longest request: a day.
    pub const MAX: u16 = 1_440;

    /// This number of minutes; `None` outside the limits.
    pub const fn new(minutes: u16) -> Option<Self> {
        if minutes >= Self::MIN && minutes <= Self::MAX { Some(Self(minutes)) } else { None }
    }

    /// The nearest number of minutes within the limits.
    pub fn clamped(minutes: i64) -> Self {
        Self(u16::try_from(minutes.clamp(Self::MIN.into(), Self::MAX.into())).unwrap_or(Self::MAX))
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for RequestedMinutes {
    type Error = RequestedMinutesError;

    fn try_from(minutes: u16) -> Result<Self, RequestedMinutesError> {
        Self::new(minutes).ok_or(RequestedMinutesError)
    }
}

impl fmt::Display for RequestedMinutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The reason of a request: kept for the audit, and included in the message where Exchange sends one.
///
/// A new value has at most [`CHARS_MAX`](Self::CHARS_MAX) characters. A value from a journal is as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReasonText(String);

/// A text is too long for a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason has at most {} characters", ReasonText::CHARS_MAX)]
pub struct ReasonTextError;

impl ReasonText {
    /// The largest number of characters.
    pub const CHARS_MAX: usize = 1_000;

    /// The text without the characters beyond the limit, for reasons that a program composes.
    pub fn truncated(mut text: String) -> Self {
        if let Some((end, _)) = text.char_indices().nth(Self::CHARS_MAX) {
            text.truncate(end);
        }
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReasonText {
    type Err = ReasonTextError;

    fn from_str(text: &str) -> Result<Self, ReasonTextError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ReasonText {
    type Error = ReasonTextError;

    fn try_from(text: String) -> Result<Self, ReasonTextError> {
        if text.chars().count() > Self::CHARS_MAX { Err(ReasonTextError) } else { Ok(Self(text)) }
    }
}

impl From<ReasonText> for String {
    fn from(reason: ReasonText) -> Self {
        reason.0
    }
}

impl fmt::Display for ReasonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_have_limits() {
        for (minutes, fits) in [(0, false), (1, true), (1_440, true), (1_441, false)] {
            assert_eq!(RequestedMinutes::new(minutes).is_some(), fits, "{minutes}");
        }
        let clamped = |minutes| RequestedMinutes::clamped(minutes).get();
        assert_eq!([clamped(-5), clamped(480), clamped(i64::MAX)], [1, 480, 1_440]);
        assert_eq!(RequestedMinutesError.to_string(), "minutes are 1 to 1440");
    }

    #[test]
    fn a_reason_has_a_limit_in_characters() {
        let (longest, longer) = ("é".repeat(1_000), "é".repeat(1_001));
        assert_eq!(longest.parse::<ReasonText>().unwrap().as_str(), longest);
        assert_eq!(longer.parse::<ReasonText>(), Err(ReasonTextError));
        assert_eq!(ReasonText::truncated(longer).as_str(), longest);
    }

    /// Journals have values from before there was a limit.
    #[test]
    fn recorded_values_are_read_as_they_are() {
        assert_eq!(serde_json::from_str::<RequestedMinutes>("0").unwrap().get(), 0);
        let longer = serde_json::to_string(&"x".repeat(5_000)).unwrap();
        assert_eq!(serde_json::from_str::<ReasonText>(&longer).unwrap().as_str().len(), 5_000);
    }
}
