//! Our client of Graph and our client of EWS in front of one simulated world: both see the same events, and the engine's actions end
//! alike over either.

use std::io::Write as _;
use std::sync::Arc;

use adjourn::action::{
    Action, ActionKind, Actor, Answer, BookingTime, Change, DeleteMode, EventSnapshot, Notified, Notify,
    Outcome, Refusal, RequestedEnd, Step,
};
use adjourn::before_send::Unconditional;
use adjourn::calendar::{Copy, Event, EventKind, Uid, Window};
use adjourn::clock::SystemClock;
use adjourn::connection_metrics::ConnectionMetrics as _;
use adjourn::engine::{
    AddressLookup, CalendarReader as _, CalendarWriter as _, DeletedLookup, Directory as _, EventLookup,
    Mode, PersonLookup, TraceLookup, WriteOutcome,
};
use adjourn::graph::{Graph, GraphRights, GraphSettings};
use adjourn::journal::MemoryJournal;
use adjourn::login::{ExternalToken, SignInMethod};
use adjourn::sim::{
    FaultRule, GraphOptions, InjectedFault, MailKind, MeetingSpec, PlaceSpec, RecurrenceRange, RoomSpec,
    Series, Simulator, SimulatorOptions, World,
};
use adjourn_test::{
    AURORA, aurora, done, engine, every_room, exchange, meeting, now, plain, quick_options, settings,
    simulator_with, world,
};
use chrono::TimeDelta;
use tempfile::NamedTempFile;

/// A simulator with all permissions, and our client of it.
struct GraphOffice {
    sim: Simulator,
    graph: Arc<Graph>,
    _token: NamedTempFile,
}

impl GraphOffice {
    async fn open(world: World) -> Self {
        Self::with_options(world, GraphOptions::with_all_permissions()).await
    }

    async fn with_options(world: World, graph: GraphOptions) -> Self {
        let options = SimulatorOptions { graph, ..SimulatorOptions::default() };
        let sim = simulator_with(world, options).await;
        let mut token = NamedTempFile::new().unwrap();
        token.write_all(sim.graph_token().as_bytes()).unwrap();
        let sign_in = SignInMethod::Token(ExternalToken::File(token.path().to_owned()));
        let mut settings = GraphSettings::new(sim.graph_root(), sign_in);
        settings.rights =
            GraphRights { read_mail: true, read_mailbox_items: true, read_places: true, read_users: true };
        let graph = Arc::new(Graph::new(&settings).unwrap());
        Self { sim, graph, _token: token }
    }

    async fn perform(&self, action: Action) -> Answer {
        let journal = Arc::new(MemoryJournal::default());
        let engine =
            engine(self.graph.clone(), journal, Arc::new(SystemClock), every_room(), quick_options());
        engine.perform(action, Mode::Perform).await.unwrap()
    }

    async fn events(&self) -> Vec<Event> {
        self.graph.events(&aurora(), around()).await.unwrap().into_complete().unwrap()
    }

    fn mails(&self) -> Vec<MailKind> {
        self.sim.world(|world| world.outbox().iter().map(|mail| mail.kind).collect())
    }
}

fn around() -> Window {
    Window::new(now() - TimeDelta::hours(12), now() + TimeDelta::hours(12)).unwrap()
}

fn action(kind: ActionKind) -> Action {
    Action { kind, ..Action::end(aurora(), Actor::program("test")) }
}

#[tokio::test]
async fn both_protocols_show_the_same_events() {
    let mut world = world();
    world.add_meeting(meeting());
    world.add_plain(adjourn::sim::PlainSpec {
        start: now() + TimeDelta::hours(2),
        end: now() + TimeDelta::hours(3),
        ..plain()
    });
    let series = MeetingSpec {
        start: now() + TimeDelta::hours(4),
        end: now() + TimeDelta::hours(5),
        series: Some(Series::weekly_on(now() + TimeDelta::hours(4), RecurrenceRange::Count(5))),
        ..meeting()
    };
    world.add_meeting(series);
    let office = GraphOffice::open(world).await;
    let over_graph = office.events().await;
    let over_ews = exchange(&settings(&office.sim, None)).events(&aurora(), around()).await.unwrap().events;
    assert_eq!((over_graph.len(), over_ews.len()), (3, 3));
    for (graph, ews) in over_graph.iter().zip(&over_ews) {
        assert_eq!(
            (&graph.uid, graph.start, graph.end, graph.kind),
            (&ews.uid, ews.start, ews.end, ews.kind)
        );
        assert_eq!((graph.copy, &graph.subject, graph.free_busy), (ews.copy, &ews.subject, ews.free_busy));
        assert_eq!((graph.original_start, graph.is_private), (ews.original_start, ews.is_private));
        let name = |event: &Event| event.organizer.clone().and_then(|who| who.name);
        assert_eq!(name(graph), name(ews));
    }
    let date = over_graph.iter().find(|event| event.kind == EventKind::Occurrence).unwrap();
    let series = office.graph.series(&aurora(), &date.id).await.unwrap().unwrap();
    assert_eq!((series.master.kind, series.master.uid), (EventKind::Series, date.uid.clone()));
}

