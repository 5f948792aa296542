//! Whole sweeps.

use std::collections::BTreeSet;

use adjourn::action::{Action, ActionId, Actor, AllDay, Ask, Outcome, Refusal};
use adjourn::calendar::{Event, EventId, RoomAddress, Window};
use adjourn::cleanup::{
    CameBack, CancelledLeftover, Evidence, EvidenceLog, How, Judgement, Kept, Limits, NoCheckIn,
    OrganizerGone, Plan, Progress, Rule, Rules, Sweep, SweepError, Verdict, judge,
};
use adjourn::engine::{Directory, Mode};
use chrono::TimeDelta;

use crate::fake::{Stage, at, meeting, room, stage};
use crate::stops::Stopping;

struct Quiet;
impl Progress for Quiet {
    fn begin(&self, _: &str, _: usize) {}
    fn step(&self) {}
}

fn all_rules() -> Rules {
    Rules {
        no_check_in: Some(NoCheckIn::default()),
        cancelled_leftover: Some(CancelledLeftover),
        organizer_gone: Some(OrganizerGone {
            domains: BTreeSet::from(["people.example".to_owned()]),
            how: How::Remove,
        }),
        ..Rules::default()
    }
}

fn window() -> Window {
    Window::new(at(9, 30), at(20, 0)).unwrap()
}

fn sweep(stage: &Stage, evidence: EvidenceLog) -> Sweep {
    Sweep::new(stage.engine.clone(), all_rules(), evidence, 4)
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
    assert_eq!(verdict(booked_at_the_door(at(9, 0)), &rules(None)), keep(Kept::BookedLate));
    let grace = Some(TimeDelta::minutes(25));
    let until = at(9, 40);
    assert_eq!(verdict(booked_at_the_door(at(9, 15)), &rules(grace)), keep(Kept::GraceRuns { until }));
    let left = verdict(booked_at_the_door(at(9, 0)), &rules(grace));
    assert!(
        matches!(&left, Verdict::Act { rule: Rule::NoCheckIn, why, .. } if why.contains("25 minutes")),
        "{left:?}"
    );
    // What was booked long before has the usual ten minutes.
    let until = at(9, 35);
    assert_eq!(verdict(|event| event.start = at(9, 25), &rules(grace)), keep(Kept::GraceRuns { until }));
}

#[test]
fn some_organizers_need_not_check_in() {
    let auto_check_in = BTreeSet::from(["ada@people.example".to_owned()]);
    let rules = only_check_in(NoCheckIn { auto_check_in, ..NoCheckIn::default() });
    let checked_in = Kept::CheckedIn { at: at(9, 0), source: "auto-check-in".to_owned() };
    assert_eq!(verdict(|_| (), &rules), Verdict::Keep { why: checked_in });
    assert_eq!(verdict(|event| event.start = at(9, 31), &rules), Verdict::Keep { why: Kept::NotStarted });
    let somebody_else = verdict(
        |event| event.organizer.as_mut().unwrap().address = Some("bo@people.example".to_owned()),
        &rules,
    );
    assert!(matches!(somebody_else, Verdict::Act { rule: Rule::NoCheckIn, .. }));
}

async fn plan(stage: &Stage, rooms: &[RoomAddress]) -> Plan {
    sweep(stage, EvidenceLog::default()).plan(rooms, window(), &Quiet).await
}

fn verdict(change: impl FnOnce(&mut Event), rules: &Rules) -> Verdict {
    let mut event = meeting("a");
    change(&mut event);
    let (room, evidence, now) = (room("r1"), EvidenceLog::default(), at(9, 30));
    judge(
        &Judgement {
            room: &room,
            event: &event,
            evidence: &evidence,
            organizer: Some(Directory::Known),
            now,
        },
        rules,
    )
}

fn kept(change: impl FnOnce(&mut Event)) -> Kept {
    match verdict(change, &all_rules()) {
        Verdict::Keep { why } => why,
        Verdict::Act { why, .. } => panic!("not kept: {why}"),
    }
}

