//! Random histories of tracked rooms: people edit calendars, door displays end meetings by the cache, connections and
//! subscriptions break, lie and lag, mailboxes move to another back end or hang, and the server asks for pauses. At the
//! end the cache of every room equals its mailbox, and no end acted on a different meeting than the display showed. The rooms are
//! followed over EWS, or polled over Microsoft Graph.
//!
//! The seed decides the events; the exact moment at which a notification meets an edit depends on the machine.
//! `ADJOURN_LIVE_SEEDS=N` runs N seeds from `ADJOURN_LIVE_FIRST` on, `ADJOURN_LIVE_SEED=N` only this one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::action::{Change, Outcome};
use adjourn::sim::{FaultRule, InjectedFault, NotificationOptions, Person, PlainSpec};
use adjourn_test::{SeededRandom, Seeds, now, room_name};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::live::LiveFixture;

const SEEDS_DEFAULT: u64 = 6;
const ROOMS: u64 = 4;

/// A room's current meeting, as people last left it.
struct Meeting {
    uid: String,
    end: DateTime<Utc>,
}

/// A look at a room: the end that people had set, and the end that the cache showed.
struct Observed {
    room: u64,
    left: DateTime<Utc>,
    found: Option<DateTime<Utc>>,
}

struct LiveHistory {
    house: Arc<LiveFixture>,
    dice: SeededRandom,
    meetings: Vec<Meeting>,
    found: Vec<Observed>,
    /// A stream was silent or lost events: the lost changes stay unknown until it is opened again.
    may_have_lost_events: bool,
    booked: i64,
    back_ends: u64,
    on_graph: bool,
    doors: JoinSet<()>,
    ends: Arc<Mutex<Vec<(u64, Outcome)>>>,
}

impl LiveHistory {
    fn new(house: LiveFixture, dice: SeededRandom, back_ends: u64, on_graph: bool) -> Self {
        let meeting = |number| {
            let on = house.sim.world(|world| world.events(&room_name(number), now(), now()));
            Meeting { uid: on[0].uid.clone(), end: on[0].end }
        };
        let meetings = (0..ROOMS).map(meeting).collect();
        Self {
            house: Arc::new(house),
            dice,
            meetings,
            found: Vec::new(),
            may_have_lost_events: false,
            booked: 0,
            back_ends,
            on_graph,
            doors: JoinSet::new(),
            ends: Arc::default(),
        }
    }

    async fn play(&mut self) {
        for _ in 0..12 + self.dice.below(12) {
            match self.dice.below(10) {
                0..=2 => self.extend(),
                3 => self.book(),
                4 => self.remove_meeting(),
                5 | 6 => self.end(),
                _ => self.inject_fault(),
            }
            sleep(Duration::from_millis(self.dice.below(80))).await;
        }
        while self.doors.join_next().await.is_some() {}
    }

    /// The organizer extends a meeting to an end that it never had.
    fn extend(&mut self) {
        let number = self.dice.below(ROOMS);
        self.booked += 1;
        let to = now() + TimeDelta::minutes(45) + TimeDelta::seconds(self.booked);
        let meeting = &mut self.meetings[usize::try_from(number).unwrap()];
        let found = self.house.sim.world(|world| {
            let found = world.event(&room_name(number), &meeting.uid).map(|event| event.end);
            world.organizer_changes(&meeting.uid, None, |details| details.end = to);
            found
        });
        self.found.push(Observed { room: number, left: meeting.end, found });
        meeting.end = to;
    }

    fn book(&mut self) {
        self.booked += 2;
        self.house.book(self.dice.below(ROOMS), self.booked);
    }

