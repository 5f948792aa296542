//! An answer claims only what is known: "not found" does not prove that an event existed, a failure after the write does not prove
//! that nothing was written, and a mailbox that could not be read is read again later.

use adjourn::action::{
    Action, ActionId, ActionKind, Change, DeleteMode, NoChangeReason, Notified, Notify, Outcome, Refusal,
    RequestedMinutes, ResponsibleParty,
};
use adjourn::calendar::{Copy, Event, EventId};
use adjourn::engine::{EngineOptions, Mode};
use adjourn::journal::{Chain, Fact, Journal};
use adjourn_test::{at, room};
use chrono::TimeDelta;

use crate::fake::{
    NextWrite, TestEngine, meeting, perform, request, request_for, test_engine, test_engine_with,
};

const END: ActionKind = ActionKind::End(Notify::Attendees);
const TELL: ActionKind = ActionKind::Delete(DeleteMode::Notify);
const SILENT: ActionKind = ActionKind::Delete(DeleteMode::Silent);

fn with(event: Event) -> TestEngine {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), event);
    stage
}

fn kept(copy: Copy) -> TestEngine {
    let stage = with(Event { copy: Some(copy), ..meeting("a") });
    stage.calendar.0.lock().unwrap().keeps_declined = true;
    stage
}

fn told(outcome: &Outcome) -> Notified {
    let Outcome::Done(done) = outcome else { panic!("{outcome:?}") };
    done.notified
}

#[tokio::test]
async fn what_was_changed_before_and_is_gone_now_is_already_gone() {
    let stage = with(meeting("a"));
    assert!(matches!(perform(&stage, request_for("a", END)).await, Outcome::Done(_)));
    stage.calendar.0.lock().unwrap().events.clear();
    assert_eq!(
        perform(&stage, request_for("a", TELL)).await,
        Outcome::AlreadyDone { why: NoChangeReason::Gone }
    );
}

/// The organizer changed the series: the date is on, under another id.
#[tokio::test]
async fn what_is_there_under_another_id_is_neither_gone_nor_touched() {
    let stage = with(meeting("a"));
    assert!(matches!(perform(&stage, request_for("a", END)).await, Outcome::Done(_)));
    stage.calendar.0.lock().unwrap().events.clear();
    stage.calendar.add(&room("r1"), Event { id: EventId::new("b"), ..meeting("a") });
    for ask in [TELL, SILENT] {
        let outcome = perform(&stage, request_for("a", ask)).await;
        let changed =
            matches!(outcome, Outcome::Refused { refusal: Refusal::ChangedMeanwhile { is: Some(_), .. } });
        assert!(changed, "{outcome:?}");
    }
    assert_eq!(stage.calendar.effects(), 1);
}

#[tokio::test]
async fn an_id_in_graphs_spelling_names_what_was_done_under_ews_spelling() {
    let stage = with(Event { id: EventId::new("AA/b+c="), ..meeting("a") });
    let first = request_for("AA/b+c=", TELL);
    let id = first.id;
    assert!(matches!(perform(&stage, first).await, Outcome::Done(_)));
    let again = perform(&stage, request_for("AA-b_c=", TELL)).await;
    assert_eq!(again, Outcome::AlreadyDone { why: NoChangeReason::ByAction { action: id } });
}

#[tokio::test]
async fn an_end_is_not_given_back_to_what_is_gone() {
    let stage = with(meeting("a"));
    let first = request_for("a", END);
    let of = first.id;
    assert!(matches!(perform(&stage, first).await, Outcome::Done(_)));
    stage.calendar.0.lock().unwrap().events.clear();
    let outcome = perform(&stage, request(ActionKind::Undo { of })).await;
    let gone = matches!(outcome, Outcome::Refused { refusal: Refusal::ChangedMeanwhile { is: None, .. } });
    assert!(gone, "{outcome:?}");
}

