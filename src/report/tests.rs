//! The figures of reports over journals in memory, with values that were worked out by hand.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::not_known::{Covered, JournalExtent, not_known};
use super::totals::Totals;
use super::*;
use crate::action::{
    Action, ActionId, ActionKind, Actor, Change, DeleteMode, Done, EventSnapshot, Notified, Notify, Outcome,
    Refusal, RequestedMinutes, Reversibility, Step,
};
use crate::calendar::{Copy, Event, EventKind, Person, Uid, Window};
use crate::cleanup::{RoomGroup, Rules};
use crate::journal::{ActionEntry, Archived, Fact, Journal as _, MemoryJournal};

const ROOM: &str = "berlin-1@example.com";
const OTHER: &str = "paris-1@example.com";

/// `02T09:30` is 2026-11-02, 09:30 UTC, a Monday.
fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-{time}:00Z").parse().unwrap()
}

fn meeting(start: &str, end: &str) -> Event {
    Event { uid: Some(Uid::new("uid")), ..Event::sample("meeting", at(start), at(end)) }
}

fn date_of_series(uid: &str, start: &str, end: &str) -> Event {
    Event { kind: EventKind::Occurrence, uid: Some(Uid::new(uid)), ..meeting(start, end) }
}

fn door() -> Actor {
    Actor::program("door")
}

fn sweep(rule: &str) -> Actor {
    Actor::Sweep { rule: rule.to_owned(), proof: None }
}

fn id(number: u128) -> ActionId {
    ActionId(Uuid::from_u128(number))
}

fn end() -> ActionKind {
    ActionKind::End(Notify::Attendees)
}

fn delete() -> ActionKind {
    ActionKind::Delete(DeleteMode::Silent)
}

fn done(event: &Event, change: Change) -> Done {
    Done {
        event: EventSnapshot::from(event),
        copy: Copy::Attendee,
        change,
        notified: Notified::Nobody,
        reversibility: Reversibility::Reversible,
        dry_run: false,
    }
}

/// Actions of the past, in a journal in memory.
#[derive(Default)]
struct Past {
    journal: MemoryJournal,
    rules: Rules,
    names_organizers: bool,
}

impl Past {
    async fn record(&self, action: ActionId, time: &str, fact: Fact) {
        self.journal.record(ActionEntry { action, at: at(time), fact }).await.unwrap();
    }

    async fn accept(&self, number: u128, room: &str, (kind, actor): (ActionKind, Actor), time: &str) {
        let action = Action::new(id(number), room.parse().unwrap(), kind, actor);
        self.record(id(number), time, Fact::Accepted { action: Box::new(action) }).await;
    }

    async fn intend(&self, number: u128, time: &str, event: &Event, change: Change) {
        let step = Step::Remove { id: event.id.clone(), change_key: event.change_key.clone() };
        let (before, done) = (Box::new(event.clone()), Box::new(done(event, change)));
        self.record(id(number), time, Fact::Intended { step, before, done }).await;
    }

    async fn close(&self, number: u128, time: &str, outcome: Outcome) {
        let fact = Fact::Closed { outcome: Box::new(outcome), requests: Vec::new() };
        self.record(id(number), time, fact).await;
    }

    /// An action in [`ROOM`] that is done at once.
    async fn act(&self, number: u128, by: (ActionKind, Actor), time: &str, event: &Event, change: Change) {
        self.accept(number, ROOM, by, time).await;
        self.intend(number, time, event, change).await;
        self.close(number, time, Outcome::Done(done(event, change))).await;
    }

    async fn report(&self, since: &str, until: &str, by: Dimension) -> Report {
        let request = ReportRequest {
            period: Window::new(at(since), at(until)).unwrap(),
            by,
            names_organizers: self.names_organizers,
            rules: &self.rules,
            includes: &|_| true,
        };
        gather(&self.journal, &request, None).await.unwrap()
    }

    /// The report of November.
    async fn november(&self, by: Dimension) -> Report {
        self.report("01T00:00", "30T23:59", by).await
    }
}

fn counted(one: CountedTime) -> (u64, i64) {
    (one.count, one.minutes.minutes())
}

fn keys(report: &Report) -> Vec<&str> {
    report.rows.iter().map(|row| row.key.as_deref().unwrap_or("-")).collect()
}

fn ids(report: &Report) -> Vec<&str> {
    report.not_known.iter().map(|note| note.id).collect()
}

