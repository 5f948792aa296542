//! Tracking rooms by a scripted feed: notifications, polls, reads, and early ends that use the cache.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::action::{ActionKind, Change, NoChangeReason, Notify, Outcome, Refusal, ResponsibleParty};
use adjourn::calendar::RoomAddress;
use adjourn::clock::Clock as _;
use adjourn::engine::{CalendarError, Capabilities, GuardedSteps};
use adjourn::exchange::Exchange;
use adjourn::live::{
    CachedCalendar, ChangeBatch, ChangeStream, Feed, Live, LiveOptions, RoomCache, SILENCE_MAX,
    SubscriptionGroup, SyncResult, SyncState, TrackingMode,
};
use adjourn_test::{at, room};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use crate::fake::{TestEngine, meeting, network_error, perform, request, test_engine};

/// What the server says, as a test scripts it.
#[derive(Default)]
struct Script {
    /// How often ears are opened, and what that comes to; when there is nothing left, it works.
    opens: VecDeque<Result<Vec<RoomAddress>, CalendarError>>,
    opened: usize,
    says: Option<mpsc::UnboundedReceiver<Result<ChangeBatch, CalendarError>>>,
    /// How long the server asks to be left alone when it refuses.
    retry_after: Option<Duration>,
    /// The rooms of each ears, as they are opened.
    opened_for: Vec<Vec<RoomAddress>>,
    /// Rooms that are said to live elsewhere, and where.
    elsewhere: HashMap<RoomAddress, &'static str>,
    /// Questions about these rooms are never answered.
    hanging: HashSet<RoomAddress>,
    asked: HashMap<RoomAddress, usize>,
    sync_fails: bool,
    synced: usize,
    changes: u32,
}

#[derive(Clone, Default)]
struct FakeFeed(Arc<Mutex<Script>>);

struct FakeEars {
    feed: FakeFeed,
    rooms: Vec<RoomAddress>,
    says: Option<mpsc::UnboundedReceiver<Result<ChangeBatch, CalendarError>>>,
}

#[async_trait]
impl Feed for FakeFeed {
    async fn group_rooms(&self, rooms: &[RoomAddress]) -> Vec<SubscriptionGroup> {
        let script = self.0.lock().unwrap();
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for room in rooms {
            let key = script.elsewhere.get(room).copied().unwrap_or_default();
            groups.entry(key.to_owned()).or_default().push(room.clone());
        }
        groups.into_iter().map(|(key, rooms)| SubscriptionGroup { key, rooms }).collect()
    }

    fn group_rooms_max(&self) -> usize {
        200
    }

    fn change_stream(&self, group: &[RoomAddress]) -> Option<Box<dyn ChangeStream>> {
        let says = self.0.lock().unwrap().says.take();
        Some(Box::new(FakeEars { feed: self.clone(), rooms: group.to_vec(), says }))
    }

    async fn sync_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<SyncResult, CalendarError> {
        let hangs = {
            let mut script = self.0.lock().unwrap();
            *script.asked.entry(room.clone()).or_default() += 1;
            script.hanging.contains(room)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let mut script = self.0.lock().unwrap();
        script.synced += 1;
        if script.sync_fails {
            let mut error = network_error();
            error.responsible = ResponsibleParty::Administrator;
            return Err(error);
        }
        let state = SyncState(script.changes.to_string());
        Ok(SyncResult { changed: since != Some(&state), state })
    }
}

#[async_trait]
impl ChangeStream for FakeEars {
    async fn subscribe(&mut self) -> Result<Vec<(RoomAddress, CalendarError)>, CalendarError> {
        let mut script = self.feed.0.lock().unwrap();
        script.opened += 1;
        let mut rooms = self.rooms.clone();
        rooms.sort();
        script.opened_for.push(rooms);
        let deaf = script.opens.pop_front().unwrap_or(Ok(Vec::new()))?;
        Ok(deaf.into_iter().map(|room| (room, network_error())).collect())
    }

    async fn next(&mut self) -> Result<ChangeBatch, CalendarError> {
        match &mut self.says {
            Some(says) => says.recv().await.unwrap_or_else(|| Err(network_error())),
            None => std::future::pending().await,
        }
    }

    fn add_room(&mut self, room: &RoomAddress) {
        self.rooms.push(room.clone());
    }

    fn remove_room(&mut self, room: &RoomAddress) {
        self.rooms.retain(|other| other != room);
    }

