//! One log line and the counters for each action that ended: of a caller, of a sweep, and of a re-check. It names rooms and ids,
//! never a subject, a person or the name of a key.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::action::{Action, ActionKind, Done, Outcome, Refusal};
use crate::engine::{ActionObserver, EndedAction};
use crate::journal::ActionStatus;
use crate::report::refusal_name;

/// The upper bounds of the histogram of durations, in seconds; the last bucket has none. A wait for the delivery window takes ten
/// seconds.
const DURATION_BOUNDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The kinds and requesters whose counters exist from the start, so that the first action is an increase.
const KINDS: [&str; 5] = ["end", "delete", "extend", "book", "undo"];
const ACTORS: [&str; 3] = ["program", "sweep", "user"];

/// Counts of ended actions since the start. Every key is one of a fixed set of words, so the number of counters is bounded.
#[derive(Debug, Clone)]
pub struct EndedCounts {
    /// Actions, by kind, outcome and kind of requester.
    pub actions: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    /// Changes that were made, by change, recipients of the message, and kind of requester.
    pub changes: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    /// Refused actions, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Durations of the actions of this process.
    pub durations: DurationCounts,
}

/// A histogram of durations.
#[derive(Debug, Clone, Default)]
pub struct DurationCounts {
    /// The number of durations within each bound, and beyond the last.
    counts: [u64; DURATION_BOUNDS.len() + 1],
    /// All durations together, in seconds.
    pub sum: f64,
}

impl DurationCounts {
    fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = DURATION_BOUNDS.iter().position(|bound| seconds <= *bound);
        let count = self.counts.get_mut(bucket.unwrap_or(DURATION_BOUNDS.len()));
        count.into_iter().for_each(|count| *count += 1);
        self.sum += seconds;
    }

    /// The buckets: upper bound and the number of durations between it and the bound before.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        DURATION_BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.counts).collect()
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Default for EndedCounts {
    fn default() -> Self {
        let statuses = ActionStatus::ALL.into_iter().filter(|status| *status != ActionStatus::Open);
        let counters = statuses.flat_map(|status| {
            KINDS.into_iter().flat_map(move |kind| ACTORS.map(|actor| ((kind, status.as_str(), actor), 0)))
        });
        Self {
            actions: counters.collect(),
            changes: BTreeMap::new(),
            refusals: BTreeMap::from([("exchange", 0)]),
            durations: DurationCounts::default(),
        }
    }
}

impl EndedCounts {
    fn add(&mut self, ended: &EndedAction<'_>, outcome: &Outcome) {
        let EndedAction { action, took, is_recheck, .. } = ended;
        let (kind, actor) = (action.kind.verb(), action.actor.kind());
        *self.actions.entry((kind, ActionStatus::from(outcome).as_str(), actor)).or_default() += 1;
        match outcome {
            Outcome::Done(Done { change, notified, .. }) => {
                *self.changes.entry((change.as_str(), notified.as_str(), actor)).or_default() += 1;
            }
            Outcome::Refused { refusal } => *self.refusals.entry(refusal_name(refusal)).or_default() += 1,
            Outcome::AlreadyDone { .. } | Outcome::NeedsAttention { .. } => {}
        }
        if !is_recheck {
            self.durations.add(*took);
        }
    }
}

/// Logs and counts actions.
#[derive(Debug, Default)]
pub struct EndedActions(Mutex<EndedCounts>);

impl EndedActions {
    /// The counts now.
    pub fn counts(&self) -> EndedCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ActionObserver for EndedActions {
    fn action_ended(&self, ended: &EndedAction<'_>) {
        if let Some(outcome) = ended.outcome {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).add(ended, outcome);
        }
        ActionLine::of(ended).log();
    }
}

/// The values of one log line. Values that an outcome does not have are left out of the line.
struct ActionLine<'a> {
    action: &'a Action,
    message: &'static str,
    outcome: &'static str,
    change: Option<&'static str>,
    notified: Option<&'static str>,
    refusal: Option<&'static str>,
    /// The action that this one undid.
    undid: Option<String>,
    writes: usize,
    duration_ms: u64,
    /// A person has to look at the calendar, or may have to.
    is_warning: bool,
}

