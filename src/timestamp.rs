//! Times in the JSON of the API, of webhooks and of the command line: UTC, RFC 3339, whole seconds. Reads no clock.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A time in UTC with whole seconds: a fraction of a second is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-05-06T09:00:00Z")]
pub(crate) struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The time itself, with its fraction of a second.
    pub(crate) fn to_utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_is_cut_off() {
        for (at, shown) in [
            ("2026-05-06T09:00:00.999999Z", "\"2026-05-06T09:00:00Z\""),
            ("2026-05-06T11:00:00+02:00", "\"2026-05-06T09:00:00Z\""),
        ] {
            let at: DateTime<Utc> = at.parse().unwrap();
            assert_eq!(serde_json::to_string(&Timestamp::from(at)).unwrap(), shown);
        }
    }
}
