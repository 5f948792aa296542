//! The `Prefer` header: the id format, the time zone of times and the type of bodies. Unknown preferences are ignored,
//! as RFC 7240 requires.

use http::HeaderMap;

use super::error::GraphError;
use super::times;
use crate::sim::zones::{self, Zone};

/// The preferences of one request.
#[derive(Debug, Clone)]
pub(super) struct Preferences {
    pub(super) immutable_ids: bool,
    /// The time zone of `start` and `end`.
    pub(super) zone: &'static Zone,
    pub(super) text_bodies: bool,
    /// `odata.maxpagesize`.
    pub(super) page_size: Option<usize>,
    /// The content of `Preference-Applied`.
    pub(super) applied: Vec<String>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            immutable_ids: false,
            zone: &zones::UTC,
            text_bodies: false,
            page_size: None,
            applied: Vec::new(),
        }
    }
}

impl Preferences {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, GraphError> {
        let mut preferences = Self::default();
        for value in headers.get_all("prefer") {
            for preference in value.to_str().map(split).unwrap_or_default() {
                preferences.apply(preference)?;
            }
        }
        Ok(preferences)
    }

    fn apply(&mut self, preference: &str) -> Result<(), GraphError> {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "idtype" if value.eq_ignore_ascii_case("ImmutableId") => self.immutable_ids = true,
            "outlook.timezone" => self.zone = times::zone(value)?,
            "outlook.body-content-type" if value.eq_ignore_ascii_case("text") => self.text_bodies = true,
            "odata.maxpagesize" => match value.parse() {
                Ok(size @ 1..=1_000) => self.page_size = Some(size),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        }
        self.applied.push(preference.trim().to_owned());
        Ok(())
    }
}

/// Splits at commas outside of quotes.
fn split(header: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = header.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    });
    parts.filter(|part| !part.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_split_outside_of_quotes() {
        assert_eq!(split(r#"a="x, y", b , c=1"#), [r#"a="x, y""#, " b ", " c=1"]);
    }
}
