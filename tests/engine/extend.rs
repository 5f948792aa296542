//! Extending and booking: until the next event at most, and never two events at one time.

use adjourn::action::{
    Action, ActionKind, Change, Notified, Notify, Outcome, Refusal, RequestedMinutes, Reversibility, Step,
    Target, TimeRange,
};
use adjourn::calendar::{Copy, Event, EventId};
use adjourn::engine::Mode;
use adjourn_test::{at, room};
use chrono::TimeDelta;

use crate::fake::{NextWrite, TestEngine, meeting, request, request_for, test_engine};

async fn perform(stage: &TestEngine, ask: ActionKind) -> Outcome {
    crate::fake::perform(stage, request(ask)).await
}

fn busy(id: &str, from: (u32, u32), to: (u32, u32)) -> Event {
    Event { start: at(from.0, from.1), end: at(to.0, to.1), ..meeting(id) }
}

fn next_one(stage: &TestEngine, from: (u32, u32)) {
    stage.calendar.add(&room("r1"), busy("next", from, (12, 0)));
}

fn collides(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { refusal: Refusal::Collides { events } } if events.len() == 1)
}

const EXTEND: ActionKind = ActionKind::extend(RequestedMinutes::new(30).unwrap());
const BOOK: ActionKind = ActionKind::book(RequestedMinutes::new(45).unwrap());

#[tokio::test]
async fn a_meeting_lasts_longer_until_the_next_one_at_most() {
    for (next, until) in [((11, 0), (10, 30)), ((10, 20), (10, 20))] {
        let stage = test_engine();
        stage.calendar.add(&room("r1"), Event { copy: Some(Copy::Organizer), ..meeting("a") });
        next_one(&stage, next);
        let Outcome::Done(done) = perform(&stage, EXTEND).await else { panic!() };
        assert_eq!(done.change, Change::Extended { from: at(10, 0), to: at(until.0, until.1) });
        assert_eq!((done.notified, done.reversibility), (Notified::Attendees, Reversibility::Reversible));
        assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(until.0, until.1));
    }
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    next_one(&stage, (10, 0));
    assert!(collides(&perform(&stage, EXTEND).await));
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test]
async fn only_what_is_on_lasts_longer() {
    let stage = test_engine();
    assert_eq!(perform(&stage, EXTEND).await, Outcome::Refused { refusal: Refusal::NoCurrentEvent });
    next_one(&stage, (11, 0));
    let named = |id| request_for(id, EXTEND);
    let ahead = stage.engine.perform(named("next"), Mode::Perform).await.unwrap().outcome;
    assert!(matches!(ahead, Outcome::Refused { refusal: Refusal::NotCurrent { .. } }), "{ahead:?}");
    let gone = stage.engine.perform(named("gone"), Mode::Perform).await.unwrap().outcome;
    assert_eq!(gone, Outcome::Refused { refusal: Refusal::EventNotFound });
}

#[tokio::test]
async fn asked_again_with_what_was_seen_it_lasts_longer_only_once() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let seen = Some(TimeRange { start: at(9, 0), end: at(10, 0) });
    let ask = || Action { target: Target::Event { id: EventId::new("a"), seen }, ..request(EXTEND) };
    assert!(matches!(stage.engine.perform(ask(), Mode::Perform).await.unwrap().outcome, Outcome::Done(_)));
    let again = stage.engine.perform(ask(), Mode::Perform).await.unwrap().outcome;
    assert!(matches!(again, Outcome::AlreadyDone { .. }), "{again:?}");
    assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(10, 30));
}

#[tokio::test]
async fn a_free_room_is_booked_until_the_next_event_at_most() {
    for (next, until) in [((11, 0), (10, 15)), ((9, 50), (9, 50))] {
        let stage = test_engine();
        next_one(&stage, next);
        let Outcome::Done(done) = perform(&stage, BOOK).await else { panic!() };
        assert_eq!((done.change, done.copy, done.notified), (Change::Booked, Copy::Plain, Notified::Nobody));
        assert_eq!((done.event.start, done.event.end), (at(9, 30), at(until.0, until.1)));
        let made =
            stage.calendar.get(&room("r1"), done.event.id.as_str()).expect("it is there under this id");
        assert_eq!(made.subject.as_deref(), Some("Booked at the door"));
    }
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    assert!(collides(&perform(&stage, BOOK).await));
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test]
async fn whoever_came_at_the_same_moment_keeps_the_room() {
    let stage = test_engine();
    stage.calendar.next(NextWrite::Beside(Box::new(busy("theirs", (9, 30), (10, 0)))));
    assert!(collides(&perform(&stage, BOOK).await));
    let left: Vec<_> =
        stage.calendar.0.lock().unwrap().events.values().map(|event| event.id.clone()).collect();
    assert_eq!(left, [EventId::new("theirs")]);

    let stage = self::test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::Beside(Box::new(busy("theirs", (10, 15), (11, 0)))));
    assert!(collides(&perform(&stage, EXTEND).await));
    assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_booking_whose_answer_was_lost_is_found_and_never_made_twice() {
    let stage = test_engine();
    stage.calendar.next(NextWrite::LostAfter);
    assert!(matches!(perform(&stage, BOOK).await, Outcome::Done(_)));
    assert_eq!(stage.calendar.writes(), 1);

    let stage = self::test_engine();
    stage.calendar.next(NextWrite::LostBefore);
    let outcome = perform(&stage, BOOK).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!((stage.calendar.writes(), stage.calendar.effects()), (2, 1), "after a look at the calendar");
}

