//! Rooms of servers that can do less, or guarantee less, than Exchange. The engine refuses, waits or asks a person; it never claims
//! an outcome that it cannot know.

use std::time::Duration;

use adjourn::action::{
    Action, ActionKind, Change, DeleteMode, IrreversibleReason, Notified, Notify, Outcome, Refusal,
    RequestedMinutes, ResponsibleParty, Reversibility, Step, Target, TimeRange,
};
use adjourn::calendar::{ChangeKey, Copy, Event, EventId, Uid};
use adjourn::engine::{
    Capabilities, EngineOptions, GuardedSteps, Mode, ReadableTraces, SilentRemoval, SilentRemovals,
};
use adjourn::exchange::Exchange;
use adjourn::journal::Journal as _;
use adjourn_test::room;
use chrono::TimeDelta;

use crate::fake::{NextWrite, TestEngine, meeting, request_for, test_engine, test_engine_with};

const TELL: ActionKind = ActionKind::Delete(DeleteMode::Notify);
const SILENT: ActionKind = ActionKind::Delete(DeleteMode::Silent);
const NO_TRACES: Capabilities = Capabilities {
    traces: ReadableTraces { sent_items: false, deleted_items: false },
    ..Exchange::CAPABILITIES
};
const NO_GUARDS: Capabilities = Capabilities {
    guarded: GuardedSteps { set_end: false, decline: false, cancel: false, remove: false, move_back: false },
    ..Exchange::CAPABILITIES
};

/// A meeting in a room of such a server.
fn on(server: Capabilities, copy: Copy) -> TestEngine {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), Event { copy: Some(copy), ..meeting("a") });
    stage.calendar.0.lock().unwrap().server = Some(server);
    stage
}

fn request(kind: ActionKind) -> Action {
    request_for("a", kind)
}