#[tokio::test]
async fn each_release_counts_the_time_that_was_left() {
    let past = Past::default();
    let nine = meeting("02T09:00", "02T10:00");
    let ended = Change::Ended { from: at("02T10:00"), to: at("02T09:20") };
    // A no-show after the grace time, before the start, and by an early end.
    past.act(1, (delete(), sweep("no-check-in")), "02T09:10", &nine, Change::Declined).await;
    past.act(2, (delete(), sweep("organizer-gone")), "01T09:00", &nine, Change::Removed).await;
    past.act(3, (end(), sweep("no-check-in")), "02T09:20", &nine, ended).await;
    // People at the door.
    past.act(4, (end(), door()), "02T09:20", &nine, ended).await;
    past.act(5, (delete(), door()), "02T09:45", &nine, Change::Cancelled).await;
    let totals = past.november(Dimension::Room).await.totals;
    assert_eq!(counted(totals.no_shows), (2, 50 + 40));
    assert_eq!(counted(totals.other_rules), (1, 60));
    assert_eq!(counted(totals.ended_early), (1, 40));
    assert_eq!(counted(totals.removed), (1, 15));
    assert_eq!((totals.actions, totals.released_minutes.minutes()), (5, 90 + 60 + 40 + 15));
}

#[tokio::test]
async fn an_extension_that_is_ended_counts_as_both() {
    let past = Past::default();
    let ten = meeting("02T10:00", "02T11:00");
    let longer = Event { end: at("02T11:30"), ..ten.clone() };
    let minutes = RequestedMinutes::new(30).unwrap();
    let extended = Change::Extended { from: ten.end, to: longer.end };
    let ended = Change::Ended { from: longer.end, to: at("02T11:10") };
    past.act(1, (ActionKind::extend(minutes), door()), "02T10:50", &ten, extended).await;
    past.act(2, (end(), door()), "02T11:10", &longer, ended).await;
    let booked = meeting("02T12:00", "02T12:45");
    past.act(3, (ActionKind::book(minutes), door()), "02T12:00", &booked, Change::Booked).await;
    let totals = past.november(Dimension::Room).await.totals;
    assert_eq!((counted(totals.extended), counted(totals.ended_early)), ((1, 30), (1, 20)));
    assert_eq!((counted(totals.booked), totals.released_minutes.minutes()), ((1, 45), 20));
}

#[tokio::test]
async fn an_undo_is_subtracted_in_its_own_period() {
    let past = Past::default();
    let nine = meeting("02T09:00", "02T10:00");
    let (cut, restored) = (at("02T09:20"), at("02T10:00"));
    past.act(1, (end(), sweep("no-check-in")), "02T09:20", &nine, Change::Ended { from: restored, to: cut })
        .await;
    past.act(2, (delete(), door()), "02T09:15", &nine, Change::Removed).await;
    let undo = |number| (ActionKind::Undo { of: id(number) }, door());
    past.act(3, undo(1), "03T08:00", &nine, Change::EndRestored { from: cut, to: restored }).await;
    past.act(4, undo(2), "03T08:01", &nine, Change::MovedBack).await;

    let before = past.report("02T00:00", "03T00:00", Dimension::Room).await.totals;
    assert_eq!((before.released_minutes.minutes(), before.undone.count), (40 + 45, 0));
    let after = past.report("03T00:00", "04T00:00", Dimension::Room).await.totals;
    // The time that the removal released, and not that which was left at its undo.
    assert_eq!((after.undone.count, after.undone.released_minutes.minutes()), (2, 40 + 45));
    assert_eq!((after.undone.no_shows, after.released_minutes.minutes()), (1, -(40 + 45)));
    assert_eq!(past.november(Dimension::Room).await.totals.released_minutes.minutes(), 0);
}

/// Over Graph a removed event is not moved back: the undo books its time again.
#[tokio::test]
async fn an_undo_that_books_again_is_an_undo_and_no_booking() {
    let past = Past::default();
    let nine = meeting("02T09:00", "02T10:00");
    past.act(1, (delete(), sweep("no-check-in")), "02T09:15", &nine, Change::Removed).await;
    past.act(2, (ActionKind::Undo { of: id(1) }, door()), "02T09:20", &nine, Change::Booked).await;
    let totals = past.november(Dimension::Room).await.totals;
    assert_eq!(counted(totals.booked), (0, 0));
    assert_eq!((totals.undone.count, totals.undone.no_shows), (1, 1));
    assert_eq!(totals.released_minutes.minutes(), 0);
}