#[test]
fn every_exception_protects() {
    assert_eq!(kept(|e| e.is_all_day = true), Kept::AllDay);
    assert_eq!(kept(|e| e.end = at(20, 0)), Kept::Long);
    assert_eq!(kept(|e| e.created = Some(at(8, 55))), Kept::BookedLate);
    assert_eq!(kept(|e| e.copy = None), Kept::UnknownCopy);
    assert_eq!(kept(|e| e.end = at(9, 30)), Kept::Over);
    assert_eq!(kept(|e| e.start = at(9, 25)), Kept::GraceRuns { until: at(9, 35) });
    assert_eq!(kept(|e| e.start = at(9, 31)), Kept::NotStarted);
    let mut rules = all_rules();
    rules.exceptions.private = true;
    rules.exceptions.organizers.insert("ada@people.example".to_owned());
    rules.exceptions.shorter_than = Some(TimeDelta::hours(2));
    assert_eq!(verdict(|e| e.is_private = true, &rules), Verdict::Keep { why: Kept::Private });
    assert_eq!(verdict(|_| (), &rules), Verdict::Keep { why: Kept::Organizer });
    rules.exceptions.organizers.clear();
    assert_eq!(verdict(|_| (), &rules), Verdict::Keep { why: Kept::Short });
    assert_eq!(verdict(|_| (), &Rules::default()), Verdict::Keep { why: Kept::NoRule });
}

#[test]
fn a_cancelled_leftover_is_removed_whatever_else_it_is() {
    let verdict = verdict(|e| (e.is_cancelled, e.is_all_day) = (true, true), &all_rules());
    assert!(matches!(verdict, Verdict::Act { rule: Rule::CancelledLeftover, how: How::Remove, .. }));
}

#[tokio::test]
async fn nobody_came_so_the_meeting_is_declined() {
    let stage = stage();
    stage.calendar.add(&room("r1"), meeting("a"));
    let plan = plan(&stage, &[room("r1"), room("r2")]).await;
    assert_eq!((plan.events(), plan.actions().count(), plan.rooms.len()), (1, 1, 2));
    assert_eq!(stage.calendar.writes(), 0);
    let applied =
        sweep(&stage, EvidenceLog::default()).apply(&plan, Mode::Perform, &Quiet).await.unwrap().applied;
    assert!(matches!(applied[0].outcome, Outcome::Done(_)));
    assert_eq!(stage.calendar.get(&room("r1"), "a"), None);
}

#[tokio::test]
async fn empty_rooms_cost_no_request_of_their_own() {
    let stage = stage();
    stage.calendar.add(&room("r7"), meeting("a"));
    let rooms: Vec<_> = (0..250).map(|n| room(&format!("r{n}"))).collect();
    plan(&stage, &rooms).await;
    assert_eq!(stage.calendar.0.lock().unwrap().reads, 1);
}

#[tokio::test]
async fn who_checks_in_between_plan_and_apply_keeps_the_room() {
    let stage = stage();
    stage.calendar.add(&room("r1"), meeting("a"));
    let plan = plan(&stage, &[room("r1")]).await;
    let mut evidence = EvidenceLog::default();
    evidence.push(Evidence { room: room("r1"), event: None, at: at(9, 29), source: "panel".to_owned() });
    let applied = sweep(&stage, evidence).apply(&plan, Mode::Perform, &Quiet).await.unwrap().applied;
    let Outcome::Refused { refusal: Refusal::NoLongerApplies { why } } = &applied[0].outcome else {
        panic!()
    };
    assert_eq!(why, "checked in at 09:29Z by panel");
    assert_eq!(stage.calendar.writes(), 0);
}

#[tokio::test]
async fn a_sweep_that_would_touch_too_much_touches_nothing() {
    let stage = stage();
    (0..30).for_each(|n| stage.calendar.add(&room("r1"), meeting(&n.to_string())));
    let plan = plan(&stage, &[room("r1")]).await;
    assert!(plan.stop.is_some());
    let outcome = sweep(&stage, EvidenceLog::default()).apply(&plan, Mode::Perform, &Quiet).await;
    assert!(matches!(outcome, Err(SweepError::Stopped(_))), "{outcome:?}");
    assert_eq!(stage.calendar.writes(), 0);

    let few = Limits { actions_max: 3, ..Limits::default() };
    assert!(plan.check(&few).is_some());
    let many = Limits { share_max: 1.0, ..Limits::default() };
    assert_eq!(plan.check(&many), None);
}

