//! Whole sweeps: planning over many rooms, limits, and applying the plan.

use std::collections::BTreeSet;

use adjourn::action::{Action, ActionId, ActionKind, Actor, AllDay, Outcome, Refusal, RequestedMinutes};
use adjourn::calendar::{Event, EventId, RoomAddress, Window};
use adjourn::cleanup::{
    CancelledLeftover, CleanupMode, EventCase, KeepReason, NoCheckIn, OnReappearance, OrganizerGone,
    ReleaseMethod, RoomGroup, Rule, Rules, Sweep, SweepError, SweepLimits, SweepPlan, Verdict, evaluate,
};
use adjourn::engine::{Mode, PersonLookup};
use adjourn::presence::{Coverage, Crowd, PresenceState, Sign, SignLog, UnknownReason};
use adjourn_test::{at, room};
use chrono::TimeDelta;

use crate::fake::{TestEngine, meeting, test_engine};
use crate::restarts::Stopping;

fn all_rules() -> Rules {
    Rules {
        no_check_in: Some(NoCheckIn::default()),
        cancelled_leftover: Some(CancelledLeftover),
        organizer_gone: Some(OrganizerGone {
            domains: BTreeSet::from(["people.example".to_owned()]),
            release_by: ReleaseMethod::Remove,
        }),
        ..Rules::default()
    }
}

fn window() -> Window {
    Window::new(at(9, 30), at(20, 0)).unwrap()
}

/// Books of these signs, for a house that was watched all the time.
fn watched(signs: impl IntoIterator<Item = Sign>) -> PresenceState {
    let mut log = SignLog::default();
    signs.into_iter().for_each(|sign| {
        log.push(sign);
    });
    PresenceState::covering(log, Coverage::always())
}

fn sign(room: RoomAddress, minute: u32, source: &str) -> Sign {
    Sign::new(room, at(9, minute), source)
}

fn sweep(stage: &TestEngine, books: PresenceState) -> Sweep {
    Sweep::new(stage.engine.clone(), all_rules(), books, 4)
}

fn only_check_in(rule: NoCheckIn) -> Rules {
    Rules { no_check_in: Some(rule), ..Rules::default() }
}

#[test]
fn who_books_at_the_door_has_a_grace_of_their_own_where_one_is_set() {
    let booked_at_the_door = |start| {
        move |event: &mut Event| {
            event.start = start;
            event.created = Some(start);
        }
    };
    let rules = |grace| only_check_in(NoCheckIn { walk_in_grace: grace, ..NoCheckIn::default() });
    let keep = |why| Verdict::Keep { why };
    assert_eq!(verdict(booked_at_the_door(at(9, 0)), &rules(None)), keep(KeepReason::BookedLate));
    let grace = Some(TimeDelta::minutes(25));
    let until = at(9, 40);
    assert_eq!(verdict(booked_at_the_door(at(9, 15)), &rules(grace)), keep(KeepReason::GraceRuns { until }));
    let left = verdict(booked_at_the_door(at(9, 0)), &rules(grace));
    assert!(
        matches!(&left, Verdict::Act { rule: Rule::NoCheckIn, why, .. } if why.contains("25 minutes")),
        "{left:?}"
    );
    // What was booked long before has the usual ten minutes.
    let until = at(9, 35);
    assert_eq!(
        verdict(|event| event.start = at(9, 25), &rules(grace)),
        keep(KeepReason::GraceRuns { until })
    );
}

#[test]
fn some_organizers_need_not_check_in() {
    let auto_check_in = BTreeSet::from(["ada@people.example".to_owned()]);
    let rules = only_check_in(NoCheckIn { auto_check_in, ..NoCheckIn::default() });
    let checked_in = KeepReason::CheckedIn { at: at(9, 0), source: "auto-check-in".to_owned(), closes: None };
    assert_eq!(verdict(|_| (), &rules), Verdict::Keep { why: checked_in });
    assert_eq!(
        verdict(|event| event.start = at(9, 31), &rules),
        Verdict::Keep { why: KeepReason::NotStarted }
    );
    let somebody_else = verdict(
        |event| event.organizer.as_mut().unwrap().address = Some("bo@people.example".to_owned()),
        &rules,
    );
    assert!(matches!(somebody_else, Verdict::Act { rule: Rule::NoCheckIn, .. }));
}

