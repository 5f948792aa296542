//! The state of a room for a door display: current and next event, free and busy times, and the allowed actions. Pure: calendar,
//! evidence, rules and time are arguments.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::local_day::local_day;
use crate::calendar::{Event, EventId, RoomAddress, occupancy};
use crate::cleanup::{
    CleanupMode, EventCase, KeepReason, NoCheckIn, RoomInfo, Rules, Verdict, attendance_reason, evaluate,
};
use crate::engine::PersonLookup;
use crate::live::{Agenda, CachedCalendar, TrackingMode};
use crate::presence::PresenceState;

/// The state of a room at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomStatus {
    /// The room.
    pub room: RoomAddress,
    /// Name, building and time zone.
    pub info: RoomInfo,
    /// When the calendar was read.
    pub read_at: DateTime<Utc>,
    /// The time until which the calendar is known to be up to date.
    pub as_of: DateTime<Utc>,
    /// How changes in the calendar are detected.
    pub tracking: TrackingMode,
    /// The current event; if several overlap, the first of `current_events`.
    pub current: Option<Event>,
    /// All events that occupy the room now, in display order: timed before all-day events, the latest start first.
    pub current_events: Vec<Event>,
    /// The next event.
    pub next: Option<Event>,
    /// The events of the room's local day.
    pub agenda: Agenda,
    /// The end of the uninterrupted busy time; `None` when the room is free.
    pub busy_until: Option<DateTime<Utc>>,
    /// The start of the next event; `None` when the room is busy, or no event follows.
    pub free_until: Option<DateTime<Utc>>,
    /// Whether the current event was checked in to.
    pub checked_in: bool,
    /// When the current event will be released without a check-in.
    pub release_at: Option<DateTime<Utc>>,
    /// The event that waits for a check-in, and that a check-in without an event id applies to.
    pub awaiting_check_in: Option<EventId>,
    /// The actions available now; end and extend apply to `current`.
    pub allowed_actions: Vec<AllowedAction>,
}

/// An action that is available at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedAction {
    /// Check in to `awaiting_check_in`.
    CheckIn,
    /// End the current event.
    End,
    /// Extend the current event.
    Extend,
    /// Book the room from now.
    Book,
}

impl RoomStatus {
    /// Whether an event occupies the room now.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }
}

/// The input of a room's state.
#[derive(Clone, Copy)]
pub struct StatusInput<'a> {
    /// The room's calendar.
    pub calendar: &'a CachedCalendar,
    /// The signs of presence, and when the room had working sources.
    pub presence: &'a PresenceState,
    /// When an event was first seen at its present start.
    pub seen_since: &'a dyn Fn(&Event) -> Option<DateTime<Utc>>,
}

impl<'a> StatusInput<'a> {
    fn case(&self, room: &'a RoomAddress, event: &'a Event, now: DateTime<Utc>) -> EventCase<'a> {
        let Self { calendar, presence, seen_since } = *self;
        let organizer = Some(PersonLookup::Found);
        EventCase {
            room,
            event,
            events: &calendar.events,
            presence,
            organizer,
            seen_since: seen_since(event),
            now,
        }
    }

    /// Whether the rules require a check-in to this event, and there is none. An exempt event requires none.
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
                why: KeepReason::AllDay
                    | KeepReason::Private
                    | KeepReason::Organizer
                    | KeepReason::Long
                    | KeepReason::Short
                    | KeepReason::BookedLate
                    | KeepReason::UnknownCopy
                    | KeepReason::Declined
                    | KeepReason::TakesNoTime
            }
        );
        !is_spared && attendance_reason(&case, rules, &rule).is_none()
    }
}

/// Computes the state of a room.
pub fn status(
    room: &RoomAddress,
    view: &StatusInput<'_>,
    (info, rules): (RoomInfo, &Rules),
    now: DateTime<Utc>,
) -> RoomStatus {
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
    // In observe mode, and without a working source, nothing is released, so the display shows no deadline.
    let acts =
        rules.mode(room) == CleanupMode::Act && view.presence.is_watched(room, rules.watch_group(room), now);
    let release_at =
        on.first().filter(|_| acts).and_then(|event| match evaluate(&view.case(room, event, now), rules) {
            Verdict::Keep { why: KeepReason::GraceRuns { until } } => Some(until),
            _ => None,
        });
    let early = rule.map_or_else(TimeDelta::zero, |rule| rule.early);
    let waits = |event: &Event| view.waits_for_check_in(room, event, rules, now);
    let awaiting =
        occupancy::check_in_event(&calendar.events, now, early, waits).filter(|event| waits(event));
    let mut allowed_actions = Vec::new();
    if awaiting.is_some() {
        allowed_actions.push(AllowedAction::CheckIn);
    }
    match on.first() {
        Some(event) => {
            if occupancy::may_move_end(event, now, false).is_ok() {
                allowed_actions.push(AllowedAction::End);
            }
            if occupancy::may_extend(&calendar.events, event, now) {
                allowed_actions.push(AllowedAction::Extend);
            }
        }
        None if occupancy::booking_window(&calendar.events, now, 1).is_ok() => {
            allowed_actions.push(AllowedAction::Book)
        }
        None => {}
    }
    RoomStatus {
        room: room.clone(),
        agenda: calendar.agenda(&local_day(info.time_zone.as_deref(), now)),
        info,
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
        allowed_actions,
    }
}
