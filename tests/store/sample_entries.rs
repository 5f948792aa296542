//! Sample entries for the tests: every kind of fact and every outcome.

use adjourn::action::{
    Action, ActionId, ActionKind, Actor, AllDay, BookingTime, Change, DeleteMode, Done, EventSnapshot,
    IrreversibleReason, NoChangeReason, Notified, Notify, Outcome, Refusal, RequestIds, RequestedBound,
    RequestedEnd, RequestedMinutes, ResponsibleParty, Reversibility, Step, Target, TimeRange,
};
use adjourn::calendar::{ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, Person, Uid};
use adjourn::journal::{
    ActionEntry, AdminActor, AdminEntry, AdminEvent, Archived, Fact, Journal as _, JournalEntry, KeyFacts,
    LateEffect,
};
use adjourn::presence::{Crowd, Interval, Proof};
use adjourn_test::{journal_in, room};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub fn id(number: u128) -> ActionId {
    ActionId(Uuid::from_u128(number))
}

pub fn at(minute: i64) -> DateTime<Utc> {
    adjourn_test::at(9, 0) + TimeDelta::minutes(minute)
}

/// A proof of absence: a watched grace period of ten minutes.
fn proof() -> Proof {
    let (opens, closes) = (at(-2000), at(-1400));
    let watched = Interval::new(at(-5000), at(0)).unwrap();
    let crowd = Some(Crowd { judged: 3, absent: 1 });
    Proof { opens, closes, watched, sources: vec!["panel".to_owned()], crowd }
}

pub fn event(name: &str) -> Event {
    Event {
        id: EventId::new(format!("AAMk-{name}")),
        change_key: ChangeKey::new("DwAA"),
        organizer: Some(Person {
            name: None,
            address: Some("ada@people.example".to_owned()),
            legacy_dn: None,
        }),
        created: Some(at(-1000)),
        ..adjourn_test::event(name, at(0), at(60))
    }
}

pub fn action(number: u128, room_name: &str, ask: ActionKind) -> Action {
    Action::new(id(number), room(room_name), ask, Actor::User { name: "ada".to_owned(), origin: None })
}

pub fn ended(name: &str) -> Done {
    Done {
        event: EventSnapshot::from(&event(name)),
        copy: Copy::Attendee,
        change: Change::Ended { from: at(60), to: at(30) },
        notified: Notified::Nobody,
        reversibility: Reversibility::Reversible,
        dry_run: false,
    }
}

pub fn accepted(action: Action, minute: i64) -> ActionEntry {
    ActionEntry { action: action.id, at: at(minute), fact: Fact::Accepted { action: Box::new(action) } }
}

pub fn intended(number: u128, name: &str, minute: i64) -> ActionEntry {
    let event = event(name);
    let step = Step::SetEnd {
        id: event.id.clone(),
        change_key: event.change_key.clone(),
        end: at(30),
        notify: Notify::Nobody,
    };
    intended_step(number, step, event, ended(name), minute)
}

fn intended_step(number: u128, step: Step, before: Event, done: Done, minute: i64) -> ActionEntry {
    let fact = Fact::Intended { step, before: Box::new(before), done: Box::new(done) };
    ActionEntry { action: id(number), at: at(minute), fact }
}

pub fn in_doubt(number: u128, minute: i64) -> ActionEntry {
    let requests = vec![RequestIds { ours: "5f0a".to_owned(), theirs: None }];
    let fact = Fact::InDoubt { why: "the connection broke".to_owned(), requests };
    ActionEntry { action: id(number), at: at(minute), fact }
}

pub fn closed(number: u128, outcome: Outcome, minute: i64) -> ActionEntry {
    let requests = vec![RequestIds { ours: "5f0b".to_owned(), theirs: Some("e1c7".to_owned()) }];
    let fact = Fact::Closed { outcome: Box::new(outcome), requests };
    ActionEntry { action: id(number), at: at(minute), fact }
}

/// The entries of one action that ends a meeting after it was in doubt.
pub fn an_end(number: u128, room_name: &str, name: &str, minute: i64) -> Vec<ActionEntry> {
    vec![
        accepted(action(number, room_name, ActionKind::End(Notify::Attendees)), minute),
        intended(number, name, minute),
        in_doubt(number, minute),
        closed(number, Outcome::Done(ended(name)), minute),
    ]
}