#[tokio::test]
async fn extensions_and_bookings_that_are_undone_release_nothing() {
    let past = Past::default();
    let ten = meeting("02T10:00", "02T11:00");
    let undo = || (ActionKind::Undo { of: id(9) }, door());
    let shorter = Change::EndRestored { from: at("02T11:30"), to: ten.end };
    past.act(1, undo(), "02T10:55", &ten, shorter).await;
    past.act(2, undo(), "02T10:56", &meeting("02T12:00", "02T12:45"), Change::Removed).await;
    let totals = past.november(Dimension::Room).await.totals;
    let undone = totals.undone;
    assert_eq!(
        (undone.count, undone.extended_minutes.minutes(), undone.booked_minutes.minutes()),
        (2, 30, 45)
    );
    assert_eq!((totals.released_minutes.minutes(), undone.released_minutes.minutes()), (0, 0));
}

#[tokio::test]
async fn an_undo_of_an_archived_removal_has_no_known_time() {
    let past = Past::default();
    let nine = meeting("02T09:00", "02T10:00");
    past.act(1, (ActionKind::Undo { of: id(9) }, door()), "02T09:30", &nine, Change::MovedBack).await;
    let report = past.november(Dimension::Room).await;
    assert_eq!((report.totals.undone.count, report.totals.released_minutes.minutes()), (1, 0));
    assert!(ids(&report).contains(&"undone-action") && !ids(&report).contains(&"without-time"), "{report:?}");
}

#[tokio::test]
async fn series_all_day_events_and_free_time_have_no_hours() {
    let past = Past::default();
    let nine = || meeting("02T09:00", "02T10:00");
    let by = || (delete(), door());
    let all_day = Event { is_all_day: true, start: at("02T00:00"), end: at("03T00:00"), ..nine() };
    let series = Event { kind: EventKind::Series, ..nine() };
    let cancelled = Event { is_cancelled: true, ..nine() };
    for (number, event) in [all_day, series, cancelled].iter().enumerate() {
        past.act(number as u128, by(), "02T08:00", event, Change::Removed).await;
    }
    let report = past.november(Dimension::Room).await;
    assert_eq!((counted(report.totals.removed), report.totals.without_time), ((3, 0), 3));
    assert!(ids(&report).contains(&"without-time"), "{report:?}");
}

#[tokio::test]
async fn what_has_no_known_outcome_is_counted_apart() {
    let past = Past::default();
    let nine = meeting("02T09:00", "02T10:00");
    let ended = Change::Ended { from: nine.end, to: at("02T09:20") };
    let (room, time) = (ROOM, "02T09:20");
    past.accept(1, room, (end(), door()), time).await;
    past.accept(2, room, (end(), door()), time).await;
    past.intend(2, time, &nine, ended).await;
    past.record(id(2), time, Fact::InDoubt { why: "no reply".to_owned(), requests: Vec::new() }).await;
    past.accept(3, room, (end(), door()), time).await;
    let event = EventSnapshot::from(&nine);
    past.close(3, time, Outcome::NeedsAttention { event, advice: "check".to_owned(), recheck: false }).await;
    for number in [4, 5] {
        past.accept(number, room, (end(), door()), time).await;
        past.close(number, time, Outcome::Refused { refusal: Refusal::NoCurrentEvent }).await;
    }
    // A dry run that a caller of the library recorded.
    past.accept(6, room, (end(), door()), time).await;
    past.intend(6, time, &nine, ended).await;
    past.close(6, time, Outcome::Done(Done { dry_run: true, ..done(&nine, ended) })).await;

    let report = past.november(Dimension::Room).await;
    let totals = report.totals;
    assert_eq!((totals.actions, totals.open, report.in_doubt), (5, 2, 1));
    assert_eq!((totals.needs_attention, totals.refused), (1, 2));
    assert_eq!((totals.released_minutes.minutes(), totals.ended_early.count), (0, 0));
    let refusals: Vec<_> = report.refusals.iter().map(|one| (one.reason, one.count)).collect();
    assert_eq!(refusals, [("no-current-event", 2)]);
    let actions: Vec<_> = report.actions.iter().map(|one| (one.kind, one.state, one.count)).collect();
    assert_eq!(actions, [("end", "needs-attention", 1), ("end", "open", 2), ("end", "refused", 2)]);
    assert!(ids(&report).contains(&"open") && ids(&report).contains(&"needs-attention"), "{report:?}");
}

