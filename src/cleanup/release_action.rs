//! The action that releases one event of a plan, and a preview of it for a person who reviews the plan. Decides nothing and sends
//! nothing: the verdict is given, and the engine plans the change.

use chrono::{DateTime, Utc};

use super::plan::EvaluatedEvent;
use super::{Rule, Verdict};
use crate::action::{Action, ActionId, Actor, AllDay, Done, ReasonText, Target, TimeRange};
use crate::calendar::RoomAddress;
use crate::engine::{Engine, PlanError};

/// What the release of an event would do, as far as the engine knows before the event is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleasePreview {
    /// It would make this change.
    Change {
        /// The change. For a series: of the date that decides it.
        done: Box<Done>,
        /// The messages that Exchange would send; `None` where their number is not known.
        messages: Option<u32>,
    },
    /// It would be refused, or find nothing to change, for this reason.
    NoChange(String),
}

/// The action that releases the event; `None` if the event is kept.
pub(super) fn release_action(room: &RoomAddress, evaluated: &EvaluatedEvent) -> Option<Action> {
    let EvaluatedEvent { event, verdict: Verdict::Act { rule, how, why, proof, .. }, .. } = evaluated else {
        return None;
    };
    let seen = Some(TimeRange { start: event.start, end: event.end });
    Some(Action {
        id: ActionId::random(),
        room: room.clone(),
        target: Target::Event { id: event.id.clone(), seen },
        kind: how.action_kind(),
        actor: Actor::Sweep { rule: rule.to_string(), proof: proof.clone() },
        reason: Some(ReasonText::truncated(format!("This room was released automatically: {why}."))),
        all_day: AllDay::Include,
        subject: None,
        key: None,
    })
}

impl EvaluatedEvent {
    /// What its release would do at this time; `None` if the event is kept, or was not read by this process.
    pub fn preview_release(
        &self,
        room: &RoomAddress,
        engine: &Engine,
        at: DateTime<Utc>,
    ) -> Option<ReleasePreview> {
        let (action, event) = (release_action(room, self)?, self.read.as_ref()?);
        Some(match engine.preview(&action, event, at)? {
            Ok(done) => {
                let messages = self.messages(&done);
                ReleasePreview::Change { done: Box::new(done), messages }
            }
            Err(PlanError::NoChange(why)) => ReleasePreview::NoChange(why.to_string()),
            Err(PlanError::Refused(refusal)) => ReleasePreview::NoChange(refusal.to_string()),
        })
    }

    /// A whole series has a message of its own for each changed date, which are read only when the series is removed.
    fn messages(&self, done: &Done) -> Option<u32> {
        let is_series = matches!(self.verdict, Verdict::Act { rule: Rule::Strikes, .. });
        if is_series { None } else { done.notified.messages() }
    }
}