#[tokio::test]
async fn an_early_end_of_an_attendee_copy_tells_nobody() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    let done = done(office.perform(action(ActionKind::End(Notify::Attendees))).await.outcome);
    assert_eq!((done.copy, done.notified), (Copy::Attendee, Notified::Nobody));
    assert!(office.sim.world(|world| world.event(AURORA, &uid)).unwrap().end <= now());
    assert!(office.mails().is_empty());
}

#[tokio::test]
async fn a_deletion_declines_and_is_found_in_both_folders() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    let before = office.events().await.remove(0);
    let done = done(office.perform(action(ActionKind::Delete(DeleteMode::Notify))).await.outcome);
    assert_eq!(done.change, Change::Declined);
    assert_eq!(office.mails(), [MailKind::Decline]);
    let step = Step::Decline { id: before.id.clone(), change_key: before.change_key.clone(), text: None };
    let sent = office.graph.find_sent_message(&aurora(), &step, &before, now() - TimeDelta::minutes(1)).await;
    assert_eq!(sent, Ok(TraceLookup::Found));
    let deleted = office.graph.find_deleted(&aurora(), &EventSnapshot::from(&before)).await.unwrap();
    assert!(matches!(deleted, DeletedLookup::Found(_)), "{deleted:?}");
}

#[tokio::test]
async fn a_removed_event_is_gone_whether_or_not_its_id_still_opens_it() {
    for shows_deleted_events in [false, true] {
        let mut world = world();
        world.add_plain(plain());
        let options = GraphOptions { shows_deleted_events, ..GraphOptions::with_all_permissions() };
        let office = GraphOffice::with_options(world, options).await;
        let event = office.events().await.remove(0);
        assert_eq!(event.copy, Some(Copy::Plain));
        let done = done(office.perform(action(ActionKind::Delete(DeleteMode::Silent))).await.outcome);
        assert_eq!(done.change, Change::Removed);
        assert_eq!(office.graph.event(&aurora(), &event.id).await, Ok(None));
        let found = office.graph.event_by_external_id(&aurora(), &event.id).await;
        assert_eq!(found, Ok(EventLookup::NotFound));
    }
}

#[tokio::test]
async fn a_booking_is_made_once_and_found_by_its_uid() {
    let office = GraphOffice::open(world()).await;
    let uid = Uid::new("adjourn-7f0c");
    let book = Step::Book {
        uid: uid.clone(),
        start: now(),
        end: now() + TimeDelta::minutes(30),
        subject: "Booked".to_owned(),
    };
    for _ in 0..2 {
        assert_eq!(office.graph.write(&aurora(), &book, &Unconditional).await.outcome, WriteOutcome::Done);
    }
    let events = office.events().await;
    assert_eq!((events.len(), &events[0].uid, events[0].copy), (1, &Some(uid), Some(Copy::Plain)));
}

#[tokio::test]
async fn a_stale_version_is_a_conflict_for_every_step() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    let event = office.events().await.remove(0);
    office.sim.world(|world| {
        world.changes(AURORA, &uid, None, |event| event.end += TimeDelta::minutes(5));
    });
    let (id, change_key) = (event.id.clone(), event.change_key.clone());
    for step in [
        Step::SetEnd { id: id.clone(), change_key: change_key.clone(), end: now(), notify: Notify::Nobody },
        Step::Decline { id: id.clone(), change_key: change_key.clone(), text: None },
        Step::Remove { id, change_key },
    ] {
        let report = office.graph.write(&aurora(), &step, &Unconditional).await;
        assert_eq!(report.outcome, WriteOutcome::Conflict, "{step:?}");
    }
    assert_eq!(office.events().await.len(), 1);
}

#[tokio::test]
async fn an_action_whose_response_is_lost_is_done_once() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    office.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("UpdateEvent").times(1));
    let answer = office.perform(action(ActionKind::End(Notify::Attendees))).await;
    assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
    assert!(office.sim.world(|world| world.event(AURORA, &uid)).unwrap().end <= now());
}

#[tokio::test]
async fn people_addresses_and_room_lists_are_found() {
    let mut world = world();
    world.add_room_list("Building 1", "b1@example.com", &[AURORA]);
    world.add_proxy_address(AURORA, "alias@example.com");
    let office = GraphOffice::open(world).await;
    let person = async |address: &str| office.graph.find_person(&aurora(), address).await.unwrap();
    assert_eq!(person("ada@example.com").await, PersonLookup::Found);
    assert_eq!(person("gone@example.com").await, PersonLookup::NotFound);
    let members = office.graph.room_list_members("b1@example.com", &aurora()).await.unwrap();
    assert_eq!(members, [aurora()]);
    let found = office.graph.resolve_address(&aurora(), "alias@example.com").await.unwrap();
    assert!(matches!(found, AddressLookup::Found(mailbox) if mailbox.primary == AURORA));
}

