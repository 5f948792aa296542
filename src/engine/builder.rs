//! How a program makes an [`Engine`]: the calendars and the journal, and what differs from the defaults. It starts nothing.

use std::sync::Arc;

use super::{Calendar, Engine, EngineOptions};
use crate::calendar::Scope;
use crate::clock::{Clock, SystemClock};
use crate::journal::Journal;

/// An engine to be: [`Engine::builder`].
#[must_use = "`build` makes the engine"]
pub struct EngineBuilder {
    calendar: Arc<dyn Calendar>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    scope: Scope,
    options: EngineOptions,
}

impl Engine {
    /// An engine that acts through `calendar` and records in `journal`. Its scope is empty, so it refuses every room until
    /// [`EngineBuilder::scope`] names some.
    pub fn builder(calendar: Arc<dyn Calendar>, journal: Arc<dyn Journal>) -> EngineBuilder {
        EngineBuilder {
            calendar,
            journal,
            clock: Arc::new(SystemClock),
            scope: Scope::default(),
            options: EngineOptions::default(),
        }
    }
}

impl EngineBuilder {
    /// Sets the clock, instead of the system's.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Sets the rooms on which the engine may act.
    pub fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Sets the options.
    pub fn options(self, options: EngineOptions) -> Self {
        Self { options, ..self }
    }

    /// The engine. Call [`Engine::recover`] before its first action.
    pub fn build(self) -> Engine {
        Engine::new(self.calendar, self.journal, self.clock, self.scope, self.options)
    }
}
