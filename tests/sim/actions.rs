//! The actions end and delete from engine to mailbox: every kind of copy, races with other clients, lost replies.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{
    Action, ActionKind, Change, DeleteMode, Notified, Notify, Outcome, Refusal, RequestedMinutes,
    ResponsibleParty, Target,
};
use adjourn::calendar::{Copy, EventId};
use adjourn::engine::Mode;
use adjourn::sim::{FaultRule, InjectedFault, MailKind, Person, RecurrenceRange, Series, World};
use adjourn_test::{
    AURORA, Office, action, aurora, ca_file, done, meeting, now, over_tls, plain, refusal, simulator_with,
    world,
};
use chrono::TimeDelta;

const END: ActionKind = ActionKind::End(Notify::Attendees);
const DELETE: ActionKind = ActionKind::Delete(DeleteMode::Notify);

#[tokio::test]
async fn ending_an_attendee_copy_frees_the_room_and_tells_nobody() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = Office::open(world).await;
    let done = done(office.perform(END).await);
    assert_eq!((done.copy, done.notified), (Copy::Attendee, Notified::Nobody));
    assert!(office.event(&uid).unwrap().end <= now());
    assert!(office.mails().is_empty());
    let organizers = office.sim.world(|world| world.event("ada@example.com", &uid)).unwrap();
    assert!(organizers.end > now(), "the organizer's copy is the organizer's");
}

#[tokio::test]
async fn a_rehearsal_reads_and_writes_nothing() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = Office::open(world).await;
    assert!(done(office.perform_in_mode(Mode::DryRun, END).await).dry_run);
    assert!(office.event(&uid).unwrap().end > now());
    assert_eq!(office.request_count("UpdateItem"), 0);
}

#[tokio::test]
async fn deleting_an_attendee_copy_declines_and_the_organizer_is_told() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = Office::open(world).await;
    assert_eq!(done(office.perform(DELETE).await).change, Change::Declined);
    assert!(office.sim.world(|world| world.deleted(AURORA)).iter().any(|event| event.uid == uid));
    assert_eq!(office.mails(), [(MailKind::Decline, vec!["ada@example.com".to_owned()])]);
}

#[tokio::test]
async fn deleting_a_plain_event_removes_it_and_tells_nobody() {
    let mut world = world();
    world.add_plain(plain());
    let office = Office::open(world).await;
    let done = done(office.perform(DELETE).await);
    assert_eq!((done.copy, done.change), (Copy::Plain, Change::Removed));
    assert!(office.mails().is_empty());
}

#[tokio::test]
async fn an_occurrence_is_ended_and_its_series_stays_as_it_is() {
    let mut world = world();
    let mut spec = meeting();
    let first = spec.start;
    spec.series = Some(Series::weekly_on(first, RecurrenceRange::Count(5)));
    let uid = world.add_meeting(spec);
    let office = Office::open(world).await;
    done(office.perform(END).await);
    let occurrence = |at| office.sim.world(|world: &mut World| world.occurrence(AURORA, &uid, at)).unwrap();
    assert!(occurrence(first).end <= now());
    let next = occurrence(first + TimeDelta::weeks(1));
    assert_eq!(next.end - next.start, TimeDelta::hours(1));
}

#[tokio::test]
async fn an_extension_in_between_stops_the_action_and_says_so() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = Office::open(world).await;
    let later = now() + TimeDelta::hours(3);
    let extended = uid.clone();
    let extend = move |world: &mut World| {
        world.organizer_changes(&extended, None, |details| details.end = later);
    };
    office
        .sim
        .inject_fault(FaultRule::new(InjectedFault::ConcurrentChange(Arc::new(extend))).on("UpdateItem"));
    let refusal = refusal(office.perform(END).await);
    assert!(matches!(refusal, Refusal::ChangedMeanwhile { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("changed"), "{refusal}");
    assert_eq!(office.event(&uid).unwrap().end, later);
}

#[tokio::test]
async fn a_reply_lost_before_or_after_the_write_leads_to_one_write_and_one_answer() {
    for wrong in [
        InjectedFault::ResetBefore,
        InjectedFault::ResetAfter,
        InjectedFault::Truncated(40),
        InjectedFault::Garbage,
    ] {
        let mut world = world();
        let uid = world.add_meeting(meeting());
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(wrong).on("UpdateItem"));
        let done = done(office.perform(END).await);
        let Change::Ended { to, .. } = done.change else { panic!("{done:?}") };
        assert_eq!(office.event(&uid).unwrap().end, to);
        assert!(office.request_count("UpdateItem") <= 2);
    }
}

/// Sent Items proves that the mail left, for a single event and for an occurrence, which leaves no other trace.
#[tokio::test]
async fn a_decline_whose_reply_is_lost_is_mailed_once_and_known_to_be() {
    for in_a_series in [false, true] {
        let mut world = world();
        let mut spec = meeting();
        if in_a_series {
            spec.series = Some(Series::weekly_on(spec.start, RecurrenceRange::Count(5)));
        }
        world.add_meeting(spec);
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("CreateItem"));
        let done = done(office.perform(DELETE).await);
        assert_eq!((done.change, done.notified), (Change::Declined, Notified::Organizer));
        assert_eq!((office.request_count("CreateItem"), office.mails().len()), (1, 1));
    }
}

