//! The one place where tests and benches build an engine.

use std::sync::Arc;
use std::time::Duration;

use adjourn::calendar::Scope;
use adjourn::clock::Clock;
use adjourn::engine::{Calendar, Engine, EngineOptions};
use adjourn::journal::Journal;

/// An engine of these parts.
pub fn engine(
    calendar: Arc<dyn Calendar>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    scope: Scope,
    options: EngineOptions,
) -> Arc<Engine> {
    Arc::new(Engine::builder(calendar, journal).clock(clock).scope(scope).options(options).build())
}

/// Options for a simulated Exchange, which shows a change at once: the engine verifies a write in doubt soon.
pub fn quick_options() -> EngineOptions {
    EngineOptions { settle_delay: Duration::from_millis(20), ..EngineOptions::default() }
}
