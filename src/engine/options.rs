//! The settings of the engine, and their defaults: the one place that has them.

use std::time::Duration;

use chrono::TimeDelta;

use crate::action::BookingSubject;

/// Settings of the engine. Its defaults are the product's defaults: the configuration takes them from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How often an action is planned when other writers keep changing its event. At the limit the action is refused
    /// ([`Refusal::KeepsChanging`](crate::action::Refusal::KeepsChanging)).
    pub decisions_max: u32,
    /// How often a step is sent when the earlier send is known not to have been applied. At the limit a person has to check the
    /// calendar.
    pub sends_max: u32,
    /// Pause before the mailbox is read after a doubtful write. Longer is safer and slower.
    pub settle_delay: Duration,
    /// How long after it was sent a request may still be applied without a reply. An action in doubt is reported as "nothing was
    /// changed" only after this time.
    pub delivery_window: TimeDelta,
    /// Refuse actions that cannot be undone.
    pub forbid_irreversible: bool,
    /// How long after its request an interrupted action is still carried out. Later the person has left the door, and the action
    /// is closed as [`Refusal::Interrupted`](crate::action::Refusal::Interrupted) if nothing was done.
    pub resume_within: TimeDelta,
    /// How long an action in doubt stays open while Exchange cannot be read. Later a person has to check the calendar.
    pub give_up_after: TimeDelta,
    /// How long an idempotency key is remembered. Later the same key is a new request: some devices restart their counters.
    pub key_ttl: TimeDelta,
    /// Keep subjects (and the organizer's display name) in the journal.
    pub journal_subjects: bool,
    /// The subject of a booking.
    pub booking_subject: BookingSubject,
    /// How far ahead a booking may begin, and how long one that ends with the next event may last if no event follows.
    pub booking_horizon: TimeDelta,
    /// Whether callers of the HTTP API may choose the subject of a booking.
    pub booking_subjects_allowed: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            decisions_max: 3,
            sends_max: 2,
            settle_delay: Duration::from_millis(500),
            delivery_window: TimeDelta::seconds(10),
            forbid_irreversible: false,
            resume_within: TimeDelta::minutes(2),
            give_up_after: TimeDelta::hours(1),
            key_ttl: TimeDelta::hours(24),
            journal_subjects: false,
            booking_subject: BookingSubject::default(),
            booking_horizon: TimeDelta::hours(8),
            booking_subjects_allowed: false,
        }
    }
}