fn berlin(name: &str, zone: Option<&str>) -> RoomGroup {
    RoomGroup {
        name: name.to_owned(),
        rooms: vec!["berlin-*".parse().unwrap()],
        time_zone: zone.map(str::to_owned),
        ..RoomGroup::default()
    }
}

#[tokio::test]
async fn a_weekday_is_that_of_the_start_in_the_rooms_zone() {
    let mut past = Past::default();
    // Monday 23:30 in UTC is Tuesday 00:30 in Berlin; it ends on Tuesday in both.
    let late = meeting("02T23:30", "03T00:30");
    let ended = Change::Ended { from: late.end, to: at("03T00:10") };
    past.act(1, (end(), door()), "03T00:10", &late, ended).await;
    let without_zone = past.november(Dimension::Weekday).await;
    assert_eq!(keys(&without_zone), ["monday"]);
    assert!(ids(&without_zone).contains(&"time-zone"), "{without_zone:?}");
    past.rules = Rules { room_groups: vec![berlin("Berlin", Some("Europe/Berlin"))], ..Rules::default() };
    // On 25 October 2026 the clocks in Berlin are set back at 01:00 UTC: 24 October 22:30 UTC is Sunday 00:30 in summer time.
    let summer = DateTime::parse_from_rfc3339("2026-10-24T22:30:00Z").unwrap().to_utc();
    let night = Event { start: summer, ..meeting("02T09:00", "02T10:00") };
    past.act(2, (delete(), door()), "04T00:00", &night, Change::Removed).await;
    let in_berlin = past.november(Dimension::Weekday).await;
    assert_eq!(keys(&in_berlin), ["tuesday", "sunday"]);
    assert_eq!(in_berlin.rows[0].figures.released_minutes.minutes(), 20);
    assert!(!ids(&in_berlin).contains(&"time-zone"), "{in_berlin:?}");
}

#[tokio::test]
async fn a_room_counts_in_each_of_its_groups() {
    let rules =
        Rules { room_groups: vec![berlin("Mitte", None), berlin("Berlin", None)], ..Rules::default() };
    let past = Past { rules, ..Past::default() };
    let nine = meeting("02T09:00", "02T10:00");
    past.act(1, (delete(), door()), "02T09:30", &nine, Change::Removed).await;
    past.accept(2, OTHER, (end(), door()), "02T09:30").await;
    let report = past.november(Dimension::Group).await;
    assert_eq!(keys(&report), ["Berlin", "Mitte", "-"]);
    let minutes: Vec<_> = report.rows.iter().map(|row| row.figures.released_minutes.minutes()).collect();
    assert_eq!((minutes, report.totals.released_minutes.minutes()), (vec![30, 30, 0], 30));
}

#[tokio::test]
async fn series_and_organizers_are_named_only_where_that_is_configured() {
    let mut past = Past::default();
    let ada = Some(Person { address: Some("Ada@Example.com".to_owned()), ..Person::default() });
    let weekly = |start, end| Event { organizer: ada.clone(), ..date_of_series("weekly", start, end) };
    let no_show = || (delete(), sweep("no-check-in"));
    past.act(1, no_show(), "02T09:10", &weekly("02T09:00", "02T10:00"), Change::Declined).await;
    past.act(2, no_show(), "09T09:10", &weekly("09T09:00", "09T10:00"), Change::Declined).await;
    let daily = date_of_series("daily", "03T09:00", "03T10:00");
    past.act(3, no_show(), "03T09:10", &daily, Change::Declined).await;
    past.act(4, no_show(), "04T09:10", &meeting("04T09:00", "04T10:00"), Change::Declined).await;

    let report = past.november(Dimension::Series).await;
    assert_eq!((report.missed_series, keys(&report)), (2, vec![ROOM, ROOM]));
    let row = &report.rows[0];
    assert_eq!((counted(row.figures.no_shows), row.organizer.as_deref()), ((2, 100), None));
    let hidden = serde_json::to_string(&report).unwrap();
    assert!(!hidden.to_lowercase().contains("ada@") && !hidden.contains("weekly"), "{hidden}");
    assert_eq!(keys(&past.november(Dimension::Organizer).await), ["-"], "without the switch nobody is named");

    past.names_organizers = true;
    let report = past.november(Dimension::Series).await;
    assert_eq!(report.rows[0].organizer.as_deref(), Some("ada@example.com"));
    assert_eq!(report.rows[1].organizer, None);
    let report = past.november(Dimension::Organizer).await;
    // Two meetings without an organizer released as much as two of Ada's; rows without a key come first.
    assert_eq!(keys(&report), ["-", "ada@example.com"]);
    assert!(ids(&report).contains(&"organizer"), "{report:?}");
}

