//! Tracking rooms over HTTP(S) against the simulator: a change reaches the cache within a moment, whatever happens to
//! subscriptions and connections.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{ActionKind, Notify, Outcome};
use adjourn::calendar::Scope;
use adjourn::clock::SystemClock;
use adjourn::engine::{Calendar, Engine, Mode};
use adjourn::exchange::{Access, Settings};
use adjourn::graph::GraphSettings;
use adjourn::journal::MemoryJournal;
use adjourn::live::{
    CachedCalendar, Feed, Live, LiveOptions as Following, PollIntervals, RoomCache, TrackingMode,
};
use adjourn::login::{ChannelBinding, WindowsScheme};
use adjourn::sim::{
    AuthScheme, AutodiscoverProtocol, EventState, ExchangeRelease, ExtendedProtection, FaultRule,
    GraphOptions, InjectedFault, NotificationOptions, PlainSpec, Simulator, SimulatorOptions, World,
};
use adjourn_test::{
    account_settings, action, ca_file, engine, exchange, graph, graph_settings, now, numbered_room,
    quick_options, request_count, room_name, settings, simulator_with, wait_until, world_of_meetings,
};
use chrono::TimeDelta;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::sign_in::windows;

/// Ten heartbeats: a busy machine delays some.
const SILENCE: Duration = Duration::from_secs(3);

pub fn fast_notifications() -> NotificationOptions {
    NotificationOptions { heartbeat: Duration::from_millis(300), ..NotificationOptions::default() }
}

/// An Exchange with a short heartbeat interval.
pub async fn simulator_with_fast_notifications(world: World) -> Simulator {
    simulator_with(
        world,
        SimulatorOptions { notifications: fast_notifications(), ..SimulatorOptions::default() },
    )
    .await
}

/// A simulator with tracked rooms, and an engine that uses the cache.
pub struct LiveFixture {
    pub sim: Simulator,
    pub engine: Arc<Engine>,
    pub rooms: Arc<RoomCache>,
    pub live: Arc<Live>,
    count: u64,
    /// Whether the rooms are on Microsoft Graph, where events have other ids.
    on_graph: bool,
    following: JoinHandle<()>,
}

impl LiveFixture {
    pub async fn open(count: u64, notifications: NotificationOptions) -> Self {
        let world = world_of_meetings(usize::try_from(count).unwrap());
        let options = SimulatorOptions { notifications, ..SimulatorOptions::default() };
        Self::with_simulator(simulator_with(world, options).await, count).await
    }

    pub async fn with_simulator(sim: Simulator, count: u64) -> Self {
        let settings = settings(&sim, None);
        Self::follow(sim, count, settings, following_options()).await
    }

    pub async fn follow(sim: Simulator, count: u64, settings: Settings, following: Following) -> Self {
        let house = Self::start(sim, count, settings, following);
        house.wait_until("all rooms are cached", |house| (0..count).all(|n| house.cached(n).is_some())).await;
        house
    }

    pub fn start(sim: Simulator, count: u64, mut settings: Settings, following: Following) -> Self {
        settings.stream_idle_timeout = SILENCE;
        Self::start_on(Arc::new(exchange(&settings)), sim, count, following)
    }

    /// The same with the rooms on Microsoft Graph, which are polled.
    pub async fn open_on_graph(count: u64) -> Self {
        let sim = simulator_with(
            world_of_meetings(usize::try_from(count).unwrap()),
            SimulatorOptions { graph: GraphOptions::with_all_permissions(), ..SimulatorOptions::default() },
        )
        .await;
        let poll = Duration::from_millis(200);
        let mut settings = GraphSettings {
            poll_intervals: PollIntervals { busy: poll, idle: poll },
            ..graph_settings(&sim)
        };
        settings.timeouts.first_byte = Duration::from_secs(2);
        let mut house = Self::start_on(Arc::new(graph(&settings)), sim, count, following_options());
        house.on_graph = true;
        house.wait_until("all rooms are cached", |house| (0..count).all(|n| house.cached(n).is_some())).await;
        house
    }

