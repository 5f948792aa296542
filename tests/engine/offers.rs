//! A display offers exactly the actions that the engine accepts, for every combination of up to three items on a calendar.

use adjourn::action::{
    Action, ActionKind, AllDay, NoChangeReason, Notify, Outcome, Refusal, RequestedMinutes, Target,
};
use adjourn::calendar::{Copy, Event, FreeBusy};
use adjourn::cleanup::{RoomInfo, Rules};
use adjourn::clock::Clock as _;
use adjourn::engine::Mode;
use adjourn::live::{RoomCache, SILENCE_MAX};
use adjourn::presence::PresenceState;
use adjourn::service::{AllowedAction, RoomStatus, StatusInput, status};
use adjourn_test::{at, room};
use chrono::TimeDelta;
use std::sync::Arc;

use crate::fake::{TestEngine, meeting, request, test_engine};

/// It is 09:30:20.
fn items() -> Vec<Event> {
    let timed = |id, start, end| Event { start, end, ..meeting(id) };
    let seconds = |hour, minute, seconds| at(hour, minute) + TimeDelta::seconds(seconds);
    let whole_day = || Event { is_all_day: true, ..timed("day", at(0, 0), at(24, 0)) };
    vec![
        meeting("on"),
        timed("beside", at(9, 15), at(9, 50)),
        timed("placeholder", at(8, 0), at(12, 0)),
        timed("began-this-minute", at(9, 30), at(9, 31)),
        timed("ended-to-the-second", at(8, 30), seconds(9, 30, 10)),
        timed("ended-to-the-minute", at(8, 30), at(9, 30)),
        timed("within-the-minute", seconds(9, 30, 50), at(10, 30)),
        timed("next-minute", at(9, 31), at(10, 30)),
        timed("back-to-back", at(10, 0), at(11, 0)),
        timed("without-length", at(9, 45), at(9, 45)),
        whole_day(),
        Event { id: meeting("day-free").id, free_busy: FreeBusy::Free, ..whole_day() },
        Event { free_busy: FreeBusy::Free, ..meeting("free") },
        Event { free_busy: FreeBusy::Tentative, ..meeting("tentative") },
        Event { is_cancelled: true, ..meeting("cancelled") },
        Event { is_declined: true, ..meeting("declined") },
        Event { copy: None, ..meeting("unknown-copy") },
    ]
}

fn combinations() -> Vec<Vec<Event>> {
    let items = items();
    let mut all = vec![Vec::new()];
    for (first, one) in items.iter().enumerate() {
        all.push(vec![one.clone()]);
        for (second, two) in items.iter().enumerate().skip(first + 1) {
            all.push(vec![one.clone(), two.clone()]);
            all.extend(items[second + 1..].iter().map(|three| vec![one.clone(), two.clone(), three.clone()]));
        }
    }
    all
}

fn with(events: &[Event]) -> TestEngine {
    let stage = test_engine();
    events.iter().for_each(|event| stage.calendar.add(&room("r1"), event.clone()));
    stage
}

async fn shown(stage: &TestEngine) -> RoomStatus {
    let rooms = RoomCache::new(Arc::new(stage.calendar.clone()), Arc::new(stage.clock.clone()), SILENCE_MAX);
    let kept = rooms.get(&room("r1"), TimeDelta::zero()).await.unwrap();
    let view = StatusInput { calendar: &kept, presence: &PresenceState::default(), seen_since: &|_| None };
    status(&room("r1"), &view, (RoomInfo::default(), &Rules::default()), stage.clock.now())
}

async fn ask(stage: &TestEngine, ask: ActionKind, target: Target, all_day: AllDay, mode: Mode) -> Outcome {
    let action = Action { target, all_day, ..request(ask) };
    stage.engine.perform(action, mode).await.unwrap().outcome
}

fn accepted(outcome: &Outcome) -> bool {
    // A meeting of one minute has no earlier end.
    matches!(outcome, Outcome::Done(_) | Outcome::AlreadyDone { why: NoChangeReason::Over })
}

const END: ActionKind = ActionKind::End(Notify::Nobody);
const EXTEND: ActionKind = ActionKind::extend(RequestedMinutes::new(15).unwrap());

