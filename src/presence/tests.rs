//! Properties of the presence decision that hold for all events, signs and sources.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{
    CheckInTiming, Coverage, Interval, Presence, PresenceInput, PresenceQuery, PresenceState, Sign, SignLog,
    decide,
};
use crate::calendar::{Event, EventId, EventKind, RoomAddress, Uid};

const DAY_MINUTES: i64 = 24 * 60;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

fn room() -> RoomAddress {
    "r@x.example".parse().unwrap()
}

fn event(start: i64, length: i64) -> Event {
    Event {
        uid: Some(Uid::new("uid")),
        created: Some(at(-5_000)),
        ..Event::sample("AA/b+c=", at(start), at(start + length))
    }
}

fn terms(grace: i64, early: i64) -> CheckInTiming {
    let minutes = TimeDelta::minutes;
    CheckInTiming { grace: minutes(grace), early: minutes(early), presence_after: minutes(0) }
}

fn coverage(spans: &[(i64, i64)]) -> Coverage {
    spans.iter().filter_map(|(from, length)| Interval::new(at(*from), at(from + length))).collect()
}

/// A reference as sources spell it: none, right in several ways, or of no event.
fn references() -> impl Strategy<Value = Option<String>> {
    const KNOWN: [&str; 5] = ["AA/b+c=", "AA-b_c=", "uid", "another", ""];
    prop::option::of(prop::sample::select(&KNOWN[..]).prop_map(str::to_owned))
}

prop_compose! {
    fn signs()(
        event in references(),
        minute in -2 * DAY_MINUTES..2 * DAY_MINUTES,
        late in 0i64..300,
    ) -> Sign {
        let sign = Sign { event, ..Sign::new(room(), at(minute), "motion") };
        sign.received(at(minute + late))
    }
}

#[derive(Debug, Clone)]
struct Scene {
    event: Event,
    signs: Vec<Sign>,
    spans: Vec<(i64, i64)>,
    terms: CheckInTiming,
    seen_since: Option<i64>,
    rule_since: Option<i64>,
    now: i64,
}

prop_compose! {
    fn scenes()(
        start in 0i64..DAY_MINUTES,
        length in 5i64..300,
        signs in prop::collection::vec(signs(), 0..4),
        spans in prop::collection::vec((-600i64..DAY_MINUTES, 1i64..900), 0..5),
        (grace, early) in (1i64..40, 0i64..40),
        seen_since in prop::option::of(0i64..DAY_MINUTES),
        rule_since in prop::option::of(-600i64..DAY_MINUTES),
        after in -60i64..300,
    ) -> Scene {
        let (event, terms) = (event(start, length), terms(grace, early));
        Scene { event, signs, spans, terms, seen_since, rule_since, now: start + after }
    }
}

