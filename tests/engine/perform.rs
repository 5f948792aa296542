//! Single actions: the step, the outcome and the journal for each kind, copy and state of the event.

use adjourn::action::{
    Action, ActionId, ActionKind, Change, DeleteMode, Done, EventSnapshot, IrreversibleReason,
    NoChangeReason, Notified, Notify, Outcome, Refusal, Reversibility, Step, Target, TimeRange,
};
use adjourn::calendar::{Copy, EventId, EventKind};
use adjourn::engine::{EngineOptions, Mode};
use adjourn::journal::{ActionEntry, ActionStatus, Fact, Journal, Query};
use adjourn_test::{at, refusal, room};

use crate::fake::{
    NextWrite, TestEngine, meeting, perform, request, request_for, test_engine, test_engine_with,
};

fn action(target: Target, ask: ActionKind) -> Action {
    Action { target, ..request(ask) }
}

fn end() -> Action {
    request(ActionKind::End(Notify::Attendees))
}

fn delete(id: &str, how: DeleteMode) -> Action {
    request_for(id, ActionKind::Delete(how))
}

fn facts(stage: &TestEngine) -> Vec<&'static str> {
    let name = |fact: &Fact| match fact {
        Fact::Accepted { .. } => "accepted",
        Fact::Intended { .. } => "intended",
        Fact::InDoubt { .. } => "in doubt",
        Fact::Closed { .. } => "closed",
        _ => "other",
    };
    stage.journal.facts().iter().map(|(_, fact)| name(fact)).collect()
}

#[tokio::test]
async fn an_attendee_copy_ends_at_this_minute_and_nobody_is_told() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let Outcome::Done(done) = perform(&stage, end()).await else { panic!() };
    assert_eq!(done.change, Change::Ended { from: at(10, 0), to: at(9, 30) });
    assert_eq!(
        (done.copy, done.notified, done.reversibility),
        (Copy::Attendee, Notified::Nobody, Reversibility::Reversible)
    );
    assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(9, 30));
    assert_eq!(facts(&stage), ["accepted", "intended", "closed"]);
}

#[tokio::test]
async fn an_organizer_copy_tells_its_attendees_unless_silence_is_asked_for() {
    for (notify, told) in [(Notify::Attendees, Notified::Attendees), (Notify::Nobody, Notified::Nobody)] {
        let stage = test_engine();
        stage
            .calendar
            .add(&room("r1"), adjourn::calendar::Event { copy: Some(Copy::Organizer), ..meeting("a") });
        let Outcome::Done(done) = perform(&stage, request(ActionKind::End(notify))).await else { panic!() };
        assert_eq!(done.notified, told);
    }
}

#[tokio::test]
async fn an_event_that_began_this_minute_keeps_one_minute() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), adjourn::calendar::Event { start: at(9, 30), ..meeting("a") });
    let Outcome::Done(done) = perform(&stage, end()).await else { panic!() };
    assert_eq!(done.change, Change::Ended { from: at(10, 0), to: at(9, 31) });
}

#[tokio::test]
async fn each_copy_is_deleted_in_its_own_way() {
    let told = |copy| match copy {
        Copy::Attendee => (
            Change::Declined,
            Notified::Organizer,
            Reversibility::Irreversible { because: IrreversibleReason::DeclineWasSent },
        ),
        Copy::Organizer => (
            Change::Cancelled,
            Notified::Attendees,
            Reversibility::Irreversible { because: IrreversibleReason::CancellationWasSent },
        ),
        Copy::Plain => (Change::Removed, Notified::Nobody, Reversibility::Reversible),
    };
    for copy in [Copy::Attendee, Copy::Organizer, Copy::Plain] {
        for (how, expected) in [
            (DeleteMode::Notify, told(copy)),
            (DeleteMode::Silent, (Change::Removed, Notified::Nobody, Reversibility::Reversible)),
        ] {
            let stage = test_engine();
            stage.calendar.add(&room("r1"), adjourn::calendar::Event { copy: Some(copy), ..meeting("a") });
            let Outcome::Done(done) = perform(&stage, delete("a", how)).await else { panic!() };
            assert_eq!((done.change, done.notified, done.reversibility), expected, "{copy:?} {how:?}");
            assert_eq!(stage.calendar.get(&room("r1"), "a"), None);
        }
    }
}

#[tokio::test]
async fn a_removed_occurrence_is_said_to_be_gone_for_good() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), adjourn::calendar::Event { kind: EventKind::Occurrence, ..meeting("a") });
    let Outcome::Done(done) = perform(&stage, delete("a", DeleteMode::Silent)).await else { panic!() };
    assert_eq!(
        done.reversibility,
        Reversibility::Irreversible { because: IrreversibleReason::OccurrenceLeavesNothing }
    );
}

