//! Views of recorded actions that know whether a later action has undone them. Reads the journal; it decides nothing, and names an
//! undo only to callers who may read it.

use super::caller::Caller;
use super::problem::Problem;
use super::state::Api;
use super::view::ActionView;
use crate::action::{Done, Reversibility};
use crate::journal::{ActionRecord, ActionStatus, JournalError, Query};

/// Later actions on the same event, the newest, among which the undo is searched: far more than people perform on one event.
const LATER_ACTIONS_MAX: usize = 100;

/// The views of these actions, in their order.
pub(super) async fn views(
    api: &Api,
    caller: &Caller,
    records: &[ActionRecord],
) -> Result<Vec<ActionView>, Problem> {
    let mut views = Vec::with_capacity(records.len());
    for record in records {
        views.push(view(api, caller, record).await?);
    }
    Ok(views)
}

/// The view of this action.
pub(super) async fn view(api: &Api, caller: &Caller, record: &ActionRecord) -> Result<ActionView, Problem> {
    let view = ActionView::of(record, caller.naming());
    let Some(done) = record.done() else { return Ok(view) };
    Ok(match undo_of(api, record, done).await? {
        Some(undo) => view.undone(done, caller.may_read(&undo.action).then_some(undo.action.id)),
        None => view,
    })
}

/// The action that has undone this one. The journal's index has events by UID, and no undo without its event.
async fn undo_of(
    api: &Api,
    record: &ActionRecord,
    done: &Done,
) -> Result<Option<ActionRecord>, JournalError> {
    if done.reversibility != Reversibility::Reversible {
        return Ok(None);
    }
    let Some(uid) = done.event.uid.clone() else { return Ok(None) };
    let (since, limit) = (Some(record.accepted_at), Some(LATER_ACTIONS_MAX));
    let query = Query { uid: Some(uid), since, limit, ..Query::room(&record.action.room) };
    let later = api.service.engine.journal().find(&query.with_status(ActionStatus::Done)).await?;
    Ok(later.into_iter().find(|later| later.has_undone(record.action.id)))
}