#[tokio::test]
async fn a_write_that_is_not_let_in_is_no_proof_that_the_event_is_gone() {
    for ask in [END, TELL, SILENT] {
        let stage = with(meeting("a"));
        stage.calendar.next(NextWrite::NoRights);
        let outcome = perform(&stage, request_for("a", ask)).await;
        let Outcome::Refused { refusal: Refusal::Exchange { responsible, .. } } = outcome else {
            panic!("{ask:?}: {outcome:?}")
        };
        assert_eq!(responsible, ResponsibleParty::Administrator);
        assert!(stage.calendar.get(&room("r1"), "a").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_calendar_keeps_marked_is_known_and_not_sent_twice() {
    for (copy, who) in [(Copy::Attendee, Notified::Organizer), (Copy::Organizer, Notified::Attendees)] {
        let stage = kept(copy);
        stage.calendar.next(NextWrite::LostAfter);
        assert_eq!(told(&perform(&stage, request_for("a", TELL)).await), who, "its message is in Sent Items");
        let again = perform(&stage, request_for("a", TELL)).await;
        assert!(!matches!(again, Outcome::Done(_)), "{again:?}");
        assert_eq!(stage.calendar.writes(), 1);
    }
}

/// The request hung; the server thaws just before the next one.
#[tokio::test(start_paused = true)]
async fn a_server_that_thaws_sends_one_message() {
    for copy in [Copy::Attendee, Copy::Organizer] {
        let stage = kept(copy);
        stage.calendar.next(NextWrite::Late);
        let calendar = stage.calendar.clone();
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_secs(6)).await;
            calendar.0.lock().unwrap().land_late();
        });
        assert!(matches!(perform(&stage, request_for("a", TELL)).await, Outcome::Done(_)));
        assert_eq!((stage.calendar.writes(), stage.calendar.0.lock().unwrap().sent.len()), (1, 1));
    }
}

