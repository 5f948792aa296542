//! Coverage: the intervals of time in which a sign of presence would have been received. Pure.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A half-open interval of time, `from` included and `to` excluded. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First instant.
    pub from: DateTime<Utc>,
    /// First instant after.
    pub to: DateTime<Utc>,
}

impl Interval {
    /// The interval, unless it is empty.
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// Whether the instant lies in it.
    pub fn contains(self, instant: DateTime<Utc>) -> bool {
        self.from <= instant && instant < self.to
    }

    fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.from.format("%F %H:%M"), self.to.format("%H:%MZ"))
    }
}

/// The last instant that every RFC 3339 parser accepts, in seconds since 1970.
const YEAR_9999_S: i64 = 253_402_300_799;

/// Intervals that neither overlap nor touch, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(Vec<Interval>);

impl Coverage {
    /// All of time: an operator declared that every meeting without a sign is abandoned.
    pub fn always() -> Self {
        let end = DateTime::from_timestamp(YEAR_9999_S, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self(Interval::new(DateTime::UNIX_EPOCH, end).into_iter().collect())
    }

    /// Adds an interval; intervals that overlap or touch are merged.
    pub fn add(&mut self, Interval { mut from, mut to }: Interval) {
        self.0.retain(|old| {
            let apart = old.to < from || to < old.from;
            if !apart {
                (from, to) = (from.min(old.from), to.max(old.to));
            }
            apart
        });
        let at = self.0.partition_point(|old| old.from < from);
        self.0.insert(at, Interval { from, to });
    }

    /// Drops the intervals that ended before `oldest`.
    pub fn forget_before(&mut self, oldest: DateTime<Utc>) {
        self.0.retain(|interval| interval.to >= oldest);
    }

    /// The time that is covered by one of them.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        other.0.iter().for_each(|interval| self.add(*interval));
        self
    }

    /// The time that is covered by both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |two| (*one, *two)));
        pairs.filter_map(|(one, two)| one.intersection(two)).collect()
    }

    /// The intervals, in order.
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// Whether the instant is covered.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.0.iter().any(|interval| interval.contains(instant))
    }

    /// The end of the last interval.
    pub fn end(&self) -> Option<DateTime<Utc>> {
        self.0.last().map(|interval| interval.to)
    }
}

impl FromIterator<Interval> for Coverage {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        let mut coverage = Self::default();
        intervals.into_iter().for_each(|interval| coverage.add(interval));
        coverage
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn coverage(pairs: &[(i64, i64)]) -> Coverage {
        pairs.iter().filter_map(|(from, to)| Interval::new(at(*from), at(*to))).collect()
    }

    #[test]
    fn what_touches_becomes_one() {
        assert_eq!(coverage(&[(5, 7), (0, 2), (2, 5)]), coverage(&[(0, 7)]));
        assert_eq!(coverage(&[(0, 2), (3, 4)]).intervals().len(), 2);
    }

    proptest! {
        #[test]
        fn sets_of_instants(
            one in prop::collection::vec((0i64..40, 0i64..40), 0..6),
            two in prop::collection::vec((0i64..40, 0i64..40), 0..6),
        ) {
            let (one_set, two_set) = (coverage(&one), coverage(&two));
            let (union, both) = (one_set.clone().union(&two_set), one_set.intersection(&two_set));
            let holds = |pairs: &[(i64, i64)], second| pairs.iter().any(|(from, to)| (*from..*to).contains(&second));
            for second in 0..40 {
                let (in_one, in_two) = (holds(&one, second), holds(&two, second));
                prop_assert_eq!(one_set.contains(at(second)), in_one);
                prop_assert_eq!(union.contains(at(second)), in_one || in_two);
                prop_assert_eq!(both.contains(at(second)), in_one && in_two);
            }
            let gaps = union.intervals().windows(2).all(|pair| pair[0].to < pair[1].from);
            prop_assert!(gaps, "{:?}", union);
        }
    }
}
