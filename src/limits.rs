//! The type of a row in the table of limits: the limit, its default, its reason, and the effect of reaching it.
//! `cli/limit_table.rs` holds the rows, and `adjourn limits` prints them.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The value of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "unit", content = "value")]
pub enum Amount {
    /// A number of things.
    Count(usize),
    /// Bytes.
    Bytes(usize),
    /// Milliseconds.
    Milliseconds(u64),
}

impl Amount {
    /// A duration.
    pub fn time(time: Duration) -> Self {
        Self::Milliseconds(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitRow {
    /// The part of Adjourn that has the limit.
    pub area: &'static str,
    /// The limited quantity.
    pub what: &'static str,
    /// The value, unless the configuration sets another one.
    pub default: Amount,
    /// The configuration key that changes it, with its range; `None` for a fixed limit.
    pub key: Option<&'static str>,
    /// Why it has this value.
    pub reason: &'static str,
    /// The effect of reaching it.
    pub beyond: &'static str,
    /// The metric or log line that shows that it was reached.
    pub shown_by: &'static str,
}

impl LimitRow {
    /// A limit that no configuration changes.
    pub const fn fixed(
        area: &'static str,
        what: &'static str,
        default: Amount,
        reason: &'static str,
        beyond: &'static str,
        shown_by: &'static str,
    ) -> Self {
        Self { area, what, default, key: None, reason, beyond, shown_by }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(count) => f.write_str(&grouped(count)),
            Self::Bytes(bytes) if bytes >= 1 << 30 && bytes % (1 << 30) == 0 => {
                write!(f, "{} GiB", bytes >> 30)
            }
            Self::Bytes(bytes) if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => {
                write!(f, "{} MiB", bytes >> 20)
            }
            Self::Bytes(bytes) if bytes >= 1 << 10 && bytes % (1 << 10) == 0 => {
                write!(f, "{} KiB", bytes >> 10)
            }
            Self::Bytes(bytes) => write!(f, "{} bytes", grouped(bytes)),
            Self::Milliseconds(time) if time % 1_000 == 0 => write!(f, "{} s", time / 1_000),
            Self::Milliseconds(time) => write!(f, "{time} ms"),
        }
    }
}

/// A number with its thousands separated.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_for_people() {
        let written = |amount: Amount| amount.to_string();
        assert_eq!(written(Amount::Count(1_234_567)), "1\u{a0}234\u{a0}567");
        assert_eq!(written(Amount::Bytes(64 << 20)), "64 MiB");
        assert_eq!(written(Amount::Bytes(2_000)), "2\u{a0}000 bytes");
        assert_eq!(
            (written(Amount::Milliseconds(5_000)), written(Amount::Milliseconds(20))),
            ("5 s".into(), "20 ms".into())
        );
    }
}