impl Scene {
    fn decide(&self) -> Presence {
        let mut log = SignLog::default();
        self.signs.iter().for_each(|sign| {
            log.push(sign.clone());
        });
        let coverage = coverage(&self.spans);
        let case = PresenceInput {
            room: &room(),
            event: &self.event,
            events: std::slice::from_ref(&self.event),
            signs: &log,
            coverage: &coverage,
            seen_since: self.seen_since.map(at),
            rule_since: self.rule_since.map(at),
            now: at(self.now),
            recorded_until: None,
        };
        decide(&case, &self.terms)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn an_unwatched_minute_never_proves_absence(scene in scenes()) {
        if let Presence::Absent(proof) = scene.decide() {
            let coverage = coverage(&scene.spans);
            prop_assert!(proof.closes <= at(scene.now));
            prop_assert!(proof.closes - proof.opens >= scene.terms.grace, "{proof:?}");
            prop_assert!(proof.closes >= scene.event.start + scene.terms.grace);
            prop_assert!(scene.seen_since.is_none_or(|seen| at(seen) + scene.terms.grace <= proof.closes));
            prop_assert!(scene.rule_since.is_none_or(|since| at(since) + scene.terms.grace <= proof.closes));
            let mut minute = proof.opens;
            while minute < proof.closes {
                prop_assert!(coverage.contains(minute), "{minute} of {proof:?}");
                minute += TimeDelta::minutes(1);
            }
        }
    }

    #[test]
    fn one_more_sign_never_turns_present_into_anything_else(scene in scenes(), sign in signs()) {
        let before = scene.decide();
        let after = Scene { signs: scene.signs.iter().cloned().chain([sign]).collect(), ..scene }.decide();
        if matches!(before, Presence::Present(_)) {
            prop_assert!(matches!(after, Presence::Present(_)));
        }
        if !matches!(before, Presence::Absent(_)) {
            prop_assert!(!matches!(after, Presence::Absent(_)), "{before:?}, then {after:?}");
        }
    }

    #[test]
    fn less_coverage_never_proves_absence(scene in scenes(), cut in 0usize..5) {
        let before = scene.decide();
        let mut less = scene.clone();
        if cut < less.spans.len() {
            less.spans.remove(cut);
        }
        if !matches!(before, Presence::Absent(_)) {
            prop_assert!(!matches!(less.decide(), Presence::Absent(_)));
        }
    }

    #[test]
    fn an_event_that_is_seen_to_move_later_is_never_absent_sooner(scene in scenes(), later in 1i64..120) {
        let mut moved = scene.clone();
        moved.event.start += TimeDelta::minutes(later);
        moved.event.end += TimeDelta::minutes(later);
        if !matches!(scene.decide(), Presence::Absent(_)) && moved.signs.is_empty() {
            let sooner = matches!(moved.decide(), Presence::Absent(_));
            // An event that would have ended in grace may end after it now: no sooner than its own grace.
            let fair = at(scene.now) >= moved.event.start + scene.terms.grace;
            prop_assert!(!sooner || fair);
        }
    }

    #[test]
    fn every_sign_is_matched_or_reported_or_about_another_time(scene in scenes()) {
        for sign in &scene.signs {
            let alone = Scene { signs: vec![sign.clone()], spans: vec![(-600, 4 * DAY_MINUTES)], ..scene.clone() };
            let near = |time: DateTime<Utc>| {
                scene.event.start - scene.terms.early <= time && time < scene.event.end
            };
            let lost = matches!(alone.decide(), Presence::Absent(_));
            let names_it = sign.reference().is_some_and(|name| name != "another");
            prop_assert!(!(lost && names_it), "a sign that names the event is lost: {sign:?}");
            prop_assert!(!(lost && near(sign.at)), "a sign of its time is lost: {sign:?}");
            prop_assert!(!(lost && near(sign.received_at) && sign.reference().is_some()), "{sign:?}");
        }
    }

    #[test]
    fn the_books_decide_as_the_case_does(scene in scenes()) {
        let mut log = SignLog::default();
        scene.signs.iter().for_each(|sign| {
            log.push(sign.clone());
        });
        let mut books = PresenceState::covering(log, coverage(&scene.spans));
        books.rule_since.extend(scene.rule_since.map(|since| (room(), at(since))));
        let (room, events) = (room(), std::slice::from_ref(&scene.event));
        let question = PresenceQuery {
            room: &room,
            group: None,
            event: &scene.event,
            events,
            seen_since: scene.seen_since.map(at),
            now: at(scene.now),
        };
        prop_assert_eq!(books.decide(&question, &scene.terms), scene.decide());
    }
}

#[test]
fn a_checked_in_event_stays_present_when_it_moves_and_gets_another_id() {
    let terms = terms(10, 10);
    let mut log = SignLog::default();
    log.push(Sign { event: Some("AA-b_c=".to_owned()), ..Sign::new(room(), at(600), "panel") });
    let here = event(600, 60);
    log.identify(&room(), std::slice::from_ref(&here), |_| None, &terms);
    let moved = Event { id: EventId::new("new"), start: at(900), end: at(960), ..here };
    assert!(log.matching(&room(), &moved, &terms).is_some());
}

#[test]
fn a_training_of_three_days_that_was_checked_in_to_on_monday_is_attended_on_wednesday() {
    let (terms, training) = (terms(10, 10), event(540, 3 * DAY_MINUTES));
    let mut sign = Sign::new(room(), at(545), "motion");
    sign.identify(std::slice::from_ref(&training), |_| None, &terms);
    assert!(sign.keep_until > at(540 + 3 * DAY_MINUTES), "it is kept as long as its event");
    assert!(sign.matches(&training, &terms));
}

#[test]
fn a_sign_for_a_date_of_a_series_names_the_date_whose_time_is_near() {
    let terms = terms(10, 10);
    let date = |day: i64| Event {
        kind: EventKind::Occurrence,
        original_start: Some(at(600 + day * DAY_MINUTES)),
        id: EventId::new(format!("d{day}")),
        ..event(600 + day * DAY_MINUTES, 60)
    };
    let sign = Sign { event: Some("uid".to_owned()), ..Sign::new(room(), at(DAY_MINUTES + 500), "panel") };
    let matched: Vec<_> = (0..3).map(|day| sign.matches(&date(day), &terms)).collect();
    assert_eq!(matched, [false, true, false]);
}

#[test]
fn a_sensor_of_1970_and_one_an_hour_ahead_make_the_room_unknown() {
    let (terms, now) = (terms(10, 10), 620);
    for time in [DateTime::UNIX_EPOCH, at(now + 60)] {
        let sign = Sign::new(room(), time, "motion").received(at(605));
        let scene = Scene {
            event: event(600, 60),
            signs: vec![sign],
            spans: vec![(0, DAY_MINUTES)],
            terms,
            seen_since: None,
            rule_since: None,
            now,
        };
        assert!(
            matches!(scene.decide(), Presence::Unknown(super::UnknownReason::UnmatchedSign { .. })),
            "{time}"
        );
    }
}

#[test]
fn a_clock_that_was_set_back_decides_nothing() {
    let (event, coverage, room) = (event(600, 60), coverage(&[(0, 2_000)]), room());
    let decided = |recorded: i64| {
        let case = PresenceInput {
            room: &room,
            event: &event,
            events: &[],
            signs: &SignLog::default(),
            coverage: &coverage,
            seen_since: None,
            rule_since: None,
            now: at(620),
            recorded_until: Some(at(recorded)),
        };
        decide(&case, &terms(10, 10))
    };
    assert!(matches!(decided(621), Presence::Absent(_)), "set right by a minute");
    assert!(matches!(decided(900), Presence::Unknown(super::UnknownReason::Clock { .. })));
}
