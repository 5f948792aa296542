//! Arguments of `adjourn key`. Types only.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Args, Subcommand};

use crate::access::{DEFAULT_PER_MINUTE, Fingerprint, KeyName};

/// `adjourn key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The command.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// Subcommands of `adjourn key`. A running service applies changes within a second.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key and print its secret once
    #[command(
        after_help = "Example:\n  adjourn key add door-17 --rooms room1@example.com\n  adjourn key add operator --rights all --expires 90d"
    )]
    Add(KeyAddArgs),
    /// List the valid keys: rights, rooms, creation, expiry, last use
    #[command(after_help = "Example:\n  adjourn key list --json")]
    List,
    /// Change a key's rights, rooms, name or expiry; its secret stays
    #[command(
        after_help = "Example:\n  adjourn key change 1f0c9a27be --expires 2027-06-30\n  adjourn key change 1f0c9a27be --rights read,check-in --rooms 'berlin-*@example.com'"
    )]
    Change(KeyChangeArgs),
    /// Revoke a key permanently
    #[command(after_help = "Example:\n  adjourn key revoke 1f0c9a27be")]
    Revoke {
        /// The key's id, from `adjourn key list`
        id: String,
    },
}

/// `adjourn key add`.
#[derive(Debug, Args)]
pub struct KeyAddArgs {
    /// Name of the key's holder, shown in the audit: 1 to 64 printable characters, unique among keys
    pub name: KeyName,
    /// Rooms that the key can see: addresses, with * as a wildcard
    #[arg(long, value_delimiter = ',', default_value = "*", value_name = "PATTERN")]
    pub rooms: Vec<String>,
    /// Rights: read, check-in, end, delete, extend, book, undo, evidence, cleanup, audit, metrics, displays, keys, or all
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "read,check-in,end,extend,book,evidence",
        value_name = "RIGHT"
    )]
    pub rights: Vec<String>,
    /// Requests per minute
    #[arg(long, default_value_t = DEFAULT_PER_MINUTE, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub per_minute: u32,
    /// Expiry: a date (00:00 UTC), a time (RFC 3339), or a number of days such as 90d. Default: the key does not expire
    #[arg(long, value_name = "DATE|DAYS")]
    pub expires: Option<Expiry>,
    /// Accept the key only over TLS with the client certificate of this SHA-256 (hex or base64url). Needs api.tls.client_ca_file
    #[arg(long, value_name = "HEX")]
    pub certificate_sha256: Option<Fingerprint>,
}

/// `adjourn key change`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["name", "rooms", "rights", "per_minute", "expires", "no_expiry", "certificate_sha256", "no_certificate"]))]
pub struct KeyChangeArgs {
    /// The key's id, from `adjourn key list`
    pub id: String,
    /// New name. Earlier actions keep the old name in the audit, under the same id
    #[arg(long)]
    pub name: Option<KeyName>,
    /// New rooms
    #[arg(long, value_delimiter = ',', value_name = "PATTERN")]
    pub rooms: Option<Vec<String>>,
    /// New rights
    #[arg(long, value_delimiter = ',', value_name = "RIGHT")]
    pub rights: Option<Vec<String>>,
    /// Requests per minute
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub per_minute: Option<u32>,
    /// New expiry, as with `key add`
    #[arg(long, value_name = "DATE|DAYS", conflicts_with = "no_expiry")]
    pub expires: Option<Expiry>,
    /// Remove the expiry
    #[arg(long)]
    pub no_expiry: bool,
    /// New client certificate, as with `key add`
    #[arg(long, value_name = "HEX", conflicts_with = "no_certificate")]
    pub certificate_sha256: Option<Fingerprint>,
    /// Accept the key without a client certificate
    #[arg(long)]
    pub no_certificate: bool,
}

/// When a key expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// At this time.
    At(DateTime<Utc>),
    /// This many days from now.
    Days(i64),
}

/// Days until expiry: ten years at most.
const DAYS_MAX: i64 = 3_660;

impl Expiry {
    /// The time of expiry.
    pub fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Days(days) => now + TimeDelta::days(days),
        }
    }
}

/// A text is not an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a date such as 2027-06-30, a time (RFC 3339), or 1 to {DAYS_MAX} days such as 90d")]
pub struct ExpiryError;

impl std::str::FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        let days = text.strip_suffix('d').unwrap_or(text);
        if let Ok(days) = days.parse::<i64>() {
            return if (1..=DAYS_MAX).contains(&days) { Ok(Self::Days(days)) } else { Err(ExpiryError) };
        }
        if let Ok(date) = text.parse::<NaiveDate>() {
            return Ok(Self::At(date.and_time(NaiveTime::MIN).and_utc()));
        }
        text.parse().map(Self::At).map_err(|_| ExpiryError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_date_an_instant_or_a_number_of_days() {
        let now: DateTime<Utc> = "2026-11-29T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2027-06-30", "2027-06-30T00:00:00Z"),
            ("2027-06-30T08:00:00+02:00", "2027-06-30T06:00:00Z"),
            ("90d", "2027-02-27T12:00:00Z"),
            ("1", "2026-11-30T12:00:00Z"),
        ] {
            assert_eq!(
                text.parse::<Expiry>().unwrap().at(now),
                at.parse::<DateTime<Utc>>().unwrap(),
                "{text}"
            );
        }
        for text in ["", "0", "0d", "-5d", "99999d", "tomorrow", "2027-13-01", "d"] {
            assert!(text.parse::<Expiry>().is_err(), "{text}");
        }
    }
}
