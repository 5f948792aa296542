//! The names of refusals in reports, metrics and logs. Values only; a name that was released never changes its meaning.

use crate::action::Refusal;

pub(crate) fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::OutOfScope { .. } => "out-of-scope",
        Refusal::NoCurrentEvent => "no-current-event",
        Refusal::Ambiguous { .. } => "ambiguous",
        Refusal::NotStarted { .. } => "not-started",
        Refusal::NotCurrent { .. } => "not-on",
        Refusal::Over { .. } => "over",
        Refusal::AllDay => "all-day",
        Refusal::Cancelled => "cancelled",
        Refusal::Declined => "declined",
        Refusal::UnknownCopy => "unknown-copy",
        Refusal::ServerAlwaysNotifies => "server-always-notifies",
        Refusal::WholeSeries => "whole-series",
        Refusal::EventNotFound => "event-not-found",
        Refusal::InvalidEventId { .. } => "invalid-event-id",
        Refusal::NotAsSeen { .. } => "not-as-seen",
        Refusal::ChangedMeanwhile { .. } => "changed-meanwhile",
        Refusal::KeepsChanging => "keeps-changing",
        Refusal::NoLongerApplies { .. } => "no-longer-applies",
        Refusal::IrreversibleForbidden => "cannot-be-undone",
        Refusal::KeyReused { .. } => "key-reused",
        Refusal::Interrupted => "interrupted",
        Refusal::StillInDoubt { .. } => "still-in-doubt",
        Refusal::NoSuchAction { .. } => "no-such-action",
        Refusal::MaybeArchived { .. } => "maybe-archived",
        Refusal::NothingToUndo => "nothing-to-undo",
        Refusal::NotUndoable { .. } => "not-undoable",
        Refusal::Collides { .. } => "collides",
        Refusal::TimeOutOfRange { .. } => "time-out-of-range",
        Refusal::LeftDeletedItems => "left-deleted-items",
        Refusal::Exchange { .. } => "exchange",
    }
}
