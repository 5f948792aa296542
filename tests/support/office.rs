//! A simulated Exchange, and an engine that works on it.

use std::path::Path;
use std::sync::Arc;

use adjourn::action::{ActionKind, Outcome};
use adjourn::calendar::{RoomAddress, Scope};
use adjourn::clock::{Clock, SystemClock};
use adjourn::engine::{Engine, Mode};
use adjourn::exchange::Settings;
use adjourn::journal::MemoryJournal;
use adjourn::sim::{EventState, MailKind, Simulator, World};

use crate::action::action;
use crate::engine::{engine, quick_options};
use crate::exchange::{exchange, settings};
use crate::room::{AURORA, aurora};
use crate::simulator::{request_count, simulator};

/// An Exchange with the room Aurora, and an engine with a journal in memory.
pub struct Office {
    pub sim: Simulator,
    pub engine: Arc<Engine>,
}

impl Office {
    pub async fn open(world: World) -> Self {
        Self::with_simulator(simulator(world).await, vec![aurora()], None)
    }

    pub fn with_simulator(sim: Simulator, rooms: Vec<RoomAddress>, ca_file: Option<&Path>) -> Self {
        let settings = settings(&sim, ca_file);
        Self::with_clock(Arc::new(SystemClock), sim, rooms, &settings)
    }

    /// An engine with this clock and these settings, and these rooms in its scope.
    pub fn with_clock(
        clock: Arc<dyn Clock>,
        sim: Simulator,
        rooms: Vec<RoomAddress>,
        settings: &Settings,
    ) -> Self {
        let (calendar, journal) = (Arc::new(exchange(settings)), Arc::new(MemoryJournal::default()));
        let engine = engine(calendar, journal, clock, Scope::new(rooms, []), quick_options());
        Self { sim, engine }
    }

    pub async fn perform(&self, kind: ActionKind) -> Outcome {
        self.perform_in_mode(Mode::Perform, kind).await
    }

    pub async fn perform_in_mode(&self, mode: Mode, kind: ActionKind) -> Outcome {
        self.engine.perform(action(aurora(), kind), mode).await.unwrap().outcome
    }

    pub fn event(&self, uid: &str) -> Option<EventState> {
        self.sim.world(|world| world.event(AURORA, uid))
    }

    /// The mails, by kind and recipients.
    pub fn mails(&self) -> Vec<(MailKind, Vec<String>)> {
        self.sim.outbox().into_iter().map(|mail| (mail.kind, mail.to)).collect()
    }

    /// The number of requests of an operation.
    pub fn request_count(&self, operation: &str) -> usize {
        request_count(&self.sim, operation)
    }
}