/// Every kind of entry with every kind of content.
pub fn everything() -> Vec<ActionEntry> {
    let mut all = an_end(1, "r1", "a", 30);
    let times = TimeRange { start: at(0), end: at(60) };
    let seen = EventSnapshot {
        uid: None,
        organizer: None,
        kind: EventKind::Occurrence,
        ..EventSnapshot::from(&event("b"))
    };
    let (event_id, change_key) = (EventId::new("AAMk-b"), ChangeKey::new("DwAB"));
    let text = Some("Nobody came.".to_owned());
    let steps = [
        Step::Decline { id: event_id.clone(), change_key: change_key.clone(), text: text.clone() },
        Step::Cancel { id: event_id.clone(), change_key: change_key.clone(), text },
        Step::Remove { id: event_id.clone(), change_key: change_key.clone() },
        Step::MoveBack { id: event_id.clone(), change_key },
    ];
    let changes = [Change::Declined, Change::Cancelled, Change::Removed, Change::MovedBack];
    let ways = [
        Reversibility::Irreversible { because: IrreversibleReason::DeclineWasSent },
        Reversibility::Irreversible { because: IrreversibleReason::CancellationWasSent },
        Reversibility::Irreversible { because: IrreversibleReason::OccurrenceLeavesNothing },
        Reversibility::Irreversible { because: IrreversibleReason::IsAnUndo },
    ];
    let told = [Notified::Organizer, Notified::Attendees, Notified::Nobody, Notified::Nobody];
    let asks = [
        ActionKind::Delete(DeleteMode::Notify),
        ActionKind::Delete(DeleteMode::Notify),
        ActionKind::Delete(DeleteMode::Silent),
        ActionKind::Undo { of: id(1) },
    ];
    for (at_index, step) in steps.into_iter().enumerate() {
        let number = 10 + at_index as u128;
        let mut asked = action(number, "r2", asks[at_index]);
        asked.actor = Actor::Sweep { rule: "no-check-in".to_owned(), proof: None };
        asked.target = Target::Event { id: event_id.clone(), seen: Some(times) };
        asked.reason = Some("This room was released automatically.".parse().unwrap());
        asked.all_day = AllDay::Include;
        asked.key = Some(format!("key-{number}").parse().unwrap());
        let done = Done {
            event: seen.clone(),
            copy: Copy::Organizer,
            change: changes[at_index],
            notified: told[at_index],
            reversibility: ways[at_index],
            dry_run: false,
        };
        all.push(accepted(asked, 31));
        all.push(intended_step(number, step, event("b"), done.clone(), 31));
        all.push(closed(number, Outcome::Done(done), 31));
    }
    let outcomes = [
        Outcome::AlreadyDone { why: NoChangeReason::Over },
        Outcome::AlreadyDone { why: NoChangeReason::Gone },
        Outcome::AlreadyDone { why: NoChangeReason::Restored },
        Outcome::AlreadyDone { why: NoChangeReason::ByAction { action: id(1) } },
        Outcome::Refused { refusal: Refusal::OutOfScope { room: room("r9") } },
        Outcome::Refused { refusal: Refusal::NoCurrentEvent },
        Outcome::Refused { refusal: Refusal::Ambiguous { events: vec![seen.clone()] } },
        Outcome::Refused { refusal: Refusal::NotStarted { times } },
        Outcome::Refused { refusal: Refusal::Over { times } },
        Outcome::Refused { refusal: Refusal::AllDay },
        Outcome::Refused { refusal: Refusal::Cancelled },
        Outcome::Refused { refusal: Refusal::UnknownCopy },
        Outcome::Refused { refusal: Refusal::NotAsSeen { seen: times, is: times } },
        Outcome::Refused { refusal: Refusal::ChangedMeanwhile { was: times, is: Some(times) } },
        Outcome::Refused { refusal: Refusal::KeepsChanging },
        Outcome::Refused { refusal: Refusal::NoLongerApplies { why: "somebody came".to_owned() } },
        Outcome::Refused { refusal: Refusal::IrreversibleForbidden },
        Outcome::Refused { refusal: Refusal::Interrupted },
        Outcome::Refused { refusal: Refusal::NothingToUndo },
        Outcome::Refused { refusal: Refusal::NoSuchAction { action: id(7) } },
        Outcome::Refused { refusal: Refusal::Collides { events: vec![seen.clone()] } },
        Outcome::Refused { refusal: Refusal::LeftDeletedItems },
        Outcome::NeedsAttention { event: seen, advice: "look".to_owned(), recheck: false },
        Outcome::Refused {
            refusal: Refusal::Exchange {
                responsible: ResponsibleParty::Server,
                advice: "Exchange is busy; ask again later".to_owned(),
                code: "ErrorServerBusy".to_owned(),
            },
        },
    ];
    for (at_index, outcome) in outcomes.into_iter().enumerate() {
        let number = 100 + at_index as u128;
        let mut asked = action(number, "r3", ActionKind::End(Notify::Nobody));
        asked.actor = Actor::program("door");
        all.push(accepted(asked, 40));
        all.push(closed(number, outcome, 41));
    }
    all.push(accepted(action(200, "r4", ActionKind::End(Notify::Attendees)), 50));
    all
}

