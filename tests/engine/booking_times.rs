//! Bookings of a later time, and extensions to an end: all of the time or nothing, and never two events at one time. It is 09:30:20.

use adjourn::action::{
    Action, ActionKind, BookingTime, Change, Outcome, Refusal, RequestedBound, RequestedEnd,
    RequestedMinutes, Step,
};
use adjourn::calendar::EventId;
use adjourn_test::{at, event, room};
use chrono::{DateTime, TimeDelta, Utc};

use crate::fake::{NextWrite, TestEngine, meeting, perform, request, test_engine};

fn minutes(minutes: u16) -> RequestedMinutes {
    RequestedMinutes::new(minutes).unwrap()
}

fn booking(start: DateTime<Utc>, end: DateTime<Utc>) -> Action {
    request(ActionKind::Book(BookingTime { start: Some(start), end: RequestedEnd::At(end) }))
}

fn until_next(start: DateTime<Utc>) -> Action {
    let end = RequestedEnd::AtMost(minutes(480));
    request(ActionKind::Book(BookingTime { start: Some(start), end }))
}

/// The times of the event that was booked, or the ids in the way.
async fn booked(stage: &TestEngine, action: Action) -> Result<(DateTime<Utc>, DateTime<Utc>), Vec<EventId>> {
    match perform(stage, action).await {
        Outcome::Done(done) => Ok((done.event.start, done.event.end)),
        Outcome::Refused { refusal: Refusal::Collides { events } } => {
            Err(events.into_iter().map(|event| event.id).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_later_time_is_booked_while_a_meeting_is_on() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("now"));
    stage.calendar.add(&room("r1"), event("next", at(14, 0), at(15, 0)));
    let subject = Some("Planning".parse().unwrap());
    let action = Action { subject, ..booking(at(13, 0), at(14, 0)) };
    assert_eq!(booked(&stage, action).await, Ok((at(13, 0), at(14, 0))));
    assert_eq!(booked(&stage, booking(at(11, 0), at(13, 30))).await.unwrap_err().len(), 1);
    assert_eq!(booked(&stage, booking(at(12, 0), at(16, 0))).await.unwrap_err().len(), 2);
    assert_eq!(booked(&stage, until_next(at(12, 0))).await, Ok((at(12, 0), at(13, 0))));
    assert_eq!(
        booked(&stage, until_next(at(15, 0))).await,
        Ok((at(15, 0), at(23, 0))),
        "480 minutes at most"
    );
    assert_eq!(booked(&stage, until_next(at(14, 30))).await.unwrap_err()[0], EventId::new("next"));
    let subjects: Vec<_> = stage
        .calendar
        .0
        .lock()
        .unwrap()
        .writes
        .iter()
        .map(|step| match step {
            Step::Book { subject, .. } => subject.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(subjects, ["Planning", "Booked at the door", "Booked at the door"]);
}

#[tokio::test]
async fn a_time_that_is_over_or_beyond_the_horizon_is_refused() {
    let stage = test_engine();
    let refused = async |action| match perform(&stage, action).await {
        Outcome::Refused { refusal: Refusal::TimeOutOfRange { bound, earliest, latest } } => {
            (bound, earliest, latest)
        }
        other => panic!("{other:?}"),
    };
    let seconds = TimeDelta::seconds(20);
    let starts = (RequestedBound::Start, at(9, 29) + seconds, at(17, 30) + seconds);
    assert_eq!(refused(booking(at(9, 28), at(10, 0))).await, starts);
    assert_eq!(refused(booking(at(17, 31), at(18, 0))).await, starts);
    let ends = (RequestedBound::End, at(10, 1), at(34, 0));
    assert_eq!(refused(booking(at(10, 0), at(10, 0))).await, ends);
    assert_eq!(refused(booking(at(10, 0), at(34, 1))).await, ends);
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test]
async fn whoever_books_the_later_time_at_the_same_moment_keeps_it() {
    let stage = test_engine();
    stage.calendar.next(NextWrite::Beside(Box::new(event("theirs", at(13, 30), at(14, 30)))));
    assert_eq!(booked(&stage, booking(at(13, 0), at(14, 0))).await, Err(vec![EventId::new("theirs")]));
    let left: Vec<_> =
        stage.calendar.0.lock().unwrap().events.values().map(|event| event.id.clone()).collect();
    assert_eq!(left, [EventId::new("theirs")]);
}

#[tokio::test(start_paused = true)]
async fn a_later_booking_whose_answer_was_lost_is_made_once() {
    for lost in [NextWrite::LostAfter, NextWrite::LostBefore, NextWrite::Late] {
        let stage = test_engine();
        stage.calendar.next(lost);
        assert_eq!(booked(&stage, booking(at(13, 0), at(14, 0))).await, Ok((at(13, 0), at(14, 0))));
        let state = stage.calendar.0.lock().unwrap();
        assert_eq!(state.events.len(), 1);
    }
}

#[tokio::test]
async fn a_later_booking_is_undone() {
    let stage = test_engine();
    let action = booking(at(13, 0), at(14, 0));
    let of = action.id;
    assert!(booked(&stage, action).await.is_ok());
    let Outcome::Done(done) = perform(&stage, request(ActionKind::Undo { of })).await else { panic!() };
    assert_eq!(done.change, Change::Removed);
    assert!(stage.calendar.0.lock().unwrap().events.is_empty());
}

#[tokio::test]
async fn an_extension_to_an_end_gets_all_of_it_or_nothing() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.add(&room("r1"), event("next", at(11, 0), at(12, 0)));
    let to = |end| request(ActionKind::Extend(RequestedEnd::At(end)));
    let beyond = perform(&stage, to(at(11, 1))).await;
    assert!(matches!(beyond, Outcome::Refused { refusal: Refusal::Collides { .. } }), "{beyond:?}");
    let earlier = perform(&stage, to(at(10, 0))).await;
    assert!(matches!(earlier, Outcome::Refused { refusal: Refusal::TimeOutOfRange { .. } }), "{earlier:?}");
    assert_eq!(stage.calendar.writes(), 0);
    let Outcome::Done(done) = perform(&stage, to(at(11, 0) + TimeDelta::milliseconds(300))).await else {
        panic!()
    };
    assert_eq!(done.change, Change::Extended { from: at(10, 0), to: at(11, 0) });
}