#[tokio::test]
async fn guards_refuse_without_writing() {
    type Story = (&'static str, fn(&mut adjourn::calendar::Event), ActionKind, fn(&Refusal) -> bool);
    let end = ActionKind::End(Notify::Attendees);
    let tell = ActionKind::Delete(DeleteMode::Notify);
    let stories: [Story; 6] = [
        (
            "not started",
            |e| (e.start, e.end) = (at(11, 0), at(12, 0)),
            end,
            |r| matches!(r, Refusal::NotStarted { .. }),
        ),
        ("over", |e| (e.start, e.end) = (at(7, 0), at(8, 0)), tell, |r| matches!(r, Refusal::Over { .. })),
        ("all day", |e| e.is_all_day = true, end, |r| *r == Refusal::AllDay),
        ("cancelled, ended", |e| e.is_cancelled = true, end, |r| *r == Refusal::Cancelled),
        ("cancelled, declined", |e| e.is_cancelled = true, tell, |r| *r == Refusal::Cancelled),
        ("whose copy?", |e| e.copy = None, end, |r| *r == Refusal::UnknownCopy),
    ];
    for (name, change, ask, expected) in stories {
        let stage = test_engine();
        let mut event = meeting("a");
        change(&mut event);
        stage.calendar.add(&room("r1"), event);
        let target = Target::Event { id: EventId::new("a"), seen: None };
        let refusal = refusal(perform(&stage, action(target, ask)).await);
        assert!(expected(&refusal), "{name}: {refusal:?}");
        assert_eq!(stage.calendar.writes(), 0, "{name}");
    }
}

#[tokio::test]
async fn outside_the_scope_nothing_is_even_read() {
    let stage = test_engine();
    let action = Action { room: "ceo@people.example".parse().unwrap(), ..end() };
    assert!(matches!(refusal(perform(&stage, action).await), Refusal::OutOfScope { .. }));
    assert_eq!(stage.calendar.0.lock().unwrap().reads, 0);
}

#[tokio::test]
async fn two_events_at_once_are_both_named() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.add(&room("r1"), meeting("b"));
    let Refusal::Ambiguous { events } = refusal(perform(&stage, end()).await) else { panic!() };
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn what_is_over_is_already_done_and_what_was_never_there_is_not() {
    let stage = test_engine();
    stage
        .calendar
        .add(&room("r1"), adjourn::calendar::Event { start: at(7, 0), end: at(8, 0), ..meeting("a") });
    let target = |id| Target::Event { id: EventId::new(id), seen: None };
    let over = perform(&stage, action(target("a"), ActionKind::End(Notify::Nobody))).await;
    assert_eq!(over, Outcome::AlreadyDone { why: NoChangeReason::Over });
    for action in [delete("x", DeleteMode::Notify), action(target("x"), ActionKind::End(Notify::Nobody))] {
        assert_eq!(refusal(perform(&stage, action).await), Refusal::EventNotFound);
    }
}

#[tokio::test]
async fn an_event_that_is_not_what_the_caller_saw_is_left_alone() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let seen = TimeRange { start: at(9, 0), end: at(9, 45) };
    let action =
        action(Target::Event { id: EventId::new("a"), seen: Some(seen) }, ActionKind::End(Notify::Nobody));
    assert!(matches!(refusal(perform(&stage, action).await), Refusal::NotAsSeen { .. }));
}

#[tokio::test]
async fn a_concurrent_extension_stops_the_end() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::After(Box::new(|event| event.end = at(11, 0))));
    let was = TimeRange { start: at(9, 0), end: at(10, 0) };
    let is = Some(TimeRange { start: at(9, 0), end: at(11, 0) });
    assert_eq!(refusal(perform(&stage, end()).await), Refusal::ChangedMeanwhile { was, is });
    assert_eq!(stage.calendar.get(&room("r1"), "a").unwrap().end, at(11, 0));
}

#[tokio::test]
async fn a_concurrent_change_that_does_not_matter_is_written_over_its_new_version_once_more() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::After(Box::new(|event| event.subject = Some("Grace".to_owned()))));
    assert!(matches!(perform(&stage, end()).await, Outcome::Done(_)));
    let event = stage.calendar.get(&room("r1"), "a").unwrap();
    assert_eq!((event.end, event.subject.as_deref()), (at(9, 30), Some("Grace")));
    assert_eq!(facts(&stage), ["accepted", "intended", "intended", "closed"]);
}

