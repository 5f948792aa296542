//! A request that arrives after its action was closed as one that changed nothing: it was frozen on the way for longer than any
//! request is waited for. The second look finds the change, the outcome stays as it was recorded, and a person has to look.

use std::sync::Arc;

use adjourn::action::{Action, ActionId, ActionKind, DeleteMode, Notify, Outcome, Refusal, RequestedMinutes};
use adjourn::calendar::EventId;
use adjourn::engine::{Engine, EngineOptions, Mode};
use adjourn::journal::{ActionRecord, ActionStatus, Fact, Journal, LateEffect, Query};
use adjourn_test::{at, engine, event, every_room, room};
use chrono::TimeDelta;

use crate::fake::{NextWrite, TestEngine, meeting, request_for, test_engine};
use crate::restarts::Stopping;

/// An action of which each process knows only that its step may have been sent: the first was stopped right after the intent, and the
/// request is still on its way. The next process closes it as interrupted.
async fn interrupted(action: &Action) -> (TestEngine, Arc<Engine>) {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::Late);
    // Accepted and the intent are stored; the process can store nothing after them.
    let first = stage.process_with(Stopping::new(&stage.journal, 3, false));
    assert!(first.perform(action.clone(), Mode::Perform).await.is_err());
    stage.clock.advance(TimeDelta::minutes(10));
    let second = stage.engine.clone();
    let recovered = second.recover().await.unwrap();
    assert_eq!(recovered.closed.len(), 1);
    assert_eq!(outcome_of(&stage, action).await, Outcome::Refused { refusal: Refusal::Interrupted });
    (stage, second)
}

async fn record_of(stage: &TestEngine, action: &Action) -> ActionRecord {
    stage.journal.action_record(action.id).await.unwrap().unwrap()
}

async fn outcome_of(stage: &TestEngine, action: &Action) -> Outcome {
    record_of(stage, action).await.outcome.unwrap()
}

fn delete() -> Action {
    request_for("a", ActionKind::Delete(DeleteMode::Silent))
}

fn arrive(stage: &TestEngine) {
    stage.calendar.0.lock().unwrap().land_late();
}

fn late_facts(stage: &TestEngine) -> usize {
    stage.journal.facts().iter().filter(|(_, fact)| matches!(fact, Fact::Late { .. })).count()
}