/// The directory of a journal with [`everything`].
pub async fn journal_of_everything() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = journal_in(directory.path());
    for entry in everything() {
        journal.record(entry).await.unwrap();
    }
    directory
}

/// What version 4 added.
pub fn everything_of_version_4() -> Vec<ActionEntry> {
    let mut all = everything_of_version_3();
    let legacy_dn = Some("/o=org/cn=ada".to_owned());
    let kept = Event {
        is_declined: true,
        free_busy: FreeBusy::Tentative,
        modified: Some(at(-10)),
        organizer: Some(Person { name: None, address: None, legacy_dn }),
        ..event("n")
    };
    let (id, change_key) = (kept.id.clone(), kept.change_key.clone());
    let gone = Done { event: EventSnapshot::from(&kept), change: Change::Removed, ..ended("n") };
    all.push(accepted(action(305, "r7", ActionKind::Delete(DeleteMode::Silent)), 60));
    all.push(intended_step(305, Step::Remove { id, change_key }, kept, gone.clone(), 60));
    all.push(closed(305, Outcome::Done(gone), 60));
    all.push(accepted(action(306, "r7", ActionKind::Delete(DeleteMode::Notify)), 61));
    all.push(closed(306, Outcome::AlreadyDone { why: NoChangeReason::Declined }, 61));
    all.push(accepted(action(307, "r7", ActionKind::extend(RequestedMinutes::new(15).unwrap())), 62));
    all.push(closed(307, Outcome::Refused { refusal: Refusal::Declined }, 62));
    all
}

/// What version 5 added.
pub fn everything_of_version_5() -> Vec<ActionEntry> {
    let mut all = everything_of_version_4();
    let closed_now = |number, outcome, all: &mut Vec<ActionEntry>| {
        all.push(accepted(action(number, "r7", ActionKind::Delete(DeleteMode::Notify)), 60));
        all.push(intended(number, "d", 60));
        all.push(closed(number, outcome, 60));
    };
    let advice = "look".to_owned();
    let unread = Outcome::NeedsAttention { event: EventSnapshot::from(&event("d")), advice, recheck: true };
    closed_now(400, unread, &mut all);
    let untold = Done { notified: Notified::Unknown, ..ended("d") };
    let fact = Fact::Settled { outcome: Box::new(Outcome::Done(untold.clone())) };
    all.push(ActionEntry { action: id(400), at: at(61), fact });
    closed_now(401, Outcome::Done(untold), &mut all);
    closed_now(403, Outcome::Refused { refusal: Refusal::EventNotFound }, &mut all);
    let code = "ErrorInvalidIdMalformed".to_owned();
    closed_now(404, Outcome::Refused { refusal: Refusal::InvalidEventId { code } }, &mut all);
    let mut released = action(90, "r2", ActionKind::Delete(DeleteMode::Notify));
    released.actor = Actor::Sweep { rule: "no-check-in".to_owned(), proof: Some(Box::new(proof())) };
    all.push(accepted(released, 60));
    all.push(closed(90, Outcome::AlreadyDone { why: NoChangeReason::Over }, 61));
    all
}