#[tokio::test]
async fn somebody_who_keeps_writing_wins() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    (0..10).for_each(|_| stage.calendar.next(NextWrite::After(Box::new(|_| ()))));
    assert_eq!(refusal(perform(&stage, end()).await), Refusal::KeepsChanging);
    assert_eq!(stage.calendar.writes(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_looked_up_and_not_sent_twice() {
    for ask in [
        ActionKind::End(Notify::Nobody),
        ActionKind::Delete(DeleteMode::Notify),
        ActionKind::Delete(DeleteMode::Silent),
    ] {
        let stage = test_engine();
        stage.calendar.add(&room("r1"), meeting("a"));
        stage.calendar.next(NextWrite::LostAfter);
        assert!(matches!(perform(&stage, request(ask)).await, Outcome::Done(_)));
        assert_eq!(stage.calendar.writes(), 1, "{ask:?}");
        assert_eq!(facts(&stage), ["accepted", "intended", "in doubt", "closed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_sent_again_only_after_the_mailbox_was_read() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::LostBefore);
    assert!(matches!(perform(&stage, end()).await, Outcome::Done(_)));
    assert_eq!(stage.calendar.writes(), 2);
    assert_eq!(stage.calendar.0.lock().unwrap().reads, 3);
}

#[tokio::test(start_paused = true)]
async fn what_never_landed_is_refused_and_what_cannot_be_read_stays_in_doubt() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::LostBefore);
    stage.calendar.next(NextWrite::LostBefore);
    assert!(matches!(refusal(perform(&stage, end()).await), Refusal::Exchange { .. }));
    assert_eq!(facts(&stage), ["accepted", "intended", "in doubt", "intended", "in doubt", "closed"]);

    let stage = self::test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::LostThenBlind { landed: true });
    assert!(matches!(refusal(perform(&stage, end()).await), Refusal::StillInDoubt { .. }));
    assert_eq!(facts(&stage), ["accepted", "intended", "in doubt"]);
}

#[tokio::test]
async fn an_event_that_vanishes_first_needs_neither_ending_nor_deleting() {
    for ask in [ActionKind::End(Notify::Attendees), ActionKind::Delete(DeleteMode::Notify)] {
        let stage = test_engine();
        stage.calendar.add(&room("r1"), meeting("a"));
        stage.calendar.next(NextWrite::GoneFirst);
        let outcome = perform(&stage, request(ask)).await;
        assert_eq!(outcome, Outcome::AlreadyDone { why: NoChangeReason::Gone });
    }
}

#[tokio::test]
async fn a_rehearsal_says_what_would_be_done_and_leaves_no_trace() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let Outcome::Done(done) = stage.engine.perform(end(), Mode::DryRun).await.unwrap().outcome else {
        panic!()
    };
    assert!(done.dry_run);
    assert_eq!((stage.calendar.writes(), facts(&stage).len()), (0, 0));
    assert_eq!(stage.calendar.get(&room("r1"), "a"), Some(meeting("a")));
}

#[tokio::test]
async fn what_cannot_be_undone_can_be_forbidden() {
    let stage = test_engine_with(EngineOptions { forbid_irreversible: true, ..EngineOptions::default() });
    stage.calendar.add(&room("r1"), meeting("a"));
    assert_eq!(
        refusal(perform(&stage, delete("a", DeleteMode::Notify)).await),
        Refusal::IrreversibleForbidden
    );
    assert!(matches!(perform(&stage, delete("a", DeleteMode::Silent)).await, Outcome::Done(_)));
}

#[tokio::test]
async fn every_write_is_guarded_by_the_version_that_was_read() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    perform(&stage, end()).await;
    let Step::SetEnd { change_key, .. } = stage.calendar.0.lock().unwrap().writes[0].clone() else {
        panic!()
    };
    assert_eq!(change_key.as_str(), "v0");
}

#[tokio::test]
async fn a_refusing_server_is_quoted() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    stage.calendar.next(NextWrite::Refuse);
    assert!(matches!(refusal(perform(&stage, end()).await), Refusal::Exchange { .. }));
    assert_eq!(stage.calendar.get(&room("r1"), "a"), Some(meeting("a")));
}

#[tokio::test]
async fn undoing_leaves_alone_what_was_changed_since() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let wish = end();
    let of = wish.id;
    perform(&stage, wish).await;
    let key = (room("r1"), EventId::new("a"));
    stage.calendar.0.lock().unwrap().touch(&key, |event| event.end = at(9, 45));
    let undo = || Action { id: ActionId::random(), kind: ActionKind::Undo { of }, ..end() };
    assert!(matches!(refusal(perform(&stage, undo()).await), Refusal::NotAsSeen { .. }));
    stage.calendar.0.lock().unwrap().touch(&key, |event| event.end = at(10, 0));
    assert_eq!(perform(&stage, undo()).await, Outcome::AlreadyDone { why: NoChangeReason::Restored });
}

