//! Simulated people of the served demo: they book rooms, check in, leave early, or do not come at all, in the same order every
//! time. They use the simulator's calendars and the door's actions; all decisions are Adjourn's.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::buildings;
use crate::action::{Action, ActionId, ActionKind, Actor, Notify, RequestedMinutes};
use crate::calendar::RoomAddress;
use crate::cli::exit::CommandError;
use crate::engine::Mode;
use crate::presence::Sign;
use crate::service::Service;
use crate::sim::{MeetingSpec, Person, Simulator};

/// Interval between two steps of the simulation.
const STEP_INTERVAL: Duration = Duration::from_secs(3);
/// Timeout of an action at the door.
const ACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long before their start meetings were booked: not at the door.
const BOOKED_BEFORE: TimeDelta = TimeDelta::days(1);

/// What happens in a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MeetingScript {
    /// People check in and stay.
    Stays,
    /// People check in, and end the meeting early at the door.
    Leaves,
    /// Nobody comes.
    Abandoned,
    /// Somebody books the room at the door.
    WalksIn,
}

/// The scripts, one after another in each room; each room starts at another one.
const SCRIPTS: [MeetingScript; 7] = [
    MeetingScript::Leaves,
    MeetingScript::Abandoned,
    MeetingScript::Stays,
    MeetingScript::WalksIn,
    MeetingScript::Abandoned,
    MeetingScript::Leaves,
    MeetingScript::Stays,
];

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

/// A room and its present meeting.
struct RoomScript {
    room: RoomAddress,
    /// Index of the room.
    number: usize,
    /// Number of meetings so far.
    count: usize,
    meeting: Option<DemoMeeting>,
    /// When the next meeting is created.
    next_at: DateTime<Utc>,
}

struct DemoMeeting {
    /// `None` for a meeting that was booked at the door.
    uid: Option<String>,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    script: MeetingScript,
    attended: bool,
}

/// All simulated people, and the simulator whose calendars they use.
pub(super) struct DemoPeople {
    simulator: Arc<Simulator>,
    quiet: Vec<RoomAddress>,
    lively: Vec<RoomAddress>,
}

impl DemoPeople {
    pub(super) fn of(simulator: Arc<Simulator>) -> Result<Self, CommandError> {
        Ok(Self { simulator, quiet: buildings::quiet()?, lively: buildings::lively()? })
    }

    /// Runs the simulation until `stop`.
    pub(super) async fn run(self, service: Arc<Service>, stop: CancellationToken) {
        let now = service.now();
        self.occupy_quiet_rooms(&service, now).await;
        let scene = |(number, room): (usize, &RoomAddress)| RoomScript {
            room: room.clone(),
            number,
            count: number,
            meeting: None,
            next_at: now + TimeDelta::seconds(7 * number as i64),
        };
        let mut scenes: Vec<RoomScript> = self.lively.iter().enumerate().map(scene).collect();
        for scene in scenes.iter_mut().filter(|scene| scene.number % 3 != 2) {
            let start = scene.first_start(now);
            scene.meeting = Some(self.book(scene, start));
        }
        while !stop.is_cancelled() {
            self.send_heartbeats(&service);
            for scene in &mut scenes {
                self.advance(scene, &service).await;
            }
            let _ = tokio::time::timeout(STEP_INTERVAL, stop.cancelled()).await;
        }
    }

    /// Sends heartbeats of the sensors of every building.
    fn send_heartbeats(&self, service: &Service) {
        service.heartbeat("motion sensor", "demo", self.quiet.iter().chain(&self.lively).cloned());
    }

    /// Adds signs in the office, so that nothing is released there.
    async fn occupy_quiet_rooms(&self, service: &Service, now: DateTime<Utc>) {
        let sign = |room: &RoomAddress| Sign::new(room.clone(), now, "motion sensor");
        if let Err(error) = service.add_signs(self.quiet.iter().map(sign).collect()).await {
            tracing::warn!(%error, "cannot add signs in the office");
        }
    }

