//! Requests that arrive late, and replies that prove nothing about an earlier send: a write that may have been applied is in doubt
//! until the action is closed.

use adjourn::action::{Action, ActionKind, DeleteMode, Notify, Outcome, Refusal, Target, TimeRange};
use adjourn::calendar::{Event, EventId};
use adjourn::engine::{CalendarWriter as _, EndOrDelete, EngineOptions, Plan, plan};
use adjourn::exchange::Exchange;
use adjourn::journal::{ActionEntry, Fact, Journal};
use adjourn_test::{at, room};

use crate::fake::{NextWrite, TestEngine, meeting, perform, request_for, test_engine, test_engine_with};

const END: ActionKind = ActionKind::End(Notify::Nobody);
const TELL: ActionKind = ActionKind::Delete(DeleteMode::Notify);
const SILENT: ActionKind = ActionKind::Delete(DeleteMode::Silent);

fn request(ask: ActionKind) -> Action {
    request_for("a", ask)
}

fn with_meeting(stage: TestEngine) -> TestEngine {
    stage.calendar.add(&room("r1"), meeting("a"));
    stage
}

/// A process was killed when it had sent this and had no answer.
async fn killed_while_sending(stage: &TestEngine, action: &Action, before: &Event) {
    let request = EndOrDelete::of(action).unwrap();
    let server = stage.calendar.capabilities(&action.room);
    let Plan { step, done } = plan(request, before, at(9, 30), server).unwrap();
    let (before, done) = (Box::new(before.clone()), Box::new(done));
    for fact in [
        Fact::Accepted { action: Box::new(action.clone()) },
        Fact::Intended { step: step.clone(), before, done },
    ] {
        stage.journal.record(ActionEntry { action: action.id, at: at(9, 30), fact }).await.unwrap();
    }
    stage.calendar.0.lock().unwrap().late.push((room("r1"), step));
}

