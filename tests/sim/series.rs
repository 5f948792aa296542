//! Unattended series: strikes are counted over days, and at the last one the rest of the series is removed, exceptions
//! first.

use std::sync::Arc;

use adjourn::action::{Change, IrreversibleReason, Outcome, Reversibility};
use adjourn::calendar::{EventKind, Window};
use adjourn::cleanup::{
    AppliedAction, Attendance, NoCheckIn, OnLastStrike, OnReappearance, ReleaseMethod, Rule, Rules, Sweep,
    SweepLimits, SweepPlan, Verdict,
};
use adjourn::clock::{Clock as _, ManualClock};
use adjourn::engine::Mode;
use adjourn::presence::{Coverage, PresenceState, Sign, SignLog};
use adjourn::sim::{FaultRule, InjectedFault, MailKind, MeetingSpec, RecurrenceRange, Series};
use adjourn::store::ServiceStore;
use adjourn_test::{AURORA, Office, ada, aurora, settings, simulator, world};
use chrono::{DateTime, TimeDelta, Utc};

/// A room with a daily meeting from nine to ten; those of days 6 and 8 are moved to eleven.
struct SeriesFixture {
    office: Office,
    clock: ManualClock,
    desk: ServiceStore,
    uid: String,
    strikes: u32,
    then: OnLastStrike,
    came_back: OnReappearance,
    how: ReleaseMethod,
    silent: bool,
    series_max: usize,
}

fn day(number: i64) -> DateTime<Utc> {
    "2026-05-04T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(number)
}

impl SeriesFixture {
    async fn open(strikes: u32, then: OnLastStrike) -> Self {
        let mut world = world();
        world.set_now(day(-3));
        let mut spec = MeetingSpec::new(ada(), day(0), day(0) + TimeDelta::hours(1));
        spec.rooms = vec![AURORA.to_owned()];
        spec.series = Some(Series::new(
            adjourn::sim::RecurrencePattern::Daily { interval: 1 },
            RecurrenceRange::Count(60),
        ));
        let uid = world.add_meeting(spec);
        for moved in [6, 8] {
            world.organizer_changes(&uid, Some(day(moved)), |details| {
                details.start = day(moved) + TimeDelta::hours(2);
                details.end = day(moved) + TimeDelta::hours(3);
            });
        }
        let sim = simulator(world).await;
        let clock = ManualClock::at(day(0));
        let settings = settings(&sim, None);
        let office = Office::with_clock(Arc::new(clock.clone()), sim, vec![aurora()], &settings);
        let desk = ServiceStore::in_memory().unwrap();
        Self {
            office,
            clock,
            desk,
            uid,
            strikes,
            then,
            came_back: OnReappearance::Report,
            how: ReleaseMethod::Decline,
            silent: false,
            series_max: 3,
        }
    }

    /// The sign feed is alive, unless `silent` is set.
    fn sweep(&self, mut signs: SignLog) -> Sweep {
        if !self.silent {
            signs.push(Sign::new("elsewhere@example.com".parse().unwrap(), self.clock.now(), "motion"));
        }
        let books = PresenceState::covering(signs, Coverage::always());
        let (strikes, strikes_then) = (self.strikes, self.then);
        let rules = Rules {
            no_check_in: Some(NoCheckIn {
                strikes,
                on_last_strike: strikes_then,
                release_by: self.how,
                ..NoCheckIn::default()
            }),
            on_reappearance: self.came_back,
            limits: SweepLimits { series_max: self.series_max, ..SweepLimits::default() },
            ..Rules::default()
        };
        Sweep::new(self.office.engine.clone(), rules, books, 1).with_attendance(Arc::new(self.desk.clone()))
    }

    /// Advances to a quarter past nine on that day.
    fn wait_for(&self, number: i64) -> Window {
        let now = self.clock.now();
        self.clock.advance(day(number) + TimeDelta::minutes(15) - now);
        let now = self.clock.now();
        self.office.sim.world(|world| world.set_now(now));
        Window::new(now, now + TimeDelta::hours(2)).unwrap()
    }

    async fn plan(&self, number: i64, came: bool) -> (Sweep, SweepPlan) {
        let window = self.wait_for(number);
        let mut signs = SignLog::default();
        if came {
            signs.push(Sign::new(aurora(), day(number) + TimeDelta::minutes(1), "panel"));
        }
        let sweep = self.sweep(signs);
        let plan = sweep.plan(&[aurora()], window).await;
        (sweep, plan)
    }

    async fn run_day(&self, number: i64, came: bool) -> Vec<AppliedAction> {
        let (sweep, plan) = self.plan(number, came).await;
        sweep.apply(&plan, Mode::Perform).await.unwrap().applied
    }

