//! Checks which fields the rooms' calendar processing leaves for the rules. Reads only.

use chrono::{DateTime, TimeDelta, Utc};

use super::{FindingId, FindingStatus, Findings};
use crate::calendar::{Copy, Event, RoomAddress, Window};
use crate::engine::CalendarReader;

/// Rooms whose meetings show what calendar processing removes.
const ROOMS_READ: usize = 5;

/// The booking attendant's defaults remove fields that some rules read (Set-CalendarProcessing: AddOrganizerToSubject,
/// DeleteSubject, RemovePrivateProperty). Neither EWS nor Graph returns these settings, so the events themselves have to show them.
/// `spares_private`: the rules leave private events alone.
pub(super) async fn check_calendar_processing(
    calendar: &dyn CalendarReader,
    rooms: &[RoomAddress],
    spares_private: bool,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    let Ok(window) = Window::new(now - TimeDelta::days(7), now + TimeDelta::days(30)) else { return };
    let mut meetings = Vec::new();
    for room in rooms.iter().take(ROOMS_READ) {
        let events = calendar.events(room, window).await.unwrap_or_default().events;
        meetings.extend(events.into_iter().filter(|event| event.copy == Some(Copy::Attendee)));
    }
    if meetings.is_empty() {
        findings.add("calendar processing", FindingStatus::Skip, "no meeting to check it with");
        return;
    }
    let all = meetings.len();
    let named = meetings.iter().filter(|event| is_named_after_its_organizer(event)).count();
    let private = meetings.iter().filter(|event| event.is_private).count();
    let says = format!(
        "of {all} meetings, {named} have their organizer's name for a subject, {private} are marked private"
    );
    if spares_private && private == 0 {
        findings.warn(
            FindingId::PrivateMarkRemoved,
            "calendar processing",
            format!("{says}; cleanup.exceptions.private may have no effect"),
            "keep the mark on the room's copy: Set-CalendarProcessing -Identity ROOM -RemovePrivateProperty $false",
        );
    } else {
        findings.pass("calendar processing", says);
    }
}

fn is_named_after_its_organizer(event: &Event) -> bool {
    let subject = event.subject.as_deref().unwrap_or_default().trim();
    let name = event.organizer.as_ref().and_then(|person| person.name.as_deref());
    subject.is_empty() || name.is_some_and(|name| subject == name)
}