/// What version 3 added.
pub fn everything_of_version_3() -> Vec<ActionEntry> {
    let mut all = everything_of_version_2();
    let series = Event { kind: EventKind::Series, ..event("m") };
    let (id, change_key) = (EventId::new("AAMk-m"), ChangeKey::new("DwAB"));
    let because = IrreversibleReason::SeriesWent;
    let went = Done {
        event: EventSnapshot::from(&series),
        change: Change::Removed,
        reversibility: Reversibility::Irreversible { because },
        ..ended("m")
    };
    let target = Target::Series { id: id.clone() };
    let ask = ActionKind::Delete(DeleteMode::Silent);
    all.push(accepted(Action { target: target.clone(), ..action(303, "r6", ask) }, 58));
    all.push(intended_step(303, Step::Remove { id, change_key }, series, went.clone(), 58));
    all.push(closed(303, Outcome::Done(went), 58));
    all.push(accepted(Action { target, ..action(304, "r6", ActionKind::End(Notify::Nobody)) }, 59));
    all.push(closed(304, Outcome::Refused { refusal: Refusal::WholeSeries }, 59));
    all
}

/// What version 2 added.
pub fn everything_of_version_2() -> Vec<ActionEntry> {
    let mut all = everything();
    let times = TimeRange { start: at(0), end: at(60) };
    let (event_id, change_key) = (EventId::new("AAMk-a"), ChangeKey::new("DwAB"));
    let extended = Done { change: Change::Extended { from: at(60), to: at(75) }, ..ended("a") };
    let longer = Step::SetEnd { id: event_id, change_key, end: at(75), notify: Notify::Nobody };
    all.push(accepted(action(300, "r5", ActionKind::extend(RequestedMinutes::new(15).unwrap())), 55));
    all.push(intended_step(300, longer, event("a"), extended.clone(), 55));
    all.push(closed(300, Outcome::Done(extended), 55));
    let to_be = Event { id: EventId::new(""), change_key: ChangeKey::new(""), ..event("c") };
    let booked = Done { change: Change::Booked, copy: Copy::Plain, ..ended("c") };
    let book = Step::Book {
        uid: Uid::new("adjourn-301"),
        start: at(0),
        end: at(60),
        subject: "Booked at the door".to_owned(),
    };
    all.push(accepted(action(301, "r5", ActionKind::book(RequestedMinutes::new(60).unwrap())), 56));
    all.push(intended_step(301, book, to_be, booked.clone(), 56));
    all.push(closed(301, Outcome::Done(booked), 56));
    all.push(accepted(action(302, "r5", ActionKind::extend(RequestedMinutes::new(15).unwrap())), 57));
    all.push(closed(302, Outcome::Refused { refusal: Refusal::NotCurrent { times } }, 57));
    all
}

/// What version 7 added.
pub fn everything_of_version_7() -> Vec<JournalEntry> {
    let mut all = everything_of_version_6();
    let because = IrreversibleReason::ServerCannotRestore;
    let removed = Done {
        change: Change::Removed,
        notified: Notified::OrganizerSeesDecline,
        reversibility: Reversibility::Irreversible { because },
        ..ended("n")
    };
    let (event_id, change_key) = (EventId::new("AAMk-n"), ChangeKey::new("DwAB"));
    let step = Step::Remove { id: event_id, change_key };
    all.push(accepted(action(600, "r9", ActionKind::Delete(DeleteMode::Silent)), 60).into());
    all.push(intended_step(600, step, event("n"), removed.clone(), 60).into());
    all.push(closed(600, Outcome::Done(removed), 60).into());
    all.push(accepted(action(601, "r9", ActionKind::Delete(DeleteMode::Silent)), 60).into());
    all.push(closed(601, Outcome::Refused { refusal: Refusal::ServerAlwaysNotifies }, 60).into());
    all
}

/// What version 8 added.
pub fn everything_of_version_8() -> Vec<JournalEntry> {
    let mut all = everything_of_version_7();
    let (start, end) = (at(120), at(150));
    let minutes = RequestedMinutes::new(30).unwrap();
    let mut booking = action(700, "r9", ActionKind::Book(BookingTime::exactly(start, minutes)));
    booking.subject = Some("Planning (Ada)".parse().unwrap());
    let until_next = BookingTime { start: Some(start), end: RequestedEnd::AtMost(minutes) };
    let to_end = ActionKind::Extend(RequestedEnd::At(end));
    let asks = [booking, action(701, "r9", ActionKind::Book(until_next)), action(702, "r9", to_end)];
    for ask in asks {
        let (bound, number) = (RequestedBound::Start, ask.id.0.as_u128());
        let refusal = Refusal::TimeOutOfRange { bound, earliest: start, latest: end };
        all.push(accepted(ask, 61).into());
        all.push(closed(number, Outcome::Refused { refusal }, 61).into());
    }
    all
}

