//! A reply is lost, and the mailbox cannot be read for a long time: the action stays in doubt for an hour, then needs attention,
//! and is settled in the journal when the mailbox can be read. The same in the running process and after a restart.

use adjourn::action::{Action, ActionKind, DeleteMode, Notify, Outcome, Refusal};
use adjourn::engine::{Mode, Recovered};
use adjourn::journal::Fact;
use adjourn_test::room;
use chrono::TimeDelta;

use crate::fake::{NextWrite, TestEngine, meeting, request_for, test_engine};

const ASKS: [ActionKind; 3] = [
    ActionKind::End(Notify::Nobody),
    ActionKind::Delete(DeleteMode::Notify),
    ActionKind::Delete(DeleteMode::Silent),
];

/// Who looks at the mailbox again.
#[derive(Debug, Clone, Copy)]
enum By {
    RunningProcess,
    Restart,
}

fn action(ask: ActionKind) -> Action {
    request_for("a", ask)
}

/// The answer is lost, and nothing can be read.
async fn lost(ask: ActionKind, landed: bool) -> TestEngine {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::LostThenBlind { landed });
    let answer = stage.engine.perform(action(ask), Mode::Perform).await.unwrap();
    assert!(answer.is_in_doubt(), "{ask:?}: {answer:?}");
    stage
}

async fn look(stage: &TestEngine, by: By) -> Recovered {
    match by {
        By::RunningProcess => stage.engine.recover_idle_rooms().await.unwrap(),
        By::Restart => stage.engine.recover().await.unwrap(),
    }
}

fn can_be_read(stage: &TestEngine) {
    stage.calendar.0.lock().unwrap().blind = false;
}

fn cases() -> impl Iterator<Item = (ActionKind, bool, By)> {
    let by = [By::RunningProcess, By::Restart];
    ASKS.into_iter()
        .flat_map(|ask| [true, false].map(|landed| (ask, landed)))
        .flat_map(move |(ask, landed)| by.map(|by| (ask, landed, by)))
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_the_look_ends_with_what_the_mailbox_shows() {
    for outage in [TimeDelta::seconds(3), TimeDelta::minutes(5), TimeDelta::minutes(59)] {
        for (ask, landed, by) in cases() {
            let stage = lost(ask, landed).await;
            stage.clock.advance(outage / 2);
            let looked = look(&stage, by).await;
            assert_eq!((looked.closed.len(), looked.still_open.len()), (0, 1), "{ask:?} {by:?}: {looked:?}");
            stage.clock.advance(outage - outage / 2);
            can_be_read(&stage);
            let looked = look(&stage, by).await;
            let [closed] = looked.closed.as_slice() else { panic!("{ask:?} {by:?} {outage}: {looked:?}") };
            // A young action that did not land is carried out; an old one is not begun again.
            let is_young = outage < TimeDelta::minutes(2);
            assert_eq!(closed.done().is_some(), landed || is_young, "{ask:?} {by:?} {outage}: {closed:?}");
            assert_eq!(stage.calendar.effects(), usize::from(landed || is_young), "{ask:?} {by:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_an_hour_needs_attention_and_is_settled_when_the_mailbox_can_be_read() {
    for (ask, landed, by) in cases() {
        let stage = lost(ask, landed).await;
        stage.clock.advance(TimeDelta::minutes(61));
        let looked = look(&stage, by).await;
        let [closed] = looked.closed.as_slice() else { panic!("{ask:?} {by:?}: {looked:?}") };
        assert!(matches!(closed.outcome, Some(Outcome::NeedsAttention { recheck: true, .. })), "{closed:?}");
        stage.clock.advance(TimeDelta::hours(2));
        assert_eq!(look(&stage, by).await.settled, [], "it cannot be read yet");
        can_be_read(&stage);
        let looked = look(&stage, by).await;
        let [settled] = looked.settled.as_slice() else { panic!("{ask:?} {by:?}: {looked:?}") };
        match &settled.outcome {
            Some(Outcome::Done(_)) => assert!(landed, "{ask:?} {by:?}"),
            Some(Outcome::Refused { refusal: Refusal::Interrupted }) => assert!(!landed, "{ask:?} {by:?}"),
            other => panic!("{ask:?} {by:?}: {other:?}"),
        }
        assert!(matches!(stage.journal.facts().last().unwrap().1, Fact::Settled { .. }), "on record");
        assert_eq!(stage.calendar.effects(), usize::from(landed), "nothing is written to the calendar");
    }
}
