//! What an observer of the engine receives: the end of each action, once, whoever brought it about.

use std::sync::{Arc, Mutex};

use adjourn::action::{ActionKind, DeleteMode, Notify, Outcome};
use adjourn::engine::{ActionObserver, EndedAction, Mode};
use adjourn_test::room;
use chrono::TimeDelta;

use crate::fake::{NextWrite, TestEngine, meeting, perform, request_for, test_engine};

/// The outcome, the number of writes, and whether it was a re-check.
type Seen = (&'static str, usize, bool);

#[derive(Default)]
struct Notebook(Mutex<Vec<Seen>>);

impl Notebook {
    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl ActionObserver for Notebook {
    fn action_ended(&self, ended: &EndedAction<'_>) {
        let outcome = match ended.outcome {
            None => "open",
            Some(Outcome::Done(_)) => "done",
            Some(Outcome::AlreadyDone { .. }) => "already done",
            Some(Outcome::Refused { .. }) => "refused",
            Some(Outcome::NeedsAttention { .. }) => "needs attention",
        };
        self.0.lock().unwrap().push((outcome, ended.writes, ended.is_recheck));
    }
}

fn observed() -> (TestEngine, Arc<Notebook>) {
    let (stage, seen) = (test_engine(), Arc::<Notebook>::default());
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.engine.set_observer(seen.clone());
    (stage, seen)
}

#[tokio::test(start_paused = true)]
async fn an_action_is_reported_once_and_a_dry_run_or_a_repeated_answer_never() {
    let (stage, seen) = observed();
    let end = request_for("a", ActionKind::End(Notify::Nobody)).key("press-1".parse().unwrap());
    stage.engine.perform(end.clone(), Mode::DryRun).await.unwrap();
    assert_eq!(seen.take(), []);
    perform(&stage, end.clone()).await;
    assert_eq!(seen.take(), [("done", 1, false)]);
    assert!(stage.engine.perform(end, Mode::Perform).await.unwrap().repeated);
    assert_eq!(seen.take(), []);
    perform(&stage, request_for("b", ActionKind::End(Notify::Nobody))).await;
    assert_eq!(seen.take(), [("refused", 0, false)]);
}

#[tokio::test(start_paused = true)]
async fn an_action_in_doubt_is_reported_when_it_is_left_open_and_when_it_ends_and_not_between() {
    let (stage, seen) = observed();
    stage.calendar.next(NextWrite::LostThenBlind { landed: true });
    perform(&stage, request_for("a", ActionKind::Delete(DeleteMode::Silent))).await;
    assert_eq!(seen.take(), [("open", 1, false)]);
    for _ in 0..3 {
        stage.clock.advance(TimeDelta::minutes(5));
        stage.engine.recover_idle_rooms().await.unwrap();
    }
    assert_eq!(seen.take(), [], "still open is no news");
    stage.clock.advance(TimeDelta::hours(1));
    stage.engine.recover_idle_rooms().await.unwrap();
    assert_eq!(seen.take(), [("needs attention", 1, true)]);
    stage.calendar.0.lock().unwrap().blind = false;
    stage.engine.recover_idle_rooms().await.unwrap();
    assert_eq!(seen.take(), [("done", 1, true)]);
}
