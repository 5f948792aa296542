//! Properties of the comparison for calendars of any content, and the cases that they do not show.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::calendar::EventId;
use crate::engine::UnreadableItem;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn window() -> Window {
    Window::new(at(0), at(10_000)).unwrap()
}

fn event(uid: &str, start: i64) -> Event {
    Event { uid: Some(Uid::new(uid)), ..Event::sample(uid, at(start), at(start + 60)) }
}

fn date(uid: &str, original: i64, start: i64) -> Event {
    let kind = if original == start { EventKind::Occurrence } else { EventKind::Exception };
    Event { kind, original_start: Some(at(original)), ..event(uid, start) }
}

fn compared(source: &[Event], target: &[Event]) -> Comparison {
    compare(&source.to_vec().into(), &target.to_vec().into(), &window())
}

/// The only change of the only difference.
fn only_change(source: &Event, target: &Event) -> ChangedProperty {
    let compared = compared(std::slice::from_ref(source), std::slice::from_ref(target));
    match &compared.differences[..] {
        [Difference::Changed { properties, .. }] if properties.len() == 1 => properties[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn missing(compared: &Comparison, side: Side) -> usize {
    let is_there = |one: &&Difference| matches!(one, Difference::Missing { on, .. } if *on == side);
    compared.differences.iter().filter(is_there).count()
}

#[test]
fn every_compared_property_makes_a_difference_of_its_own() {
    let event = event("a", 100);
    let who = |address: &str| Some(Person { address: Some(address.to_owned()), ..Person::default() });
    let others = [
        (Property::Times, Event { end: at(170), ..event.clone() }),
        (Property::Kind, Event { kind: EventKind::Occurrence, ..event.clone() }),
        (Property::AllDay, Event { is_all_day: true, ..event.clone() }),
        (Property::Copy, Event { copy: None, ..event.clone() }),
        (Property::Copy, Event { copy: Some(Copy::Organizer), ..event.clone() }),
        (Property::Private, Event { is_private: true, ..event.clone() }),
        (Property::Declined, Event { is_declined: true, ..event.clone() }),
        (Property::Cancelled, Event { is_cancelled: true, ..event.clone() }),
        (Property::FreeBusy, Event { free_busy: FreeBusy::Free, ..event.clone() }),
        (Property::Organizer, Event { organizer: who("ada@example.com"), ..event.clone() }),
    ];
    for (property, other) in others {
        assert!(!is_same(&event, &other));
        let change = only_change(&event, &other);
        assert_eq!(change.property, property);
        assert_ne!(change.source, change.target);
    }
}

#[test]
fn ids_versions_subjects_and_the_time_of_a_change_are_not_compared() {
    let other = Event {
        id: EventId::new("another"),
        change_key: crate::calendar::ChangeKey::new("2"),
        subject: Some("Ada".to_owned()),
        created: Some(at(1)),
        modified: Some(at(2)),
        ..event("a", 100)
    };
    let compared = compared(&[event("a", 100)], &[other]);
    assert_eq!((compared.same, compared.differences), (1, Vec::new()));
}

#[test]
fn a_single_event_at_another_time_is_one_event_and_dates_of_a_series_are_two() {
    assert_eq!(only_change(&event("a", 100), &event("a", 200)).property, Property::Times);
    let dates = compared(&[date("a", 100, 100)], &[date("a", 200, 200)]);
    assert_eq!((missing(&dates, Side::Source), missing(&dates, Side::Target)), (1, 1));
    // A moved date is found by its place in the series.
    assert_eq!(only_change(&date("a", 100, 130), &date("a", 100, 160)).property, Property::Times);
    let elsewhere = only_change(&date("a", 100, 130), &date("a", 90, 130));
    assert_eq!(elsewhere.property, Property::OriginalStart);
}

#[test]
fn an_event_without_a_uid_is_never_the_same_as_another() {
    let nameless = Event { uid: None, ..event("a", 100) };
    let compared = compared(std::slice::from_ref(&nameless), std::slice::from_ref(&nameless));
    assert_eq!((compared.same, compared.differences.len()), (0, 2));
    assert!(compared.differences.iter().all(|one| matches!(one, Difference::WithoutUid { .. })));
}

#[test]
fn two_events_of_one_identity_need_two_counterparts() {
    let compared = compared(&[event("a", 100), event("a", 100)], &[event("a", 100)]);
    assert_eq!((compared.same, missing(&compared, Side::Target)), (1, 1));
}

#[test]
fn people_are_compared_by_what_both_sides_have() {
    let who = |name: Option<&str>, address: Option<&str>, dn: Option<&str>| Person {
        name: name.map(str::to_owned),
        address: address.map(str::to_owned),
        legacy_dn: dn.map(str::to_owned),
    };
    let ada = who(Some("Ada"), Some("ada@example.com"), None);
    let same = |one: &Person, other: &Person| {
        assert_eq!(is_same_person(Some(one), Some(other)), is_same_person(Some(other), Some(one)));
        is_same_person(Some(one), Some(other))
    };
    assert!(same(&ada, &who(Some("ADA"), None, Some("/o=ex/cn=ada"))));
    assert!(same(&ada, &who(Some("Ada Albers"), Some("Ada@Example.com"), None)));
    assert!(!same(&ada, &who(Some("Ada"), Some("bo@example.com"), None)));
    assert!(!same(&ada, &who(Some("Bo"), None, Some("/o=ex/cn=bo"))));
    assert!(!same(&ada, &who(None, None, Some("/o=ex/cn=ada"))), "nothing to compare by");
    assert!(is_same_person(None, Some(&Person::default())) && !is_same_person(None, Some(&ada)));
}

#[test]
fn an_unreadable_item_is_a_difference_on_its_side_if_it_may_be_in_the_window() {
    let item = |start: Option<i64>| UnreadableItem {
        id: None,
        position: 1,
        missing: "Start",
        start: start.map(at),
        end: start.map(|start| at(start + 60)),
    };
    let view =
        CalendarView { events: Vec::new(), unreadable: vec![item(None), item(Some(90)), item(Some(20_000))] };
    let compared = compare(&CalendarView::default(), &view, &window());
    assert_eq!(compared.differences.len(), 2);
    assert!(
        compared.differences.iter().all(|one| matches!(one, Difference::Unreadable { on: Side::Target, .. }))
    );
}

/// Events with few UIDs and starts, so that many belong together.
fn any_event() -> impl Strategy<Value = Event> {
    let uid = prop_oneof![1 => Just(None), 9 => (0..4_u8).prop_map(Some)];
    let copy = prop_oneof![Just(None), Just(Some(Copy::Attendee)), Just(Some(Copy::Plain))];
    let original = prop_oneof![2 => Just(None), 1 => (0..3_i64).prop_map(Some)];
    (uid, 0..4_i64, 1..3_i64, original, copy, any::<bool>(), any::<bool>()).prop_map(
        |(uid, start, length, original, copy, is_private, is_cancelled)| Event {
            uid: uid.map(|uid| Uid::new(format!("uid-{uid}"))),
            end: at((start + length) * 60),
            original_start: original.map(|original| at(original * 60)),
            kind: if original.is_some() { EventKind::Exception } else { EventKind::Single },
            copy,
            is_private,
            is_cancelled,
            ..event("a", start * 60)
        },
    )
}

fn any_calendar() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(any_event(), 0..12)
}

/// A difference with its sides exchanged.
fn mirrored(difference: &Difference) -> (u8, Option<DateTime<Utc>>) {
    match difference {
        Difference::Missing { on: Side::Source, event } => (0, Some(event.start)),
        Difference::Missing { on: Side::Target, event } => (1, Some(event.start)),
        Difference::WithoutUid { on: Side::Source, event } => (2, Some(event.start)),
        Difference::WithoutUid { on: Side::Target, event } => (3, Some(event.start)),
        Difference::Changed { .. } => (4, None),
        Difference::Unreadable { on: Side::Source, start, .. } => (5, *start),
        Difference::Unreadable { on: Side::Target, start, .. } => (6, *start),
    }
}

proptest! {
    /// Every event of each side is accounted for exactly once: as the same, as changed, as missing on the other side, or as one that
    /// cannot be matched.
    #[test]
    fn no_event_is_lost_and_none_counts_twice(source in any_calendar(), target in any_calendar()) {
        let compared = compared(&source, &target);
        for (side, other, events) in [(Side::Source, Side::Target, &source), (Side::Target, Side::Source, &target)] {
            let counted = compared.differences.iter().filter(|one| match one {
                Difference::Missing { on, .. } => *on == other,
                Difference::WithoutUid { on, .. } => *on == side,
                Difference::Changed { .. } => true,
                Difference::Unreadable { .. } => false,
            });
            prop_assert_eq!(compared.same + counted.count(), events.len());
        }
    }

    /// Two events that are reported as one event with differences differ, and have one UID.
    #[test]
    fn a_changed_event_names_what_changed(source in any_calendar(), target in any_calendar()) {
        for difference in compared(&source, &target).differences {
            if let Difference::Changed { properties, event } = difference {
                prop_assert!(!properties.is_empty());
                prop_assert!(event.uid.is_some());
                prop_assert!(properties.iter().all(|change| change.source != change.target));
            }
        }
    }

    /// Two events are the same exactly if no property is named as different.
    #[test]
    fn the_same_is_what_has_no_changed_property(event in any_event(), other in any_event()) {
        prop_assert_eq!(is_same(&event, &other), changed_properties(&event, &other).is_empty());
        prop_assert!(is_same(&event, &event));
    }

    /// The order of the events on either side has no influence, and a calendar is the same as itself.
    #[test]
    fn a_calendar_is_the_same_as_itself_in_any_order(mut events in any_calendar(), turn in 0..12_usize) {
        events.retain(|event| event.uid.is_some());
        let mut turned = events.clone();
        turned.rotate_left(turn.min(events.len()));
        let compared = compared(&events, &turned);
        prop_assert_eq!(compared.same, events.len());
        prop_assert!(compared.differences.is_empty(), "{:?}", compared.differences);
    }

    /// An event that one side lacks is always reported.
    #[test]
    fn a_removed_event_is_a_difference(events in any_calendar(), index in 0..12_usize) {
        prop_assume!(index < events.len());
        let mut fewer = events.clone();
        fewer.remove(index);
        prop_assert!(!compared(&events, &fewer).differences.is_empty());
        prop_assert!(!compared(&fewer, &events).differences.is_empty());
    }

    /// A comparison with exchanged sides returns the same differences with exchanged sides.
    #[test]
    fn the_sides_are_treated_alike(source in any_calendar(), target in any_calendar()) {
        let exchange = |kind: u8| match kind { 0 => 1, 1 => 0, 2 => 3, 3 => 2, 5 => 6, 6 => 5, other => other };
        let forth = compared(&source, &target);
        let back = compared(&target, &source);
        prop_assert_eq!(forth.same, back.same);
        let mut kinds: Vec<_> = forth.differences.iter().map(|one| mirrored(one).0).collect();
        let mut exchanged: Vec<_> = back.differences.iter().map(|one| exchange(mirrored(one).0)).collect();
        kinds.sort_unstable();
        exchanged.sort_unstable();
        prop_assert_eq!(kinds, exchanged);
    }

    /// Events outside of the window have no influence.
    #[test]
    fn only_the_window_counts(source in any_calendar(), target in any_calendar(), far in any_event()) {
        let far = Event { start: far.start + TimeDelta::days(30), end: far.end + TimeDelta::days(30), ..far };
        let more = [&source[..], &[far]].concat();
        prop_assert_eq!(compared(&source, &target), compared(&more, &target));
    }
}