#[tokio::test(start_paused = true)]
async fn a_change_that_arrives_late_is_found_after_a_minute_or_after_ten() {
    for minutes in [1, 10] {
        for action in [delete(), request_for("a", ActionKind::End(Notify::Nobody))] {
            let (stage, engine) = interrupted(&action).await;
            if minutes == 10 {
                stage.clock.advance(TimeDelta::minutes(1));
                assert_eq!(engine.look_again().await, [], "nothing has arrived yet");
                stage.clock.advance(TimeDelta::minutes(8));
            }
            arrive(&stage);
            assert_eq!(engine.look_again().await, [], "not before its time");
            stage.clock.advance(TimeDelta::minutes(1));
            let late = engine.look_again().await;
            assert_eq!(late.len(), 1, "{action:?} after {minutes} min");
            let record = record_of(&stage, &action).await;
            assert_eq!((record.late, late_facts(&stage)), (Some(LateEffect::OnCalendar), 1));
            assert_eq!(
                record.outcome,
                Some(Outcome::Refused { refusal: Refusal::Interrupted }),
                "as recorded"
            );
            assert_eq!(ActionStatus::of(&record), ActionStatus::NeedsAttention);
            let attention = Query::default().with_status(ActionStatus::NeedsAttention);
            assert_eq!(stage.journal.find(&attention).await.unwrap(), [record]);
            stage.clock.advance(TimeDelta::hours(1));
            assert_eq!(engine.look_again().await, [], "it is reported once");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_that_changed_nothing_stays_refused() {
    let (stage, engine) = interrupted(&delete()).await;
    for _ in 0..12 {
        stage.clock.advance(TimeDelta::minutes(1));
        assert_eq!(engine.look_again().await, []);
    }
    assert_eq!((late_facts(&stage), stage.calendar.effects()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_looks_go_on_in_the_next_process() {
    let action = delete();
    let (stage, _) = interrupted(&action).await;
    arrive(&stage);
    stage.clock.advance(TimeDelta::minutes(2));
    let (calendar, clock) = (Arc::new(stage.calendar.clone()), Arc::new(stage.clock.clone()));
    let third = engine(calendar, stage.journal.clone(), clock, every_room(), EngineOptions::default());
    third.recover().await.unwrap();
    third.resume_second_looks().await.unwrap();
    assert_eq!(third.look_again().await, [], "the first look was due before the restart");
    stage.clock.advance(TimeDelta::minutes(8));
    assert_eq!(third.look_again().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_change_by_another_action_is_not_called_late() {
    let (stage, engine) = interrupted(&delete()).await;
    stage.calendar.0.lock().unwrap().late.clear();
    let outcome = engine.perform(delete(), Mode::Perform).await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    stage.clock.advance(TimeDelta::minutes(12));
    assert_eq!(engine.look_again().await, []);
    assert_eq!(late_facts(&stage), 0);
}

/// An extension whose reply was lost collides with another booking, and is taken back: that is its own change.
#[tokio::test(start_paused = true)]
async fn a_change_that_was_taken_back_is_not_called_late() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let extend = request_for("a", ActionKind::extend(RequestedMinutes::new(30).unwrap()));
    let beside = event("b", at(10, 0), at(11, 0));
    let calendar = stage.calendar.clone();
    stage.calendar.next(NextWrite::Meanwhile(Box::new(move || calendar.add(&room("r1"), beside))));
    stage.calendar.next(NextWrite::LostAfter);
    let outcome = stage.engine.perform(extend.clone(), Mode::Perform).await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Refused { refusal: Refusal::Collides { .. } }), "{outcome:?}");
    assert!(record_of(&stage, &extend).await.was_in_doubt);
    assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(10, 0));
    stage.clock.advance(TimeDelta::minutes(12));
    assert_eq!(stage.engine.look_again().await, []);
    assert_eq!(late_facts(&stage), 0);
}

/// The process was stopped after the intent, and the next one decides again at once, while the request is still on its way.
#[tokio::test(start_paused = true)]
async fn an_action_that_was_decided_again_after_a_crash_is_looked_at_too() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::Late);
    let first = stage.process_with(Stopping::new(&stage.journal, 3, false));
    let action = delete();
    assert!(first.perform(action.clone(), Mode::Perform).await.is_err());
    let key = (room("r1"), EventId::new("a"));
    stage.calendar.0.lock().unwrap().touch(&key, |event| event.end = at(11, 0));
    stage.engine.recover().await.unwrap();
    let record = record_of(&stage, &action).await;
    assert!(matches!(record.outcome, Some(Outcome::Refused { .. })), "{:?}", record.outcome);
    assert!(record.may_arrive_late(), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_cannot_be_read_is_looked_at_later() {
    let (stage, engine) = interrupted(&delete()).await;
    arrive(&stage);
    stage.calendar.0.lock().unwrap().blind = true;
    stage.clock.advance(TimeDelta::minutes(10));
    assert_eq!(engine.look_again().await, []);
    stage.calendar.0.lock().unwrap().blind = false;
    assert_eq!(engine.look_again().await, []);
    stage.clock.advance(TimeDelta::minutes(1));
    assert_eq!(engine.look_again().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_learns_of_the_late_change_instead_of_acting_again() {
    let mut action = delete();
    action.key = Some("door:1".parse().unwrap());
    let (stage, engine) = interrupted(&action).await;
    arrive(&stage);
    stage.clock.advance(TimeDelta::minutes(1));
    assert_eq!(engine.look_again().await.len(), 1);
    let repeated = Action { id: ActionId::random(), ..action.clone() };
    let answer = engine.perform(repeated, Mode::Perform).await.unwrap();
    assert_eq!((answer.action, answer.repeated), (action.id, true));
    assert!(
        matches!(&answer.outcome, Outcome::NeedsAttention { advice, .. } if advice.contains("shows the change")),
        "{:?}",
        answer.outcome
    );
    assert_eq!(stage.calendar.effects(), 1);
}