#[tokio::test]
async fn both_can_be_undone() {
    let stage = test_engine();
    let undo = |of| request(ActionKind::Undo { of });
    let booked = stage.engine.perform(request(BOOK), Mode::Perform).await.unwrap();
    let undone = stage.engine.perform(undo(booked.action), Mode::Perform).await.unwrap().outcome;
    assert!(matches!(&undone, Outcome::Done(done) if done.change == Change::Removed), "{undone:?}");

    stage.calendar.add(&room("r1"), meeting("a"));
    let extended = stage.engine.perform(request(EXTEND), Mode::Perform).await.unwrap();
    let undone = stage.engine.perform(undo(extended.action), Mode::Perform).await.unwrap().outcome;
    let restored = Change::EndRestored { from: at(10, 30), to: at(10, 0) };
    assert!(matches!(&undone, Outcome::Done(done) if done.change == restored), "{undone:?}");
    assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(10, 0));
}

#[tokio::test]
async fn what_was_ended_can_be_booked_in_the_same_minute() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    assert!(matches!(perform(&stage, ActionKind::End(Notify::Nobody)).await, Outcome::Done(_)));
    let booked = perform(&stage, BOOK).await;
    assert!(matches!(&booked, Outcome::Done(done) if done.event.start == at(9, 30)), "{booked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_take_back_that_was_interrupted_is_finished() {
    for ask in [BOOK, EXTEND] {
        let stage = test_engine();
        let theirs = match ask {
            ActionKind::Book(_) => busy("theirs", (9, 30), (10, 0)),
            _ => {
                stage.calendar.add(&room("r1"), meeting("a"));
                busy("theirs", (10, 15), (11, 0))
            }
        };
        stage.calendar.next(NextWrite::Beside(Box::new(theirs)));
        // The process ends after it has stored that it takes its own back.
        let stopped = crate::restarts::Stopping::new(&stage.journal, 3, true);
        let engine = stage.process_with(stopped);
        engine.perform(request(ask), Mode::Perform).await.unwrap_err();
        assert_eq!(stage.calendar.effects(), 1, "{ask:?}");
        stage.clock.advance(TimeDelta::seconds(10));
        let recovered = stage.engine.recover().await.unwrap();
        assert!(collides(recovered.closed[0].outcome.as_ref().unwrap()), "{ask:?}: {recovered:?}");
        let steps = stage.calendar.0.lock().unwrap().writes.clone();
        assert!(matches!(steps.last(), Some(Step::Remove { .. } | Step::SetEnd { .. })), "{steps:?}");
        assert_eq!(stage.calendar.effects(), 2, "{ask:?}");
    }
}

#[tokio::test]
async fn an_undo_gives_way_to_who_booked_at_the_same_moment() {
    for ask in [ActionKind::End(Notify::Nobody), ActionKind::Delete(adjourn::action::DeleteMode::Silent)] {
        let stage = test_engine();
        stage.calendar.add(&room("r1"), meeting("a"));
        let first = request_for("a", ask);
        let of = first.id;
        assert!(matches!(
            stage.engine.perform(first, Mode::Perform).await.unwrap().outcome,
            Outcome::Done(_)
        ));
        stage.calendar.next(NextWrite::Beside(Box::new(busy("theirs", (9, 40), (10, 0)))));
        assert!(collides(&perform(&stage, ActionKind::Undo { of }).await), "{ask:?}");
        let events = stage.calendar.0.lock().unwrap().events.clone();
        let at_quarter_to = events.values().filter(|event| event.is_on(at(9, 45))).count();
        assert_eq!(at_quarter_to, 1, "{ask:?}: {events:?}");
    }
}