#[tokio::test]
async fn an_organizer_is_looked_up_once_however_many_meetings_they_left() {
    let stage = stage();
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
    let stage = stage();
    stage.calendar.0.lock().unwrap().gone_people.push("eve@elsewhere.example".to_owned());
    let mut event = Event { start: at(15, 0), end: at(16, 0), ..meeting("a") };
    event.organizer.as_mut().unwrap().address = Some("eve@elsewhere.example".to_owned());
    stage.calendar.add(&room("r1"), event);
    assert_eq!(plan(&stage, &[room("r1")]).await.actions().count(), 0);
    assert_eq!(stage.calendar.0.lock().unwrap().person_questions, 0);
}

#[tokio::test]
async fn a_room_outside_the_scope_is_named_and_left_alone() {
    let stage = stage();
    let plan = plan(&stage, &["ceo@people.example".parse().unwrap(), room("r1")]).await;
    assert_eq!(plan.unseen_rooms(), 1);
    assert!(plan.rooms[0].trouble.as_deref().unwrap().contains("not among the configured rooms"));
}

#[tokio::test]
async fn a_plan_survives_being_written_down() {
    let stage = stage();
    stage.calendar.add(&room("r1"), meeting("a"));
    let plan = plan(&stage, &[room("r1")]).await;
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

/// What calendar repair does: the event is there again, under another id.
fn bring_back(stage: &Stage, id: &str) {
    stage.calendar.add(&room("r1"), Event { id: EventId::new(id), ..meeting("a") });
}

async fn sweep_once(stage: &Stage, came_back: CameBack) -> (Plan, usize) {
    let rules = Rules { came_back, ..all_rules() };
    let sweep = Sweep::new(stage.engine.clone(), rules, EvidenceLog::default(), 4);
    let plan = sweep.plan(&[room("r1")], window(), &Quiet).await;
    let applied = sweep.apply(&plan, Mode::Perform, &Quiet).await.unwrap().applied;
    (plan, applied.len())
}

fn kept_in(plan: &Plan) -> Option<&Kept> {
    match &plan.rooms[0].events[0].verdict {
        Verdict::Keep { why } => Some(why),
        Verdict::Act { .. } => None,
    }
}

#[tokio::test]
async fn an_event_that_came_back_is_reported_respected_or_acted_on_once_more() {
    for (came_back, acted, shown) in [
        (CameBack::Report, [1, 0, 0], true),
        (CameBack::Respect, [1, 0, 0], false),
        (CameBack::Again, [1, 1, 0], true),
    ] {
        let stage = stage();
        for (round, expected) in acted.into_iter().enumerate() {
            bring_back(&stage, &format!("a{round}"));
            let (plan, acted) = sweep_once(&stage, came_back).await;
            assert_eq!(acted, expected, "{came_back:?}, round {round}");
            if acted == 0 {
                let Some(why @ Kept::CameBack { .. }) = kept_in(&plan) else { panic!("{plan:?}") };
                assert_eq!(why.wants_to_be_seen(), shown, "{came_back:?}");
            }
        }
    }
}

/// What was extended at the door was never away.
#[tokio::test]
async fn what_was_extended_has_not_come_back() {
    let stage = stage();
    bring_back(&stage, "a");
    let actor = Actor::Program { name: "door".to_owned() };
    let extend = Action::new(ActionId::random(), room("r1"), Ask::Extend { minutes: 15 }, actor);
    let outcome = stage.engine.perform(extend, Mode::Perform).await.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let (plan, acted) = sweep_once(&stage, CameBack::Report).await;
    assert_eq!((acted, kept_in(&plan)), (1, None));
}

#[tokio::test]
async fn what_was_undone_has_not_come_back() {
    let stage = stage();
    bring_back(&stage, "a");
    let rules =
        Rules { no_check_in: Some(NoCheckIn { how: How::End, ..NoCheckIn::default() }), ..all_rules() };
    let sweep = Sweep::new(stage.engine.clone(), rules, EvidenceLog::default(), 4);
    let plan = sweep.plan(&[room("r1")], window(), &Quiet).await;
    let applied = sweep.apply(&plan, Mode::Perform, &Quiet).await.unwrap().applied;
    let mut undo = Action::new(
        ActionId::random(),
        room("r1"),
        Ask::Undo { of: applied[0].action },
        Actor::User { name: "ada".to_owned() },
    );
    undo.all_day = AllDay::Include;
    assert!(matches!(stage.engine.perform(undo, Mode::Perform).await.unwrap().outcome, Outcome::Done(_)));
    let plan = sweep.plan(&[room("r1")], window(), &Quiet).await;
    assert_eq!(kept_in(&plan), None, "it is abandoned as ever");
}

/// The plan was made before the event was acted on, and it came back since.
#[tokio::test]
async fn an_old_plan_does_not_act_on_what_came_back_since() {
    let stage = stage();
    bring_back(&stage, "a");
    let sweep = sweep(&stage, EvidenceLog::default());
    let old = sweep.plan(&[room("r1")], window(), &Quiet).await;
    let first = sweep.apply(&old, Mode::Perform, &Quiet).await.unwrap();
    assert!(matches!(first.applied[0].outcome, Outcome::Done(_)));
    bring_back(&stage, "a");
    let second = sweep.apply(&old, Mode::Perform, &Quiet).await.unwrap();
    let Outcome::Refused { refusal: Refusal::NoLongerApplies { why } } = &second.applied[0].outcome else {
        panic!("{second:?}")
    };
    assert!(why.contains("came back"), "{why}");
    assert_eq!(stage.calendar.effects(), 1);
}

#[tokio::test]
async fn a_journal_that_fails_stops_the_sweep_and_what_was_done_is_told() {
    let stage = stage();
    let rooms: Vec<_> = (0..20).map(|n| room(&format!("r{n}"))).collect();
    rooms.iter().for_each(|room| stage.calendar.add(room, meeting("a")));
    let rules = Rules { limits: Limits { share_max: 1.0, ..Limits::default() }, ..all_rules() };
    let kept = stage.journal.clone();
    let scope = adjourn::calendar::Scope::new([], ["rooms.example".to_owned()]);
    // Four actions of three facts each; the fifth is intended, and its end finds the disk full.
    let journal = std::sync::Arc::new(Stopping::new(&kept, 15, false));
    let engine = std::sync::Arc::new(adjourn::engine::Engine::new(
        std::sync::Arc::new(stage.calendar.clone()),
        journal,
        std::sync::Arc::new(stage.clock.clone()),
        scope,
        adjourn::engine::Options::default(),
    ));
    let sweep = Sweep::new(engine, rules, EvidenceLog::default(), 1);
    let plan = sweep.plan(&rooms, window(), &Quiet).await;
    let swept = sweep.apply(&plan, Mode::Perform, &Quiet).await.unwrap();
    assert!(swept.broken_off.is_some());
    assert_eq!((swept.applied.len(), swept.open.len(), swept.unbegun), (4, 1, 15));
    assert_eq!(swept.open[0].room, room("r4"));
    // Done, and not stored any more: it is told all the same.
    assert_eq!(stage.calendar.effects(), 5);
}

#[test]
fn those_who_leave_late_do_not_look_like_those_who_come() {
    let rule = NoCheckIn { presence_after: TimeDelta::minutes(4), ..NoCheckIn::default() };
    let sign = |minute, event: Option<&str>| {
        let mut log = EvidenceLog::default();
        let event = event.map(str::to_owned);
        log.push(Evidence { room: room("r1"), event, at: at(9, minute), source: "motion".to_owned() });
        log.of(&room("r1"), &meeting("a"), &rule).is_some()
    };
    assert!(!sign(2, None), "the last meeting's people");
    assert!(sign(4, None));
    assert!(sign(0, Some("uid-a")), "who names the event means it");
}
