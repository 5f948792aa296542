//! People in a demo that is served: they book rooms, come, leave early, or do not come at all. The same things happen in the
//! same order every time; they act as people do, on the simulator's calendars and at the door, and decide nothing that
//! Adjourn decides.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::house;
use crate::action::{Action, ActionId, ActionKind, Actor, Notify};
use crate::calendar::RoomAddress;
use crate::cli::exit::Failure;
use crate::engine::Mode;
use crate::presence::Sign;
use crate::service::Service;
use crate::sim::{MeetingSpec, Person, Simulator};

/// Between two looks at who has to be where.
const BEAT: Duration = Duration::from_secs(3);
/// How long an action at the door may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough ago that it was not booked at the door.
const BOOKED_BEFORE: TimeDelta = TimeDelta::days(1);

/// What becomes of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// People come and stay.
    Stays,
    /// People come, and somebody ends it at the door.
    Leaves,
    /// Nobody comes.
    Abandoned,
    /// Somebody books at the door.
    WalksIn,
}

/// One after another in each room; each room begins somewhere else.
const FATES: [Fate; 7] =
    [Fate::Leaves, Fate::Abandoned, Fate::Stays, Fate::WalksIn, Fate::Abandoned, Fate::Leaves, Fate::Stays];

const PEOPLE: [(&str, &str); 5] = [
    ("Ada Albers", "ada.albers@example.com"),
    ("Ben Brook", "ben.brook@example.com"),
    ("Cleo Castell", "cleo.castell@example.com"),
    ("Dan Dorn", "dan.dorn@example.com"),
    ("Eve Ekholm", "eve.ekholm@example.com"),
];

const SUBJECTS: [&str; 7] = [
    "Budget review",
    "Hiring panel",
    "Design critique",
    "Supplier call",
    "Sprint planning",
    "Customer visit",
    "Retrospective",
];

/// A room, and what goes on there.
struct Scene {
    room: RoomAddress,
    /// Which of the rooms.
    number: usize,
    /// Meetings so far.
    count: usize,
    meeting: Option<Meeting>,
    /// When the next one is made.
    next_at: DateTime<Utc>,
}

struct Meeting {
    /// `None` for one that was booked at the door.
    uid: Option<String>,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    fate: Fate,
    come: bool,
}

/// Everybody, and the calendars they write to.
pub(super) struct People {
    simulator: Arc<Simulator>,
    quiet: Vec<RoomAddress>,
    lively: Vec<RoomAddress>,
}

impl People {
    pub(super) fn of(simulator: Arc<Simulator>) -> Result<Self, Failure> {
        Ok(Self { simulator, quiet: house::quiet()?, lively: house::lively()? })
    }

    /// Comes and goes until it is told to stop.
    pub(super) async fn live(self, service: Arc<Service>, stop: CancellationToken) {
        let now = service.now();
        self.sit_in_quiet_rooms(&service, now).await;
        let scene = |(number, room): (usize, &RoomAddress)| Scene {
            room: room.clone(),
            number,
            count: number,
            meeting: None,
            next_at: now + TimeDelta::seconds(7 * number as i64),
        };
        let mut scenes: Vec<Scene> = self.lively.iter().enumerate().map(scene).collect();
        for scene in scenes.iter_mut().filter(|scene| scene.number % 3 != 2) {
            let start = scene.first_start(now);
            scene.meeting = Some(self.book(scene, start));
        }
        while !stop.is_cancelled() {
            self.sensors_are_alive(&service);
            for scene in &mut scenes {
                self.play(scene, &service).await;
            }
            let _ = tokio::time::timeout(BEAT, stop.cancelled()).await;
        }
    }

    /// The sensors of every building work, also where they sense nothing.
    fn sensors_are_alive(&self, service: &Service) {
        service.heartbeat("motion sensor", "demo", self.quiet.iter().chain(&self.lively).cloned());
    }

    /// In the office, whatever is on is attended: nothing there goes of itself.
    async fn sit_in_quiet_rooms(&self, service: &Service, now: DateTime<Utc>) {
        let sign = |room: &RoomAddress| Sign::new(room.clone(), now, "motion sensor");
        if let Err(error) = service.add_signs(self.quiet.iter().map(sign).collect()).await {
            tracing::warn!(%error, "nobody sits in the office");
        }
    }

