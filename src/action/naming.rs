//! Which other action an answer names, and the same answer in words that name none. Pure.
//!
//! An answer goes to a caller who may not be allowed to know of another caller's action: then the sentence says
//! "an earlier action" instead of its id.

use super::{ActionId, NoChangeReason, Outcome, Refusal};

/// Whether a sentence may contain the id of another action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The reader may know of every action in the room.
    Named,
    /// The reader may not, or it is not known.
    Unnamed,
}

impl Refusal {
    /// The action that the refusal names.
    pub fn named_action(&self) -> Option<ActionId> {
        match self {
            Self::KeyReused { action }
            | Self::StillInDoubt { action }
            | Self::NoSuchAction { action }
            | Self::MaybeArchived { action, .. } => Some(*action),
            Self::OutOfScope { .. }
            | Self::NoCurrentEvent
            | Self::Ambiguous { .. }
            | Self::NotStarted { .. }
            | Self::NotCurrent { .. }
            | Self::Over { .. }
            | Self::AllDay
            | Self::Cancelled
            | Self::Declined
            | Self::UnknownCopy
            | Self::WholeSeries
            | Self::EventNotFound
            | Self::InvalidEventId { .. }
            | Self::NotAsSeen { .. }
            | Self::ChangedMeanwhile { .. }
            | Self::KeepsChanging
            | Self::NoLongerApplies { .. }
            | Self::IrreversibleForbidden
            | Self::Interrupted
            | Self::NothingToUndo
            | Self::NotUndoable { .. }
            | Self::Collides { .. }
            | Self::LeftDeletedItems
            | Self::Exchange { .. } => None,
        }
    }

    /// The refusal as a sentence for this reader. The action under an idempotency key may be in a room that the reader does
    /// not know any more, so its id is left out for everybody.
    pub fn message(&self, naming: Naming) -> String {
        match (self, naming) {
            (Self::KeyReused { .. }, _) => {
                "the idempotency key belongs to another request; use a new one".to_owned()
            }
            (Self::StillInDoubt { .. }, Naming::Unnamed) => {
                "whether an earlier action was done is not known yet; ask again in a minute".to_owned()
            }
            (Self::NoSuchAction { .. } | Self::MaybeArchived { .. }, Naming::Unnamed) => {
                "the journal has no such action in this room".to_owned()
            }
            _ => self.to_string(),
        }
    }
}

impl Outcome {
    /// The other action that the outcome names.
    pub fn named_action(&self) -> Option<ActionId> {
        match self {
            Self::AlreadyDone { why: NoChangeReason::ByAction { action } } => Some(*action),
            Self::Refused { refusal } => refusal.named_action(),
            Self::Done(_) | Self::AlreadyDone { .. } | Self::NeedsAttention { .. } => None,
        }
    }

    /// The outcome as a sentence for this reader.
    pub fn message(&self, naming: Naming) -> String {
        match (self, naming) {
            (Self::AlreadyDone { why: NoChangeReason::ByAction { .. } }, Naming::Unnamed) => {
                "done already, by an earlier action; nothing was changed now".to_owned()
            }
            (Self::Refused { refusal }, naming) => format!("refused: {}", refusal.message(naming)),
            _ => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::ResponsibleParty;

    /// One of each kind that could carry an id in its words.
    fn outcomes(action: ActionId) -> Vec<Outcome> {
        let refusals = [
            Refusal::KeyReused { action },
            Refusal::StillInDoubt { action },
            Refusal::NoSuchAction { action },
            Refusal::NoCurrentEvent,
            Refusal::NoLongerApplies { why: "somebody checked in".to_owned() },
            Refusal::Exchange {
                responsible: ResponsibleParty::Server,
                advice: "try again".to_owned(),
                code: "ErrorServerBusy".to_owned(),
            },
        ];
        let refused = refusals.into_iter().map(|refusal| Outcome::Refused { refusal });
        let already = [NoChangeReason::ByAction { action }, NoChangeReason::Over, NoChangeReason::Gone];
        refused.chain(already.map(|why| Outcome::AlreadyDone { why })).collect()
    }

    #[test]
    fn an_unnamed_sentence_has_no_id_and_a_named_one_has_it_where_the_reader_may_know() {
        let action = ActionId::random();
        let id = action.to_string();
        for outcome in outcomes(action) {
            assert!(!outcome.message(Naming::Unnamed).contains(&id), "{outcome:?}");
            let stored = serde_json::to_string(&outcome).unwrap();
            assert_eq!(outcome.named_action().is_some(), stored.contains(&id), "{stored}");
            let is_key = matches!(outcome, Outcome::Refused { refusal: Refusal::KeyReused { .. } });
            let is_named = outcome.message(Naming::Named).contains(&id);
            assert_eq!(is_named, outcome.named_action().is_some() && !is_key, "{outcome:?}");
        }
    }
}