    fn start_on<B: Calendar + Feed + 'static>(
        backend: Arc<B>,
        sim: Simulator,
        count: u64,
        following: Following,
    ) -> Self {
        let (journal, clock) = (Arc::new(MemoryJournal::default()), Arc::new(SystemClock));
        let scope = Scope::new((0..count).map(numbered_room), []);
        let engine = engine(backend.clone(), journal, clock.clone(), scope, quick_options());
        let silence = TimeDelta::from_std(SILENCE).unwrap();
        let rooms = Arc::new(RoomCache::new(engine.calendar().clone(), clock, silence));
        engine.set_cache(rooms.clone());
        let live = Live::new(rooms.clone(), backend, following);
        let following = tokio::spawn(live.clone().run(move || (0..count).map(numbered_room).collect()));
        Self { sim, engine, rooms, live, count, on_graph: false, following }
    }

    pub fn cached(&self, number: u64) -> Option<CachedCalendar> {
        self.rooms.any(&numbered_room(number))
    }

    pub fn tracking_mode(&self, number: u64) -> TrackingMode {
        self.cached(number).map_or(TrackingMode::OnDemand, |kept| kept.mode)
    }

    pub fn all_tracked_by(&self, how: TrackingMode) -> bool {
        (0..self.count).all(|number| self.tracking_mode(number) == how)
    }

    /// Whether the cache equals the mailbox: ids, versions and times.
    pub fn matches_mailbox(&self, number: u64) -> bool {
        let Some(kept) = self.cached(number) else { return false };
        let (from, to) = (kept.read_at, kept.read_at + TimeDelta::hours(36));
        let truth = self.sim.world(|world| world.events(&room_name(number), from, to));
        let id = |event: &EventState| match self.on_graph {
            true => event.immutable_id.clone(),
            false => event.id.clone(),
        };
        let mut truth: Vec<_> =
            truth.into_iter().map(|event| (event.start, event.end, id(&event), event.change_key)).collect();
        let told = kept.events.iter().map(|event| {
            (event.start, event.end, event.id.to_string(), event.change_key.as_str().to_owned())
        });
        let mut told: Vec<_> = told.collect();
        truth.sort();
        told.sort();
        truth == told
    }

    pub fn all_match_mailboxes(&self) -> bool {
        (0..self.count).all(|number| self.matches_mailbox(number))
    }

    pub async fn wait_until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        wait_until(what, || so(self)).await;
    }

    pub fn request_count(&self, operation: &str) -> usize {
        request_count(&self.sim, operation)
    }

    /// Books a minute in the room, `after_minutes` later than an hour from now.
    pub fn book(&self, number: u64, after_minutes: i64) -> String {
        let start = now() + TimeDelta::minutes(60 + after_minutes);
        let spec = PlainSpec::new(room_name(number), start, start + TimeDelta::minutes(1));
        self.sim.world(|world| world.add_plain(spec))
    }

    pub async fn end(&self, number: u64) -> Outcome {
        let action = action(numbered_room(number), ActionKind::End(Notify::Attendees));
        self.engine.perform(action, Mode::Perform).await.unwrap().outcome
    }

    pub async fn close(self) {
        self.following.abort();
        let _ = self.following.await;
        self.sim.stop().await;
    }
}

