//! The figures of some actions: how many, and how much time. Sums only; `effect.rs` decides what is counted where.

use std::ops::{AddAssign, SubAssign};

use chrono::TimeDelta;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::effect::{Effect, ReleaseCause, Reverted};
use crate::journal::{ActionRecord, ActionStatus};

/// Seconds, shown in whole minutes. Sums are made of seconds, so rows may differ from their total by a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(i64);

impl Span {
    /// The nearest number of minutes.
    pub(crate) fn minutes(self) -> i64 {
        self.0.saturating_add(30).div_euclid(60)
    }

    fn merge(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl AddAssign<TimeDelta> for Span {
    fn add_assign(&mut self, time: TimeDelta) {
        self.0 = self.0.saturating_add(time.num_seconds());
    }
}

impl SubAssign<TimeDelta> for Span {
    fn sub_assign(&mut self, time: TimeDelta) {
        self.0 = self.0.saturating_sub(time.num_seconds());
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.minutes())
    }
}

/// How many actions, and their time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CountedTime {
    /// Number of actions.
    pub(crate) count: u64,
    /// Their time, in minutes.
    #[schema(value_type = i64)]
    pub(crate) minutes: Span,
}

impl CountedTime {
    fn add(&mut self, time: TimeDelta) {
        self.count += 1;
        self.minutes += time;
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.minutes.merge(other.minutes);
    }
}

/// Actions that were undone, counted in the period of the undo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UndoneFigures {
    /// Number of undos.
    pub(crate) count: u64,
    /// Of them, undos of releases by the check-in rule.
    pub(crate) no_shows: u64,
    /// Released time that was given back to its event, in minutes.
    #[schema(value_type = i64)]
    pub(crate) released_minutes: Span,
    /// Extensions that were taken back, in minutes.
    #[schema(value_type = i64)]
    pub(crate) extended_minutes: Span,
    /// Bookings that were taken back, in minutes.
    #[schema(value_type = i64)]
    pub(crate) booked_minutes: Span,
}

impl UndoneFigures {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.no_shows += other.no_shows;
        self.released_minutes.merge(other.released_minutes);
        self.extended_minutes.merge(other.extended_minutes);
        self.booked_minutes.merge(other.booked_minutes);
    }
}

/// The figures of some actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Actions of every kind and state; dry runs are no actions.
    pub(crate) actions: u64,
    /// Time that was released and not given back, in minutes: `no_shows`, `ended_early`, `removed` and `other_rules`, less
    /// `undone.released_minutes`. Negative if more was given back in this period than released.
    #[schema(value_type = i64)]
    pub(crate) released_minutes: Span,
    /// Events that the check-in rule released.
    pub(crate) no_shows: CountedTime,
    /// Events that a person or program ended early.
    pub(crate) ended_early: CountedTime,
    /// Events that a person or program removed, with their remaining time.
    pub(crate) removed: CountedTime,
    /// Events that another rule of a sweep released.
    pub(crate) other_rules: CountedTime,
    /// Extensions.
    pub(crate) extended: CountedTime,
    /// Bookings made through Adjourn.
    pub(crate) booked: CountedTime,
    /// Actions that were undone.
    pub(crate) undone: UndoneFigures,
    /// Releases and undos whose time is not known: whole series, all-day events, events that take no time. They are in the counts
    /// above, and add no minutes.
    pub(crate) without_time: u64,
    /// Actions that were refused; nothing was changed.
    pub(crate) refused: u64,
    /// Actions whose outcome a person has to check; their time is in no figure.
    pub(crate) needs_attention: u64,
    /// Actions that are not finished, or in doubt; their time is in no figure.
    pub(crate) open: u64,
}

impl Figures {
    /// Adds one action.
    pub(super) fn add(&mut self, record: &ActionRecord, effect: Option<&Effect>) {
        self.actions += 1;
        match ActionStatus::of(record) {
            ActionStatus::Open => self.open += 1,
            ActionStatus::Refused => self.refused += 1,
            ActionStatus::NeedsAttention => self.needs_attention += 1,
            ActionStatus::Done | ActionStatus::AlreadyDone => {}
        }
        match effect {
            None => {}
            Some(Effect::Extended(time)) => self.extended.add(*time),
            Some(Effect::Booked(time)) => self.booked.add(*time),
            Some(Effect::Released { cause, time }) => self.add_release(*cause, *time),
            Some(Effect::Undone(reverted)) => self.add_undo(reverted),
        }
    }

    /// Adds the figures of other actions.
    pub(super) fn merge(&mut self, other: &Self) {
        self.actions += other.actions;
        self.released_minutes.merge(other.released_minutes);
        self.no_shows.merge(other.no_shows);
        self.ended_early.merge(other.ended_early);
        self.removed.merge(other.removed);
        self.other_rules.merge(other.other_rules);
        self.extended.merge(other.extended);
        self.booked.merge(other.booked);
        self.undone.merge(&other.undone);
        self.without_time += other.without_time;
        self.refused += other.refused;
        self.needs_attention += other.needs_attention;
        self.open += other.open;
    }

    fn add_release(&mut self, cause: ReleaseCause, time: Option<TimeDelta>) {
        let time = self.known(time);
        self.released_minutes += time;
        match cause {
            ReleaseCause::NoShow => self.no_shows.add(time),
            ReleaseCause::EndedEarly => self.ended_early.add(time),
            ReleaseCause::Removed => self.removed.add(time),
            ReleaseCause::OtherRule => self.other_rules.add(time),
        }
    }

    fn add_undo(&mut self, reverted: &Reverted) {
        self.undone.count += 1;
        match *reverted {
            Reverted::Extension(time) => self.undone.extended_minutes += time,
            Reverted::Booking(time) => self.undone.booked_minutes += time,
            Reverted::Release { was_no_show, time } => {
                let time = self.known(time);
                self.undone.no_shows += u64::from(was_no_show);
                self.undone.released_minutes += time;
                self.released_minutes -= time;
            }
        }
    }

    /// The time, or zero and a count of what is not known.
    fn known(&mut self, time: Option<TimeDelta>) -> TimeDelta {
        self.without_time += u64::from(time.is_none());
        time.unwrap_or_default()
    }
}
