//! Events that came back: Exchange's calendar repair, or an update by the organizer, restores what was taken off a room's
//! calendar or ended early. Told by UID and place in the series. Pure.

use serde::{Deserialize, Serialize};

use super::{KeepReason, Verdict};
use crate::action::{ActionId, ActionKind, Change};
use crate::journal::ActionRecord;

/// What a sweep does about an event that it would act on and that was acted on before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnReappearance {
    /// Leave it and show it in the plan: a person decides.
    #[default]
    Report,
    /// Leave it: whoever brought it back wants it.
    Respect,
    /// Act once more. If it comes back again, leave it and show it: it would go on for ever.
    #[serde(rename = "again")]
    Repeat,
}

/// How often at most the same event is acted on by sweeps under [`OnReappearance::Repeat`].
const ACTIONS_MAX: usize = 2;

/// What a sweep does too: what was booked or extended here has not come back, it was never away.
fn freed_time(change: &Change) -> bool {
    match change {
        Change::Ended { .. } | Change::Declined | Change::Cancelled | Change::Removed => true,
        Change::Extended { .. } | Change::Booked | Change::EndRestored { .. } | Change::MovedBack => false,
    }
}

/// The verdict, given what was done to the same event before, the newest first.
pub(super) fn apply_reappearance(
    verdict: Verdict,
    lives: &[ActionRecord],
    came_back: OnReappearance,
) -> Verdict {
    let undone = |id: ActionId| lives.iter().any(|life| life.has_undone(id));
    let done: Vec<&ActionRecord> = lives
        .iter()
        .filter(|life| life.done().is_some_and(|done| freed_time(&done.change)))
        .filter(|life| !matches!(life.action.kind, ActionKind::Undo { .. }) && !undone(life.action.id))
        .collect();
    let (Some(last), Verdict::Act { .. }) = (done.first(), &verdict) else { return verdict };
    let action = last.action.id;
    match came_back {
        OnReappearance::Repeat if done.len() < ACTIONS_MAX => verdict,
        OnReappearance::Repeat | OnReappearance::Report => {
            Verdict::Keep { why: KeepReason::Reappeared { action, report: true } }
        }
        OnReappearance::Respect => Verdict::Keep { why: KeepReason::Reappeared { action, report: false } },
    }
}