async fn perform(stage: &TestEngine, kind: ActionKind) -> Outcome {
    crate::fake::perform(stage, request(kind)).await
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_needs_a_person_where_no_folder_shows_what_became_of_the_event() {
    for kind in [TELL, SILENT] {
        let stage = on(NO_TRACES, Copy::Attendee);
        stage.calendar.next(NextWrite::LostAfter);
        let outcome = perform(&stage, kind).await;
        let Outcome::NeedsAttention { advice, recheck, .. } = &outcome else { panic!("{outcome:?}") };
        assert!(advice.contains("cannot read the folder"), "{advice}");
        assert!(!recheck, "the account's rights do not change by waiting");
        assert_eq!(stage.calendar.writes(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_arrives_needs_no_folder() {
    for (kind, change) in [(TELL, Change::Declined), (SILENT, Change::Removed)] {
        let outcome = perform(&on(NO_TRACES, Copy::Attendee), kind).await;
        let Outcome::Done(done) = &outcome else { panic!("{outcome:?}") };
        assert_eq!(done.change, change);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_lost_on_its_way_is_still_sent_again() {
    for kind in [TELL, SILENT] {
        let stage = on(NO_TRACES, Copy::Attendee);
        stage.calendar.next(NextWrite::LostBefore);
        assert!(matches!(perform(&stage, kind).await, Outcome::Done(_)), "{kind:?}");
        assert_eq!(stage.calendar.effects(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_cannot_be_moved_back_is_irreversible() {
    let no_way_back = Capabilities { can_move_back: false, ..Exchange::CAPABILITIES };
    for server in [no_way_back, NO_TRACES] {
        let stage = on(server, Copy::Attendee);
        let removal = request(SILENT);
        let of = removal.id;
        let outcome = stage.engine.perform(removal, Mode::Perform).await.unwrap().outcome;
        let Outcome::Done(done) = &outcome else { panic!("{outcome:?}") };
        let because = IrreversibleReason::ServerCannotRestore;
        assert_eq!(done.reversibility, Reversibility::Irreversible { because });
        let undo = perform(&stage, ActionKind::Undo { of }).await;
        assert_eq!(undo, Outcome::Refused { refusal: Refusal::NotUndoable { because } });
        assert_eq!(stage.calendar.writes(), 1);
    }
}

/// The room moved to another server since.
#[tokio::test(start_paused = true)]
async fn a_removal_of_an_earlier_server_is_not_undone_on_one_that_cannot() {
    let stage = on(Exchange::CAPABILITIES, Copy::Attendee);
    let removal = request(SILENT);
    let of = removal.id;
    assert!(matches!(stage.engine.perform(removal, Mode::Perform).await.unwrap().outcome, Outcome::Done(_)));
    stage.calendar.0.lock().unwrap().server = Some(NO_TRACES);
    let because = IrreversibleReason::ServerCannotRestore;
    let undo = perform(&stage, ActionKind::Undo { of }).await;
    assert_eq!(undo, Outcome::Refused { refusal: Refusal::NotUndoable { because } });
    assert_eq!(stage.calendar.writes(), 1);
}

/// Removes the event of `r1` on a server that moves nothing back, and asks for the undo.
async fn remove_and_undo(stage: &TestEngine, before_undo: impl FnOnce(&TestEngine)) -> Outcome {
    let removal = request(SILENT);
    let of = removal.id;
    assert!(matches!(stage.engine.perform(removal, Mode::Perform).await.unwrap().outcome, Outcome::Done(_)));
    before_undo(stage);
    let any = Action { target: Target::Current, ..request(ActionKind::Undo { of }) };
    stage.engine.perform(any, Mode::Perform).await.unwrap().outcome
}

fn bookings(stage: &TestEngine) -> Vec<Event> {
    let state = stage.calendar.0.lock().unwrap();
    let made = |event: &&Event| event.uid.as_ref().is_some_and(|uid| uid.as_str().starts_with("adjourn-"));
    state.events.values().filter(made).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_plain_event_is_booked_again_where_nothing_is_moved_back() {
    for fate in [None, Some(NextWrite::LostAfter), Some(NextWrite::LostBefore), Some(NextWrite::Twice)] {
        let stage = on(NO_TRACES, Copy::Plain);
        let undone = remove_and_undo(&stage, |stage| {
            if let Some(fate) = fate {
                stage.calendar.next(fate);
            }
        })
        .await;
        let Outcome::Done(done) = &undone else { panic!("{undone:?}") };
        let because = IrreversibleReason::IsAnUndo;
        assert_eq!(done.change, Change::Booked);
        assert_eq!(done.reversibility, Reversibility::Irreversible { because });
        let [booking] = &bookings(&stage)[..] else { panic!("{:?}", bookings(&stage)) };
        let removed = meeting("a");
        assert_eq!((booking.start, booking.end), (removed.start, removed.end));
    }
}

#[tokio::test(start_paused = true)]
async fn a_removed_event_is_not_booked_again_over_another_one_or_with_less_privacy() {
    let stage = on(NO_TRACES, Copy::Plain);
    let undone = remove_and_undo(&stage, |stage| stage.calendar.add(&room("r1"), meeting("b"))).await;
    assert!(matches!(undone, Outcome::Refused { refusal: Refusal::Collides { .. } }), "{undone:?}");

    let stage = test_engine();
    let private = Event { copy: Some(Copy::Plain), is_private: true, ..meeting("a") };
    stage.calendar.add(&room("r1"), private);
    stage.calendar.0.lock().unwrap().server = Some(NO_TRACES);
    let undone = remove_and_undo(&stage, |_| ()).await;
    assert!(matches!(undone, Outcome::Refused { refusal: Refusal::NotUndoable { .. } }), "{undone:?}");
    assert!(bookings(&stage).is_empty());
}

/// Someone dragged it out of Deleted Items, and moved it.
#[tokio::test(start_paused = true)]
async fn a_removed_event_that_is_back_at_another_time_is_not_booked_a_second_time() {
    let stage = on(NO_TRACES, Copy::Plain);
    let undone = remove_and_undo(&stage, |stage| {
        let later = TimeDelta::hours(4);
        let back = Event { start: meeting("a").start + later, end: meeting("a").end + later, ..meeting("a") };
        stage.calendar.add(&room("r1"), Event { copy: Some(Copy::Plain), ..back });
    })
    .await;
    match undone {
        Outcome::Refused { refusal: Refusal::ChangedMeanwhile { was, is: Some(_) } } => {
            assert_eq!(was, TimeRange::from(&meeting("a")));
        }
        other => panic!("{other:?}"),
    }
    assert!(bookings(&stage).is_empty());
}

/// Booked, removed, booked again by the undo of the removal: the undo of the first booking frees the room.
#[tokio::test(start_paused = true)]
async fn the_undo_of_a_booking_finds_the_one_that_replaced_it() {
    let stage = test_engine();
    stage.calendar.0.lock().unwrap().server = Some(NO_TRACES);
    let act = async |kind: ActionKind| {
        let action = Action { target: Target::Current, ..request(kind) };
        let id = action.id;
        let outcome = stage.engine.perform(action, Mode::Perform).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        id
    };
    let booking = act(ActionKind::book(RequestedMinutes::new(30).unwrap())).await;
    let removal = act(SILENT).await;
    act(ActionKind::Undo { of: removal }).await;
    assert_eq!(bookings(&stage).len(), 1);
    // The replacement is removed and replaced in turn.
    let removal = act(SILENT).await;
    act(ActionKind::Undo { of: removal }).await;
    assert_eq!(bookings(&stage).len(), 1);
    act(ActionKind::Undo { of: booking }).await;
    assert!(bookings(&stage).is_empty(), "the room is free");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_undone_only_in_part_is_forbidden_as_irreversible() {
    let forbidding = EngineOptions { forbid_irreversible: true, ..EngineOptions::default() };
    for (server, is_done) in [(NO_TRACES, false), (Exchange::CAPABILITIES, true)] {
        let stage = test_engine_with(forbidding.clone());
        stage.calendar.add(&room("r1"), Event { copy: Some(Copy::Plain), ..meeting("a") });
        stage.calendar.0.lock().unwrap().server = Some(server);
        let outcome = perform(&stage, SILENT).await;
        assert_eq!(matches!(outcome, Outcome::Done(_)), is_done, "{outcome:?}");
    }
}

/// A person books the same time at the same moment: the booking of the undo is taken back.
#[tokio::test(start_paused = true)]
async fn a_booking_of_an_undo_that_overlaps_is_taken_back() {
    let stage = on(NO_TRACES, Copy::Plain);
    let undone =
        remove_and_undo(&stage, |stage| stage.calendar.next(NextWrite::Beside(Box::new(meeting("b"))))).await;
    assert!(matches!(undone, Outcome::Refused { refusal: Refusal::Collides { .. } }), "{undone:?}");
    assert!(bookings(&stage).is_empty());
}

/// The room moves to a server that shows the booking under a UID of its own, while the booking is in doubt.
#[tokio::test(start_paused = true)]
async fn a_booking_in_doubt_that_another_server_may_show_needs_a_person() {
    for (shown, expected) in [(true, true), (false, false)] {
        let stage = test_engine();
        stage.calendar.next(NextWrite::LostThenBlind { landed: true });
        let booking = request(ActionKind::book(RequestedMinutes::new(30).unwrap()));
        let id = booking.id;
        let _ = stage.engine.perform(booking, Mode::Perform).await.unwrap();
        let mut events = std::mem::take(&mut stage.calendar.0.lock().unwrap().events);
        for event in events.values_mut() {
            event.uid = Some(Uid::new("of-the-other-server"));
            event.change_key = ChangeKey::new("other");
            event.created = None;
        }
        {
            let mut state = stage.calendar.0.lock().unwrap();
            state.events = if shown { events } else { Default::default() };
            state.blind = false;
        }
        stage.clock.advance(TimeDelta::minutes(10));
        stage.engine.recover().await.unwrap();
        let record = stage.journal.action_record(id).await.unwrap().unwrap();
        let needs_attention = matches!(record.outcome, Some(Outcome::NeedsAttention { .. }));
        assert_eq!(needs_attention, expected, "{record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_cannot_be_silent_is_refused_and_never_becomes_a_cancellation() {
    let silent_removal = SilentRemovals {
        attendee: SilentRemoval::ShownAsDeclined,
        organizer: SilentRemoval::Impossible,
        plain: SilentRemoval::Unnoticed,
    };
    let server = Capabilities { silent_removal, ..Exchange::CAPABILITIES };
    let stage = on(server, Copy::Organizer);
    let outcome = perform(&stage, SILENT).await;
    let Outcome::Refused { refusal } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(*refusal, Refusal::ServerAlwaysNotifies);
    assert!(refusal.is_final());
    assert_eq!(refusal.responsible(), ResponsibleParty::Caller);
    assert_eq!(stage.calendar.writes(), 0);
    for (copy, who) in [(Copy::Attendee, Notified::OrganizerSeesDecline), (Copy::Plain, Notified::Nobody)] {
        let outcome = perform(&on(server, copy), SILENT).await;
        let Outcome::Done(done) = &outcome else { panic!("{outcome:?}") };
        assert_eq!(done.notified, who, "{copy:?}");
    }
}

/// The first decline is still on its way when someone changes the event. An unguarded server carries it out although its version
/// is stale, so a second one would be a second message.
#[tokio::test(start_paused = true)]
async fn an_unguarded_decline_is_not_sent_again_before_the_first_can_no_longer_arrive() {
    let stage = on(NO_GUARDS, Copy::Attendee);
    stage.calendar.next(NextWrite::Late);
    let calendar = stage.calendar.clone();
    let people = async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let key = (room("r1"), EventId::new("a"));
        calendar.0.lock().unwrap().touch(&key, |event| event.subject = None);
        tokio::time::sleep(Duration::from_secs(5)).await;
        calendar.0.lock().unwrap().land_late();
    };
    let (outcome, ()) = tokio::join!(perform(&stage, TELL), people);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!((stage.calendar.writes(), stage.calendar.effects()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_booking_is_sent_again_at_once_with_the_same_times() {
    let server = Capabilities { has_idempotent_booking: true, ..Exchange::CAPABILITIES };
    for (server, waited) in [(server, false), (Exchange::CAPABILITIES, true)] {
        let stage = test_engine();
        stage.calendar.0.lock().unwrap().server = Some(server);
        stage.calendar.next(NextWrite::LostBefore);
        let began = tokio::time::Instant::now();
        let outcome = perform(&stage, ActionKind::book(RequestedMinutes::new(30).unwrap())).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        assert_eq!(began.elapsed() >= Duration::from_secs(10), waited);
        let state = stage.calendar.0.lock().unwrap();
        let [first, second] = state.writes.as_slice() else { panic!("{:?}", state.writes) };
        assert_eq!(first, second);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_end_is_refused_where_updates_cannot_be_muted() {
    let server = Capabilities { can_mute_updates: false, ..Exchange::CAPABILITIES };
    let silent = ActionKind::End(Notify::Nobody);
    let stage = on(server, Copy::Organizer);
    let refused = perform(&stage, silent).await;
    assert!(matches!(refused, Outcome::Refused { refusal: Refusal::ServerAlwaysNotifies }), "{refused:?}");
    assert!(stage.calendar.0.lock().unwrap().writes.is_empty());
    let stage = on(server, Copy::Attendee);
    assert!(matches!(perform(&stage, silent).await, Outcome::Done(_)));
    let state = stage.calendar.0.lock().unwrap();
    assert!(matches!(state.writes[..], [Step::SetEnd { notify: Notify::Nobody, .. }]));
}