#[tokio::test]
async fn rows_beyond_the_limit_are_summed_up() {
    let past = Past::default();
    let nine = meeting("02T09:00", "02T10:00");
    past.act(1, (delete(), door()), "02T09:30", &nine, Change::Removed).await;
    for (number, room) in [(2, OTHER), (3, "rome@example.com")] {
        past.accept(number, room, (end(), door()), "02T09:30").await;
    }
    let report = past.november(Dimension::Room).await;
    assert_eq!((keys(&report), report.further), (vec![ROOM, OTHER, "rome@example.com"], None));
    let short = report.clone().with_rows_max(1);
    let further = short.further.unwrap();
    assert_eq!((keys(&short), further.actions, further.open), (vec![ROOM], 2, 2));
    assert_eq!(report.clone().with_rows_max(3), report);
}

#[tokio::test]
async fn only_rooms_of_the_report_are_counted() {
    let past = Past::default();
    past.accept(1, ROOM, (end(), door()), "02T09:30").await;
    past.accept(2, OTHER, (end(), door()), "02T09:30").await;
    let request = ReportRequest {
        period: Window::new(at("01T00:00"), at("30T00:00")).unwrap(),
        by: Dimension::Room,
        names_organizers: false,
        rules: &Rules::default(),
        includes: &|room| room.as_str() == OTHER,
    };
    let report = gather(&past.journal, &request, None).await.unwrap();
    assert_eq!((keys(&report), report.totals.actions), (vec![OTHER], 1));
}

#[tokio::test]
async fn time_before_the_journal_is_not_known() {
    let past = Past::default();
    assert_eq!(ids(&past.november(Dimension::Room).await), ["hours-used", "before-journal"]);
    past.accept(1, ROOM, (end(), door()), "02T09:30").await;
    let notes = past.november(Dimension::Room).await.not_known;
    let note = notes.iter().find(|note| note.id == "before-journal").unwrap();
    assert!(note.message.contains("2026-11-02 09:30Z"), "{note:?}");
    let later = past.report("02T10:00", "03T00:00", Dimension::Room).await;
    assert_eq!(ids(&later), ["hours-used"]);
}

#[test]
fn archived_entries_are_named() {
    let archived = Archived {
        first: 1,
        last: 40,
        head: String::new(),
        file: "journal-2025.jsonl".to_owned(),
        erased: 0,
        erased_through: 0,
    };
    let journal = JournalExtent { begins: Some(at("02T00:00")), archived: Some(archived) };
    let totals = Totals::default();
    let of = |since| {
        let covered =
            Covered { since: at(since), by: Dimension::Room, totals: &totals, rows: &[], uses_utc: false };
        not_known(&covered, &journal)
    };
    let notes = of("01T00:00");
    let note = notes.iter().find(|note| note.id == "archived").unwrap();
    assert!(note.message.contains("before 2026-11-02") && note.message.contains("1 to 40"), "{note:?}");
    assert!(note.message.contains("journal-2025.jsonl"), "{note:?}");
    assert_eq!(of("02T00:00").len(), 1, "the period begins with the journal");
}

#[test]
fn a_period_has_a_default_and_a_limit() {
    let now = at("30T12:00");
    assert_eq!(
        period(None, None, now).unwrap(),
        Window::new(at("30T12:00") - chrono::TimeDelta::days(30), now).unwrap()
    );
    assert!(
        period(Some(now), Some(now), now).is_err() && period(Some(now), Some(at("01T00:00")), now).is_err()
    );
    assert!(period(Some(now - chrono::TimeDelta::days(366)), None, now).is_ok());
    assert!(period(Some(now - chrono::TimeDelta::days(367)), None, now).is_err());
    assert!(period(None, Some(DateTime::<Utc>::MIN_UTC), now).is_err());
}