async fn plan(stage: &TestEngine, rooms: &[RoomAddress]) -> SweepPlan {
    sweep(stage, watched([])).plan(rooms, window()).await
}

fn verdict(change: impl FnOnce(&mut Event), rules: &Rules) -> Verdict {
    let mut event = meeting("a");
    change(&mut event);
    let (room, books, now) = (room("r1"), watched([]), at(9, 30));
    evaluate(
        &EventCase {
            room: &room,
            event: &event,
            events: std::slice::from_ref(&event),
            presence: &books,
            organizer: Some(PersonLookup::Found),
            seen_since: None,
            now,
        },
        rules,
    )
}

fn kept(change: impl FnOnce(&mut Event)) -> KeepReason {
    match verdict(change, &all_rules()) {
        Verdict::Keep { why } => why,
        Verdict::Act { why, .. } => panic!("not kept: {why}"),
    }
}

#[test]
fn every_exception_protects() {
    assert_eq!(kept(|e| e.is_all_day = true), KeepReason::AllDay);
    assert_eq!(kept(|e| e.end = at(20, 0)), KeepReason::Long);
    assert_eq!(kept(|e| e.created = Some(at(8, 55))), KeepReason::BookedLate);
    assert_eq!(kept(|e| e.copy = None), KeepReason::UnknownCopy);
    assert_eq!(kept(|e| e.end = at(9, 30)), KeepReason::Over);
    assert_eq!(kept(|e| e.start = at(9, 25)), KeepReason::GraceRuns { until: at(9, 35) });
    assert_eq!(kept(|e| e.start = at(9, 31)), KeepReason::NotStarted);
    let mut rules = all_rules();
    rules.exceptions.private = true;
    rules.exceptions.organizers.insert("ada@people.example".to_owned());
    rules.exceptions.shorter_than = Some(TimeDelta::hours(2));
    assert_eq!(verdict(|e| e.is_private = true, &rules), Verdict::Keep { why: KeepReason::Private });
    assert_eq!(verdict(|_| (), &rules), Verdict::Keep { why: KeepReason::Organizer });
    rules.exceptions.organizers.clear();
    assert_eq!(verdict(|_| (), &rules), Verdict::Keep { why: KeepReason::Short });
    assert_eq!(verdict(|_| (), &Rules::default()), Verdict::Keep { why: KeepReason::NoRule });
}

#[test]
fn a_cancelled_leftover_is_removed_whatever_else_it_is() {
    let verdict = verdict(|e| (e.is_cancelled, e.is_all_day) = (true, true), &all_rules());
    assert!(matches!(
        verdict,
        Verdict::Act { rule: Rule::CancelledLeftover, how: ReleaseMethod::Remove, .. }
    ));
}

#[tokio::test]
async fn nobody_came_so_the_meeting_is_declined() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let plan = plan(&stage, &[room("r1"), room("r2")]).await;
    assert_eq!((plan.events(), plan.actions().count(), plan.rooms.len()), (1, 1, 2));
    assert_eq!(stage.calendar.writes(), 0);
    let applied = sweep(&stage, watched([])).apply(&plan, Mode::Perform).await.unwrap().applied;
    assert!(matches!(applied[0].outcome, Outcome::Done(_)));
    assert_eq!(stage.calendar.get(&room("r1"), "a"), None);
}

#[tokio::test]
async fn empty_rooms_cost_no_request_of_their_own() {
    let stage = test_engine();
    stage.calendar.add(&room("r7"), meeting("a"));
    let rooms: Vec<_> = (0..250).map(|n| room(&format!("r{n}"))).collect();
    plan(&stage, &rooms).await;
    assert_eq!(stage.calendar.0.lock().unwrap().reads, 1);
}

