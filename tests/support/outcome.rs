//! What a test expects of an outcome before it looks closer.

use adjourn::action::{Done, Outcome, Refusal};

/// What was done; panics on any other outcome.
pub fn done(outcome: Outcome) -> Done {
    match outcome {
        Outcome::Done(done) => done,
        other => panic!("not done: {other:?}"),
    }
}

/// The reason why nothing was done; panics on any other outcome.
pub fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused { refusal } => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