#[tokio::test]
async fn a_meeting_that_is_declined_already_is_not_declined_again() {
    let stage = with(Event { is_declined: true, ..meeting("a") });
    assert_eq!(
        perform(&stage, request_for("a", TELL)).await,
        Outcome::AlreadyDone { why: NoChangeReason::Declined }
    );
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_write_claims_no_message() {
    for (copy, ask) in [(Copy::Organizer, END), (Copy::Organizer, TELL), (Copy::Attendee, TELL)] {
        let stage = kept(copy);
        stage.calendar.next(NextWrite::DoneButRefused);
        assert_eq!(
            told(&perform(&stage, request_for("a", ask)).await),
            Notified::Unknown,
            "{copy:?} {ask:?}"
        );
        let stage = kept(copy);
        stage.calendar.next(NextWrite::Refuse);
        let outcome = perform(&stage, request_for("a", ask)).await;
        assert!(matches!(outcome, Outcome::Refused { refusal: Refusal::Exchange { .. } }), "{outcome:?}");
    }
    // A lost answer to an update of the attendees: the end is set, the mail may have failed.
    let stage = with(Event { copy: Some(Copy::Organizer), ..meeting("a") });
    stage.calendar.next(NextWrite::LostAfter);
    assert_eq!(told(&perform(&stage, request_for("a", END)).await), Notified::Unknown);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let stage = with(meeting("a"));
    let press = || Action { key: Some("press-1".parse().unwrap()), ..request(END) };
    assert!(matches!(perform(&stage, press()).await, Outcome::Done(_)));
    stage.clock.advance(TimeDelta::hours(23));
    let again = stage.engine.perform(press(), Mode::Perform).await.unwrap();
    assert!(again.repeated);
    stage.clock.advance(TimeDelta::hours(1));
    let (start, end) = (at(33, 0), at(34, 0));
    stage.calendar.add(&room("r1"), Event { start, end, ..meeting("tomorrow") });
    let next = stage.engine.perform(press(), Mode::Perform).await.unwrap();
    assert!(!next.repeated);
    assert_eq!(stage.calendar.get(&room("r1"), "tomorrow").unwrap().end, at(33, 30));
}

#[tokio::test]
async fn the_action_on_another_meeting_is_not_named() {
    let stage = with(meeting("a"));
    stage.clock.advance(TimeDelta::minutes(-15));
    let first = request(END);
    let id = first.id;
    assert!(matches!(perform(&stage, first).await, Outcome::Done(_)));
    let pressed_again = || perform(&stage, request(END));
    assert_eq!(pressed_again().await, Outcome::AlreadyDone { why: NoChangeReason::ByAction { action: id } });
    // Another meeting was on since, and its organizer ended it.
    stage.clock.advance(TimeDelta::minutes(15));
    stage.calendar.add(&room("r1"), Event { start: at(9, 20), end: at(9, 29), ..meeting("b") });
    assert_eq!(pressed_again().await, Outcome::Refused { refusal: Refusal::NoCurrentEvent });
    // One is on whose minute is all it has.
    stage.calendar.add(&room("r1"), Event { start: at(9, 30), end: at(9, 31), ..meeting("c") });
    assert_eq!(pressed_again().await, Outcome::AlreadyDone { why: NoChangeReason::Over });
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_was_made_twice_becomes_one() {
    for next in [NextWrite::Twice, NextWrite::LostAfter] {
        let stage = test_engine();
        stage.calendar.next(next);
        let outcome = perform(&stage, request(ActionKind::book(RequestedMinutes::new(30).unwrap()))).await;
        let Outcome::Done(done) = outcome else { panic!("{outcome:?}") };
        assert_eq!(done.change, Change::Booked);
        let events: Vec<_> = stage.calendar.0.lock().unwrap().events.values().cloned().collect();
        assert_eq!((events.len(), &events[0].id), (1, &done.event.id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_was_not_made_is_made_once_more_after_a_look() {
    let stage = test_engine();
    stage.calendar.next(NextWrite::LostBefore);
    let outcome = perform(&stage, request(ActionKind::book(RequestedMinutes::new(30).unwrap()))).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!((stage.calendar.effects(), stage.calendar.writes()), (1, 2));
}

fn see(stage: &TestEngine, can: bool) {
    stage.calendar.0.lock().unwrap().blind = !can;
}

/// An outage of seconds: the answer is lost, and the mailbox cannot be read for a while.
#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_beside_everything_else() {
    for ask in [END, TELL, SILENT] {
        let stage = with(meeting("a"));
        stage.calendar.next(NextWrite::LostThenBlind { landed: true });
        let action = Action { key: Some("press-1".parse().unwrap()), ..request_for("a", ask) };
        let (id, again) = (action.id, Action { id: ActionId::random(), ..action.clone() });
        let first = stage.engine.perform(action, Mode::Perform).await.unwrap();
        assert!(first.is_in_doubt(), "{ask:?}");
        let repeated = stage.engine.perform(again, Mode::Perform).await.unwrap();
        assert!(repeated.is_in_doubt() && repeated.action == id, "{ask:?}");
        assert_eq!(
            stage.engine.recover_idle_rooms().await.unwrap().closed,
            [],
            "{ask:?}: nothing can be read yet"
        );
        see(&stage, true);
        let settled = stage.engine.recover_idle_rooms().await.unwrap().closed;
        assert!(settled[0].done().is_some(), "{ask:?}: {settled:?}");
        assert_eq!(stage.calendar.writes(), 1, "{ask:?}");
    }
}

/// Closed for a person to look at, since nothing could be read for an hour; then it can.
#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_settled_when_the_mailbox_can_be_read_again() {
    for landed in [true, false] {
        let stage =
            with_options(EngineOptions { give_up_after: TimeDelta::zero(), ..EngineOptions::default() });
        stage.calendar.next(NextWrite::LostThenBlind { landed });
        let answer = stage.engine.perform(request_for("a", END), Mode::Perform).await.unwrap();
        assert!(matches!(answer.outcome, Outcome::NeedsAttention { recheck: true, .. }), "{answer:?}");
        assert_eq!(stage.engine.recover().await.unwrap().settled, []);
        see(&stage, true);
        let settled = stage.engine.recover().await.unwrap().settled;
        assert_eq!(settled[0].done().is_some(), landed, "{settled:?}");
        assert!(!settled[0].needs_recheck());
        let facts = stage.journal.facts();
        assert!(matches!(facts.last().unwrap().1, Fact::Settled { .. }));
        let mut chain = Chain::default();
        stage.journal.entries(1, 100).await.unwrap().iter().for_each(|sealed| chain.check(sealed).unwrap());
        assert_eq!(stage.engine.recover().await.unwrap().settled, [], "settled once");
    }
}

fn with_options(options: EngineOptions) -> TestEngine {
    let stage = test_engine_with(options);
    stage.calendar.add(&room("r1"), meeting("a"));
    stage
}