#[tokio::test]
async fn who_checks_in_between_plan_and_apply_keeps_the_room() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let plan = plan(&stage, &[room("r1")]).await;
    let applied = sweep(&stage, watched([sign(room("r1"), 29, "panel")]))
        .apply(&plan, Mode::Perform)
        .await
        .unwrap()
        .applied;
    let Outcome::Refused { refusal: Refusal::NoLongerApplies { why } } = &applied[0].outcome else {
        panic!()
    };
    assert_eq!(why, "checked in at 09:29Z by panel");
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test]
async fn a_house_in_which_nobody_is_anywhere_is_a_silent_feed() {
    let stage = test_engine();
    (0..30).for_each(|n| stage.calendar.add(&room("r1"), meeting(&n.to_string())));
    let plan = plan(&stage, &[room("r1")]).await;
    assert_eq!((plan.events(), plan.actions().count()), (30, 0));
    let crowd = Crowd { judged: 30, absent: 30 };
    let silent = Verdict::Keep { why: KeepReason::Unknown { doubt: UnknownReason::FeedSilent(crowd) } };
    assert!(plan.rooms[0].events.iter().all(|judged| judged.verdict == silent), "{plan:?}");
}

#[tokio::test]
async fn the_share_is_taken_over_the_meetings_of_the_same_stretch_attended_ones_included() {
    let stage = test_engine();
    let rooms: Vec<_> = (0..60).map(|n| room(&format!("r{n}"))).collect();
    rooms.iter().for_each(|room| stage.calendar.add(room, meeting("a")));
    for (came, acted) in [(38, 22), (29, 0)] {
        let signs = rooms[..came].iter().map(|room| sign(room.clone(), 1, "panel"));
        let plan = sweep(&stage, watched(signs)).plan(&rooms, window()).await;
        assert_eq!(plan.actions().count(), acted, "{came} of 60 came");
    }
}

#[tokio::test]
async fn a_sweep_that_would_touch_too_much_touches_nothing() {
    let stage = test_engine();
    (0..30).for_each(|n| stage.calendar.add(&room("r1"), meeting(&n.to_string())));
    let limits = |actions_max| SweepLimits { actions_max, max_fraction: 1.0, ..SweepLimits::default() };
    let sweep = |limits| Sweep::new(stage.engine.clone(), Rules { limits, ..all_rules() }, watched([]), 4);
    let plan = sweep(limits(100)).plan(&[room("r1")], window()).await;
    assert_eq!((plan.stop, plan.actions().count()), (None, 30));
    let outcome = sweep(limits(3)).apply(&plan, Mode::Perform).await;
    assert!(matches!(outcome, Err(SweepError::OverLimit(_))), "{outcome:?}");
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test]
async fn rooms_in_observe_mode_are_left_out_where_the_configuration_says_so() {
    let stage = test_engine();
    ["r1", "r2"].iter().for_each(|name| stage.calendar.add(&room(name), meeting("a")));
    let quiet = RoomGroup {
        name: "quiet".to_owned(),
        rooms: vec!["r2@*".parse().unwrap()],
        mode: Some(CleanupMode::Observe),
        ..RoomGroup::default()
    };
    let rules = Rules { room_groups: vec![quiet], ..all_rules() };
    let sweep = Sweep::new(stage.engine.clone(), rules, watched([]), 4);
    let plan = sweep.plan(&[room("r1"), room("r2")], window()).await;
    assert_eq!(plan.actions().count(), 2, "judged alike");
    let swept = sweep.apply(&plan, Mode::Perform).await.unwrap();
    assert_eq!((swept.applied.len(), swept.observe_only), (1, 1));
    assert!(stage.calendar.get(&room("r2"), "a").is_some());
}

#[tokio::test]
async fn an_x500_organizer_is_resolved_before_an_exception_is_judged() {
    let stage = test_engine();
    let mut event = meeting("a");
    let organizer = event.organizer.as_mut().unwrap();
    (organizer.address, organizer.legacy_dn) = (None, Some("/o=Org/cn=ada".to_owned()));
    stage.calendar.add(&room("r1"), event);
    let mut rules = all_rules();
    rules.exceptions.organizers.insert("ada@people.example".to_owned());
    let verdict = async || {
        let sweep = Sweep::new(stage.engine.clone(), rules.clone(), watched([]), 4);
        let plan = sweep.plan(&[room("r1")], window()).await;
        plan.rooms[0].events[0].verdict.clone()
    };
    let Verdict::Keep { why: KeepReason::Unknown { doubt: UnknownReason::MissingField { .. } } } =
        verdict().await
    else {
        panic!("an event whose organizer cannot be notified is exempt")
    };
    let known = ("/o=Org/cn=ada".to_owned(), "ada@people.example".to_owned());
    stage.calendar.0.lock().unwrap().organizers.push(known);
    assert_eq!(verdict().await, Verdict::Keep { why: KeepReason::Organizer });
}