    /// A person removes a future meeting, or renames it.
    fn remove_meeting(&mut self) {
        let number = self.dice.below(ROOMS);
        let (address, rename) = (room_name(number), self.dice.below(2) == 0);
        self.house.sim.world(|world| {
            let (from, to) = (now() + TimeDelta::minutes(50), now() + TimeDelta::hours(3));
            let Some(event) = world.events(&address, from, to).into_iter().find(|event| event.start > from)
            else {
                return;
            };
            if rename {
                world.changes(&address, &event.uid, None, |details| details.subject.push('!'));
            } else {
                world.deletes(&address, &event.uid, None);
            }
        });
    }

    fn end(&mut self) {
        let (number, house, ends) = (self.dice.below(ROOMS), self.house.clone(), self.ends.clone());
        self.doors.spawn(async move {
            let outcome = house.end(number).await;
            ends.lock().unwrap().push((number, outcome));
        });
    }

    fn inject_fault(&mut self) {
        if self.on_graph {
            return self.inject_graph_fault();
        }
        let sim = &self.house.sim;
        let what = self.dice.below(16);
        self.may_have_lost_events |= matches!(what, 0 | 4);
        match what {
            0 => sim.inject_stream_fault(Some(InjectedFault::Silent)),
            1 => sim.inject_stream_fault(Some(InjectedFault::Duplicated)),
            2 => sim.inject_stream_fault(Some(InjectedFault::Reordered)),
            3 => sim.inject_stream_fault(Some(InjectedFault::Delayed(Duration::from_millis(200)))),
            4 => sim.inject_stream_fault(Some(InjectedFault::Dropped(2))),
            5 => sim.cut_streams(),
            6 => sim.close_streams(),
            7 => sim.drop_subscriptions(),
            8 => sim.drop_subscriptions_of(&room_name(self.dice.below(ROOMS))),
            9 => sim.report_missed_events_of(&room_name(self.dice.below(ROOMS))),
            10 => sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("FindItem")),
            11 => {
                let back_end = usize::try_from(self.dice.below(self.back_ends)).unwrap();
                sim.move_mailbox(&room_name(self.dice.below(ROOMS)), back_end);
            }
            12 => {
                let busy = [
                    InjectedFault::BusyFault(400),
                    InjectedFault::BusyMessage(400),
                    InjectedFault::BusyPage(Some(1)),
                ];
                let busy = busy[self.dice.below(3) as usize].clone();
                let on = ["Subscribe", "GetStreamingEvents", "SyncFolderItems"][self.dice.below(3) as usize];
                sim.inject_fault(FaultRule::new(busy).on(on));
                sim.cut_streams();
            }
            13 => {
                // The mailbox hangs for longer than the response timeout.
                let on = ["FindItem", "Subscribe", "SyncFolderItems"][self.dice.below(3) as usize];
                let hangs = FaultRule::new(InjectedFault::Slow(Duration::from_secs(3))).on(on);
                sim.inject_fault(hangs.for_mailbox(&room_name(self.dice.below(ROOMS))).times(2));
            }
            _ => sim.inject_fault(
                FaultRule::new(InjectedFault::BusyFault(30))
                    .on(["Subscribe", "GetStreamingEvents"][self.dice.below(2) as usize]),
            ),
        }
    }

    fn inject_graph_fault(&mut self) {
        let fault = match self.dice.below(8) {
            0 => InjectedFault::ResetBefore,
            1 => InjectedFault::ResetAfter,
            2 => InjectedFault::Truncated(60),
            3 => InjectedFault::TooManyConnections,
            4 => InjectedFault::BusyPage(Some(1)),
            5 => InjectedFault::GraphError(412, "ErrorIrresolvableConflict"),
            // The mailbox hangs for longer than the response timeout.
            6 => InjectedFault::Slow(Duration::from_secs(3)),
            _ => InjectedFault::Slow(Duration::from_millis(60)),
        };
        // A lost reply to a write, and an edit after it, leave a doubt that only a person can settle; `histories.rs` has those.
        let loses_no_reply = matches!(
            fault,
            InjectedFault::TooManyConnections | InjectedFault::BusyPage(_) | InjectedFault::GraphError(..)
        );
        let operations = if loses_no_reply { 3 } else { 2 };
        let operation = ["CalendarView", "GetEvent", "UpdateEvent"][self.dice.below(operations) as usize];
        let rule = FaultRule::new(fault).on(operation);
        self.house.sim.inject_fault(rule.for_mailbox(&room_name(self.dice.below(ROOMS))).times(2));
    }

    /// After a fault that may lose notifications, the streams run into their half-hour limit; otherwise the
    /// notifications must suffice.
    async fn check(mut self) -> usize {
        self.house.sim.inject_stream_fault(None);
        if self.may_have_lost_events {
            self.house.sim.close_streams();
        }
        sleep(Duration::from_millis(50)).await;
        self.house.wait_until("every room's cache is current", LiveFixture::all_match_mailboxes).await;
        for number in 0..ROOMS {
            let meeting = &self.meetings[usize::try_from(number).unwrap()];
            let event = self.house.sim.world(|world| world.event(&room_name(number), &meeting.uid));
            self.found.push(Observed {
                room: number,
                left: meeting.end,
                found: event.map(|event| event.end),
            });
        }
        let ends = self.ends.lock().unwrap();
        let mut done = 0;
        for (_, outcome) in ends.iter() {
            match outcome {
                Outcome::Done(_) => done += 1,
                Outcome::AlreadyDone { .. } | Outcome::Refused { .. } => {}
                Outcome::NeedsAttention { .. } => panic!("{outcome:?}"),
            }
        }
        for Observed { room, left, found } in &self.found {
            // The end that people set, or that a door display set knowing theirs.
            let by_door = |(at, outcome): &(u64, Outcome)| match outcome {
                Outcome::Done(done) => match done.change {
                    Change::Ended { from, to } => at == room && from == *left && Some(to) == *found,
                    _ => false,
                },
                _ => false,
            };
            let as_left = found.is_none_or(|found| found == *left);
            assert!(
                as_left || ends.iter().any(by_door),
                "room {room}: left at {left}, found at {found:?}: {ends:?}"
            );
        }
        done
    }
}