    fn is_there(&self) -> bool {
        self.office.event(&self.uid).is_some()
    }

    fn declines(&self) -> Vec<Option<DateTime<Utc>>> {
        let outbox = self.office.sim.outbox();
        outbox.into_iter().filter(|mail| mail.kind == MailKind::Decline).map(|mail| mail.occurrence).collect()
    }
}

fn done(one: &AppliedAction) -> (Change, EventKind) {
    match &one.outcome {
        Outcome::Done(done) => (done.change, done.event.kind),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_third_strike_the_changed_dates_go_first_and_then_the_series() {
    let diary = SeriesFixture::open(3, OnLastStrike::Delete).await;
    for number in [0, 1] {
        let applied = diary.run_day(number, false).await;
        let [one] = applied.as_slice() else { panic!("{applied:?}") };
        assert_eq!(done(one), (Change::Declined, EventKind::Occurrence));
        assert_eq!((one.rule, i64::from(one.missed)), (Rule::NoCheckIn, number + 1));
        assert!(diary.is_there());
    }
    let (sweep, plan) = diary.plan(2, false).await;
    let Some((_, judged)) = plan.actions().next() else { panic!("{plan:?}") };
    let Verdict::Act { rule: Rule::Strikes, why, missed: 3, .. } = &judged.verdict else {
        panic!("{judged:?}")
    };
    assert!(why.contains("for the 3rd time in a row") && why.contains("whole series"), "{why}");
    let rehearsed = sweep.apply(&plan, Mode::DryRun).await.unwrap().applied;
    assert_eq!((rehearsed.len(), diary.declines().len()), (3, 2));
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    let kinds: Vec<_> = applied.iter().map(done).collect();
    let (exception, series) =
        ((Change::Declined, EventKind::Exception), (Change::Declined, EventKind::Series));
    assert_eq!(kinds, [exception, exception, series]);
    assert!(applied[2].is_whole_series() && !applied[1].is_whole_series());
    let Outcome::Done(whole) = &applied[2].outcome else { panic!() };
    assert_eq!(
        whole.reversibility,
        Reversibility::Irreversible { because: IrreversibleReason::DeclineWasSent }
    );
    assert!(!diary.is_there());
    assert_eq!(diary.declines(), [Some(day(0)), Some(day(1)), Some(day(6)), Some(day(8)), None]);
    // The organizer's tracking shows it for the series.
    let mine = diary.office.sim.world(|world| world.event("ada@example.com", &diary.uid)).unwrap();
    let answers: Vec<_> =
        mine.attendees.iter().filter(|one| one.person.address == AURORA).map(|one| one.response).collect();
    assert_eq!(answers, [adjourn::sim::InvitationResponse::Decline]);
    assert_eq!(diary.run_day(3, false).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_once_begins_a_new_count_even_after_a_restart() {
    let diary = SeriesFixture::open(3, OnLastStrike::Delete).await;
    for (number, came, missed) in [(0, false, 1), (1, false, 2), (2, true, 0), (3, false, 1), (4, false, 2)] {
        let applied = diary.run_day(number, came).await;
        assert_eq!(applied.iter().map(|one| one.missed).sum::<u32>(), missed, "day {number}");
    }
    assert!(diary.is_there());
    let last = diary.desk.last_attended(&aurora(), &adjourn::calendar::Uid::new(&*diary.uid)).await.unwrap();
    assert_eq!(last, Some(day(2)));
    assert!(diary.run_day(5, false).await.iter().any(AppliedAction::is_whole_series));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_only_reported_the_series_stays() {
    let diary = SeriesFixture::open(2, OnLastStrike::Report).await;
    for (number, missed) in [(0, 1), (1, 2), (2, 3)] {
        let applied = diary.run_day(number, false).await;
        let [one] = applied.as_slice() else { panic!("{applied:?}") };
        assert_eq!((one.rule, one.missed, done(one).1), (Rule::NoCheckIn, missed, EventKind::Occurrence));
    }
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_date_that_stays_keeps_the_series_and_the_next_miss_goes_on() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    let refused =
        FaultRule::new(InjectedFault::ItemError("ErrorAccessDenied")).on("CreateItem").after(1).times(1);
    diary.office.sim.inject_fault(refused);
    let applied = diary.run_day(0, false).await;
    assert_eq!(applied.len(), 3, "{applied:?}");
    assert!(matches!(applied[1].outcome, Outcome::Refused { .. }), "{}", applied[1].outcome);
    assert_eq!((applied[2].rule, done(&applied[2]).1), (Rule::NoCheckIn, EventKind::Occurrence));
    assert!(diary.is_there());
    assert_eq!(diary.declines(), [Some(day(6)), Some(day(0))], "the room is free now");
    let kinds: Vec<_> = diary.run_day(1, false).await.iter().map(done).map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [EventKind::Exception, EventKind::Series]);
    assert_eq!(diary.declines(), [Some(day(6)), Some(day(0)), Some(day(8)), None]);
    let outbox = diary.office.sim.outbox();
    let declined = outbox.iter().filter(|mail| mail.kind == MailKind::Decline);
    let said: Vec<_> = declined.map(|mail| mail.text.contains("the whole series is removed")).collect();
    assert_eq!(said, [true, false, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_date_that_decides_was_changed_itself_it_goes_with_the_others() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    diary.office.sim.world(|world| {
        world.organizer_changes(&diary.uid, Some(day(0)), |details| {
            details.end = day(0) + TimeDelta::hours(2)
        });
    });
    let kinds: Vec<_> = diary.run_day(0, false).await.iter().map(done).map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [EventKind::Exception, EventKind::Exception, EventKind::Exception, EventKind::Series]);
    assert_eq!(diary.declines(), [Some(day(6)), Some(day(8)), Some(day(0)), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_declines_the_series_once() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    diary
        .office
        .sim
        .inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("CreateItem").after(2).times(1));
    let applied = diary.run_day(0, false).await;
    assert_eq!(done(&applied[2]), (Change::Declined, EventKind::Series));
    assert_eq!(diary.declines(), [Some(day(6)), Some(day(8)), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_at_the_last_moment_keeps_the_series() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    let (_, plan) = diary.plan(0, false).await;
    let mut signs = SignLog::default();
    signs.push(Sign::new(aurora(), day(0) + TimeDelta::minutes(14), "panel"));
    let applied = diary.sweep(signs).apply(&plan, Mode::Perform).await.unwrap().applied;
    assert!(
        matches!(applied.as_slice(), [AppliedAction { outcome: Outcome::Refused { .. }, .. }]),
        "{applied:?}"
    );
    assert!(diary.is_there() && diary.declines().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_was_brought_back_is_not_taken_off_again_unless_that_is_wanted() {
    let mut diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    assert!(diary.run_day(0, false).await.iter().any(AppliedAction::is_whole_series));
    diary.wait_for(1);
    // The organizer invites the room again.
    let invite = |diary: &SeriesFixture| {
        diary
            .office
            .sim
            .world(|world| world.organizer_changes(&diary.uid, None, |details| details.subject += "!"));
    };
    invite(&diary);
    assert!(diary.is_there());
    let only_the_date = |applied: Vec<AppliedAction>| {
        let [one] = applied.as_slice() else { panic!("{applied:?}") };
        assert_eq!((one.rule, done(one).1), (Rule::NoCheckIn, EventKind::Occurrence));
    };
    only_the_date(diary.run_day(2, false).await);
    assert!(diary.is_there());
    diary.came_back = OnReappearance::Repeat;
    assert!(diary.run_day(3, false).await.iter().any(AppliedAction::is_whole_series));
    assert!(!diary.is_there());
    diary.wait_for(4);
    invite(&diary);
    // At most two removals: otherwise removal and invitation could repeat for ever.
    only_the_date(diary.run_day(5, false).await);
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_removed_in_silence_has_no_way_back_by_us_and_a_lost_answer_is_found_out() {
    let mut diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    diary.how = ReleaseMethod::Remove;
    diary
        .office
        .sim
        .inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("DeleteItem").after(2).times(1));
    let applied = diary.run_day(0, false).await;
    assert_eq!(done(&applied[2]), (Change::Removed, EventKind::Series));
    let Outcome::Done(whole) = &applied[2].outcome else { panic!() };
    assert_eq!(whole.reversibility, Reversibility::Irreversible { because: IrreversibleReason::SeriesWent });
    assert!(!diary.is_there() && diary.declines().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_before_strikes_were_counted_counts_for_nothing() {
    let mut diary = SeriesFixture::open(0, OnLastStrike::Delete).await;
    for number in [0, 1] {
        assert_eq!(diary.run_day(number, false).await.len(), 1);
    }
    diary.strikes = 2;
    let applied = diary.run_day(2, false).await;
    assert_eq!(applied.iter().map(|one| one.missed).collect::<Vec<_>>(), [1]);
    assert!(diary.is_there());
    assert!(diary.run_day(3, false).await.iter().any(AppliedAction::is_whole_series));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_series_goes_while_the_feed_is_silent_or_too_many_go_already() {
    for (silent, series_max) in [(true, 3), (false, 0)] {
        let mut diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
        (diary.silent, diary.series_max) = (silent, series_max);
        let applied = diary.run_day(0, false).await;
        let [one] = applied.as_slice() else { panic!("{applied:?}") };
        assert_eq!((one.rule, done(one)), (Rule::NoCheckIn, (Change::Declined, EventKind::Occurrence)));
        assert!(diary.is_there());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_cannot_go_loses_the_date_and_is_not_begun_with() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    diary
        .office
        .sim
        .inject_fault(FaultRule::new(InjectedFault::ItemError("ErrorAccessDenied")).on("GetItem").times(2));
    let (sweep, plan) = diary.plan(0, false).await;
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    assert!(applied.iter().all(|one| one.rule == Rule::NoCheckIn), "{applied:?}");
    assert!(diary.is_there() && !diary.declines().contains(&None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_its_organizer_cancelled_stands_in_nobodys_way() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    diary
        .office
        .sim
        .world(|world| world.changes(AURORA, &diary.uid, Some(day(6)), |details| details.cancelled = true));
    let applied = diary.run_day(0, false).await;
    assert!(applied.iter().any(AppliedAction::is_whole_series), "{applied:?}");
    assert_eq!(diary.declines(), [Some(day(8)), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_date_to_which_somebody_came_begins_a_new_count_from_when_they_came() {
    let diary = SeriesFixture::open(3, OnLastStrike::Delete).await;
    // The first occurrence is moved to the fourth day and attended; on the second and third nothing is.
    diary.office.sim.world(|world| {
        world.organizer_changes(&diary.uid, Some(day(0)), |details| {
            (details.start, details.end) = (day(3) - TimeDelta::hours(2), day(3) - TimeDelta::hours(1));
        });
    });
    for number in [1, 2] {
        assert_eq!(diary.run_day(number, false).await.len(), 1);
    }
    let uid = adjourn::calendar::Uid::new(&*diary.uid);
    diary.desk.record_attended(&aurora(), &uid, day(3) - TimeDelta::hours(2)).await.unwrap();
    let applied = diary.run_day(4, false).await;
    assert_eq!(applied.iter().map(|one| one.missed).collect::<Vec<_>>(), [1]);
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_could_be_seen_nothing_is_a_strike() {
    let mut diary = SeriesFixture::open(3, OnLastStrike::Delete).await;
    assert_eq!(diary.run_day(0, false).await[0].missed, 1);
    diary.silent = true;
    for number in [1, 2, 3] {
        let applied = diary.run_day(number, false).await;
        assert_eq!(applied.iter().map(|one| one.missed).collect::<Vec<_>>(), [0], "day {number}");
    }
    diary.silent = false;
    assert_eq!(diary.run_day(4, false).await[0].missed, 2);
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_lie_far_apart_are_no_row() {
    let diary = SeriesFixture::open(3, OnLastStrike::Delete).await;
    for (number, missed) in [(0, 1), (1, 2), (40, 1), (41, 2)] {
        assert_eq!(diary.run_day(number, false).await[0].missed, missed, "day {number}");
    }
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_exchange_does_not_let_go_loses_its_date_all_the_same() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    diary.office.sim.inject_fault(
        FaultRule::new(InjectedFault::ItemError("ErrorAccessDenied")).on("CreateItem").after(2).times(1),
    );
    let applied = diary.run_day(0, false).await;
    assert_eq!(applied.len(), 4, "{applied:?}");
    assert!(matches!(applied[2].outcome, Outcome::Refused { .. }), "{}", applied[2].outcome);
    assert_eq!((applied[3].rule, done(&applied[3]).1), (Rule::NoCheckIn, EventKind::Occurrence));
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_plan_takes_off_no_more_than_may_go() {
    let mut diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    let (_, plan) = diary.plan(0, false).await;
    diary.series_max = 0;
    let sweep = diary.sweep(SignLog::default());
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    let [one] = applied.as_slice() else { panic!("{applied:?}") };
    assert_eq!((one.rule, done(one).1), (Rule::NoCheckIn, EventKind::Occurrence));
    assert!(diary.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_whose_rule_is_off_now_says_so_and_does_nothing() {
    let diary = SeriesFixture::open(1, OnLastStrike::Delete).await;
    let (_, plan) = diary.plan(0, false).await;
    let off = Sweep::new(diary.office.engine.clone(), Rules::default(), PresenceState::default(), 1);
    let applied = off.apply(&plan, Mode::Perform).await.unwrap().applied;
    assert!(
        matches!(applied.as_slice(), [AppliedAction { outcome: Outcome::Refused { .. }, .. }]),
        "{applied:?}"
    );
    assert!(diary.is_there() && diary.declines().is_empty());
}
