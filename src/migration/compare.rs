//! Compares two calendars of one room. Pure.
//!
//! Events are matched by UID and start; dates of a series by UID and the start that they have by their series. Two events of the
//! same UID that are left alone on both sides are one event at different times, unless they are dates of a series: those may be two
//! dates, each missing on one side.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use super::difference::{ChangedProperty, Difference, EventTimes, Property, Side, unreadable};
use crate::calendar::{Copy, Event, EventKind, FreeBusy, Person, Uid, Window};
use crate::engine::CalendarView;

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Comparison {
    /// Readable events of the source in the window.
    pub(crate) source_events: usize,
    /// Readable events of the target in the window.
    pub(crate) target_events: usize,
    /// Events that are the same on both sides.
    pub(crate) same: usize,
    /// Everything else, by start; items without a start come first.
    pub(crate) differences: Vec<Difference>,
}

/// Compares what two connections return for the same room and window.
pub(crate) fn compare(source: &CalendarView, target: &CalendarView, window: &Window) -> Comparison {
    let mut differences = Vec::new();
    let mut groups = BTreeMap::new();
    let source_events = group(Side::Source, source, window, &mut groups, &mut differences);
    let target_events = group(Side::Target, target, window, &mut groups, &mut differences);
    let mut same = 0;
    let mut left = Remainders::default();
    for ((uid, _), pair) in groups {
        same += match_group(uid, pair, &mut left, &mut differences);
    }
    for (_, pair) in left {
        match_remainder(pair, &mut differences);
    }
    differences.sort_by_key(Difference::start);
    Comparison { source_events, target_events, same, differences }
}

/// Events of both sides that belong together.
#[derive(Default)]
struct Pair<'e> {
    source: Vec<&'e Event>,
    target: Vec<&'e Event>,
}

/// Events by UID and place: the start, or the one by the series.
type Groups<'e> = BTreeMap<(&'e Uid, DateTime<Utc>), Pair<'e>>;
/// Events without a counterpart, by UID.
type Remainders<'e> = BTreeMap<&'e Uid, Pair<'e>>;

/// Adds the events of one side that are in the window, and returns their number.
fn group<'e>(
    side: Side,
    view: &'e CalendarView,
    window: &Window,
    groups: &mut Groups<'e>,
    differences: &mut Vec<Difference>,
) -> usize {
    let items = view.unreadable.iter().filter(|item| item.may_overlap(window));
    differences.extend(items.map(|item| unreadable(side, item)));
    let mut count = 0;
    for event in view.events.iter().filter(|event| event.overlaps(window)) {
        count += 1;
        match event.identity() {
            None => differences.push(Difference::WithoutUid { on: side, event: event.into() }),
            Some(identity) => {
                let pair = groups.entry(identity).or_default();
                match side {
                    Side::Source => pair.source.push(event),
                    Side::Target => pair.target.push(event),
                }
            }
        }
    }
    count
}

/// Matches the events of one UID and place, and returns how many are the same. Several of them are copies of one event: those that
/// are the same are matched first.
fn match_group<'e>(
    uid: &'e Uid,
    mut pair: Pair<'e>,
    left: &mut Remainders<'e>,
    differences: &mut Vec<Difference>,
) -> usize {
    let before = pair.source.len();
    pair.source.retain(|event| {
        let twin = pair.target.iter().position(|other| is_same(event, other));
        twin.map(|index| pair.target.remove(index)).is_none()
    });
    let same = before - pair.source.len();
    let both = pair.source.len().min(pair.target.len());
    for (event, other) in pair.source.drain(..both).zip(pair.target.drain(..both)) {
        differences.push(changed(event, other));
    }
    if !pair.source.is_empty() || !pair.target.is_empty() {
        let others = left.entry(uid).or_default();
        others.source.extend(pair.source);
        others.target.extend(pair.target);
    }
    same
}

/// Decides about the events of one UID that have no counterpart at their place.
fn match_remainder(Pair { source, target }: Pair<'_>, differences: &mut Vec<Difference>) {
    if let ([event], [other]) = (&source[..], &target[..])
        && is_one_event(event, other)
    {
        differences.push(changed(event, other));
        return;
    }
    let missing = |on: Side| move |event: &Event| Difference::Missing { on, event: event.into() };
    differences.extend(source.into_iter().map(missing(Side::Target)));
    differences.extend(target.into_iter().map(missing(Side::Source)));
}