    fn retry_after(&self) -> Option<Duration> {
        self.feed.0.lock().unwrap().retry_after
    }
}

struct Following {
    stage: TestEngine,
    rooms: Arc<RoomCache>,
    feed: FakeFeed,
    says: mpsc::UnboundedSender<Result<ChangeBatch, CalendarError>>,
    live: Arc<Live>,
    scope: Arc<Mutex<Vec<RoomAddress>>>,
}

impl Following {
    /// Follows `r1` and `r2`, of which `r1` has a meeting on; after the script's first moves.
    async fn begin(script: impl FnOnce(&mut Script), options: LiveOptions) -> Self {
        let stage = test_engine();
        stage.calendar.add(&room("r1"), meeting("a"));
        let rooms =
            RoomCache::new(stage.engine.calendar().clone(), Arc::new(stage.clock.clone()), SILENCE_MAX);
        let rooms = Arc::new(rooms);
        stage.engine.set_cache(rooms.clone());
        let feed = FakeFeed::default();
        let (says, heard) = mpsc::unbounded_channel();
        feed.0.lock().unwrap().says = Some(heard);
        script(&mut feed.0.lock().unwrap());
        let live = Live::new(rooms.clone(), Arc::new(feed.clone()), options);
        let scope = Arc::new(Mutex::new(vec![room("r1"), room("r2")]));
        let wanted = scope.clone();
        tokio::spawn(live.clone().run(move || wanted.lock().unwrap().clone()));
        let following = Self { stage, rooms, feed, says, live, scope };
        following.settle().await;
        following
    }

    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    async fn say(&self, heard: ChangeBatch) {
        self.says.send(Ok(heard)).unwrap();
        self.settle().await;
    }

    async fn changed(&self, name: &str) {
        self.say(ChangeBatch { changed: vec![room(name)], ..ChangeBatch::default() }).await;
    }

    fn set_clock(&self, to: DateTime<Utc>) {
        let clock = &self.stage.clock;
        clock.advance(to - clock.now());
    }

    fn reads(&self) -> usize {
        self.stage.calendar.0.lock().unwrap().reads
    }

    fn opened(&self) -> usize {
        self.feed.0.lock().unwrap().opened
    }

    fn current(&self, name: &str) -> Option<CachedCalendar> {
        self.rooms.fresh(&room(name))
    }

    fn how(&self, name: &str) -> TrackingMode {
        self.rooms.any(&room(name)).map_or(TrackingMode::OnDemand, |kept| kept.mode)
    }

    /// The meeting in `r1` is made longer, behind everybody's back.
    fn extend(&self, to_minute: u32) {
        let key = (room("r1"), adjourn::calendar::EventId::new("a"));
        self.stage.calendar.0.lock().unwrap().touch(&key, |event| event.end = at(10, to_minute));
    }