/// What version 6 added.
pub fn everything_of_version_6() -> Vec<JournalEntry> {
    let mut all: Vec<JournalEntry> = everything_of_version_5().into_iter().map(JournalEntry::from).collect();
    let mut asked = action(500, "r8", ActionKind::End(Notify::Nobody));
    asked.actor = Actor::Program { name: "door".to_owned(), key_id: Some("1f0c9a27be".to_owned()) };
    all.push(accepted(asked, 60).into());
    all.push(closed(500, Outcome::AlreadyDone { why: NoChangeReason::Over }, 60).into());
    let file = "2025.jsonl".to_owned();
    let refusal = Refusal::MaybeArchived { action: id(7), last: 900, file };
    all.push(accepted(action(501, "r8", ActionKind::Undo { of: id(7) }), 60).into());
    all.push(closed(501, Outcome::Refused { refusal }, 60).into());
    all.extend(admin_events().into_iter().map(JournalEntry::from));
    all
}

/// What version 9 added.
pub fn everything_of_version_9() -> Vec<JournalEntry> {
    let mut all = everything_of_version_8();
    let mut asked = action(800, "r9", ActionKind::End(Notify::Nobody));
    let origin = Some("uid 0 (root), ssh from 192.0.2.7".to_owned());
    asked.actor = Actor::User { name: "ada".to_owned(), origin };
    all.push(accepted(asked, 62).into());
    all.push(closed(800, Outcome::AlreadyDone { why: NoChangeReason::Over }, 62).into());
    all
}

/// What version 10 added.
pub fn everything_of_version_10() -> Vec<JournalEntry> {
    let mut all = everything_of_version_9();
    all.push(accepted(action(900, "r9", ActionKind::Delete(DeleteMode::Silent)), 63).into());
    all.push(intended(900, "d", 63).into());
    all.push(closed(900, Outcome::Refused { refusal: Refusal::Interrupted }, 64).into());
    for (effect, requests) in [
        (LateEffect::Unknown, vec![RequestIds { ours: "5f0c".to_owned(), theirs: None }]),
        (LateEffect::OnCalendar, Vec::new()),
        (LateEffect::Confirmed, Vec::new()),
    ] {
        all.push(ActionEntry { action: id(900), at: at(65), fact: Fact::Late { effect, requests } }.into());
    }
    all
}

/// Every kind of admin event and cause, a minute apart.
pub fn admin_events() -> Vec<AdminEntry> {
    let key_id = "1f0c9a27be".to_owned();
    let by_root = AdminActor::CommandLine { uid: Some(0), user: Some("ada".to_owned()) };
    let key = KeyFacts {
        key_id: key_id.clone(),
        name: Some("lobby".to_owned()),
        rights: vec!["read".to_owned(), "end".to_owned()],
        rooms: vec!["*@rooms.example".to_owned()],
        expires: None,
    };
    let archived = Archived {
        first: 1,
        last: 900,
        head: "5d".repeat(32),
        file: "2025.jsonl".to_owned(),
        erased: -2,
        erased_through: 0,
    };
    let by_caller = AdminActor::Caller { key_id: key_id.clone(), name: Some("lobby".to_owned()) };
    let refused = AdminEvent::SignInRefused {
        address: Some("192.0.2.7".to_owned()),
        reason: "invalid-token".to_owned(),
        count: 12,
    };
    let implausible = AdminEvent::ClockImplausible {
        from: "the Date header of Exchange".to_owned(),
        reason: "it is 400 days behind".to_owned(),
    };
    let reloaded = AdminEvent::ConfigurationReloaded { hash: "ab".repeat(32) };
    let events = [
        (by_root.clone(), AdminEvent::KeyCreated(key.clone())),
        (by_caller, AdminEvent::KeyChanged(KeyFacts { expires: Some(at(9_000)), ..key })),
        (by_root.clone(), AdminEvent::KeyRevoked { key_id, name: Some("lobby".to_owned()) }),
        (AdminActor::Service, refused),
        (AdminActor::Signal { name: "SIGHUP".to_owned() }, reloaded),
        (by_root, AdminEvent::Archived(archived)),
        (AdminActor::Service, AdminEvent::Erased { values: 3, through: 900 }),
        (AdminActor::Service, implausible),
    ];
    let minute = |index: usize| at(60 + i64::try_from(index).unwrap());
    events
        .into_iter()
        .enumerate()
        .map(|(index, (by, event))| AdminEntry { at: minute(index), by, event })
        .collect()
}