#[tokio::test]
async fn an_organizer_is_looked_up_once_however_many_meetings_they_left() {
    let stage = test_engine();
    stage.calendar.0.lock().unwrap().gone_people.push("ada@people.example".to_owned());
    for n in 0..5 {
        let event = Event { start: at(15, 0), end: at(16, 0), ..meeting(&n.to_string()) };
        stage.calendar.add(&room(&format!("r{n}")), event);
    }
    let rooms: Vec<_> = (0..5).map(|n| room(&format!("r{n}"))).collect();
    let plan = plan(&stage, &rooms).await;
    assert_eq!(plan.actions().count(), 5);
    assert_eq!(stage.calendar.0.lock().unwrap().person_questions, 1);
}

#[tokio::test]
async fn strangers_cannot_be_gone() {
    let stage = test_engine();
    stage.calendar.0.lock().unwrap().gone_people.push("eve@elsewhere.example".to_owned());
    let mut event = Event { start: at(15, 0), end: at(16, 0), ..meeting("a") };
    event.organizer.as_mut().unwrap().address = Some("eve@elsewhere.example".to_owned());
    stage.calendar.add(&room("r1"), event);
    assert_eq!(plan(&stage, &[room("r1")]).await.actions().count(), 0);
    assert_eq!(stage.calendar.0.lock().unwrap().person_questions, 0);
}

#[tokio::test]
async fn a_room_outside_the_scope_is_named_and_left_alone() {
    let stage = test_engine();
    let plan = plan(&stage, &["ceo@people.example".parse().unwrap(), room("r1")]).await;
    assert_eq!(plan.unreadable_rooms(), 1);
    assert!(plan.rooms[0].trouble.as_deref().unwrap().contains("not in the configured scope"));
}

#[tokio::test]
async fn a_plan_survives_being_written_down() {
    let stage = test_engine();
    stage.calendar.add(&room("r1"), meeting("a"));
    let mut plan = plan(&stage, &[room("r1")]).await;
    let text = serde_json::to_string(&plan).unwrap();
    // What is for review alone is not written down: subjects, names of people and the state of the evidence.
    plan.evidence = None;
    plan.rooms[0].events[0].read = None;
    assert_eq!(serde_json::from_str::<SweepPlan>(&text).unwrap(), plan);
    assert!(!text.contains("Ada"), "{text}");
}

/// What calendar repair does: the event is there again, under another id.
fn bring_back(stage: &TestEngine, id: &str) {
    stage.calendar.add(&room("r1"), Event { id: EventId::new(id), ..meeting("a") });
}

async fn sweep_once(stage: &TestEngine, came_back: OnReappearance) -> (SweepPlan, usize) {
    let rules = Rules { on_reappearance: came_back, ..all_rules() };
    let sweep = Sweep::new(stage.engine.clone(), rules, watched([]), 4);
    let plan = sweep.plan(&[room("r1")], window()).await;
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    (plan, applied.len())
}

fn kept_in(plan: &SweepPlan) -> Option<&KeepReason> {
    match &plan.rooms[0].events[0].verdict {
        Verdict::Keep { why } => Some(why),
        Verdict::Act { .. } => None,
    }
}

#[tokio::test]
async fn an_event_that_came_back_is_reported_respected_or_acted_on_once_more() {
    for (came_back, acted, shown) in [
        (OnReappearance::Report, [1, 0, 0], true),
        (OnReappearance::Respect, [1, 0, 0], false),
        (OnReappearance::Repeat, [1, 1, 0], true),
    ] {
        let stage = test_engine();
        for (round, expected) in acted.into_iter().enumerate() {
            bring_back(&stage, &format!("a{round}"));
            let (plan, acted) = sweep_once(&stage, came_back).await;
            assert_eq!(acted, expected, "{came_back:?}, round {round}");
            if acted == 0 {
                let Some(why @ KeepReason::Reappeared { .. }) = kept_in(&plan) else { panic!("{plan:?}") };
                assert_eq!(why.needs_review(), shown, "{came_back:?}");
            }
        }
    }
}