    async fn play(&self, scene: &mut Scene, service: &Service) {
        let now = service.now();
        scene.meeting = match scene.meeting.take() {
            None if now < scene.next_at => None,
            None if scene.fate() == Fate::WalksIn => {
                scene.count += 1;
                Some(walk_in(&scene.room, service, now).await)
            }
            None => Some(self.book(scene, minute(now) + TimeDelta::minutes(1))),
            Some(meeting) if self.is_over(&scene.room, &meeting, now) => {
                scene.next_at = now + TimeDelta::seconds(8 + 5 * (scene.number as i64 % 4));
                None
            }
            Some(mut meeting) => {
                meeting.go_on(&scene.room, scene.number, service, now).await;
                Some(meeting)
            }
        };
    }

    fn book(&self, scene: &mut Scene, start: DateTime<Utc>) -> Meeting {
        let fate = match scene.fate() {
            // At the very beginning; later they come to the door.
            Fate::WalksIn => Fate::Stays,
            fate => fate,
        };
        let (name, person) = PEOPLE[(scene.count + scene.number) % PEOPLE.len()];
        let end = start + TimeDelta::minutes(5 + (scene.count % 3) as i64);
        let spec = MeetingSpec {
            rooms: vec![scene.room.to_string()],
            subject: SUBJECTS[(2 * scene.count + scene.number) % SUBJECTS.len()].to_owned(),
            created: Some(start - BOOKED_BEFORE),
            ..MeetingSpec::new(Person::new(name, person), start, end)
        };
        scene.count += 1;
        let uid = self.simulator.world(|world| world.add_meeting(spec));
        Meeting { uid: Some(uid), start, end, fate, come: false }
    }

    /// Whoever ended or took it away, Adjourn or somebody who watches.
    fn is_over(&self, room: &RoomAddress, meeting: &Meeting, now: DateTime<Utc>) -> bool {
        let Some(uid) = &meeting.uid else { return meeting.end <= now };
        let event = self.simulator.world(|world| world.event(room.as_str(), uid));
        event.is_none_or(|event| event.cancelled || event.end <= now)
    }
}

impl Scene {
    fn fate(&self) -> Fate {
        FATES[self.count % FATES.len()]
    }

    /// This minute; or the next, so that whoever opens the demo still sees the end of grace come.
    fn first_start(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let start = minute(now);
        let late = self.fate() == Fate::Abandoned && now - start > TimeDelta::seconds(15);
        if late { start + TimeDelta::minutes(1) } else { start }
    }
}

impl Meeting {
    async fn go_on(&mut self, room: &RoomAddress, number: usize, service: &Service, now: DateTime<Utc>) {
        let (on_for, number) = (now - self.start, number as i64);
        if self.fate != Fate::Abandoned && !self.come && on_for > TimeDelta::seconds(4 + 4 * number) {
            self.come = true;
            if let Err(error) =
                service.check_in(room, None, ("badge reader".to_owned(), "demo"), PATIENCE).await
            {
                tracing::debug!(%room, %error, "nobody could check in");
            }
        }
        if self.fate == Fate::Leaves && on_for > TimeDelta::seconds(75 + 9 * number) {
            // Once: who was refused goes all the same.
            self.fate = Fate::Stays;
            press(service, room, ActionKind::End(Notify::Attendees)).await;
        }
    }
}

async fn walk_in(room: &RoomAddress, service: &Service, now: DateTime<Utc>) -> Meeting {
    press(service, room, ActionKind::Book { minutes: 4 }).await;
    Meeting { uid: None, start: now, end: now + TimeDelta::minutes(4), fate: Fate::WalksIn, come: false }
}

/// Somebody presses a button at the door.
async fn press(service: &Service, room: &RoomAddress, ask: ActionKind) {
    let actor = Actor::program("door display");
    let action = Action::new(ActionId::random(), room.clone(), ask, actor);
    let _ = service.actions.submit(action, Mode::Perform, PATIENCE).await;
}

/// The beginning of this minute: when meetings begin.
fn minute(now: DateTime<Utc>) -> DateTime<Utc> {
    now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now)
}
