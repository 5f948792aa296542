//! Random mornings of a service: people come or stay away, sources fall silent, clocks are wrong, the service is updated, rooms are
//! renamed, meetings move and get other ids. Checked against the truth of the story:
//!
//! - no meeting is released to which people checked in, however their sign reached the service;
//! - no meeting is released unless a sign could have reached the service during a whole grace before;
//! - nothing is released while the service only observes.
//!
//! `ADJOURN_PRESENCE_SEEDS=1000` plays more of them, `ADJOURN_PRESENCE_SEED=7` one.

use std::sync::Arc;
use std::time::Duration;

use adjourn::calendar::{Event, EventId, RoomAddress, Scope, Uid};
use adjourn::cleanup::{CleanupMode, NoCheckIn, RoomGroup, Rules};
use adjourn::clock::ManualClock;
use adjourn::engine::EngineOptions;
use adjourn::journal::MemoryJournal;
use adjourn::presence::Sign;
use adjourn::service::{self, ReleaseState, Service};
use adjourn::store::ServiceStore;
use adjourn_test::{at, engine, room, service_options};
use chrono::{DateTime, TimeDelta, Utc};

use crate::fake::{FakeCalendar, meeting};
use crate::history::Dice;

const GRACE: u64 = 10;
const EARLY: u64 = 10;
const MINUTES: u64 = 240;
const ROOMS: u64 = 4;
/// The room with a display of its own; nothing else watches it.
const DISPLAY: u64 = 0;
/// The room in another building.
const ELSEWHERE: u64 = 3;
const SEEDS_DEFAULT: u64 = 20;
/// How long a display waits.
const SOON: Duration = Duration::from_secs(10);

/// Minute of the story.
type Minute = u64;

#[derive(Debug, Clone)]
struct Meeting {
    room: u64,
    id: String,
    start: Minute,
    /// When people check in, and how.
    comes: Option<(Minute, Way)>,
    /// When it is moved to the hour that runs.
    moves: Option<Minute>,
    /// When its id changes.
    renamed: Option<Minute>,
    /// The service accepted a sign for it.
    checked_in: bool,
    released: bool,
}

/// How a sign names its event and its room.
#[derive(Debug, Clone, Copy)]
enum Way {
    ById,
    ByGraphId,
    ByUid,
    ByRoom,
    ByAlias,
    WithClockAhead,
    Late,
}

const WAYS: [Way; 7] =
    [Way::ById, Way::ByGraphId, Way::ByUid, Way::ByRoom, Way::ByAlias, Way::WithClockAhead, Way::Late];

/// Minutes in which something does not work.
#[derive(Debug, Clone)]
struct Outage(std::ops::Range<Minute>);

impl Outage {
    fn some(dice: &mut Dice, chance: u64) -> Self {
        let begin = dice.below(MINUTES);
        let length = if dice.percent(chance) { 1 + dice.below(90) } else { 0 };
        Self(begin..begin + length)
    }

    fn is_on(&self, minute: Minute) -> bool {
        self.0.contains(&minute)
    }
}

#[derive(Debug)]
struct Story {
    meetings: Vec<Meeting>,
    service: Outage,
    display: Outage,
    feeds: [Outage; 2],
    rule_on: Minute,
    mode: CleanupMode,
}

fn address(number: u64) -> RoomAddress {
    room(&format!("r{number}"))
}

fn time(minute: Minute) -> DateTime<Utc> {
    at(8, 0) + TimeDelta::minutes(minute as i64)
}

impl Story {
    fn tell(dice: &mut Dice) -> Self {
        let mut meetings = Vec::new();
        for room in 0..ROOMS {
            let mut start = 15 + dice.below(60);
            while start < 180 {
                meetings.push(Self::meeting(dice, room, start, meetings.len()));
                start += 60 + dice.below(60);
            }
        }
        Self {
            meetings,
            service: Outage::some(dice, 50),
            display: Outage::some(dice, 50),
            feeds: [Outage::some(dice, 50), Outage::some(dice, 50)],
            rule_on: if dice.percent(30) { dice.below(120) } else { 0 },
            mode: if dice.percent(10) { CleanupMode::Observe } else { CleanupMode::Act },
        }
    }

    fn meeting(dice: &mut Dice, room: u64, start: Minute, number: usize) -> Meeting {
        let comes = start - EARLY + 1 + dice.below(EARLY + GRACE - 2);
        let comes = dice.percent(60).then(|| (comes, dice.one(&WAYS)));
        // Only empty meetings move, so that the right result is known.
        let moves = (comes.is_none() && dice.percent(30)).then(|| start.saturating_sub(5 + dice.below(20)));
        let renamed = dice.percent(20).then(|| start.saturating_sub(3));
        let id = format!("AA/m{number}+=");
        Meeting { room, id, start, comes, moves, renamed, checked_in: false, released: false }
    }

