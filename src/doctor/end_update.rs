//! Checks that this Exchange accepts a new end alone on an attendee copy: it sets the end that the copy already has, which changes
//! nothing that people see.

use chrono::{DateTime, TimeDelta, Utc};

use super::test_event::done;
use super::{FindingId, FindingStatus, Findings};
use crate::action::{Notify, Step};
use crate::before_send::Unconditional;
use crate::calendar::{Copy, Event, EventKind, RoomAddress, Window};
use crate::engine::Calendar;

/// How far ahead to look for an attendee copy.
const WITHIN: TimeDelta = TimeDelta::days(30);
const CHECK: &str = "end on an attendee copy";
/// The remedy for a copy that may not be changed.
const DELETE_INSTEAD: &str =
    "use delete (decline) here; this Exchange cannot end meetings early that others organized";

/// Microsoft documents nowhere that the end alone may be set on an attendee's copy, over EWS or Graph, so this tries it.
pub(super) async fn check_end_only_update(
    calendar: &dyn Calendar,
    room: &RoomAddress,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    let Ok(window) = Window::new(now, now + WITHIN) else { return };
    let events = calendar.events(room, window).await.unwrap_or_default().events;
    // On one date of a series, even the same end would create an exception.
    let is_fit = |event: &Event| event.kind == EventKind::Single && event.copy == Some(Copy::Attendee);
    let copy = events.into_iter().find(|event| is_fit(event) && event.occupies_room());
    let finding = match copy {
        None => findings.add(CHECK, FindingStatus::Skip, "no meeting within 30 days to try it with"),
        Some(Event { id, change_key, end, .. }) => {
            let step = Step::SetEnd { id, change_key, end, notify: Notify::Nobody };
            let outcome = calendar.write(room, &step, &Unconditional).await.outcome;
            match done(outcome, "this Exchange rejects a new end on an attendee copy", DELETE_INSTEAD) {
                Ok(()) => findings.add(CHECK, FindingStatus::Pass, "Exchange accepts a new end alone"),
                Err(failed) => {
                    let finding =
                        findings.fail(FindingId::EndUpdateRejected, CHECK, failed.message, failed.remedy);
                    finding.code = failed.code;
                    finding
                }
            }
        }
    };
    finding.room = Some(room.to_string());
}