impl<'a> ActionLine<'a> {
    fn of(ended: &EndedAction<'a>) -> Self {
        let EndedAction { action, outcome, writes, took, is_recheck, .. } = *ended;
        let done = outcome.and_then(done);
        let message = match (outcome, is_recheck) {
            (None, _) => "action left open: its outcome is not known yet",
            (Some(_), true) => "action ended by a re-check",
            (Some(_), false) => "action ended",
        };
        Self {
            action,
            message,
            outcome: outcome.map_or(ActionStatus::Open, ActionStatus::from).as_str(),
            change: done.map(|done| done.change.as_str()),
            notified: done.map(|done| done.notified.as_str()),
            refusal: outcome.and_then(refusal).map(refusal_name),
            undid: match action.kind {
                ActionKind::Undo { of } => Some(of.to_string()),
                _ => None,
            },
            writes,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            is_warning: matches!(outcome, None | Some(Outcome::NeedsAttention { .. })),
        }
    }

    fn log(&self) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "adjourn::action",
                    action = %self.action.id,
                    kind = self.action.kind.verb(),
                    room = self.action.room.as_str(),
                    outcome = self.outcome,
                    change = self.change,
                    notified = self.notified,
                    refusal = self.refusal,
                    undid = self.undid.as_deref(),
                    actor = self.action.actor.kind(),
                    key_id = self.action.actor.key_id(),
                    rule = self.action.actor.rule(),
                    writes = self.writes,
                    duration_ms = self.duration_ms,
                    "{}", self.message
                )
            };
        }
        if self.is_warning { line!(warn) } else { line!(info) }
    }
}

fn done(outcome: &Outcome) -> Option<&Done> {
    match outcome {
        Outcome::Done(done) => Some(done),
        _ => None,
    }
}

fn refusal(outcome: &Outcome) -> Option<&Refusal> {
    match outcome {
        Outcome::Refused { refusal } => Some(refusal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::action::{Actor, Change, EventSnapshot, Notified, Notify, Reversibility};
    use crate::calendar::{Copy, EventId, EventKind};

    fn ended<'a>(action: &'a Action, outcome: Option<&'a Outcome>, millis: u64) -> EndedAction<'a> {
        let took = Duration::from_millis(millis);
        EndedAction { action, outcome, writes: 1, took, is_recheck: false }
    }

    fn ended_early() -> Outcome {
        let (from, to) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        let event = EventSnapshot {
            id: EventId::new("a"),
            start: from,
            end: to,
            kind: EventKind::Single,
            organizer: Some("ada@example.com".to_owned()),
            uid: None,
        };
        Outcome::Done(Done {
            event,
            copy: Copy::Attendee,
            change: Change::Ended { from, to },
            notified: Notified::Nobody,
            reversibility: Reversibility::Reversible,
            dry_run: false,
        })
    }

    #[test]
    fn every_kind_of_action_has_a_counter_from_the_start() {
        let counts = EndedCounts::default();
        let room = || "room@example.com".parse().unwrap();
        let user = Actor::User { name: "ada".to_owned(), origin: None };
        for (kind, actor) in [
            (ActionKind::End(Notify::Attendees), Actor::program("door")),
            (ActionKind::Delete(Default::default()), user),
        ] {
            let action = Action::new(crate::action::ActionId::random(), room(), kind, actor);
            let key = (action.kind.verb(), "needs-attention", action.actor.kind());
            assert_eq!(counts.actions.get(&key), Some(&0), "{key:?}");
        }
        assert!(counts.actions.len() <= 64);
    }

    #[test]
    fn an_action_is_counted_once_and_one_that_is_open_not_yet() {
        let seen = EndedActions::default();
        let action = Action::end("room@example.com".parse().unwrap(), Actor::program("door"));
        let done = ended_early();
        seen.action_ended(&ended(&action, None, 20));
        assert!(seen.counts().actions.values().all(|count| *count == 0));
        seen.action_ended(&ended(&action, Some(&done), 20));
        let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
        seen.action_ended(&ended(&action, Some(&refused), 40_000));
        let counts = seen.counts();
        assert_eq!(counts.actions[&("end", "done", "program")], 1);
        assert_eq!(counts.actions[&("end", "refused", "program")], 1);
        assert_eq!(counts.changes, BTreeMap::from([(("ended", "nobody", "program"), 1)]));
        assert_eq!(counts.refusals["no-current-event"], 1);
        let buckets = counts.durations.buckets();
        assert_eq!((buckets[0], buckets.last()), ((0.05, 1), Some(&(f64::INFINITY, 1))));
        assert_eq!((counts.durations.count(), counts.durations.sum > 40.0), (2, true));
    }
}