    async fn advance(&self, scene: &mut RoomScript, service: &Service) {
        let now = service.now();
        scene.meeting = match scene.meeting.take() {
            None if now < scene.next_at => None,
            None if scene.script() == MeetingScript::WalksIn => {
                scene.count += 1;
                Some(book_at_door(&scene.room, service, now).await)
            }
            None => Some(self.book(scene, minute(now) + TimeDelta::minutes(1))),
            Some(meeting) if self.is_over(&scene.room, &meeting, now) => {
                scene.next_at = now + TimeDelta::seconds(8 + 5 * (scene.number as i64 % 4));
                None
            }
            Some(mut meeting) => {
                meeting.advance(&scene.room, scene.number, service, now).await;
                Some(meeting)
            }
        };
    }

    fn book(&self, scene: &mut RoomScript, start: DateTime<Utc>) -> DemoMeeting {
        let fate = match scene.script() {
            // Only at the beginning; later meetings are booked at the door.
            MeetingScript::WalksIn => MeetingScript::Stays,
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
        DemoMeeting { uid: Some(uid), start, end, script: fate, attended: false }
    }

    /// Whether the meeting ended or was removed, by Adjourn or by the viewer.
    fn is_over(&self, room: &RoomAddress, meeting: &DemoMeeting, now: DateTime<Utc>) -> bool {
        let Some(uid) = &meeting.uid else { return meeting.end <= now };
        let event = self.simulator.world(|world| world.event(room.as_str(), uid));
        event.is_none_or(|event| event.cancelled || event.end <= now)
    }
}

impl RoomScript {
    fn script(&self) -> MeetingScript {
        SCRIPTS[self.count % SCRIPTS.len()]
    }

    /// The current minute, or the next, so that a viewer who just opened the demo sees the end of grace.
    fn first_start(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let start = minute(now);
        let late = self.script() == MeetingScript::Abandoned && now - start > TimeDelta::seconds(15);
        if late { start + TimeDelta::minutes(1) } else { start }
    }
}

impl DemoMeeting {
    async fn advance(&mut self, room: &RoomAddress, number: usize, service: &Service, now: DateTime<Utc>) {
        let (on_for, number) = (now - self.start, number as i64);
        if self.script != MeetingScript::Abandoned
            && !self.attended
            && on_for > TimeDelta::seconds(4 + 4 * number)
        {
            self.attended = true;
            if let Err(error) =
                service.check_in(room, None, ("badge reader".to_owned(), "demo"), ACTION_TIMEOUT).await
            {
                tracing::debug!(%room, %error, "check-in failed");
            }
        }
        if self.script == MeetingScript::Leaves && on_for > TimeDelta::seconds(75 + 9 * number) {
            // Only once, even if the action is refused.
            self.script = MeetingScript::Stays;
            submit(service, room, ActionKind::End(Notify::Attendees)).await;
        }
    }
}

/// Minutes of a booking at a door.
const BOOKED_MINUTES: u16 = 4;

async fn book_at_door(room: &RoomAddress, service: &Service, now: DateTime<Utc>) -> DemoMeeting {
    if let Some(minutes) = RequestedMinutes::new(BOOKED_MINUTES) {
        submit(service, room, ActionKind::book(minutes)).await;
    }
    DemoMeeting {
        uid: None,
        start: now,
        end: now + TimeDelta::minutes(BOOKED_MINUTES.into()),
        script: MeetingScript::WalksIn,
        attended: false,
    }
}

/// Requests an action at the door.
async fn submit(service: &Service, room: &RoomAddress, ask: ActionKind) {
    let actor = Actor::program("door display");
    let action = Action::new(ActionId::random(), room.clone(), ask, actor);
    let _ = service.actions.submit(action, Mode::Perform, ACTION_TIMEOUT).await;
}

/// The start of this minute: meetings start on the minute.
fn minute(now: DateTime<Utc>) -> DateTime<Utc> {
    now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now)
}
