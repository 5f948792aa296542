//! A process that continues the actions of another one, whose machine has another clock. It waits until no request of the other can
//! arrive any more, counted by its own clock, before it says that nothing was done or sends again.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{ActionKind, Actor, DeleteMode, Outcome};
use adjourn::clock::{Clock as _, ManualClock};
use adjourn::engine::{Engine, EngineOptions, Mode};
use adjourn::journal::Journal;
use adjourn_test::{engine, every_room, room};
use chrono::TimeDelta;
use tokio::time::Instant;

use crate::fake::{NextWrite, TestEngine, meeting, request_for, test_engine};
use crate::restarts::Stopping;

/// A process whose clock is ahead of the other one's, or behind it.
fn process(stage: &TestEngine, journal: Stopping, ahead: TimeDelta) -> Arc<Engine> {
    let clock = ManualClock::at(stage.clock.now() + ahead);
    let calendar = Arc::new(stage.calendar.clone());
    engine(calendar, Arc::new(journal), Arc::new(clock), every_room(), EngineOptions::default())
}

#[tokio::test(start_paused = true)]
async fn a_request_of_the_other_process_is_waited_for_whatever_its_clock_says() {
    for ahead in [TimeDelta::minutes(-1), TimeDelta::zero(), TimeDelta::seconds(30), TimeDelta::minutes(1)] {
        let stage = test_engine();
        stage.calendar.add(&room("r1"), meeting("a"));
        stage.calendar.next(NextWrite::Late);
        // A sweep's action is not carried out again: if nothing was done, it ends as interrupted.
        let mut action = request_for("a", ActionKind::Delete(DeleteMode::Silent));
        action.actor = Actor::Sweep { rule: "cancelled-leftover".to_owned(), proof: None };
        let other = process(&stage, Stopping::new(&stage.journal, 3, false), TimeDelta::zero());
        assert!(other.perform(action.clone(), Mode::Perform).await.is_err());
        let (calendar, begun) = (stage.calendar.clone(), Instant::now());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(8)).await;
            calendar.0.lock().unwrap().land_late();
        });
        let this = process(&stage, Stopping::never_and_shared(&stage.journal), ahead);
        this.recover().await.unwrap();
        let record = stage.journal.action_record(action.id).await.unwrap().unwrap();
        assert!(matches!(record.outcome, Some(Outcome::Done(_))), "{ahead}: {:?}", record.outcome);
        assert_eq!(stage.calendar.effects(), 1, "{ahead}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{ahead}: {:?}", begun.elapsed());
    }
}