#[tokio::test]
async fn throttling_is_waited_out_in_each_of_its_carriers() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = Office::open(world).await;
    for wrong in [
        InjectedFault::BusyPage(Some(0)),
        InjectedFault::BusyFault(10),
        InjectedFault::BusyMessage(10),
        InjectedFault::TooManyConnections,
    ] {
        office.sim.inject_fault(FaultRule::new(wrong).on("UpdateItem"));
    }
    done(office.perform(END).await);
    assert_eq!(office.request_count("UpdateItem"), 5);
}

/// A proxy in front of Exchange answers 503 to a request that it has forwarded.
#[tokio::test]
async fn a_booking_that_was_answered_with_busy_and_made_all_the_same_is_made_once() {
    let office = Office::open(world()).await;
    office.sim.inject_fault(FaultRule::new(InjectedFault::AppliedThenPage(503)).on("CreateItem"));
    let done = done(office.perform(ActionKind::book(RequestedMinutes::new(30).unwrap())).await);
    assert_eq!(done.change, Change::Booked);
    assert_eq!(office.request_count("CreateItem"), 1);
    let (from, to) = (now() - TimeDelta::hours(1), now() + TimeDelta::hours(1));
    assert_eq!(office.sim.world(|world| world.events(AURORA, from, to)).len(), 1);
}

/// An update that is saved and answered with an error: whether the attendees got mail is unknown.
#[tokio::test]
async fn an_end_that_is_saved_and_answered_with_a_failure_claims_no_message() {
    for status in [500, 502] {
        let mut world = world();
        let mut spec = meeting();
        (spec.organizer, spec.rooms) = (Person::new("Aurora", AURORA), Vec::new());
        world.add_meeting(spec);
        let office = Office::open(world).await;
        office.sim.inject_fault(FaultRule::new(InjectedFault::AppliedThenPage(status)).on("UpdateItem"));
        let done = done(office.perform(ActionKind::End(Notify::Attendees)).await);
        assert_eq!((done.copy, done.notified), (Copy::Organizer, Notified::Unknown));
        assert_eq!(office.request_count("UpdateItem"), 1);
    }
}

#[tokio::test]
async fn an_id_in_graphs_spelling_is_understood_and_a_wrong_one_refused() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = Office::open(world).await;
    let id = office.event(&uid).unwrap().id;
    let about = |id: &str| Target::Event { id: EventId::new(id), seen: None };
    let wrong = id.get(..id.len() - 5).unwrap();
    for id in [wrong, "AAMkNothing", "%%%"] {
        let asked = Action { target: about(id), ..action(aurora(), DELETE) };
        let outcome = office.engine.perform(asked, Mode::Perform).await.unwrap().outcome;
        let refused = matches!(
            outcome,
            Outcome::Refused { refusal: Refusal::InvalidEventId { .. } | Refusal::EventNotFound }
        );
        assert!(refused && office.event(&uid).is_some(), "{id}: {outcome:?}");
    }
    let graphs = id.replace('/', "-").replace('+', "_");
    let asked = Action { target: about(&graphs), ..action(aurora(), DELETE) };
    done(office.engine.perform(asked, Mode::Perform).await.unwrap().outcome);
}

#[tokio::test]
async fn out_of_scope_is_refused_here_and_there() {
    let mut world = world();
    world.add_meeting(meeting());
    world.allow_impersonation_of(["bo@example.com"]);
    let office = Office::open(world).await;
    let by_exchange = refusal(office.perform(END).await);
    assert!(by_exchange.to_string().contains("impersonation"), "{by_exchange}");
    let elsewhere = Office::with_simulator(office.sim, vec!["other@example.com".parse().unwrap()], None);
    let before = elsewhere.sim.requests().len();
    assert!(matches!(refusal(elsewhere.perform(END).await), Refusal::OutOfScope { .. }));
    assert_eq!(elsewhere.sim.requests().len(), before, "no request for a room out of scope");
}

#[tokio::test]
async fn the_same_over_tls_and_only_with_the_right_issuer() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = simulator_with(world, over_tls()).await;
    let ca = ca_file(&[&sim]);
    let stranger = Office::with_simulator(sim, vec![aurora()], None);
    let refused = refusal(stranger.perform(END).await);
    assert!(refused.to_string().contains("cannot be reached"), "{refused}");
    let office = Office::with_simulator(stranger.sim, vec![aurora()], Some(ca.path()));
    done(office.perform(END).await);
}

#[tokio::test]
async fn a_server_that_thinks_too_long_about_a_write_is_asked_what_became_of_it() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = Office::open(world).await;
    office.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(3))).on("UpdateItem"));
    let outcome = office.perform(END).await;
    assert!(matches!(outcome, Outcome::Done(_) | Outcome::NeedsAttention { .. }), "{outcome:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(office.event(&uid).unwrap().end <= now());
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_not_called_busy() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = Office::open(world).await;
    office.sim.inject_fault(FaultRule::new(InjectedFault::Garbage).on("FindItem").times(50));
    let refusal = refusal(office.perform(END).await);
    let Refusal::Exchange { responsible: ResponsibleParty::Server, advice, .. } = &refusal else {
        panic!("{refusal}")
    };
    assert!(advice.contains("no usable response"), "{advice}");
}