#[tokio::test]
async fn what_is_offered_is_what_is_accepted() {
    for events in combinations() {
        let names: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
        let stage = with(&events);
        let shown = shown(&stage).await;
        let offers = |may| shown.allowed_actions.contains(&may);
        let book = ask(
            &stage,
            ActionKind::book(RequestedMinutes::new(1).unwrap()),
            Target::Current,
            AllDay::Spare,
            Mode::DryRun,
        )
        .await;
        assert_eq!(offers(AllowedAction::Book), accepted(&book), "book, {names:?}: {book:?}");
        assert!(!offers(AllowedAction::Book) || !shown.is_busy(), "{names:?}");
        let Some(current) = &shown.current else {
            assert!(!offers(AllowedAction::End) && !offers(AllowedAction::Extend), "{names:?}");
            continue;
        };
        let named = || Target::Event { id: current.id.clone(), seen: None };
        for (may, wish) in [(AllowedAction::End, END), (AllowedAction::Extend, EXTEND)] {
            let outcome = ask(&stage, wish, named(), AllDay::Spare, Mode::DryRun).await;
            assert_eq!(offers(may), accepted(&outcome), "{wish:?}, {names:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_wish_without_a_name_means_the_one_timed_event_that_is_shown() {
    for events in combinations() {
        let names: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
        let stage = with(&events);
        let shown = shown(&stage).await;
        let timed: Vec<_> = shown.current_events.iter().filter(|event| !event.is_all_day).collect();
        let outcome = ask(&stage, END, Target::Current, AllDay::Spare, Mode::DryRun).await;
        match (timed.as_slice(), &outcome) {
            ([], Outcome::Refused { refusal: Refusal::NoCurrentEvent }) => {
                assert!(!shown.is_busy(), "{names:?}")
            }
            ([], Outcome::Refused { refusal: Refusal::AllDay }) => assert!(shown.is_busy(), "{names:?}"),
            ([one], Outcome::Done(done)) => assert_eq!(done.event.id, one.id, "{names:?}"),
            ([one], Outcome::AlreadyDone { why: NoChangeReason::Over }) => {
                assert!(one.end <= at(9, 31), "{names:?}")
            }
            ([one], Outcome::Refused { refusal: Refusal::UnknownCopy }) => assert_eq!(one.copy, None),
            (several, Outcome::Refused { refusal: Refusal::Ambiguous { events } }) => {
                let candidates: Vec<_> = events.iter().map(|event| &event.id).collect();
                assert_eq!(
                    candidates,
                    several.iter().map(|event| &event.id).collect::<Vec<_>>(),
                    "{names:?}"
                );
                assert!(several.len() > 1);
            }
            _ => panic!("{names:?}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn what_takes_more_time_overlaps_nothing_and_is_not_taken_back() {
    for events in combinations() {
        let names: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
        for wish in [ActionKind::book(RequestedMinutes::new(45).unwrap()), EXTEND] {
            let stage = with(&events);
            let outcome = ask(&stage, wish, Target::Current, AllDay::Spare, Mode::Perform).await;
            let Outcome::Done(_) = &outcome else {
                assert!(matches!(outcome, Outcome::Refused { .. }), "{names:?}: {outcome:?}");
                assert_eq!(
                    stage.calendar.writes(),
                    0,
                    "refused before anything is written: {wish:?}, {names:?}"
                );
                continue;
            };
            assert_eq!(stage.calendar.writes(), 1, "{wish:?}, {names:?}");
        }
    }
}

#[tokio::test]
async fn an_all_day_event_is_meant_where_the_caller_insists() {
    let day = |id| items().into_iter().find(|event| event.id.as_str() == id).unwrap();
    let end = |stage| async move { ask(&stage, END, Target::Current, AllDay::Include, Mode::DryRun).await };
    for id in ["day", "day-free"] {
        let alone = Event { id: meeting(id).id, ..day(id) };
        let Outcome::Done(done) = end(with(&[alone])).await else { panic!("{id}") };
        assert_eq!(done.event.id.as_str(), id);
    }
    let beside = end(with(&[day("day"), meeting("on")])).await;
    assert!(matches!(beside, Outcome::Refused { refusal: Refusal::Ambiguous { .. } }), "{beside:?}");
    let Outcome::Done(done) = end(with(&[day("day-free"), meeting("on")])).await else { panic!() };
    assert_eq!(done.event.id.as_str(), "on");
}

#[tokio::test]
async fn a_copy_that_was_declined_and_kept_is_not_declined_again() {
    use adjourn::action::DeleteMode;
    let declined = || Event { is_declined: true, ..meeting("a") };
    let named = || Target::Event { id: declined().id, seen: None };
    let stage = with(&[declined()]);
    let already = Outcome::AlreadyDone { why: NoChangeReason::Declined };
    let tell = ActionKind::Delete(DeleteMode::Notify);
    assert_eq!(ask(&stage, tell, named(), AllDay::Spare, Mode::Perform).await, already);
    assert_eq!(ask(&stage, END, named(), AllDay::Spare, Mode::Perform).await, already);
    let longer = ask(&stage, EXTEND, named(), AllDay::Spare, Mode::Perform).await;
    assert_eq!(longer, Outcome::Refused { refusal: Refusal::Declined });
    assert_eq!(stage.calendar.writes(), 0);
    stage.clock.advance(TimeDelta::hours(1));
    let silently = ActionKind::Delete(DeleteMode::Silent);
    let removed = ask(&stage, silently, named(), AllDay::Spare, Mode::Perform).await;
    assert!(matches!(removed, Outcome::Done(_)), "{removed:?}");
    let plain = Event { copy: Some(Copy::Plain), ..declined() };
    let stage = with(&[plain]);
    let removed = ask(&stage, tell, named(), AllDay::Spare, Mode::Perform).await;
    assert!(matches!(removed, Outcome::Done(_)), "no decline was sent: {removed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_decline_whose_reply_is_lost_is_found_in_a_calendar_that_keeps_the_copy() {
    use crate::fake::NextWrite;
    use adjourn::action::DeleteMode;
    let named = || Target::Event { id: meeting("on").id, seen: None };
    let tell = ActionKind::Delete(DeleteMode::Notify);
    let stage = with(&[meeting("on")]);
    stage.calendar.0.lock().unwrap().keeps_declined = true;
    stage.calendar.next(NextWrite::LostAfter);
    let declined = ask(&stage, tell, named(), AllDay::Spare, Mode::Perform).await;
    assert!(matches!(declined, Outcome::Done(_)), "{declined:?}");
    assert_eq!(stage.calendar.writes(), 1);

    let stage = with(&[meeting("on")]);
    stage.calendar.next(NextWrite::After(Box::new(|event| event.is_declined = true)));
    let by_an_assistant = ask(&stage, tell, named(), AllDay::Spare, Mode::Perform).await;
    assert_eq!(by_an_assistant, Outcome::AlreadyDone { why: NoChangeReason::Declined });
    assert_eq!(stage.calendar.effects(), 0, "the organizer gets one message");
}