    async fn end(&self) -> Outcome {
        perform(&self.stage, request(ActionKind::End(Notify::Attendees))).await
    }
}

fn quick() -> LiveOptions {
    LiveOptions {
        poll_interval: Duration::from_secs(8),
        retry_after: Duration::from_secs(20),
        ..LiveOptions::default()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_read_once_and_shown_without_asking() {
    let following = Following::begin(|_| (), quick()).await;
    assert_eq!((following.reads(), following.opened()), (2, 1), "each room once");
    let kept = following.current("r1").unwrap();
    assert_eq!((kept.mode, kept.events.len()), (TrackingMode::Streaming, 1));
    assert_eq!(following.current("r2").unwrap().events.len(), 0);

    following.set_clock(at(9, 31));
    following.say(ChangeBatch::default()).await;
    assert_eq!(following.current("r1").unwrap().as_of, at(9, 31), "a heartbeat says that nothing changed");
    for _ in 0..100 {
        following.rooms.get(&room("r1"), TimeDelta::zero()).await.unwrap();
    }
    assert_eq!(following.reads(), 2);

    following.extend(30);
    following.changed("r1").await;
    assert_eq!(following.reads(), 3);
    assert_eq!(following.current("r1").unwrap().events[0].end, at(10, 30));
}

#[tokio::test(start_paused = true)]
async fn silence_is_not_believed_for_ever() {
    let following = Following::begin(|_| (), quick()).await;
    following.set_clock(at(9, 33));
    assert!(following.current("r1").is_none());
    following.rooms.get(&room("r1"), TimeDelta::seconds(15)).await.unwrap();
    assert_eq!(following.reads(), 3);
}

/// Without the version's guard a stale cache would end another event; without reports of changes no cache is known to be current.
#[tokio::test(start_paused = true)]
async fn an_end_reads_first_where_the_server_guards_no_end_or_reports_no_changes() {
    let guarded = GuardedSteps { set_end: false, ..Exchange::CAPABILITIES.guarded };
    for server in [
        Capabilities { guarded, ..Exchange::CAPABILITIES },
        Capabilities { reports_changes: false, ..Exchange::CAPABILITIES },
    ] {
        let following = Following::begin(|_| (), quick()).await;
        following.stage.calendar.0.lock().unwrap().server = Some(server);
        let reads = following.reads();
        assert!(matches!(following.end().await, Outcome::Done(_)));
        assert_eq!(following.reads(), reads + 1, "{server:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_goes_by_what_is_told_and_asks_before_it_says_no() {
    let following = Following::begin(|_| (), quick()).await;
    let reads = following.reads();
    let Outcome::Done(done) = following.end().await else { panic!() };
    assert!(matches!(done.change, Change::Ended { .. }));
    assert_eq!(following.reads(), reads, "one round trip: the write");
    following.rooms.invalidate(&room("r1"));
    following.settle().await;
    let reads = following.reads();
    // The cache has no current event; the engine reads the calendar, and whether another meeting was on since.
    let Outcome::AlreadyDone { why: NoChangeReason::ByAction { .. } } = following.end().await else {
        panic!()
    };
    assert_eq!(following.reads(), reads + 2);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_goes_by_what_is_old_changes_nothing() {
    let following = Following::begin(|_| (), quick()).await;
    // The organizer makes it longer; the notification is on its way.
    following.extend(30);
    let refusal = match following.end().await {
        Outcome::Refused { refusal } => refusal,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refusal, Refusal::ChangedMeanwhile { .. }), "{refusal:?}");
    assert_eq!(following.stage.calendar.effects(), 0);
    // Touched without being moved: decided again, and done.
    following.changed("r1").await;
    let key = (room("r1"), adjourn::calendar::EventId::new("a"));
    following.stage.calendar.0.lock().unwrap().touch(&key, |event| event.subject = None);
    assert!(matches!(following.end().await, Outcome::Done(_)));
}

#[tokio::test(start_paused = true)]
async fn what_has_come_in_its_place_unheard_of_is_left_alone() {
    let following = Following::begin(|_| (), quick()).await;
    following.stage.calendar.0.lock().unwrap().events.clear();
    let mut other = meeting("b");
    other.end = at(10, 15);
    following.stage.calendar.add(&room("r1"), other);
    let Outcome::AlreadyDone { why: NoChangeReason::Gone } = following.end().await else { panic!() };
    assert_eq!(following.stage.calendar.effects(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_leaves_nothing_believed_and_is_opened_again() {
    let following = Following::begin(|_| (), quick()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    following.extend(30);
    following.says.send(Err(network_error())).unwrap();
    following.settle().await;
    assert_eq!(following.opened(), 2, "at once, since it had lasted");
    assert_eq!(
        following.current("r1").unwrap().events[0].end,
        at(10, 30),
        "read again without a notification"
    );
    assert_eq!(following.live.metrics().stream_failures.load(std::sync::atomic::Ordering::Relaxed), 1);

    // One that breaks at once is not opened again and again.
    following.says.send(Err(network_error())).unwrap();
    following.settle().await;
    assert_eq!((following.opened(), following.how("r1")), (2, TrackingMode::Sync));
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!((following.opened(), following.how("r1")), (3, TrackingMode::Streaming));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_over_or_has_lost_something_is_opened_again_and_everything_read() {
    for heard in [
        ChangeBatch { end_of_stream: true, ..ChangeBatch::default() },
        ChangeBatch { lost: vec![room("r2")], ..ChangeBatch::default() },
    ] {
        let following = Following::begin(|_| (), quick()).await;
        following.extend(30);
        following.say(heard).await;
        assert_eq!(following.opened(), 2);
        assert_eq!(following.current("r1").unwrap().events[0].end, at(10, 30));
        // A server that is always over is left alone for a while.
        following.say(ChangeBatch { end_of_stream: true, ..ChangeBatch::default() }).await;
        assert_eq!(following.opened(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_tells_the_server_is_asked_and_where_it_will_not_say_the_calendar_is_read() {
    let deaf = |script: &mut Script| script.opens = (0..3).map(|_| Err(network_error())).collect();
    let following = Following::begin(deaf, quick()).await;
    assert_eq!((following.how("r1"), following.opened()), (TrackingMode::Sync, 1));
    let reads = following.reads();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(following.reads(), reads, "nothing changed");
    following.extend(30);
    following.feed.0.lock().unwrap().changes += 1;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(following.rooms.any(&room("r1")).unwrap().events[0].end, at(10, 30));
    assert!(following.current("r1").is_none(), "it may have changed since it was asked");

    following.feed.0.lock().unwrap().sync_fails = true;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let reads = following.reads();
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(following.how("r1"), TrackingMode::View);
    assert!(following.reads() >= reads + 2, "r1 and r2 are read again and again");
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(following.how("r1"), TrackingMode::Streaming, "it was tried again by itself");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_cannot_be_listened_to_is_asked_about_beside_the_others() {
    let deaf = |script: &mut Script| script.opens = VecDeque::from([Ok(vec![room("r2")])]);
    let following = Following::begin(deaf, quick()).await;
    assert_eq!((following.how("r1"), following.how("r2")), (TrackingMode::Streaming, TrackingMode::Sync));
}

#[tokio::test(start_paused = true)]
async fn the_clock_alone_turns_a_room() {
    let following = Following::begin(|_| (), quick()).await;
    for _ in 0..2 {
        tokio::time::timeout(Duration::from_secs(1), following.rooms.next_changed()).await.unwrap();
    }
    assert!(tokio::time::timeout(Duration::from_secs(5), following.rooms.next_changed()).await.is_err());
    following.set_clock(at(10, 0));
    assert_eq!(following.rooms.next_changed().await, room("r1"));
    // Known for a day at least: after twelve hours it is read again.
    let reads = following.reads();
    following.set_clock(at(21, 31));
    following.settle().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(following.reads(), reads + 2);
}

#[tokio::test(start_paused = true)]
async fn a_meeting_that_moves_or_is_new_is_known_since_the_reading_that_showed_it() {
    let following = Following::begin(|_| (), quick()).await;
    let calendar = &following.stage.calendar;
    let key = (room("r1"), adjourn::calendar::EventId::new("a"));
    let seen = |id: &str| {
        let event = calendar.get(&room("r1"), id).unwrap();
        following.rooms.seen_since(&room("r1"), &event)
    };
    let first = seen("a");
    assert!(first.is_some(), "this server does not report when an event was written");
    following.set_clock(at(9, 35));
    calendar.0.lock().unwrap().touch(&key, |event| event.subject = None);
    calendar.add(&room("r1"), adjourn::calendar::Event { start: at(11, 0), end: at(12, 0), ..meeting("b") });
    following.changed("r1").await;
    assert_eq!((seen("a"), seen("b")), (first, Some(at(9, 35))));
    following.set_clock(at(9, 40));
    calendar.0.lock().unwrap().touch(&key, |event| event.start = at(9, 38));
    assert_eq!(seen("a"), None, "not read yet at its new start");
    following.changed("r1").await;
    assert_eq!((seen("a"), seen("b")), (Some(at(9, 40)), Some(at(9, 35))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_be_left_alone_is_for_as_long_as_it_says_within_reason() {
    for (asked, granted) in [(90, 90), (3_600, 300)] {
        let refuse = |script: &mut Script| {
            script.opens = VecDeque::from([Err(network_error())]);
            script.retry_after = Some(Duration::from_secs(asked));
        };
        let following = Following::begin(refuse, quick()).await;
        tokio::time::sleep(Duration::from_secs(granted - 2)).await;
        assert_eq!((following.opened(), following.how("r1")), (1, TrackingMode::Sync), "{asked} s");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!((following.opened(), following.how("r1")), (2, TrackingMode::Streaming), "{asked} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_moves_away_from_its_group_is_streamed_with_those_it_lives_with_now() {
    let following = Following::begin(|_| (), quick()).await;
    let lost = || ChangeBatch { lost: vec![room("r2")], ..ChangeBatch::default() };
    for times in 1..=3 {
        assert_eq!(following.opened(), times, "the others do not wait");
        assert_eq!(following.how("r2"), TrackingMode::Streaming);
        following.say(lost()).await;
    }
    assert_eq!((following.how("r1"), following.how("r2")), (TrackingMode::Streaming, TrackingMode::Sync));
    following.feed.0.lock().unwrap().elsewhere.insert(room("r2"), "site-b");
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert_eq!(
        (following.how("r1"), following.how("r2")),
        (TrackingMode::Streaming, TrackingMode::Streaming)
    );
    let opened = following.feed.0.lock().unwrap().opened_for.clone();
    let both = vec![room("r1"), room("r2")];
    assert_eq!(opened, [both.clone(), both.clone(), both, vec![room("r1")], vec![room("r2")]]);
}

#[tokio::test(start_paused = true)]
async fn where_the_server_does_not_say_who_shares_a_back_end_a_room_that_was_lost_has_a_stream_of_its_own() {
    let following = Following::begin(|_| (), quick()).await;
    for _ in 0..3 {
        following.say(ChangeBatch { lost: vec![room("r2")], ..ChangeBatch::default() }).await;
    }
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert_eq!(
        (following.how("r1"), following.how("r2")),
        (TrackingMode::Streaming, TrackingMode::Streaming)
    );
    assert_eq!(following.feed.0.lock().unwrap().opened_for.last(), Some(&vec![room("r2")]));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_could_not_be_subscribed_to_joins_its_group_again() {
    let deaf = |script: &mut Script| script.opens = VecDeque::from([Ok(vec![room("r2")])]);
    let following = Following::begin(deaf, quick()).await;
    tokio::time::sleep(Duration::from_secs(290)).await;
    assert_eq!((following.opened(), following.how("r2")), (1, TrackingMode::Sync));
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(
        (following.opened(), following.how("r1"), following.how("r2")),
        (2, TrackingMode::Streaming, TrackingMode::Streaming)
    );
}

#[tokio::test(start_paused = true)]
async fn a_room_that_comes_later_is_asked_about_at_once_and_joins_the_stream_of_the_others() {
    let following = Following::begin(|_| (), quick()).await;
    following.scope.lock().unwrap().push(room("r3"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (following.opened(), following.how("r1"), following.how("r3")),
        (1, TrackingMode::Streaming, TrackingMode::Sync)
    );
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!((following.opened(), following.how("r3")), (2, TrackingMode::Streaming));
    assert_eq!(following.feed.0.lock().unwrap().opened_for[1], ["r1", "r2", "r3"].map(room));
    // One that goes takes nothing with it.
    following.scope.lock().unwrap().remove(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        (following.how("r1"), following.how("r2"), following.how("r3")),
        (TrackingMode::OnDemand, TrackingMode::Streaming, TrackingMode::Streaming)
    );
}

#[tokio::test(start_paused = true)]
async fn rooms_whose_mailboxes_hang_keep_no_other_from_being_asked_about() {
    let names = ["h1", "h2", "h3", "h4", "h5", "h6"];
    let hang = |script: &mut Script| script.hanging = names.map(room).into();
    let options = LiveOptions { best_mode: TrackingMode::Sync, ..quick() };
    let following = Following::begin(hang, options).await;
    following.scope.lock().unwrap().splice(0..0, names.map(room));
    tokio::time::sleep(Duration::from_secs(20)).await;
    let asked =
        |name: &str| following.feed.0.lock().unwrap().asked.get(&room(name)).copied().unwrap_or_default();
    assert_eq!((following.how("r1"), following.how("r2")), (TrackingMode::Sync, TrackingMode::Sync));
    let before = asked("r1");
    tokio::time::sleep(Duration::from_secs(160)).await;
    assert!(asked("r1") - before >= 12, "{} times in 160 s, every 8 s", asked("r1") - before);
    assert!(asked("h1") <= 6, "{}: rarer and rarer", asked("h1"));
}

/// A display shows the agenda of the day.
#[tokio::test(start_paused = true)]
async fn a_room_changes_when_its_next_day_begins() {
    let following = Following::begin(|_| (), quick()).await;
    let changed =
        async || tokio::time::timeout(Duration::from_secs(3), following.rooms.next_changed()).await.ok();
    following.set_clock(at(23, 59));
    while changed().await.is_some() {}
    following.set_clock(at(24, 0));
    let both = [changed().await, changed().await];
    assert!(both.contains(&Some(room("r1"))) && both.contains(&Some(room("r2"))), "{both:?}");
}
