//! The figures of all actions of a report: in sum, by kind and state, and refusals by reason. Bounded: kinds, states and reasons
//! are enumerations, and missed series are counted up to a limit.

use std::collections::{BTreeMap, HashSet};

use super::dimension::ROWS_MAX;
use super::effect::{Effect, ReleaseCause, event};
use super::figures::Figures;
use super::refusal_name::refusal_name;
use super::view::{ActionCount, RefusalCount};
use crate::action::Outcome;
use crate::calendar::{RoomAddress, Uid};
use crate::journal::{ActionRecord, ActionStage, ActionStatus};

/// The sums of a report.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) figures: Figures,
    /// Actions in doubt: a part of those that are open.
    pub(super) in_doubt: u64,
    /// Undos whose time is not known, because the journal no longer has the undone action.
    pub(super) undone_unknown: u64,
    actions: BTreeMap<(&'static str, &'static str), u64>,
    refusals: BTreeMap<&'static str, u64>,
    missed_series: HashSet<(RoomAddress, Uid)>,
}

impl Totals {
    /// Adds one action.
    pub(super) fn add(&mut self, record: &ActionRecord, effect: Option<&Effect>) {
        self.figures.add(record, effect);
        self.in_doubt += u64::from(record.stage == ActionStage::InDoubt);
        let cell = (record.action.kind.verb(), ActionStatus::of(record).as_str());
        *self.actions.entry(cell).or_default() += 1;
        if let Some(Outcome::Refused { refusal }) = record.reported_outcome().as_deref() {
            *self.refusals.entry(refusal_name(refusal)).or_default() += 1;
        }
        if matches!(effect, Some(Effect::Released { cause: ReleaseCause::NoShow, .. })) {
            self.add_missed(record);
        }
    }

    fn add_missed(&mut self, record: &ActionRecord) {
        let date = event(record).filter(|event| event.kind.is_date_of_series());
        if let Some(uid) = date.and_then(|event| event.uid.clone())
            && self.missed_series.len() < ROWS_MAX
        {
            self.missed_series.insert((record.action.room.clone(), uid));
        }
    }

    /// Series of which the check-in rule released a date.
    pub(super) fn missed_series(&self) -> usize {
        self.missed_series.len()
    }

    /// Actions by kind and state.
    pub(super) fn actions(&self) -> Vec<ActionCount> {
        let counts = self.actions.iter();
        counts.map(|(&(kind, state), &count)| ActionCount { kind, state, count }).collect()
    }

    /// Refusals by reason.
    pub(super) fn refusals(&self) -> Vec<RefusalCount> {
        self.refusals.iter().map(|(&reason, &count)| RefusalCount { reason, count }).collect()
    }
}