    fn rules(&self, minute: Minute) -> Rules {
        let rule = NoCheckIn { early: TimeDelta::minutes(EARLY as i64), ..NoCheckIn::default() };
        let elsewhere = RoomGroup {
            name: "B".to_owned(),
            rooms: vec![address(ELSEWHERE).to_string().parse().unwrap()],
            building: Some("B".to_owned()),
            ..RoomGroup::default()
        };
        let mut rules = Rules {
            mode: Some(self.mode),
            no_check_in: (minute >= self.rule_on).then_some(rule),
            room_groups: vec![elsewhere],
            ..Rules::default()
        };
        rules.exceptions.created_within = None;
        // The story knows who comes; the crowd is another test's matter.
        rules.limits.max_fraction = 1.0;
        rules
    }

    fn options(&self, minute: Minute) -> service::ServiceOptions {
        service::ServiceOptions {
            max_state_age: TimeDelta::zero(),
            horizon: TimeDelta::hours(4),
            schedules: Vec::new(),
            ..service_options(self.rules(minute))
        }
    }
}

struct Stage {
    calendar: FakeCalendar,
    journal: Arc<MemoryJournal>,
    clock: ManualClock,
    desk: ServiceStore,
    service: Option<(Arc<Service>, ReleaseState)>,
    /// Minutes in which a sign would have reached the service, by room.
    watched: Vec<Vec<bool>>,
    /// Last contact of the display and of the feeds.
    contacts: [Option<Minute>; 3],
}

impl Stage {
    fn set(story: &Story) -> Self {
        let calendar = FakeCalendar::default();
        for meeting in &story.meetings {
            calendar.add(&address(meeting.room), event(meeting));
        }
        for number in 0..ROOMS {
            let alias = (format!("new-{number}@rooms.example"), address(number).to_string());
            calendar.0.lock().unwrap().aliases.extend([alias]);
        }
        Self {
            calendar,
            journal: Arc::default(),
            clock: ManualClock::at(time(0)),
            desk: ServiceStore::in_memory().unwrap(),
            service: None,
            watched: vec![Vec::new(); ROOMS as usize],
            contacts: [None; 3],
        }
    }

    async fn start(&mut self, story: &Story, minute: Minute) {
        let (calendar, clock) = (Arc::new(self.calendar.clone()), Arc::new(self.clock.clone()));
        let scope = Scope::new((0..ROOMS).map(address), []);
        let options = EngineOptions::default();
        let engine = engine(calendar.clone(), self.journal.clone(), clock, scope, options);
        let opened = Service::open(engine, calendar, self.desk.clone(), story.options(minute)).await;
        self.service = Some((opened.unwrap(), ReleaseState::default()));
    }

    fn service(&self) -> Option<Arc<Service>> {
        self.service.as_ref().map(|(service, _)| service.clone())
    }

    /// The source that watches a room: 0 the display, 1 and 2 the feeds.
    fn source_of(number: u64) -> usize {
        match number {
            DISPLAY => 0,
            ELSEWHERE => 2,
            _ => 1,
        }
    }

    fn source_is_down(story: &Story, source: usize, minute: Minute) -> bool {
        match source {
            0 => story.display.is_on(minute),
            feed => story.feeds[feed - 1].is_on(minute),
        }
    }

    async fn sources(&mut self, story: &Story, minute: Minute) {
        let Some(service) = self.service() else { return };
        if !Self::source_is_down(story, 0, minute) {
            service.record_display_contact(&address(DISPLAY), "panel");
            self.contacts[0] = Some(minute);
        }
        for feed in [1, 2] {
            if minute.is_multiple_of(10) && !Self::source_is_down(story, feed, minute) {
                let rooms = (1..ROOMS).filter(|number| Self::source_of(*number) == feed).map(address);
                service.heartbeat(&format!("feed-{feed}"), "key", rooms);
                self.contacts[feed] = Some(minute);
            }
        }
    }

    fn note_watched(&mut self, minute: Minute) {
        for number in 0..ROOMS {
            // A display that was never in contact is none that the service knows: the feed of the group watches the room.
            let unknown = number == DISPLAY && self.contacts[0].is_none();
            let source = if unknown { 1 } else { Self::source_of(number) };
            let silence = if source == 0 { 5 } else { 60 };
            let alive = self.contacts[source].is_some_and(|last| minute - last <= silence);
            self.watched[number as usize].push(alive && self.service.is_some());
        }
    }

    /// People check in; whether the service accepted it is what counts.
    async fn people_come(&mut self, story: &mut Story, minute: Minute) {
        let Some(service) = self.service() else { return };
        for index in 0..story.meetings.len() {
            let Some((comes, way)) = story.meetings[index].comes else { continue };
            let meeting = story.meetings[index].clone();
            let source = Self::source_of(meeting.room);
            let delay = if matches!(way, Way::Late) { 2 } else { 0 };
            if comes + delay != minute || Self::source_is_down(story, source, minute) {
                continue;
            }
            let accepted = match source {
                0 => service
                    .check_in(&address(DISPLAY), Some(&meeting.id), ("panel".to_owned(), "key"), SOON)
                    .await
                    .is_ok(),
                feed => self.send(&service, &meeting, (comes, way), feed, minute).await,
            };
            story.meetings[index].checked_in |= accepted;
        }
    }

