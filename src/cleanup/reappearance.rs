//! Events that reappear: Exchange's calendar repair, or an update by the organizer, restores an event that was removed from a
//! room's calendar or ended early. Recognised by UID and original start. Pure.

use super::evaluate::{KeepReason, Verdict};
use super::rules::OnReappearance;
use crate::action::{ActionId, ActionKind, Change};
use crate::journal::ActionRecord;

/// How often sweeps release the same event under [`OnReappearance::Repeat`].
const ACTIONS_MAX: usize = 2;

/// Whether the change freed time. An event that was booked or extended was never gone, so it cannot reappear.
fn freed_time(change: &Change) -> bool {
    match change {
        Change::Ended { .. } | Change::Declined | Change::Cancelled | Change::Removed => true,
        Change::Extended { .. } | Change::Booked | Change::EndRestored { .. } | Change::MovedBack => false,
    }
}

/// The verdict, given the earlier actions on the same event, the newest first.
pub(super) fn apply_reappearance(
    verdict: Verdict,
    records: &[ActionRecord],
    on_reappearance: OnReappearance,
) -> Verdict {
    let undone = |id: ActionId| records.iter().any(|record| record.has_undone(id));
    let done: Vec<&ActionRecord> = records
        .iter()
        .filter(|record| record.done().is_some_and(|done| freed_time(&done.change)))
        .filter(|record| !matches!(record.action.kind, ActionKind::Undo { .. }) && !undone(record.action.id))
        .collect();
    let (Some(last), Verdict::Act { .. }) = (done.first(), &verdict) else { return verdict };
    let action = last.action.id;
    match on_reappearance {
        OnReappearance::Repeat if done.len() < ACTIONS_MAX => verdict,
        OnReappearance::Repeat | OnReappearance::Report => {
            Verdict::Keep { why: KeepReason::Reappeared { action, report: true } }
        }
        OnReappearance::Respect => Verdict::Keep { why: KeepReason::Reappeared { action, report: false } },
    }
}