/// Whether two events of one UID at different places can only be one event.
fn is_one_event(event: &Event, other: &Event) -> bool {
    let are_dates = event.kind.is_date_of_series() && other.kind.is_date_of_series();
    !are_dates || event.start == other.start
}

fn changed(event: &Event, other: &Event) -> Difference {
    Difference::Changed { event: EventTimes::from(event), properties: changed_properties(event, other) }
}

/// Whether no compared property differs. It makes no text: a calendar can have thousands of copies of one event.
fn is_same(event: &Event, other: &Event) -> bool {
    let values = |event: &Event| {
        let marks = (event.is_all_day, event.is_private, event.is_declined, event.is_cancelled);
        let place = event.original_start.unwrap_or(event.start);
        (event.start, event.end, place, event.kind, event.copy, event.free_busy, marks)
    };
    values(event) == values(other) && is_same_person(event.organizer.as_ref(), other.organizer.as_ref())
}

/// The properties that differ. Ids, versions and subjects are not compared: ids and versions differ by protocol, and Exchange
/// replaces the subject on a room's calendar.
fn changed_properties(event: &Event, other: &Event) -> Vec<ChangedProperty> {
    // A single event has its place at its start, which is among the times.
    let has_place = event.original_start.is_some() || other.original_start.is_some();
    let values = |event: &Event| {
        [
            (Property::Times, times(event)),
            (Property::OriginalStart, if has_place { place(event) } else { String::new() }),
            (Property::Kind, kind(event.kind).to_owned()),
            (Property::AllDay, yes_or_no(event.is_all_day)),
            (Property::Copy, copy(event.copy).to_owned()),
            (Property::Private, yes_or_no(event.is_private)),
            (Property::Declined, yes_or_no(event.is_declined)),
            (Property::Cancelled, yes_or_no(event.is_cancelled)),
            (Property::FreeBusy, free_busy(event.free_busy).to_owned()),
        ]
    };
    let values = values(event).into_iter().zip(values(other));
    let differing = values.filter(|((_, source), (_, target))| source != target);
    let changes =
        differing.map(|((property, source), (_, target))| ChangedProperty { property, source, target });
    changes.chain(changed_organizer(event.organizer.as_ref(), other.organizer.as_ref())).collect()
}

fn changed_organizer(source: Option<&Person>, target: Option<&Person>) -> Option<ChangedProperty> {
    (!is_same_person(source, target)).then(|| ChangedProperty {
        property: Property::Organizer,
        source: person(source),
        target: person(target),
    })
}

/// Whether both are the same person: by SMTP address, else by X.500 address, else by name. A list of EWS has no SMTP address for the
/// people of its own organization.
fn is_same_person(source: Option<&Person>, target: Option<&Person>) -> bool {
    let nobody = Person::default();
    let (source, target) = (source.unwrap_or(&nobody), target.unwrap_or(&nobody));
    let pairs = [
        (&source.address, &target.address),
        (&source.legacy_dn, &target.legacy_dn),
        (&source.name, &target.name),
    ];
    let known = pairs.into_iter().find_map(|(one, other)| Some((one.as_ref()?, other.as_ref()?)));
    match known {
        Some((one, other)) => one.to_lowercase() == other.to_lowercase(),
        None => source == target,
    }
}

fn times(event: &Event) -> String {
    format!("{} to {}", instant(event.start), instant(event.end))
}

fn place(event: &Event) -> String {
    instant(event.original_start.unwrap_or(event.start))
}

/// The whole instant: a shorter text could be the same for two instants.
fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Single => "single event",
        EventKind::Occurrence => "occurrence",
        EventKind::Exception => "exception",
        EventKind::Series => "series",
    }
}

fn copy(copy: Option<Copy>) -> &'static str {
    match copy {
        Some(Copy::Attendee) => "attendee",
        Some(Copy::Organizer) => "organizer",
        Some(Copy::Plain) => "plain",
        None => "unknown",
    }
}

fn free_busy(status: FreeBusy) -> &'static str {
    match status {
        FreeBusy::Free => "free",
        FreeBusy::Tentative => "tentative",
        FreeBusy::Busy => "busy",
        FreeBusy::OutOfOffice => "out of office",
        FreeBusy::WorkingElsewhere => "working elsewhere",
    }
}

fn person(person: Option<&Person>) -> String {
    let known = person.and_then(|who| who.address.as_ref().or(who.name.as_ref()).or(who.legacy_dn.as_ref()));
    known.map_or_else(|| "nobody".to_owned(), Clone::clone)
}

#[cfg(test)]
mod tests;
