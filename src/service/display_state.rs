//! Whether a door display is in contact, silent or lost. Pure: the caller says how much time passed. It knows no wall clock, so a clock
//! that is set loses no display.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// A display without an event stream counts as connected for this long after a request: its page sends one each minute at least.
const CONNECTED_WITHIN: Duration = Duration::from_secs(120);
/// One step of time counts as no more than this: while the service was suspended, no display could reach it.
const STEP_MAX: Duration = Duration::from_secs(60);

/// The state of a paired display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DisplayState {
    /// It has an event stream, or sent a request in the last two minutes.
    Connected,
    /// It sent nothing for a while.
    Silent,
    /// It sent nothing for `displays.lost_after_minutes`.
    Lost,
    /// It sent nothing since it was paired.
    Never,
}

impl DisplayState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connected, Self::Silent, Self::Lost, Self::Never];

    /// The state by the stored contact, for a command beside the service.
    pub(crate) fn of_stored(
        last_contact: Option<DateTime<Utc>>,
        lost_since: Option<DateTime<Utc>>,
        lost_after: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        let Some(contact) = last_contact else { return Self::Never };
        let silent = (now - contact).abs().to_std().unwrap_or_default();
        match silent {
            _ if lost_since.is_some() || silent >= lost_after => Self::Lost,
            _ if silent < CONNECTED_WITHIN => Self::Connected,
            _ => Self::Silent,
        }
    }

    /// The name in responses and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::Never => "never",
        }
    }
}

/// A change that listeners learn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContactChange {
    Lost,
    Found,
}

/// How long a display has been without contact, as far as this process can know.
#[derive(Debug, Clone)]
pub(super) struct ContactTimer {
    /// Time without contact since the last one, or since the start of the process.
    silent: Duration,
    /// Its open event streams.
    streams: usize,
    /// It was in contact since the start of the process.
    is_seen: bool,
    /// It was in contact before that.
    was_seen: bool,
    /// Its loss was announced.
    is_lost: bool,
}

impl ContactTimer {
    /// A display as it was stored: whether it was ever in contact, and whether its loss was announced.
    pub(super) fn restore(was_seen: bool, is_lost: bool) -> Self {
        Self { silent: Duration::ZERO, streams: 0, is_seen: false, was_seen, is_lost }
    }

    pub(super) fn record_contact(&mut self) {
        (self.silent, self.is_seen) = (Duration::ZERO, true);
    }

    pub(super) fn open_stream(&mut self) {
        self.record_contact();
        self.streams += 1;
    }

    pub(super) fn close_stream(&mut self) {
        self.record_contact();
        self.streams = self.streams.saturating_sub(1);
    }

    /// Whether it is in contact without sending anything.
    pub(super) fn has_stream(&self) -> bool {
        self.streams > 0
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, elapsed: Duration) {
        self.silent = if self.has_stream() { Duration::ZERO } else { self.silent + elapsed.min(STEP_MAX) };
    }

    pub(super) fn state(&self, lost_after: Duration) -> DisplayState {
        let is_connected = self.is_seen && self.silent < CONNECTED_WITHIN.min(lost_after);
        if self.has_stream() || is_connected {
            return DisplayState::Connected;
        }
        match self.is_lost || self.silent >= lost_after {
            _ if !self.is_seen && !self.was_seen => DisplayState::Never,
            true => DisplayState::Lost,
            false => DisplayState::Silent,
        }
    }

    /// The change to announce, once.
    pub(super) fn take_change(&mut self, lost_after: Duration) -> Option<ContactChange> {
        let change = match (self.state(lost_after), self.is_lost) {
            (DisplayState::Lost, false) => ContactChange::Lost,
            (DisplayState::Connected, true) => ContactChange::Found,
            _ => return None,
        };
        self.is_lost = change == ContactChange::Lost;
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST_AFTER: Duration = Duration::from_secs(600);

    /// Lets minutes pass in steps of the service; returns the changes.
    fn pass(timer: &mut ContactTimer, minutes: u64) -> Vec<ContactChange> {
        let steps = 0..minutes * 3;
        steps
            .filter_map(|_| {
                timer.advance(Duration::from_secs(20));
                timer.take_change(LOST_AFTER)
            })
            .collect()
    }

    #[test]
    fn a_display_is_lost_once_and_found_once() {
        let mut timer = ContactTimer::restore(false, false);
        timer.record_contact();
        assert_eq!(timer.state(LOST_AFTER), DisplayState::Connected);
        assert_eq!((pass(&mut timer, 2), timer.state(LOST_AFTER)), (vec![], DisplayState::Silent));
        assert_eq!(pass(&mut timer, 7), []);
        assert_eq!(
            (pass(&mut timer, 60), timer.state(LOST_AFTER)),
            (vec![ContactChange::Lost], DisplayState::Lost)
        );
        timer.record_contact();
        assert_eq!(
            (pass(&mut timer, 1), timer.state(LOST_AFTER)),
            (vec![ContactChange::Found], DisplayState::Connected)
        );
        assert_eq!(pass(&mut timer, 60), [ContactChange::Lost]);
    }

    #[test]
    fn an_open_stream_is_contact_and_its_end_begins_the_silence() {
        let mut timer = ContactTimer::restore(true, false);
        timer.open_stream();
        timer.open_stream();
        timer.close_stream();
        assert_eq!((pass(&mut timer, 600), timer.state(LOST_AFTER)), (vec![], DisplayState::Connected));
        timer.close_stream();
        assert_eq!((pass(&mut timer, 9), pass(&mut timer, 1)), (vec![], vec![ContactChange::Lost]));
    }

    #[test]
    fn after_a_start_nothing_is_lost_before_the_time_has_passed() {
        let mut stored = ContactTimer::restore(true, false);
        assert_eq!(stored.state(LOST_AFTER), DisplayState::Silent);
        assert_eq!((pass(&mut stored, 9), pass(&mut stored, 1)), (vec![], vec![ContactChange::Lost]));
        let mut told = ContactTimer::restore(true, true);
        assert_eq!(
            (told.state(LOST_AFTER), pass(&mut told, 60)),
            (DisplayState::Lost, vec![]),
            "announced before"
        );
        told.record_contact();
        assert_eq!(told.take_change(LOST_AFTER), Some(ContactChange::Found));
    }

    #[test]
    fn a_display_that_was_never_seen_is_not_lost() {
        let mut timer = ContactTimer::restore(false, false);
        assert_eq!((pass(&mut timer, 600), timer.state(LOST_AFTER)), (vec![], DisplayState::Never));
    }

    #[test]
    fn a_pause_of_the_service_is_no_silence_of_the_display() {
        let mut timer = ContactTimer::restore(true, false);
        timer.record_contact();
        timer.advance(Duration::from_secs(86_400));
        assert_eq!((timer.take_change(LOST_AFTER), timer.state(LOST_AFTER)), (None, DisplayState::Connected));
    }

    #[test]
    fn a_short_time_until_the_loss_leaves_no_silence() {
        let mut timer = ContactTimer::restore(true, false);
        timer.record_contact();
        timer.advance(Duration::from_secs(60));
        assert_eq!(timer.take_change(Duration::from_secs(60)), Some(ContactChange::Lost));
    }
}