/// Who extends a meeting is there.
#[tokio::test]
async fn what_was_extended_at_the_door_is_attended() {
    let stage = test_engine();
    bring_back(&stage, "a");
    let actor = Actor::program("door");
    let extend = Action::new(
        ActionId::random(),
        room("r1"),
        ActionKind::extend(RequestedMinutes::new(15).unwrap()),
        actor,
    );
    let outcome = stage.engine.perform(extend, Mode::Perform).await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let (plan, acted) = sweep_once(&stage, OnReappearance::Report).await;
    let Some(KeepReason::CheckedIn { source, .. }) = kept_in(&plan) else { panic!("{plan:?}") };
    assert_eq!((acted, source.as_str()), (0, "extend by door"));
}

#[tokio::test]
async fn what_was_put_back_is_wanted() {
    let stage = test_engine();
    bring_back(&stage, "a");
    let rules = Rules {
        no_check_in: Some(NoCheckIn { release_by: ReleaseMethod::End, ..NoCheckIn::default() }),
        ..all_rules()
    };
    let sweep = Sweep::new(stage.engine.clone(), rules, watched([]), 4);
    let plan = sweep.plan(&[room("r1")], window()).await;
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    let mut undo = Action::new(
        ActionId::random(),
        room("r1"),
        ActionKind::Undo { of: applied[0].action },
        Actor::User { name: "ada".to_owned(), origin: None },
    );
    undo.all_day = AllDay::Include;
    assert!(matches!(stage.engine.perform(undo, Mode::Perform).await.unwrap().outcome, Outcome::Done(_)));
    let plan = sweep.plan(&[room("r1")], window()).await;
    let Some(KeepReason::CheckedIn { source, .. }) = kept_in(&plan) else { panic!("{plan:?}") };
    assert_eq!(source, "undo by ada");
}

/// The plan was made before the event was acted on, and it came back since.
#[tokio::test]
async fn an_old_plan_does_not_act_on_what_came_back_since() {
    let stage = test_engine();
    bring_back(&stage, "a");
    let sweep = sweep(&stage, watched([]));
    let old = sweep.plan(&[room("r1")], window()).await;
    let first = sweep.apply(&old, Mode::Perform).await.unwrap();
    assert!(matches!(first.applied[0].outcome, Outcome::Done(_)));
    bring_back(&stage, "a");
    let second = sweep.apply(&old, Mode::Perform).await.unwrap();
    let Outcome::Refused { refusal: Refusal::NoLongerApplies { why } } = &second.applied[0].outcome else {
        panic!("{second:?}")
    };
    assert!(why.contains("reappeared"), "{why}");
    assert_eq!(stage.calendar.effects(), 1);
}

#[tokio::test]
async fn a_journal_that_fails_stops_the_sweep_and_what_was_done_is_told() {
    let stage = test_engine();
    let rooms: Vec<_> = (0..20).map(|n| room(&format!("r{n}"))).collect();
    rooms.iter().for_each(|room| stage.calendar.add(room, meeting("a")));
    let rules = Rules { limits: SweepLimits { max_fraction: 1.0, ..SweepLimits::default() }, ..all_rules() };
    // Four actions of three facts each; the fifth is intended, and its end finds the disk full.
    let engine = stage.process_with(Stopping::new(&stage.journal, 15, false));
    let sweep = Sweep::new(engine, rules, watched([]), 1);
    let plan = sweep.plan(&rooms, window()).await;
    let swept = sweep.apply(&plan, Mode::Perform).await.unwrap();
    assert!(swept.journal_error.is_some());
    assert_eq!((swept.applied.len(), swept.unfinished.len(), swept.not_started), (4, 1, 15));
    assert_eq!(swept.unfinished[0].room, room("r4"));
    // The change was made, but its outcome was not stored: it is reported all the same.
    assert_eq!(stage.calendar.effects(), 5);
}

#[test]
fn those_who_leave_late_do_not_look_like_those_who_come() {
    let rule = NoCheckIn { presence_after: TimeDelta::minutes(4), ..NoCheckIn::default() };
    let counts = |minute, event: Option<&str>| {
        let sign = Sign { event: event.map(str::to_owned), ..sign(room("r1"), minute, "motion") };
        sign.matches(&meeting("a"), &rule.terms(rule.grace))
    };
    assert!(!counts(2, None), "the last meeting's people");
    assert!(counts(4, None));
    assert!(counts(0, Some("uid-a")), "a sign that names the event is about it");
}
