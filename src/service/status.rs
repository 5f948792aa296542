//! What a door display shows: what is on, what comes next, until when the room is free, and what may be done. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Event, EventId, RoomAddress, occupancy};
use crate::cleanup::{
    CleanupMode, EventCase, KeepReason as Spared, NoCheckIn, RoomInfo, Rules, Verdict, attendance_reason,
    evaluate,
};
use crate::engine::PersonLookup;
use crate::live::{CachedCalendar, TrackingMode};
use crate::presence::PresenceState;

/// A room at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomStatus {
    /// Which room.
    pub room: RoomAddress,
    /// What is known of it besides its calendar.
    pub info: RoomInfo,
    /// When its calendar was read.
    pub read_at: DateTime<Utc>,
    /// Until when it is known that nothing else changed.
    pub as_of: DateTime<Utc>,
    /// By what that is known.
    pub tracking: TrackingMode,
    /// The event that is on; where several are, the first of `current_events`.
    pub current: Option<Event>,
    /// All events that take the room now, in display order: timed before all-day events, the last begun first.
    pub current_events: Vec<Event>,
    /// What begins next.
    pub next: Option<Event>,
    /// From now on something is on until then, one after another or beside another; `None` when nothing is on.
    pub busy_until: Option<DateTime<Utc>>,
    /// From now on nothing is on until then; `None` when something is on, or nothing is known to come.
    pub free_until: Option<DateTime<Utc>>,
    /// Whether somebody checked in to what is on (or may be checked in to now).
    pub checked_in: bool,
    /// When what is on will be released if nobody checks in.
    pub release_at: Option<DateTime<Utc>>,
    /// The event that a check-in without a name is for, while one waits for it.
    pub awaiting_check_in: Option<EventId>,
    /// What may be asked for with a chance: ending and extending of `current`.
    pub allowed_actions: Vec<AllowedAction>,
}

/// What may be done at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedAction {
    /// Check in.
    CheckIn,
    /// End what is on.
    End,
    /// Let it last longer.
    Extend,
    /// Book the room from now on.
    Book,
}

impl RoomStatus {
    /// Something is on.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }
}

/// What is known of a room.
#[derive(Clone, Copy)]
pub struct StatusInput<'a> {
    /// Its calendar.
    pub calendar: &'a CachedCalendar,
    /// Who came, and when that would have been known.
    pub presence: &'a PresenceState,
    /// When an event was first seen at its present start.
    pub seen_since: &'a dyn Fn(&Event) -> Option<DateTime<Utc>>,
}

impl<'a> StatusInput<'a> {
    fn case(&self, room: &'a RoomAddress, event: &'a Event, now: DateTime<Utc>) -> EventCase<'a> {
        let Self { calendar: kept, presence: books, seen_since } = *self;
        let organizer = Some(PersonLookup::Found);
        EventCase {
            room,
            event,
            events: &kept.events,
            presence: books,
            organizer,
            seen_since: seen_since(event),
            now,
        }
    }

    /// Whether the rules want a check-in to this event, and no sign says that people came. An event that the rules spare
    /// waits for none.
    pub(super) fn waits_for_check_in(
        &self,
        room: &RoomAddress,
        event: &Event,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> bool {
        let Some(rule) = rules.check_in(room) else { return false };
        let case = self.case(room, event, now);
        let is_spared = matches!(
            evaluate(&case, rules),
            Verdict::Keep {
                why: Spared::AllDay
                    | Spared::Private
                    | Spared::Organizer
                    | Spared::Long
                    | Spared::Short
                    | Spared::BookedLate
                    | Spared::UnknownCopy
                    | Spared::Declined
                    | Spared::TakesNoTime
            }
        );
        !is_spared && attendance_reason(&case, rules, &rule).is_none()
    }
}

/// What the calendar, the evidence and the rules come to.
pub fn status(room: &RoomAddress, view: &StatusInput<'_>, rules: &Rules, now: DateTime<Utc>) -> RoomStatus {
    let calendar = view.calendar;
    let on = occupancy::current(&calendar.events, now);
    let next = occupancy::next(&calendar.events, now);
    let free_until = next.filter(|_| on.is_empty()).map(|next| next.start);
    let rule = rules.check_in(room);
    let rule = rule.as_ref();
    let sign_for = |event: &Event| match rule {
        Some(rule) => attendance_reason(&view.case(room, event, now), rules, rule).is_some(),
        None => {
            let terms = NoCheckIn::default().terms(TimeDelta::zero());
            view.presence.signs.matching(room, event, &terms).is_some()
        }
    };
    let checked_in = on.first().is_some_and(|event| sign_for(event));
    // Observe mode releases nothing, and so does a room that nothing watches: nothing is announced at the door.
    let acts =
        rules.mode(room) == CleanupMode::Act && view.presence.is_watched(room, rules.watch_group(room), now);
    let release_at =
        on.first().filter(|_| acts).and_then(|event| match evaluate(&view.case(room, event, now), rules) {
            Verdict::Keep { why: Spared::GraceRuns { until } } => Some(until),
            _ => None,
        });
    let early = rule.map_or_else(TimeDelta::zero, |rule| rule.early);
    let waits = |event: &Event| view.waits_for_check_in(room, event, rules, now);
    let awaiting =
        occupancy::check_in_event(&calendar.events, now, early, waits).filter(|event| waits(event));
    let mut may = Vec::new();
    if awaiting.is_some() {
        may.push(AllowedAction::CheckIn);
    }
    match on.first() {
        Some(event) => {
            if occupancy::may_move_end(event, now, false).is_ok() {
                may.push(AllowedAction::End);
            }
            if occupancy::may_extend(&calendar.events, event, now) {
                may.push(AllowedAction::Extend);
            }
        }
        None if occupancy::booking_window(&calendar.events, now, 1).is_ok() => may.push(AllowedAction::Book),
        None => {}
    }
    RoomStatus {
        room: room.clone(),
        info: rules.room_info(room),
        read_at: calendar.read_at,
        as_of: calendar.as_of,
        tracking: calendar.mode,
        current: on.first().map(|event| (*event).clone()),
        current_events: on.into_iter().cloned().collect(),
        next: next.cloned(),
        busy_until: occupancy::busy_until(&calendar.events, now),
        free_until,
        checked_in,
        release_at,
        awaiting_check_in: awaiting.map(|event| event.id.clone()),
        allowed_actions: may,
    }
}
