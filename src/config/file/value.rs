//! Values of the configuration file that cannot be wrong: numbers within limits, and values that remember where they were
//! written. Limits are part of the type, so the parser refuses values beyond them, and the reference (`config/reference.rs`)
//! prints them.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use chrono::TimeDelta;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_spanned::Spanned;

/// A whole number from `MIN` to `MAX`, both included; `MIN` is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct Bounded<const MIN: i64, const MAX: i64>(i64);

/// Minutes, up to a week: longer than any grace.
pub(in crate::config) type Minutes = Bounded<0, 10_080>;
/// Seconds, up to an hour: longer than any HTTP exchange is worth waiting for.
pub(in crate::config) type TimeoutSeconds = Bounded<1, 3_600>;

impl<const MIN: i64, const MAX: i64> Bounded<MIN, MAX> {
    /// The nearest number within the limits: for defaults, which lie within them.
    pub(in crate::config) const fn clamped(number: i64) -> Self {
        Self(if number < MIN {
            MIN
        } else if number > MAX {
            MAX
        } else {
            number
        })
    }

    pub(in crate::config) fn of_count(count: usize) -> Self {
        Self::clamped(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(in crate::config) fn of_seconds(time: Duration) -> Self {
        Self::clamped(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }

    pub(in crate::config) fn of_minutes(time: TimeDelta) -> Self {
        Self::clamped(time.num_minutes())
    }

    pub(in crate::config) fn get(self) -> i64 {
        self.0
    }

    pub(in crate::config) fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }

    /// The number as a count of at least one.
    pub(in crate::config) fn nonzero(self) -> NonZeroUsize {
        NonZeroUsize::new(self.count()).unwrap_or(NonZeroUsize::MIN)
    }

    pub(in crate::config) fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    pub(in crate::config) fn as_seconds(self) -> Duration {
        Duration::from_secs(self.0.unsigned_abs())
    }

    pub(in crate::config) fn as_minutes(self) -> TimeDelta {
        TimeDelta::minutes(self.0)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Bounded<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            number if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            number => Err(de::Error::custom(format_args!("{number} is not between {MIN} and {MAX}"))),
        }
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Bounded<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Bounded{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct Fraction(f64);

impl Fraction {
    /// The nearest number within the limits: for defaults, which lie within them.
    pub(in crate::config) fn clamped(number: f64) -> Self {
        Self(number.clamp(0.0, 1.0))
    }

    pub(in crate::config) fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match f64::deserialize(deserializer)? {
            number if (0.0..=1.0).contains(&number) => Ok(Self(number)),
            number => Err(de::Error::custom(format_args!("{number} is not between 0 and 1"))),
        }
    }
}

impl JsonSchema for Fraction {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// A value with its place in the file, so that a check of several values together can name the line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct Located<T>(Spanned<T>);

impl<T> Located<T> {
    /// A default: it stands nowhere in the file.
    pub(in crate::config) fn unwritten(value: T) -> Self {
        Self(Spanned::new(0..0, value))
    }

    /// Whether the value stands in the file, and is no default.
    pub(in crate::config) fn is_written(&self) -> bool {
        !self.0.span().is_empty()
    }

    pub(in crate::config) fn span(&self) -> Range<usize> {
        self.0.span()
    }

    pub(in crate::config) fn get_ref(&self) -> &T {
        self.0.get_ref()
    }

    pub(in crate::config) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