#[tokio::test]
async fn a_way_back_is_not_barred_where_the_irreversible_is_forbidden() {
    let stage = test_engine_with(EngineOptions { forbid_irreversible: true, ..EngineOptions::default() });
    stage.calendar.add(&room("r1"), meeting("a"));
    let wish = end();
    let of = wish.id;
    perform(&stage, wish).await;
    let undone =
        perform(&stage, Action { id: ActionId::random(), kind: ActionKind::Undo { of }, ..end() }).await;
    assert!(matches!(undone, Outcome::Done(_)), "{undone:?}");
}

#[tokio::test]
async fn what_was_done_before_is_recognized_until_it_is_undone() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let first = end();
    let action = first.id;
    perform(&stage, first).await;
    let by = Outcome::AlreadyDone { why: NoChangeReason::ByAction { action } };
    assert_eq!(perform(&stage, end()).await, by);
    let undo = Action { id: ActionId::random(), kind: ActionKind::Undo { of: action }, ..end() };
    perform(&stage, undo).await;
    let again = perform(&stage, end()).await;
    assert!(matches!(again, Outcome::Done(_)), "{again:?}");
}

#[tokio::test]
async fn an_interrupted_action_stays_open_while_exchange_cannot_be_asked_and_then_needs_a_person() {
    let stage = test_engine_with(EngineOptions {
        give_up_after: chrono::TimeDelta::minutes(30),
        ..EngineOptions::default()
    });
    let wish = end();
    let before = meeting("a");
    let step = Step::SetEnd {
        id: before.id.clone(),
        change_key: before.change_key.clone(),
        end: at(9, 30),
        notify: Notify::Nobody,
    };
    let done = Done {
        event: EventSnapshot::from(&before),
        copy: Copy::Attendee,
        change: Change::Ended { from: at(10, 0), to: at(9, 30) },
        notified: Notified::Nobody,
        reversibility: Reversibility::Reversible,
        dry_run: false,
    };
    for fact in [
        Fact::Accepted { action: Box::new(wish.clone()) },
        Fact::Intended { step, before: Box::new(before.clone()), done: Box::new(done) },
    ] {
        stage.journal.record(ActionEntry { action: wish.id, at: at(9, 30), fact }).await.unwrap();
    }
    stage.calendar.add(&room("r1"), before);
    stage.calendar.0.lock().unwrap().blind = true;
    let recovered = stage.engine.recover().await.unwrap();
    assert_eq!((recovered.closed.len(), recovered.still_open.len()), (0, 1));
    // Nothing new is begun in the room before that is settled.
    assert!(
        matches!(refusal(perform(&stage, end()).await), Refusal::StillInDoubt { action } if action == wish.id)
    );
    stage.clock.advance(chrono::TimeDelta::minutes(31));
    let recovered = stage.engine.recover().await.unwrap();
    assert!(matches!(recovered.closed[0].outcome, Some(Outcome::NeedsAttention { .. })));
}

/// Nobody at the door at five to ten meant the meeting that begins at ten.
#[tokio::test]
async fn a_wish_that_waited_does_not_end_the_meeting_that_began_meanwhile() {
    let stage = test_engine();
    let wish = end();
    let fact = Fact::Accepted { action: Box::new(wish.clone()) };
    stage.journal.record(ActionEntry { action: wish.id, at: at(9, 30), fact }).await.unwrap();
    let next = adjourn::calendar::Event { start: at(9, 31), end: at(10, 30), ..meeting("next") };
    stage.calendar.add(&room("r1"), next);
    stage.clock.advance(chrono::TimeDelta::seconds(70));
    let recovered = stage.engine.recover().await.unwrap();
    assert_eq!(recovered.closed[0].outcome, Some(Outcome::Refused { refusal: Refusal::NoCurrentEvent }));
    assert_eq!(stage.calendar.effects(), 0);
}

#[tokio::test]
async fn a_recovery_of_one_room_leaves_the_other_rooms_alone() {
    let stage = test_engine();
    let open = |name| Action { room: room(name), ..end() };
    for action in [open("r1"), open("r2")] {
        let fact = Fact::Accepted { action: Box::new(action.clone()) };
        stage.journal.record(ActionEntry { action: action.id, at: at(9, 30), fact }).await.unwrap();
    }
    let recovered = stage.engine.recover_room(&room("r1")).await.unwrap();
    assert_eq!((recovered.closed.len(), recovered.still_open.len()), (1, 0));
    let left = stage.journal.find(&Query::default().with_status(ActionStatus::Open)).await.unwrap();
    assert_eq!(left.iter().map(|record| record.action.room.clone()).collect::<Vec<_>>(), [room("r2")]);
}