async fn run(seed: u64, on_graph: bool) -> usize {
    let mut dice = SeededRandom::new(seed);
    let chunk_bytes = [None, Some(1), Some(50)][dice.below(3) as usize];
    let back_ends = 1 + dice.below(2);
    let notifications = NotificationOptions {
        heartbeat: Duration::from_millis(300),
        chunk_bytes,
        back_ends: usize::try_from(back_ends).unwrap(),
        ..NotificationOptions::default()
    };
    let house = match on_graph {
        true => LiveFixture::open_on_graph(ROOMS).await,
        false => LiveFixture::open(ROOMS, notifications).await,
    };
    house.sim.world(|world| {
        world.add_user(&Person::new("Cy Cole", "cy@example.com"));
        for number in 0..ROOMS {
            let start = now() + TimeDelta::hours(2);
            world.add_plain(PlainSpec::new(room_name(number), start, start + TimeDelta::hours(1)));
        }
    });
    let mut story = LiveHistory::new(house, dice, back_ends, on_graph);
    story.play().await;
    story.check().await
}

fn play(on_graph: bool, test: &str) {
    let seeds = Seeds::from_environment("ADJOURN_LIVE", SEEDS_DEFAULT);
    let (mut done, count) = (0, seeds.count());
    seeds.play(&format!("--test sim {test}"), |seed| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        done += runtime.block_on(run(seed, on_graph));
    });
    println!("{test}: {count} histories of rooms that are followed: {done} meetings ended");
}

#[test]
fn rooms_are_known_as_they_are_and_no_end_acts_on_what_was() {
    play(false, "live_histories::rooms_are_known_as_they_are");
}

#[test]
fn rooms_that_are_polled_over_graph_are_known_as_they_are() {
    play(true, "live_histories::rooms_that_are_polled_over_graph");
}
