//! The mutable state of a running simulator behind one lock: the world, the subscriptions, the fault rules and the
//! logs. Dropping the guard wakes the streams of the changed mailboxes. Knows neither HTTP nor EWS.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::autodiscover::AutodiscoverService;
use super::faults::FaultRule;
use super::notify::Hub;
use super::options::SimulatorOptions;
use super::request_log::RequestLog;
use super::world::World;

/// The state, shared by connections and stream tasks.
pub(crate) struct SharedState(Mutex<SimulatorState>);

impl SharedState {
    pub(crate) fn new(world: World, options: &SimulatorOptions) -> Self {
        Self(Mutex::new(SimulatorState {
            world,
            fault_rules: Vec::new(),
            request_log: RequestLog::default(),
            autodiscover: AutodiscoverService::default(),
            hub: Hub::new(&options.notifications, options.release),
            next_back_end: 0,
            homes: HashMap::new(),
        }))
    }

    /// Cannot be poisoned in practice: a test that panicked with it has failed already.
    pub(crate) fn lock(&self) -> StateGuard<'_> {
        StateGuard(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything that requests and tests may change.
pub(crate) struct SimulatorState {
    pub(crate) world: World,
    pub(crate) fault_rules: Vec<FaultRule>,
    pub(crate) request_log: RequestLog,
    pub(crate) autodiscover: AutodiscoverService,
    pub(crate) hub: Hub,
    /// The back end of the next request without a cookie.
    pub(crate) next_back_end: usize,
    /// The back ends of mailboxes that live on a particular one.
    pub(crate) homes: HashMap<String, usize>,
}

/// Access to the locked state; on drop it wakes the streams of the changed mailboxes.
pub(crate) struct StateGuard<'s>(MutexGuard<'s, SimulatorState>);

impl Deref for StateGuard<'_> {
    type Target = SimulatorState;

    fn deref(&self) -> &SimulatorState {
        &self.0
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut SimulatorState {
        &mut self.0
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        let state = &mut *self.0;
        let dirty = state.world.take_dirty();
        state.hub.wake_streams(&dirty, &state.world);
    }
}