pub fn following_options() -> Following {
    let poll = Duration::from_millis(200);
    let (again_after, regroup) = (Duration::from_millis(100), Duration::from_secs(1));
    Following {
        poll_interval: poll,
        retry_after: again_after,
        regroup_interval: regroup,
        ..Following::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_known_within_a_moment_and_an_end_takes_one_round_trip() {
    let house = LiveFixture::open(3, fast_notifications()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    assert_eq!((house.sim.streams(), house.sim.subscriptions()), (1, 3), "one connection for all");
    let views = house.request_count("FindItem");
    house.book(1, 0);
    house.wait_until("the booking is in the cache", |house| house.cached(1).unwrap().events.len() == 2).await;
    assert_eq!(house.request_count("FindItem"), views + 1, "one room was read again");
    sleep(Duration::from_millis(700)).await;
    assert_eq!(house.request_count("FindItem"), views + 1, "and none while nothing happens");
    let as_of = house.cached(0).unwrap().as_of;
    house.wait_until("a heartbeat confirms the cache", |house| house.cached(0).unwrap().as_of > as_of).await;

    let before = house.sim.requests().len();
    assert!(matches!(house.end(0).await, Outcome::Done(_)));
    let asked: Vec<_> = house.sim.requests()[before..].iter().map(|asked| asked.operation.clone()).collect();
    assert_eq!(asked.first().map(String::as_str), Some("UpdateItem"), "no read came first: {asked:?}");
    house.wait_until("the end is in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_faster_than_the_news_changes_nothing() {
    let house = LiveFixture::open(
        1,
        NotificationOptions { coalesce: Duration::from_secs(5), ..fast_notifications() },
    )
    .await;
    house.wait_until("it is listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    house.sim.world(|world| {
        let uid = world.events(&room_name(0), now(), now())[0].uid.clone();
        world.organizer_changes(&uid, None, |details| details.end += TimeDelta::minutes(30));
    });
    let outcome = house.end(0).await;
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_stream_the_rooms_are_known_again() {
    type Happens = fn(&Simulator);
    let cases: [(&str, Happens); 7] = [
        ("silence", |sim| sim.inject_stream_fault(Some(InjectedFault::Silent))),
        ("cut", Simulator::cut_streams),
        ("closed", Simulator::close_streams),
        ("all subscriptions lost", Simulator::drop_subscriptions),
        ("one subscription lost", |sim| sim.drop_subscriptions_of(&room_name(1))),
        ("events missed", |sim| sim.report_missed_events_of(&room_name(1))),
        ("events lost, until the stream is over", |sim| {
            sim.inject_stream_fault(Some(InjectedFault::NoEvents));
        }),
    ];
    for (what, happens) in cases {
        let house = LiveFixture::open(3, fast_notifications()).await;
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        happens(&house.sim);
        house.book(1, 5);
        if what.ends_with("over") {
            sleep(Duration::from_millis(300)).await;
            assert!(!house.matches_mailbox(1), "no notification can have come");
            house.sim.close_streams();
        }
        house
            .wait_until(what, |house| {
                house.all_match_mailboxes() && house.all_tracked_by(TrackingMode::Streaming)
            })
            .await;
        house.book(2, 5);
        house.wait_until(&format!("{what}, and then a change"), LiveFixture::all_match_mailboxes).await;
        assert!(house.sim.subscriptions() <= 6, "{what}: {} subscriptions", house.sim.subscriptions());
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_all_subscriptions_again_and_again_is_listened_to_again_when_it_is_back() {
    let house = LiveFixture::open(2, fast_notifications()).await;
    for times in 1..=5 {
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        house.sim.drop_subscriptions();
        let lost = |house: &LiveFixture| {
            house.live.metrics().lost_subscriptions.load(std::sync::atomic::Ordering::Relaxed)
        };
        house.wait_until("the loss is reported", |house| lost(house) >= 2 * times).await;
    }
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    house.book(1, 5);
    house.wait_until("a change is in the cache", LiveFixture::all_match_mailboxes).await;
    assert!(house.all_tracked_by(TrackingMode::Streaming));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_any_pieces_doubled_and_in_the_wrong_order_says_the_same() {
    for (chunk_bytes, wrong) in
        [(Some(1), None), (Some(7), Some(InjectedFault::Duplicated)), (None, Some(InjectedFault::Reordered))]
    {
        let house = LiveFixture::open(2, NotificationOptions { chunk_bytes, ..fast_notifications() }).await;
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        house.sim.inject_stream_fault(wrong);
        for minutes in 0..5 {
            house.book(minutes % 2, i64::try_from(minutes).unwrap() * 2);
        }
        house.wait_until("five changes", LiveFixture::all_match_mailboxes).await;
        assert_eq!(house.live.metrics().stream_failures.load(std::sync::atomic::Ordering::Relaxed), 0);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_within_an_envelope_wherever_is_begun_again() {
    let house = LiveFixture::open(1, fast_notifications()).await;
    for bytes in [1, 200, 500, 700] {
        house.sim.inject_fault(FaultRule::new(InjectedFault::Truncated(bytes)).on("GetStreamingEvents"));
        house.sim.cut_streams();
        house
            .wait_until("it ended, and began again", |house| house.all_tracked_by(TrackingMode::Streaming))
            .await;
    }
    house.book(0, 0);
    house.wait_until("a change is in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_streaming_is_not_to_be_had_it_is_asked_and_where_that_is_refused_the_calendar_is_read() {
    let house = LiveFixture::open(2, NotificationOptions { streams: Some(0), ..fast_notifications() }).await;
    house
        .wait_until("no streaming connection is allowed: polled", |house| {
            house.all_tracked_by(TrackingMode::Sync)
        })
        .await;
    house.book(1, 0);
    house.wait_until("polled changes are in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;

    let sim = simulator_with_fast_notifications(world_of_meetings(2)).await;
    sim.inject_fault(
        FaultRule::new(InjectedFault::Fault("ErrorAccessDenied")).on("Subscribe").times(usize::MAX),
    );
    sim.inject_fault(
        FaultRule::new(InjectedFault::ItemError("ErrorAccessDenied")).on("SyncFolderItems").times(usize::MAX),
    );
    let house = LiveFixture::with_simulator(sim, 2).await;
    house.wait_until("neither: read", |house| house.all_tracked_by(TrackingMode::View)).await;
    house.book(1, 0);
    house.wait_until("read again", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_subscriptions_are_used_up_is_asked_about_and_the_others_are_listened_to() {
    let sim = simulator_with_fast_notifications(world_of_meetings(3)).await;
    let full = FaultRule::new(InjectedFault::ItemError("ErrorExceededSubscriptionCount")).on("Subscribe");
    sim.inject_fault(full.for_mailbox(&room_name(1)).times(usize::MAX));
    let house = LiveFixture::with_simulator(sim, 3).await;
    house
        .wait_until("two are listened to", |house| {
            [house.tracking_mode(0), house.tracking_mode(1), house.tracking_mode(2)]
                == [TrackingMode::Streaming, TrackingMode::Sync, TrackingMode::Streaming]
        })
        .await;
    house.book(1, 0);
    house.book(2, 0);
    house.wait_until("both are in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_of_a_group_go_to_the_server_that_keeps_its_subscriptions() {
    let house = LiveFixture::open(5, NotificationOptions { back_ends: 3, ..fast_notifications() }).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    house.sim.close_streams();
    house.book(4, 0);
    house
        .wait_until("the next stream is of the same", |house| {
            house.all_match_mailboxes() && house.sim.streams() == 1
        })
        .await;
    assert_eq!(house.request_count("Subscribe"), 5, "no subscription was repeated");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_share_a_back_end_by_what_autodiscover_says_are_listened_to_together() {
    let rooms = 92; // more than one Autodiscover request may name
    let sim = simulator_with_fast_notifications(world_of_meetings(usize::try_from(rooms).unwrap())).await;
    let groups = ["site-a", "site-b"];
    for number in (0..rooms).filter(|number| *number != 91) {
        let group = groups[usize::from(number % 2 == 1)];
        sim.autodiscover(|says| says.set_group(&room_name(number), group));
    }
    let house = LiveFixture::with_simulator(sim, rooms).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    assert_eq!(house.sim.streams(), 3, "two groups, and the room without a group");
    let mut anchors = std::collections::BTreeMap::<_, Vec<_>>::new();
    for asked in house.sim.requests().into_iter().filter(|asked| asked.operation == "Subscribe") {
        anchors.entry(asked.anchor.unwrap()).or_default().push(asked.mailbox.unwrap());
    }
    let sizes: Vec<_> = anchors.iter().map(|(anchor, rooms)| (anchor.as_str(), rooms.len())).collect();
    assert_eq!(sizes, [("room0@example.com", 46), ("room11@example.com", 45), ("room91@example.com", 1)]);
    house.book(90, 0);
    house.book(89, 0);
    house.wait_until("changes in both are in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_say_who_shares_a_back_end_is_listened_to_all_the_same() {
    let sim = simulator_with_fast_notifications(world_of_meetings(3)).await;
    sim.autodiscover(|says| says.disable(AutodiscoverProtocol::Soap));
    let house = LiveFixture::with_simulator(sim, 3).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    assert_eq!(house.sim.streams(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_takes_no_place_of_those_at_the_doors() {
    let sim = simulator_with_fast_notifications(world_of_meetings(2)).await;
    let mut settings = settings(&sim, None);
    (settings.max_concurrent_requests_per_room, settings.max_concurrent_requests) =
        (NonZeroUsize::MIN, NonZeroUsize::MIN);
    let house = LiveFixture::follow(sim, 2, settings, following_options()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    assert!(matches!(house.end(0).await, Outcome::Done(_)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_signs_in_like_everybody_else() {
    for scheme in [WindowsScheme::Ntlm, WindowsScheme::Negotiate] {
        let schemes = vec![AuthScheme::Negotiate, AuthScheme::Ntlm];
        let extended_protection = ExtendedProtection::Require;
        let options = SimulatorOptions {
            tls: true,
            schemes,
            extended_protection,
            notifications: fast_notifications(),
            ..SimulatorOptions::default()
        };
        let sim = simulator_with(world_of_meetings(2), options).await;
        let ca = ca_file(&[&sim]);
        let mut settings = account_settings(&sim.url(), "", "");
        settings.ca_file = Some(ca.path().to_owned());
        settings.sign_in = windows(scheme, ChannelBinding::Require);
        let house = LiveFixture::follow(sim, 2, settings, following_options()).await;
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        house.book(1, 0);
        house.wait_until("a change is in the cache", LiveFixture::all_match_mailboxes).await;
        assert_eq!(house.sim.failed_sign_ins(), 0);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_listens_too() {
    let mut world = world_of_meetings(2);
    let rooms: Vec<_> = (0..2).map(room_name).collect();
    world.allow_impersonation_of([]).allow_full_access_to(rooms.iter().map(String::as_str));
    let sim = simulator_with_fast_notifications(world).await;
    let mut settings = settings(&sim, None);
    settings.access = Access::Delegate;
    let house = LiveFixture::follow(sim, 2, settings, following_options()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    house.book(1, 0);
    house.wait_until("a change is in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_release_is_followed_by_what_it_has() {
    use ExchangeRelease::{
        Exchange2010Sp2, Exchange2013, Exchange2013Sp1, Exchange2016, Online, SubscriptionEdition,
    };
    for release in [Exchange2010Sp2, Exchange2013, Exchange2013Sp1, Exchange2016, SubscriptionEdition, Online]
    {
        let options =
            SimulatorOptions { release, notifications: fast_notifications(), ..SimulatorOptions::default() };
        let sim = simulator_with(world_of_meetings(1), options).await;
        let house = LiveFixture::with_simulator(sim, 1).await;
        house.wait_until("it is listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        house.book(0, 0);
        house
            .wait_until(&format!("{release:?}: a change is in the cache"), LiveFixture::all_match_mailboxes)
            .await;
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_holds_answers_back_is_none() {
    let sim = simulator_with_fast_notifications(world_of_meetings(2)).await;
    let held = InjectedFault::Slow(Duration::from_secs(60));
    sim.inject_fault(FaultRule::new(held).on("GetStreamingEvents").times(usize::MAX));
    let house = LiveFixture::with_simulator(sim, 2).await;
    house.wait_until("polled instead", |house| house.all_tracked_by(TrackingMode::Sync)).await;
    house.book(1, 0);
    house.wait_until("polled changes are in the cache", LiveFixture::all_match_mailboxes).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_that_no_stream_is_to_be_had_of_are_left_for_others_unless_the_server_is_busy() {
    let (anew, kept) = (4, 2);
    for (fault, times, asked) in [
        ("ErrorSubscriptionNotFound", 1, anew),
        ("ErrorInternalServerError", 2, anew),
        ("ErrorServerBusy", 3, kept),
        ("ErrorExceededConnectionCount", 3, kept),
    ] {
        let sim = simulator_with_fast_notifications(world_of_meetings(2)).await;
        sim.inject_fault(FaultRule::new(InjectedFault::Fault(fault)).on("GetStreamingEvents").times(times));
        let house = LiveFixture::with_simulator(sim, 2).await;
        house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
        assert_eq!(house.request_count("Subscribe"), asked, "{fault}");
        house.wait_until("the old ones are let go", |house| house.sim.subscriptions() == 2).await;
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_followed_any_more_is_not_believed_to_be() {
    let sim = simulator_with(
        world_of_meetings(2),
        SimulatorOptions { notifications: fast_notifications(), ..SimulatorOptions::default() },
    )
    .await;
    let settings = settings(&sim, None);
    let house = LiveFixture::follow(sim, 2, settings, following_options()).await;
    house.wait_until("all are listened to", |house| house.all_tracked_by(TrackingMode::Streaming)).await;
    house.following.abort();
    house.wait_until("no room is tracked", |house| house.all_tracked_by(TrackingMode::OnDemand)).await;
    assert!((0..2).all(|number| house.rooms.fresh(&numbered_room(number)).is_none()));
    house.wait_until("and the server has no subscription left", |house| house.sim.subscriptions() == 0).await;
    house.close().await;
}
