//! Plans the step for the event that was read, and reads what the plan needs beside it. Reads only.

use super::action_context::ActionContext;
use super::attempt::Before;
use super::early_exit::EarlyExit;
use super::extend::{extension_window, plan_extend};
use super::past_actions::{nothing_to_do, refuse};
use super::plan::{EndOrDelete, Plan, PlanError, plan};
use super::undo::{UndoTarget, plan_undo};
use crate::action::{ActionKind, Refusal};
use crate::calendar::Event;

/// Plans the step, or exits with the reason why there is none.
pub(super) async fn make_plan(
    context: &ActionContext<'_>,
    undo: Option<&UndoTarget>,
    before: &Before,
) -> Result<Plan, EarlyExit> {
    let event = match before {
        Before::Event(event) => &**event,
        Before::Draft(draft) if undo.is_some() => return Ok(draft.plan_as_undo()),
        Before::Draft(draft) => return Ok(draft.plan()),
    };
    match plan_event(context, undo, event).await {
        Ok(plan) => Ok(plan),
        Err(PlanError::NoChange(why)) => Err(nothing_to_do(context, why, Some(event)).await?.into()),
        Err(PlanError::Refused(refusal)) => Err(refuse(context, refusal, Some(event)).await?.into()),
    }
}

/// Plans the step on an event; an extension is planned with the events after it.
async fn plan_event(
    context: &ActionContext<'_>,
    undo: Option<&UndoTarget>,
    event: &Event,
) -> Result<Plan, PlanError> {
    let (now, server) = (context.now(), context.capabilities());
    if let Some(undo) = undo {
        return plan_undo(undo, event, server);
    }
    if let ActionKind::Extend(until) = context.kind() {
        let added = extension_window(event, until)?;
        let around = context.events(added).await.map_err(Refusal::from)?;
        return plan_extend((until, context.action.all_day), event, (added, &around), now, server);
    }
    match EndOrDelete::of(context.action) {
        Some(request) => plan(request, event, now, server),
        // A booking has a draft, and an undo its target, so neither arrives here.
        None => Err(Refusal::Interrupted.into()),
    }
}
