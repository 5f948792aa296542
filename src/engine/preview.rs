//! Previews an end or a deletion: the change that the action would report for an event as it was read before. It plans as an action
//! does (`plan.rs`), and never reads or writes anything. A dry run reads the event again; a preview does not.

use chrono::{DateTime, Utc};

use super::context::Engine;
use super::plan::{EndOrDelete, PlanError, check_reversible, plan};
use crate::action::{Action, Done};
use crate::calendar::Event;

impl Engine {
    /// The change that this action would make to `event` at `now`; `None` for an action that neither ends nor deletes an event.
    ///
    /// # Errors
    /// When nothing would have to be changed, or the action would be refused.
    pub fn preview(
        &self,
        action: &Action,
        event: &Event,
        now: DateTime<Utc>,
    ) -> Option<Result<Done, PlanError>> {
        let (request, server) = (EndOrDelete::of(action)?, self.calendar().capabilities(&action.room));
        let planned = plan(request, event, now, server).and_then(|plan| {
            check_reversible(&plan, server, self.options())?;
            Ok(Done { dry_run: true, ..plan.done })
        });
        Some(planned)
    }
}