    async fn send(
        &mut self,
        service: &Arc<Service>,
        meeting: &Meeting,
        (comes, way): (Minute, Way),
        feed: usize,
        minute: Minute,
    ) -> bool {
        let mut sign = Sign::new(address(meeting.room), time(comes), format!("feed-{feed}"));
        match way {
            Way::ById => sign.event = Some(meeting.id.clone()),
            Way::ByGraphId => sign.event = Some(meeting.id.replace('/', "-").replace('+', "_")),
            Way::ByUid => sign.event = Some(uid(meeting)),
            Way::WithClockAhead => {
                sign.event = Some(uid(meeting));
                sign.at += TimeDelta::hours(1);
            }
            Way::ByAlias => {
                let alias = format!("new-{}@rooms.example", meeting.room);
                let found = service.rooms_by_alias(&[alias]).await;
                let [(_, room)] = found.as_slice() else { panic!("the alias is not found: {found:?}") };
                sign.room = room.clone();
            }
            Way::ByRoom | Way::Late => {}
        }
        service.add_signs(vec![sign]).await.unwrap();
        self.contacts[feed] = self.contacts[feed].max(Some(minute));
        true
    }

    fn organizers_change(&self, story: &mut Story, minute: Minute) {
        for meeting in &mut story.meetings {
            let key = (address(meeting.room), EventId::new(&*meeting.id));
            if meeting.moves == Some(minute) {
                // Five minutes into the hour that runs; every second server says when it was written.
                let start = minute.saturating_sub(5);
                let written = meeting.id.len().is_multiple_of(2).then(|| time(minute));
                self.calendar.0.lock().unwrap().touch(&key, |event| {
                    (event.start, event.modified) = (time(start), written);
                });
                meeting.start = start;
            }
            if meeting.renamed == Some(minute) && meeting.moves.is_none() {
                let mut state = self.calendar.0.lock().unwrap();
                if let Some(mut event) = state.events.remove(&key) {
                    event.id = EventId::new(format!("{}x", meeting.id));
                    state.events.insert((key.0.clone(), event.id.clone()), event);
                }
            }
        }
    }

    fn is_there(&self, meeting: &Meeting) -> bool {
        let state = self.calendar.0.lock().unwrap();
        state
            .events
            .values()
            .any(|event| event.uid.as_ref().is_some_and(|known| known.as_str() == uid(meeting)))
    }

    fn check(&self, story: &mut Story, minute: Minute) {
        for index in 0..story.meetings.len() {
            let meeting = &story.meetings[index];
            if meeting.released || self.is_there(meeting) {
                continue;
            }
            assert_eq!(story.mode, CleanupMode::Act, "observe mode released {meeting:?}");
            assert!(!meeting.checked_in, "people checked in to a released meeting: {meeting:?} at {minute}");
            let moved = meeting.moves.filter(|moved| *moved <= minute).unwrap_or(0);
            let base = meeting.start.max(moved).max(story.rule_on);
            let watched = &self.watched[meeting.room as usize];
            let whole =
                |from: Minute| (from..from + GRACE).all(|one| watched.get(one as usize) == Some(&true));
            let proven = (base..=minute.saturating_sub(GRACE)).any(whole);
            assert!(proven, "a check-in to {meeting:?} could not have been received, released at {minute}");
            story.meetings[index].released = true;
        }
    }

    async fn play(mut self, mut story: Story) -> usize {
        for minute in 0..MINUTES {
            let up = !story.service.is_on(minute);
            match (&self.service, up) {
                (None, true) => self.start(&story, minute).await,
                (Some(_), false) => self.service = None,
                _ => {}
            }
            if let (Some(service), true) = (self.service(), minute == story.rule_on) {
                service.set_options(story.options(minute));
            }
            self.organizers_change(&mut story, minute);
            self.sources(&story, minute).await;
            self.people_come(&mut story, minute).await;
            self.note_watched(minute);
            if let Some((service, releases)) = &mut self.service {
                service.run_background_once(releases).await;
            }
            self.check(&mut story, minute);
            self.clock.advance(TimeDelta::minutes(1));
        }
        story.meetings.iter().filter(|meeting| meeting.released).count()
    }
}

fn uid(meeting: &Meeting) -> String {
    format!("uid-{}", meeting.id)
}

fn event(story: &Meeting) -> Event {
    let (start, end) = (time(story.start), time(story.start + 50));
    Event { id: EventId::new(&*story.id), uid: Some(Uid::new(uid(story))), start, end, ..meeting("any") }
}

#[test]
fn nobody_who_could_not_check_in_or_did_loses_a_meeting() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match (number("ADJOURN_PRESENCE_SEED"), number("ADJOURN_PRESENCE_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => 0..count,
        (None, None) => 0..SEEDS_DEFAULT,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut released, count) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let story = Story::tell(&mut Dice::new(seed));
        let told = format!("{story:?}");
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(Stage::set(&story).play(story))
        }));
        released += played.unwrap_or_else(|_| panic!("ADJOURN_PRESENCE_SEED={seed} fails: {told}"));
    }
    println!("{count} stories, {released} meetings released");
    assert!(count < 10 || released > 0, "a service that never releases proves nothing");
}
