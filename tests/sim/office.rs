//! A simulated office of one room and three people, with an engine.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{Action, ActionId, ActionKind, Actor, AllDay, Outcome, Target};
use adjourn::calendar::{RoomAddress, Scope};
use adjourn::clock::{Clock, SystemClock};
use adjourn::engine::{self, Engine, Mode};
use adjourn::exchange::{Exchange, Secret, Settings};
use adjourn::journal::MemoryJournal;
use adjourn::sim::{
    EventState, MailKind, MeetingSpec, Person, PlainSpec, RoomSpec, Simulator, SimulatorOptions, World,
};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

pub const ROOM: &str = "aurora@example.com";

pub fn room() -> RoomAddress {
    ROOM.parse().unwrap()
}

pub fn ada() -> Person {
    Person::new("Ada Albers", "ada@example.com")
}

pub fn now() -> DateTime<Utc> {
    // Whole seconds, the precision of Exchange.
    SystemClock.now().trunc_subsecs(0)
}

/// From twenty minutes ago to forty minutes from now.
pub fn meeting() -> MeetingSpec {
    let mut spec = MeetingSpec::new(ada(), now() - TimeDelta::minutes(20), now() + TimeDelta::minutes(40));
    spec.rooms = vec![ROOM.to_owned()];
    spec.attendees = vec![Person::new("Bo Berg", "bo@example.com")];
    spec.subject = "Planning".to_owned();
    spec
}

pub fn plain() -> PlainSpec {
    PlainSpec::new(ROOM, now() - TimeDelta::minutes(20), now() + TimeDelta::minutes(40))
}

pub fn world() -> World {
    let mut world = World::new();
    world.set_now(now());
    world.add_user(&ada()).add_user(&Person::new("Bo Berg", "bo@example.com"));
    world.add_room(RoomSpec::new("Aurora", ROOM));
    world
}

pub struct Office {
    pub sim: Simulator,
    pub engine: Arc<Engine>,
}

impl Office {
    pub async fn open(world: World) -> Self {
        Self::with_simulator(
            Simulator::start(world, SimulatorOptions::default()).await.unwrap(),
            vec![room()],
            None,
        )
    }

    pub fn with_simulator(
        sim: Simulator,
        rooms: Vec<RoomAddress>,
        ca_file: Option<&std::path::Path>,
    ) -> Self {
        let settings = settings(&sim, ca_file);
        Self::with_clock(Arc::new(SystemClock), sim, rooms, &settings)
    }

    pub fn with_clock(
        clock: Arc<dyn Clock>,
        sim: Simulator,
        rooms: Vec<RoomAddress>,
        settings: &Settings,
    ) -> Self {
        let exchange = Exchange::new(settings).unwrap();
        let engine = Engine::new(
            Arc::new(exchange),
            Arc::new(MemoryJournal::default()),
            clock,
            Scope::new(rooms, []),
            engine::EngineOptions {
                settle_delay: Duration::from_millis(20),
                ..engine::EngineOptions::default()
            },
        );
        Self { sim, engine: Arc::new(engine) }
    }

    pub async fn perform(&self, ask: ActionKind) -> Outcome {
        self.perform_in_mode(Mode::Perform, ask).await
    }

    pub async fn perform_in_mode(&self, mode: Mode, ask: ActionKind) -> Outcome {
        self.engine.perform(action(ask), mode).await.unwrap().outcome
    }

    pub fn event(&self, uid: &str) -> Option<EventState> {
        self.sim.world(|world| world.event(ROOM, uid))
    }

    /// The mails, by kind and recipients.
    pub fn mails(&self) -> Vec<(MailKind, Vec<String>)> {
        self.sim.outbox().into_iter().map(|mail| (mail.kind, mail.to)).collect()
    }

    /// The number of requests of an operation.
    pub fn request_count(&self, operation: &str) -> usize {
        self.sim.requests().iter().filter(|asked| asked.operation == operation).count()
    }
}

pub fn settings(sim: &Simulator, ca_file: Option<&std::path::Path>) -> Settings {
    let options = SimulatorOptions::default();
    let mut settings = Settings::new(sim.url(), options.username, Secret::new(options.password));
    settings.ca_file = ca_file.map(Into::into);
    settings.first_byte_timeout = Duration::from_secs(2);
    settings
}

pub fn action(ask: ActionKind) -> Action {
    Action {
        id: ActionId::random(),
        room: room(),
        target: Target::Current,
        kind: ask,
        actor: Actor::program("test"),
        reason: Some("Nobody came.".to_owned()),
        all_day: AllDay::Spare,
        key: None,
    }
}