#[tokio::test(start_paused = true)]
async fn a_late_sending_and_its_repetition_are_one_deed() {
    for ask in [END, TELL, SILENT] {
        let stage = with_meeting(test_engine());
        stage.calendar.next(NextWrite::Late);
        let outcome = perform(&stage, request(ask)).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{ask:?}: {outcome:?}");
        assert_eq!(stage.calendar.effects(), 1, "{ask:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_sending_that_lands_before_the_last_decision_is_found() {
    for ask in [END, TELL, SILENT] {
        let stage =
            with_meeting(test_engine_with(EngineOptions { decisions_max: 1, ..EngineOptions::default() }));
        stage.calendar.next(NextWrite::Late);
        let outcome = perform(&stage, request(ask)).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{ask:?}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_with_oneself_that_nobody_can_look_into_is_not_called_refused() {
    for twice_or_late in [false, true] {
        let stage = with_meeting(test_engine());
        if twice_or_late {
            stage.calendar.next(NextWrite::Late);
            stage.calendar.next(NextWrite::ThenBlind);
        } else {
            stage.calendar.next(NextWrite::TwiceThenBlind);
        }
        let outcome = perform(&stage, request(END)).await;
        assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(9, 30));
        let in_doubt = matches!(outcome, Outcome::Refused { refusal: Refusal::StillInDoubt { .. } });
        assert!(in_doubt, "{outcome:?}");
    }
}

/// A page, or the code of a mail that was not sent, proves nothing: what cannot be looked up is not called refused.
#[tokio::test(start_paused = true)]
async fn a_failure_that_proves_nothing_is_not_called_refused_where_nobody_can_look() {
    for (ask, landed) in [END, TELL, SILENT].into_iter().flat_map(|ask| [(ask, true), (ask, false)]) {
        let stage = with_meeting(test_engine_with(EngineOptions {
            give_up_after: chrono::TimeDelta::zero(),
            ..EngineOptions::default()
        }));
        stage.calendar.next(NextWrite::UnprovenThenBlind { landed });
        let outcome = perform(&stage, request(ask)).await;
        assert!(matches!(outcome, Outcome::NeedsAttention { .. }), "{ask:?} {landed}: {outcome:?}");
        assert_eq!(stage.calendar.effects(), usize::from(landed));
    }
}

/// An edit proves that the first send was not applied; later sends are judged on their own.
#[tokio::test(start_paused = true)]
async fn doubt_outlives_a_conflict() {
    for ask in [END, TELL, SILENT] {
        let stage = with_meeting(test_engine());
        stage.calendar.next(NextWrite::LostBefore);
        stage.calendar.next(NextWrite::After(Box::new(|event| event.subject = None)));
        stage.calendar.next(NextWrite::Refuse);
        let begun = tokio::time::Instant::now();
        let outcome = perform(&stage, request(ask)).await;
        let refused = matches!(outcome, Outcome::Refused { refusal: Refusal::Exchange { .. } });
        assert!(refused, "{ask:?}: {outcome:?}");
        assert_eq!(stage.calendar.effects(), 0);
        // What nothing guards may land for ten seconds.
        assert!(ask != SILENT || begun.elapsed().as_secs() >= 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_forget_what_is_under_way() {
    for ask in [END, TELL, SILENT] {
        let stage = with_meeting(test_engine());
        killed_while_sending(&stage, &request(ask), &meeting("a")).await;
        let recovered = stage.engine.recover().await.unwrap();
        let outcome = recovered.closed[0].outcome.clone().unwrap();
        assert!(matches!(outcome, Outcome::Done(_)), "{ask:?}: {outcome:?}");
        assert_eq!(stage.calendar.effects(), 1, "{ask:?}");
    }
}

/// The machine's clock was ahead by an hour when the process stopped, and was set right before it started again.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_makes_nobody_wait_and_revives_nothing() {
    for ask in [END, TELL, SILENT] {
        let stage = with_meeting(test_engine());
        killed_while_sending(&stage, &request(ask), &meeting("a")).await;
        stage.calendar.0.lock().unwrap().late.clear();
        stage.clock.advance(chrono::TimeDelta::hours(-1));
        let begun = tokio::time::Instant::now();
        let recovered = stage.engine.recover().await.unwrap();
        let outcome = recovered.closed[0].outcome.clone().unwrap();
        assert_eq!(outcome, Outcome::Refused { refusal: Refusal::Interrupted }, "{ask:?}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
        assert_eq!(stage.calendar.effects(), 0, "{ask:?}");
    }
}

/// "Busy, nothing was done", and then no way to the server: nothing was done.
#[tokio::test(start_paused = true)]
async fn what_was_put_off_needs_no_attention() {
    for ask in [END, TELL, SILENT] {
        let stage = with_meeting(test_engine());
        stage.calendar.next(NextWrite::BusyThenBlind);
        let outcome = perform(&stage, request(ask)).await;
        assert!(
            matches!(outcome, Outcome::Refused { refusal: Refusal::Exchange { .. } }),
            "{ask:?}: {outcome:?}"
        );
    }
}

/// A delete request that was in flight arrives after someone moved the meeting: Exchange deletes any version.
#[tokio::test(start_paused = true)]
async fn a_late_deletion_that_nothing_guards_is_not_denied() {
    let stage = with_meeting(test_engine());
    stage.clock.advance(chrono::TimeDelta::seconds(-20));
    killed_while_sending(&stage, &request(SILENT), &meeting("a")).await;
    {
        let mut state = stage.calendar.0.lock().unwrap();
        let key = (room("r1"), EventId::new("a"));
        state.touch(&key, |event| event.end = at(11, 0));
        let (late, calendar) = (std::mem::take(&mut state.late), stage.calendar.clone());
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            for (room, step) in late {
                calendar.0.lock().unwrap().arrive(&room, &step, Exchange::CAPABILITIES);
            }
        });
    }
    let recovered = stage.engine.recover().await.unwrap();
    let outcome = recovered.closed[0].outcome.clone().unwrap();
    assert_eq!(stage.calendar.effects(), 1);
    assert!(!matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
}

/// Calendar repair restored an older version that someone else had ended at the same time.
#[tokio::test(start_paused = true)]
async fn an_end_of_another_item_is_not_claimed() {
    let stage = with_meeting(test_engine());
    killed_while_sending(&stage, &request(END), &meeting("a")).await;
    {
        let mut state = stage.calendar.0.lock().unwrap();
        state.late.clear();
        state.events.clear();
    }
    let other = Event { id: EventId::new("b"), end: at(9, 30), ..meeting("a") };
    stage.calendar.add(&room("r1"), other);
    let recovered = stage.engine.recover().await.unwrap();
    let outcome = recovered.closed[0].outcome.clone().unwrap();
    assert!(matches!(outcome, Outcome::NeedsAttention { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_a_refused_repetition_says_nothing_of_the_first_sending() {
    for ask in [END, TELL, SILENT] {
        let stage = with_meeting(test_engine());
        killed_while_sending(&stage, &request(ask), &meeting("a")).await;
        stage.calendar.0.lock().unwrap().late.clear();
        stage.calendar.next(NextWrite::Refuse);
        let recovered = stage.engine.recover().await.unwrap();
        let outcome = recovered.closed[0].outcome.clone().unwrap();
        let refused = matches!(outcome, Outcome::Refused { refusal: Refusal::Exchange { .. } });
        assert!(refused && stage.calendar.effects() == 0, "{ask:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_undo_that_meets_a_conflict_looks_again_whether_the_time_is_free() {
    for ask in [END, SILENT] {
        let stage = with_meeting(test_engine());
        let first = request(ask);
        let of = first.id;
        assert!(matches!(perform(&stage, first).await, Outcome::Done(_)));
        let calendar = stage.calendar.clone();
        stage.calendar.next(NextWrite::Booked(Box::new(Event {
            start: at(9, 40),
            end: at(10, 0),
            ..meeting("someone-else")
        })));
        let outcome = perform(&stage, request(ActionKind::Undo { of })).await;
        let Outcome::Refused { refusal: Refusal::Collides { events } } = outcome else {
            panic!("{ask:?}: {outcome:?}")
        };
        assert_eq!(events[0].id, EventId::new("someone-else"));
        assert_eq!(calendar.effects(), 1, "{ask:?}");
    }
}

#[tokio::test]
async fn what_the_organizer_extended_since_is_not_called_ended() {
    let stage = with_meeting(test_engine());
    assert!(matches!(perform(&stage, request(END)).await, Outcome::Done(_)));
    let key = (room("r1"), EventId::new("a"));
    let as_seen = || {
        let seen = Some(TimeRange { start: at(9, 0), end: at(10, 0) });
        Action { target: Target::Event { id: EventId::new("a"), seen }, ..request(END) }
    };
    let outcome = perform(&stage, as_seen()).await;
    assert!(matches!(outcome, Outcome::AlreadyDone { .. }), "{outcome:?}");
    stage.calendar.0.lock().unwrap().touch(&key, |event| event.end = at(9, 50));
    let outcome = perform(&stage, as_seen()).await;
    assert!(matches!(outcome, Outcome::Refused { refusal: Refusal::NotAsSeen { .. } }), "{outcome:?}");
}
