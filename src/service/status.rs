//! What a door display shows: what is on, what comes next, until when the room is free, and what may be done. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Event, RoomAddress};
use crate::cleanup::{About, CleanupMode, Judgement, Kept as Spared, NoCheckIn, Rules, Verdict, came, judge};
use crate::engine::Directory;
use crate::live::{How, Kept};
use crate::presence::Books;

/// A room at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which room.
    pub room: RoomAddress,
    /// What is known of it besides its calendar.
    pub about: About,
    /// When its calendar was read.
    pub read_at: DateTime<Utc>,
    /// Until when it is known that nothing else changed.
    pub as_of: DateTime<Utc>,
    /// By what that is known.
    pub follows: How,
    /// What is on; the one that began last where several are.
    pub current: Option<Event>,
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
    /// What may be asked for with a chance.
    pub may: Vec<May>,
}

/// What may be done at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Check in.
    CheckIn,
    /// End what is on.
    End,
    /// Let it last longer.
    Extend,
    /// Book the room from now on.
    Book,
}

impl Status {
    /// Something is on.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }
}

/// What is known of a room.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Its calendar.
    pub kept: &'a Kept,
    /// Who came, and when that would have been known.
    pub books: &'a Books,
    /// When an event was first seen at its present start.
    pub seen_since: &'a dyn Fn(&Event) -> Option<DateTime<Utc>>,
}

impl<'a> View<'a> {
    fn case(&self, room: &'a RoomAddress, event: &'a Event, now: DateTime<Utc>) -> Judgement<'a> {
        let Self { kept, books, seen_since } = *self;
        let organizer = Some(Directory::Known);
        Judgement { room, event, events: &kept.events, books, organizer, seen_since: seen_since(event), now }
    }
}

/// What the calendar, the evidence and the rules come to.
pub fn status(room: &RoomAddress, view: &View<'_>, rules: &Rules, now: DateTime<Utc>) -> Status {
    let kept = view.kept;
    let events = || kept.events.iter().filter(|event| !event.is_cancelled);
    let current = events().filter(|event| event.is_on(now)).max_by_key(|event| event.start).cloned();
    let next = events().filter(|event| event.start > now).min_by_key(|event| event.start).cloned();
    let free_until = next.as_ref().filter(|_| current.is_none()).map(|next| next.start);
    let busy_until = busy_until(kept, now);
    let rule = rules.check_in(room);
    let rule = rule.as_ref();
    let sign_for = |event: &Event| match rule {
        Some(rule) => came(&view.case(room, event, now), rules, rule).is_some(),
        None => {
            let terms = NoCheckIn::default().terms(TimeDelta::zero());
            view.books.signs.matching(room, event, &terms).is_some()
        }
    };
    let checked_in = current.as_ref().is_some_and(sign_for);
    // Observe mode releases nothing, and so does a room that nothing watches: nothing is announced at the door.
    let acts =
        rules.mode(room) == CleanupMode::Act && view.books.is_watched(room, rules.watch_group(room), now);
    let release_at = current.as_ref().filter(|_| acts).and_then(|event| {
        match judge(&view.case(room, event, now), rules) {
            Verdict::Keep { why: Spared::GraceRuns { until } } => Some(until),
            _ => None,
        }
    });
    let awaited =
        |event: &Event| rule.is_some_and(|rule| event.start - rule.early <= now) && !sign_for(event);
    let mut may = Vec::new();
    if current.iter().chain(&next).any(awaited) {
        may.push(May::CheckIn);
    }
    match &current {
        Some(event) if !event.is_all_day && event.copy.is_some() => {
            may.push(May::End);
            if next.as_ref().is_none_or(|next| next.start > event.end) {
                may.push(May::Extend);
            }
        }
        Some(_) => {}
        None => may.push(May::Book),
    }
    Status {
        room: room.clone(),
        about: rules.about(room),
        read_at: kept.read_at,
        as_of: kept.as_of,
        follows: kept.how,
        current,
        next,
        busy_until,
        free_until,
        checked_in,
        release_at,
        may,
    }
}

/// How long something is on without a gap.
fn busy_until(kept: &Kept, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut events: Vec<_> = kept.events.iter().filter(|event| !event.is_cancelled).collect();
    events.sort_by_key(|event| event.start);
    let busy = events
        .iter()
        .filter(|event| event.end > now)
        .fold(now, |until, event| if event.start <= until { until.max(event.end) } else { until });
    (busy > now).then_some(busy)
}
