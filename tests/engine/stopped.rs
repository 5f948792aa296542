//! A process that is stopped, or whose machine is suspended, between its intent and the write. What it decided before is old when
//! it goes on: its intent is stored anew, or the event is read again. No step leaves without a fresh intent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use adjourn::action::{Action, ActionKind, Notify, Outcome, Refusal};
use adjourn::calendar::{Event, EventId};
use adjourn::clock::Clock;
use adjourn::engine::{EngineOptions, Mode, Precondition};
use adjourn::journal::{Fact, JournalError};
use adjourn_test::{at, engine, every_room, room};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::fake::{NextWrite, TestEngine, meeting, perform, request_for, test_engine};
use crate::restarts::Stopping;

fn with_meeting() -> TestEngine {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage
}

fn end() -> Action {
    request_for("a", ActionKind::End(Notify::Nobody))
}

/// The process is stopped on the way of its next write.
fn stop_for(stage: &TestEngine, seconds: i64) {
    let clock = stage.clock.clone();
    stage.calendar.next(NextWrite::Meanwhile(Box::new(move || clock.advance(TimeDelta::seconds(seconds)))));
}

fn intents(stage: &TestEngine) -> usize {
    stage.journal.facts().iter().filter(|(_, fact)| matches!(fact, Fact::Intended { .. })).count()
}

#[tokio::test(start_paused = true)]
async fn a_step_is_sent_while_its_intent_is_fresh() {
    let stage = with_meeting();
    stop_for(&stage, 2);
    assert!(matches!(perform(&stage, end()).await, Outcome::Done(_)));
    assert_eq!((intents(&stage), stage.calendar.effects()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stale_intent_is_stored_anew_before_its_step_is_sent() {
    for seconds in [3, 30] {
        let stage = with_meeting();
        stop_for(&stage, seconds);
        assert!(matches!(perform(&stage, end()).await, Outcome::Done(_)));
        assert_eq!((intents(&stage), stage.calendar.effects()), (2, 1), "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_a_minute_ago_is_not_sent() {
    let stage = with_meeting();
    stop_for(&stage, 60);
    let reads = stage.calendar.0.lock().unwrap().reads;
    assert!(matches!(perform(&stage, end()).await, Outcome::Done(_)));
    let state = stage.calendar.0.lock().unwrap();
    assert_eq!(state.writes.len(), 1, "the first step never left");
    assert!(state.reads >= reads + 2, "the event was read again");
    drop(state);
    assert_eq!(intents(&stage), 2);
}

#[tokio::test(start_paused = true)]
async fn a_meeting_that_was_moved_meanwhile_is_kept() {
    let stage = with_meeting();
    let (clock, calendar) = (stage.clock.clone(), stage.calendar.clone());
    stage.calendar.next(NextWrite::Meanwhile(Box::new(move || {
        clock.advance(TimeDelta::seconds(60));
        let key = (room("r1"), EventId::new("a"));
        calendar.0.lock().unwrap().touch(&key, |event| event.end = at(11, 0));
    })));
    let outcome = perform(&stage, end()).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert_eq!((stage.calendar.effects(), stage.calendar.get(&room("r1"), "a").unwrap().end), (0, at(11, 0)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_if_the_journal_cannot_store_the_intent_anew() {
    let stage = with_meeting();
    stop_for(&stage, 3);
    // Accepted and the first intent are stored; the process can store nothing after them.
    let process = stage.process_with(Stopping::new(&stage.journal, 3, false));
    let failed = process.perform(end(), Mode::Perform).await;
    assert!(matches!(failed, Err(JournalError::Unusable(_))), "{failed:?}");
    assert_eq!((intents(&stage), stage.calendar.effects()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_slower_than_an_intent_is_fresh_is_an_error_and_nothing_is_sent() {
    let stage = with_meeting();
    let (calendar, journal) = (Arc::new(stage.calendar.clone()), stage.journal.clone());
    let process =
        engine(calendar, journal, Arc::new(SlowDisk::default()), every_room(), EngineOptions::default());
    let failed = process.perform(end(), Mode::Perform).await;
    assert!(
        matches!(&failed, Err(JournalError::Unusable(why)) if why.contains("longer than 2s")),
        "{failed:?}"
    );
    assert_eq!((intents(&stage), stage.calendar.effects()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_stopped_each_time_gives_up() {
    let stage = with_meeting();
    for _ in 0..3 {
        stop_for(&stage, 60);
    }
    let outcome = perform(&stage, end()).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert_eq!((intents(&stage), stage.calendar.effects()), (3, 0));
}

/// The clock of a machine whose disk takes three seconds for an entry.
#[derive(Default)]
struct SlowDisk(AtomicU64);

impl Clock for SlowDisk {
    fn now(&self) -> DateTime<Utc> {
        at(9, 30)
    }

    fn since_boot(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(3, Ordering::SeqCst))
    }
}

/// Permits nothing once somebody has checked in.
struct UntilCheckIn(Arc<AtomicBool>);

#[async_trait]
impl Precondition for UntilCheckIn {
    async fn check(&self, _: &Event, _: DateTime<Utc>) -> Result<(), Refusal> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Refusal::Interrupted),
            false => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_in_on_the_way_to_the_server_keeps_the_meeting() {
    let stage = with_meeting();
    let (clock, checked_in) = (stage.clock.clone(), Arc::new(AtomicBool::new(false)));
    let person = checked_in.clone();
    stage.calendar.next(NextWrite::Meanwhile(Box::new(move || {
        clock.advance(TimeDelta::seconds(10));
        person.store(true, Ordering::SeqCst);
    })));
    let answer = stage.engine.perform_if(end(), Mode::Perform, &UntilCheckIn(checked_in)).await.unwrap();
    assert!(matches!(answer.outcome, Outcome::Refused { .. }), "{answer:?}");
    assert_eq!((intents(&stage), stage.calendar.effects()), (1, 0));
}