#[tokio::test]
async fn a_later_time_is_booked_and_an_event_gets_a_named_end() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    let (start, end) = (now() + TimeDelta::minutes(120), now() + TimeDelta::minutes(150));
    let time = BookingTime { start: Some(start), end: RequestedEnd::At(end) };
    let subject = Some("Planning (Ada)".parse().unwrap());
    let booked = done(office.perform(Action { subject, ..action(ActionKind::Book(time)) }).await.outcome);
    assert_eq!((booked.change, booked.event.start, booked.event.end), (Change::Booked, start, end));
    let events = office.events().await;
    let made = events.iter().find(|event| event.start == start).unwrap();
    assert_eq!((made.subject.as_deref(), made.copy), (Some("Planning (Ada)"), Some(Copy::Plain)));
    let until = |end| action(ActionKind::Extend(RequestedEnd::At(end)));
    let collides = office.perform(until(end)).await.outcome;
    assert!(matches!(collides, Outcome::Refused { refusal: Refusal::Collides { .. } }), "{collides:?}");
    let extended = done(office.perform(until(start)).await.outcome);
    assert!(matches!(extended.change, Change::Extended { to, .. } if to == start), "{extended:?}");
}

#[tokio::test]
async fn a_room_is_described_as_the_administrator_set_its_place() {
    let mut world = world();
    let place = PlaceSpec {
        building: Some("Mitte".to_owned()),
        floor: Some(3),
        capacity: Some(12),
        video_device: Some("Teams Room".to_owned()),
        tags: vec!["whiteboard".to_owned()],
        ..PlaceSpec::default()
    };
    let borealis = "borealis@example.com";
    world.add_room(RoomSpec { place, ..RoomSpec::new("Borealis", borealis) });
    let office = GraphOffice::open(world).await;
    let place = office.graph.place(&borealis.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((place.name.as_deref(), place.building.as_deref()), (Some("Borealis"), Some("Mitte")));
    assert_eq!((place.floor.as_deref(), place.capacity), (Some("3"), Some(12)));
    assert_eq!(place.equipment, ["video", "whiteboard"]);
    let over_ews = exchange(&settings(&office.sim, None)).place(&borealis.parse().unwrap()).await.unwrap();
    assert_eq!(over_ews.unwrap().name.as_deref(), Some("Borealis"));
    assert_eq!(office.graph.place(&"gone@example.com".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_decline_whose_response_is_lost_is_mailed_once_and_known_to_be() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    office.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("DeclineEvent").times(1));
    let done = done(office.perform(action(ActionKind::Delete(DeleteMode::Notify))).await.outcome);
    assert_eq!((done.change, office.mails()), (Change::Declined, vec![MailKind::Decline]));
}

#[tokio::test]
async fn one_date_of_a_series_ends_early_and_the_others_stay() {
    let mut world = world();
    let start = now() - TimeDelta::minutes(20);
    let series = Some(Series::weekly_on(start, RecurrenceRange::Count(5)));
    world.add_meeting(MeetingSpec { start, series, ..meeting() });
    let office = GraphOffice::open(world).await;
    let before = office.events().await.remove(0);
    assert_eq!(before.kind, EventKind::Occurrence);
    done(office.perform(action(ActionKind::End(Notify::Attendees))).await.outcome);
    let after = office.events().await.remove(0);
    assert_eq!((after.kind, &after.uid), (EventKind::Exception, &before.uid));
    assert!(after.end <= now() && after.original_start == before.original_start);
    let series = office.graph.series(&aurora(), &after.id).await.unwrap().unwrap();
    assert_eq!(series.exceptions.len(), 1);
}

#[tokio::test]
async fn a_silent_removal_of_a_meeting_of_the_room_is_refused_before_anything_is_sent() {
    let mut world = world();
    let organizer = adjourn::sim::Person::new("Aurora", AURORA);
    world.add_meeting(MeetingSpec { organizer, rooms: Vec::new(), ..meeting() });
    let office = GraphOffice::open(world).await;
    assert_eq!(office.events().await[0].copy, Some(Copy::Organizer));
    let answer = office.perform(action(ActionKind::Delete(DeleteMode::Silent))).await;
    assert!(matches!(answer.outcome, Outcome::Refused { .. }), "{answer:?}");
    assert_eq!((office.events().await.len(), office.mails()), (1, Vec::new()));
}

#[tokio::test]
async fn many_reads_of_one_room_stay_below_the_limit_of_its_mailbox() {
    let mut world = world();
    world.add_meeting(meeting());
    let office = GraphOffice::open(world).await;
    let reads = (0..24).map(|_| office.events());
    let all = futures_util::future::join_all(reads).await;
    assert!(all.iter().all(|events| events.len() == 1));
    let throttled = office.graph.metrics().into_iter().find(|metric| metric.kind == "throttled").unwrap();
    assert_eq!(throttled.count, 0);
}
