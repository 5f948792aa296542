//! One suite for every database that holds the service store: SQLite in memory and on disk, and PostgreSQL.

use std::collections::HashMap;

use adjourn::access::{KeyId, Right, Rights, StoredKey};
use adjourn::calendar::{RoomAddress, Uid};
use adjourn::cleanup::{Attendance as _, Decision, DecisionKind};
use adjourn::journal::{AdminActor, AdminEvent, AdminQuery, Journal as _, MemoryJournal};
use adjourn::presence::{
    Admission, Contact, EvidenceAmount, EvidenceLimits, Interval, Sign, SignLog, SourceContact, SourceScope,
};
use adjourn::store::{
    DROPPED_KEPT, DisplayContact, DueQuery, FailedAttempt, KeyError, NewDisplay, OUTBOX_BYTES_MAX,
    OutboxBatch, OutboxNotice, QueueState, SendOrder, ServiceStore,
};
use adjourn_test::{at, room};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::service_stores::{StoreUnderTest, every_store};

const HOOK: &str = "lobby";

fn key(name: &str) -> StoredKey {
    let rooms = ["*@rooms.example", "none of * these@example.com"].map(|room| room.parse().unwrap());
    StoredKey::generate(name, Rights::new(rooms, [Right::Read, Right::CheckIn]), 60).stored
}

fn by() -> AdminActor {
    AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) }
}

fn span(from: DateTime<Utc>, minutes: i64) -> Interval {
    Interval::new(from, from + TimeDelta::minutes(minutes)).unwrap()
}

#[tokio::test]
async fn a_key_is_read_as_it_was_stored_and_its_name_belongs_to_it_alone() {
    for StoreUnderTest { store, .. } in every_store().await {
        let now = at(9, 0) + TimeDelta::milliseconds(7);
        let expires = Some(now + TimeDelta::days(1));
        let door =
            StoredKey { expires, certificate: Some(adjourn::access::Fingerprint([7; 32])), ..key("door") };
        store.create_key(door.clone(), by(), now).await.unwrap();
        let other = key("other");
        store.create_key(other.clone(), by(), now + TimeDelta::minutes(1)).await.unwrap();
        assert_eq!(store.keys().await.unwrap(), [door.clone(), other.clone()], "the oldest first");
        assert_eq!(store.count_keys().await.unwrap(), 2);
        let record = store.key_record(door.holder.id.clone()).await.unwrap().unwrap();
        assert_eq!((record.created, record.last_used), (now, None));

        let taken = store.create_key(key(" door "), by(), now).await.unwrap_err();
        assert!(
            matches!(&taken, KeyError::NameTaken(id, name) if *id == door.holder.id && name == "door"),
            "{taken}"
        );
        let mut renamed = other.clone();
        renamed.holder.name = "door".to_owned();
        let taken = store.change_key(renamed.clone(), by(), now).await;
        assert!(matches!(taken, Err(KeyError::NameTaken(..))));
        assert!(matches!(store.add_key(key("a\u{202e}b"), now).await, Err(KeyError::Name(_))));
        assert_eq!(store.keys().await.unwrap(), [door.clone(), other], "a refused change leaves nothing");

        assert!(store.revoke_key_by(door.holder.id.clone(), by(), now).await.unwrap());
        assert!(!store.revoke_key(door.holder.id.clone(), now).await.unwrap(), "once");
        assert_eq!(store.key_record(door.holder.id.clone()).await.unwrap(), None);
        assert!(store.change_key(renamed, by(), now).await.unwrap(), "a revoked key gives its name back");
        let mut revoked = door;
        revoked.holder.name = "gate".to_owned();
        assert!(!store.change_key(revoked, by(), now).await.unwrap(), "a revoked key is not changed");
    }
}

#[tokio::test]
async fn a_later_use_of_a_key_is_recorded_and_an_earlier_one_is_not() {
    for StoreUnderTest { store, .. } in every_store().await {
        let door = key("door");
        store.add_key(door.clone(), at(9, 0)).await.unwrap();
        let id = door.holder.id;
        for (used, expected) in [(at(10, 0), at(10, 0)), (at(9, 30), at(10, 0)), (at(11, 0), at(11, 0))] {
            let unknown = (KeyId("nobody".to_owned()), used);
            store.record_key_use(vec![(id.clone(), used), unknown]).await.unwrap();
            assert_eq!(store.key_record(id.clone()).await.unwrap().unwrap().last_used, Some(expected));
        }
    }
}

#[tokio::test]
async fn edits_of_two_processes_lose_nothing_and_a_key_that_has_changed_is_not_replaced() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        let door = key("door");
        store.add_key(door.clone(), at(9, 0)).await.unwrap();
        let longer = |mut key: StoredKey| {
            key.holder.per_minute += 1;
            Ok::<_, ()>(key)
        };
        let id = door.holder.id.clone();
        let edit = async |store: &ServiceStore| {
            store.edit_key(id.clone(), by(), at(9, 1), longer).await.unwrap().unwrap().unwrap()
        };
        tokio::join!(edit(&store), edit(&other), edit(&store), edit(&other));
        let edited = edit(&store).await.key;
        assert_eq!(edited.holder.per_minute, door.holder.per_minute + 5);

        let mut lost = door.clone();
        lost.holder.per_minute = 1;
        assert!(
            !store.replace_key(door, lost.clone(), by(), at(9, 2)).await.unwrap(),
            "read before the edits"
        );
        assert!(store.replace_key(edited, lost.clone(), by(), at(9, 2)).await.unwrap());
        let refused = store.edit_key(id.clone(), by(), at(9, 3), |_| Err::<StoredKey, _>("no")).await;
        assert_eq!(refused.unwrap(), Some(Err("no")));
        assert_eq!(store.keys().await.unwrap(), [lost]);
        let nobody = KeyId("nobody".to_owned());
        assert_eq!(store.edit_key(nobody, by(), at(9, 3), Ok::<_, ()>).await.unwrap(), None);
    }
}

/// Names of keys in force are unique also when two processes choose one at the same time.
#[tokio::test]
async fn one_of_two_processes_gets_a_name() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        for round in 0..10 {
            let name = format!("door {round}");
            let (one, two) = tokio::join!(
                store.create_key(key(&name), by(), at(9, 0)),
                other.create_key(key(&name), by(), at(9, 0))
            );
            match (one, two) {
                (Ok(()), Err(KeyError::NameTaken(..))) | (Err(KeyError::NameTaken(..)), Ok(())) => {}
                both => panic!("{both:?}"),
            }
        }
        assert_eq!(store.count_keys().await.unwrap(), 10);
    }
}

#[tokio::test]
async fn each_change_of_a_key_becomes_one_admin_event_and_a_refused_one_none() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        let journal = MemoryJournal::default();
        let mut door = key("door");
        store.create_key(door.clone(), by(), at(9, 0)).await.unwrap();
        store.create_key(key("door"), by(), at(9, 1)).await.unwrap_err();
        door.expires = Some(at(18, 0));
        assert!(store.change_key(door.clone(), by(), at(9, 2)).await.unwrap());
        assert!(!store.change_key(key("nobody"), by(), at(9, 3)).await.unwrap());
        assert!(store.revoke_key_by(door.holder.id.clone(), by(), at(9, 4)).await.unwrap());
        assert!(!store.revoke_key_by(door.holder.id.clone(), by(), at(9, 5)).await.unwrap());
        let (one, two) = tokio::join!(store.move_pending_events(&journal), async {
            // SQLite's stores have one owner of the journal, so nothing moves events beside it.
            if store.is_shared() { other.move_pending_events(&journal).await } else { Ok(0) }
        });
        let rest = store.move_pending_events(&journal).await.unwrap();
        assert_eq!(one.unwrap() + two.unwrap() + rest, 3);
        let events = journal.admin_events(&AdminQuery::default()).await.unwrap().events;
        let kinds: Vec<_> = events.iter().rev().map(|(_, entry)| (entry.at, &entry.event)).collect();
        let [
            (first, AdminEvent::KeyCreated(created)),
            (second, AdminEvent::KeyChanged(changed)),
            (third, revoked),
        ] = &kinds[..]
        else {
            panic!("{kinds:?}");
        };
        assert_eq!([*first, *second, *third], [at(9, 0), at(9, 2), at(9, 4)]);
        assert_eq!((created.expires, changed.expires), (None, Some(at(18, 0))));
        let name = Some("door".to_owned());
        assert_eq!(**revoked, AdminEvent::KeyRevoked { key_id: door.holder.id.0.clone(), name });
    }
}

fn display(name: &str, room: &RoomAddress) -> NewDisplay {
    let key = StoredKey::generate(name, Rights::new([], Right::DISPLAY), 600).stored;
    NewDisplay { key, room: room.clone(), paired_by: "operator".to_owned() }
}

#[tokio::test]
async fn displays_are_listed_in_their_order_with_their_last_contact_and_leave_with_their_key() {
    for StoreUnderTest { store, .. } in every_store().await {
        let rooms = [room("b"), room("a-1"), room("a_1"), room("a.1")];
        for (number, room) in rooms.iter().enumerate() {
            let new = display(&format!("door {number}"), room);
            assert!(store.pair_display(new, by(), at(9, 0)).await.unwrap());
        }
        let taken = store.pair_display(display("door 0", &rooms[0]), by(), at(9, 1)).await;
        assert!(matches!(taken, Err(KeyError::NameTaken(..))));
        let paired = store.displays().await.unwrap();
        assert_eq!(paired.len(), 4, "the refused one left nothing behind");
        assert!(
            paired.is_sorted_by_key(|display| (display.room.clone(), display.id.0.clone())),
            "{paired:?}"
        );
        let first = &paired[0];
        assert_eq!(
            (first.paired, first.paired_by.as_str(), first.last_contact),
            (at(9, 0), "operator", None)
        );

        let contact = |time: Option<DateTime<Utc>>, version: Option<&str>, lost_since| DisplayContact {
            id: first.id.clone(),
            at: time,
            version: version.map(str::to_owned),
            lost_since,
        };
        let version = Some("b1".to_owned());
        for (sent, expected) in [
            (contact(None, None, None), (None, None, None)),
            (contact(Some(at(9, 5)), Some("b1"), None), (Some(at(9, 5)), version.clone(), None)),
            (
                contact(Some(at(9, 2)), None, Some(at(9, 9))),
                (Some(at(9, 5)), version.clone(), Some(at(9, 9))),
            ),
            (contact(None, None, None), (Some(at(9, 5)), version.clone(), None)),
        ] {
            store.record_display_contacts(vec![sent]).await.unwrap();
            let stored = store.displays().await.unwrap().remove(0);
            assert_eq!((stored.last_contact, stored.version, stored.lost_since), expected);
        }
        for display in &paired {
            assert!(store.revoke_key_by(display.id.clone(), by(), at(10, 0)).await.unwrap());
        }
        assert_eq!(store.displays().await.unwrap(), []);
    }
}

fn sign(number: u64, source: &str) -> Sign {
    Sign {
        room: room("r1"),
        event: Some("AAMk-ü".to_owned()),
        at: at(9, 0) + TimeDelta::seconds(i64::try_from(number).unwrap()),
        received_at: at(9, 1),
        source: source.to_owned(),
        reporter: "feed".to_owned(),
        minutes: 1 << 63 | number,
        number,
        identity: None,
        is_matched: false,
        keep_until: at(20, 0),
    }
}

async fn stored_signs(store: &ServiceStore, now: DateTime<Utc>) -> Vec<Sign> {
    store.load_signs(now, SignLog::default()).await.unwrap().of_room(&room("r1")).to_vec()
}

#[tokio::test]
async fn signs_are_loaded_as_they_were_kept_until_they_expire() {
    for StoreUnderTest { store, .. } in every_store().await {
        let matched =
            |sign: Sign| Sign { identity: Some((Uid::new("u"), at(9, 0))), is_matched: true, ..sign };
        let (first, second) = (sign(1, "panel"), matched(sign(2, "badge")));
        let last = Sign { keep_until: at(12, 0), ..sign(3, "panel") };
        let refused = HashMap::from([(room("r2"), span(at(9, 0), 5))]);
        let all = vec![first.clone(), second.clone(), last.clone()];
        store.keep_signs(all.clone(), refused.clone(), at(9, 1)).await.unwrap();
        assert_eq!(stored_signs(&store, at(9, 2)).await, all);
        let log = store.load_signs(at(9, 2), SignLog::default()).await.unwrap();
        assert_eq!(*log.refused(), refused);
        let bytes =
            all.iter().map(|sign| sign.source.len() + sign.event.as_ref().unwrap().len()).sum::<usize>();
        assert_eq!(store.count_signs().await.unwrap(), (3, bytes as u64));

        // Another write of the same sign knows more, or arrives late and knows less.
        let more = Sign { minutes: 0b1000, keep_until: at(21, 0), ..matched(first.clone()) };
        store.keep_signs(vec![more.clone(), first.clone()], HashMap::new(), at(9, 3)).await.unwrap();
        let merged = Sign { minutes: first.minutes | 0b1000, ..more };
        assert_eq!(stored_signs(&store, at(9, 4)).await, [merged.clone(), second.clone(), last]);
        assert_eq!(stored_signs(&store, at(13, 0)).await, [merged, second], "one has expired");
        assert_eq!(stored_signs(&store, at(22, 0)).await, []);
        assert_eq!(store.count_signs().await.unwrap(), (0, 0));
    }
}

#[tokio::test]
async fn many_signs_are_loaded_and_those_beyond_the_limits_of_the_log_are_deleted() {
    for StoreUnderTest { store, .. } in every_store().await {
        let all: Vec<_> = (1..=2_500).map(|number| sign(number, "panel")).collect();
        store.keep_signs(all.clone(), HashMap::new(), at(9, 1)).await.unwrap();
        let room_of = async |signs| {
            let amount = EvidenceAmount { signs, bytes: usize::MAX };
            let limits =
                EvidenceLimits { room: amount, reporter_in_room: amount, ..EvidenceLimits::default() };
            store.load_signs(at(9, 2), SignLog::with_limits(limits)).await.unwrap()
        };
        assert_eq!(room_of(all.len()).await.of_room(&room("r1")), all);
        let log = room_of(10).await;
        assert_eq!(log.of_room(&room("r1")), &all[2_490..], "the newest");
        assert!(log.refused().contains_key(&room("r1")));
        assert_eq!(store.count_signs().await.unwrap().0, 10);
    }
}

/// The signs of two processes are different signs, though each log counts its own.
#[tokio::test]
async fn signs_of_two_processes_have_different_numbers() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        if !store.is_shared() {
            continue;
        }
        let mut expected = Vec::new();
        for (process, source) in [(&store, "panel"), (&other, "badge"), (&store, "button")] {
            let mut log = process.load_signs(at(9, 0), SignLog::default()).await.unwrap();
            let Admission::Kept(number) = log.push(sign(0, source)) else { panic!("refused") };
            let sign = log.get(&room("r1"), number).unwrap().clone();
            process.keep_signs(vec![sign.clone()], HashMap::new(), at(9, 1)).await.unwrap();
            expected.push(sign);
        }
        assert_eq!(stored_signs(&store, at(9, 2)).await, expected);
    }
}

fn contact(link: SourceScope, source: &str, from: u32, to: u32) -> SourceContact {
    let contact = Contact { since: at(from, 0), last: at(to, 0) };
    SourceContact { link, source: source.to_owned(), reporter: "feed".to_owned(), contact }
}

#[tokio::test]
async fn up_times_grow_and_sources_are_stored_with_their_last_contact() {
    for StoreUnderTest { store, .. } in every_store().await {
        let group = || SourceScope::Group(Some("north".to_owned()));
        let sources = vec![
            contact(SourceScope::Display(room("r1")), "panel", 8, 9),
            contact(SourceScope::Feed(room("r1")), "badge", 8, 10),
            contact(SourceScope::Group(None), "badge", 8, 11),
            contact(group(), "badge", 8, 12),
        ];
        store.record_uptime(span(at(8, 0), 60), sources.clone()).await.unwrap();
        store.record_uptime(span(at(8, 0), 30), vec![contact(group(), "badge", 9, 13)]).await.unwrap();
        store.record_uptime(span(at(10, 0), 1), Vec::new()).await.unwrap();
        assert_eq!(store.uptimes().await.unwrap(), [span(at(10, 0), 1), span(at(8, 0), 60)]);
        let mut expected = sources;
        expected[3] = contact(group(), "badge", 9, 13);
        expected.reverse();
        assert_eq!(store.sources().await.unwrap(), expected, "the latest contact first");

        let month = TimeDelta::days(30);
        store
            .record_uptime(Interval { from: at(10, 0) + month, to: at(11, 0) + month }, Vec::new())
            .await
            .unwrap();
        assert_eq!(store.uptimes().await.unwrap().len(), 1);
        assert_eq!(store.sources().await.unwrap(), expected[..2], "the others are older than a month");
    }
}

#[tokio::test]
async fn the_start_of_the_check_in_rule_stays_until_the_rule_is_off() {
    for StoreUnderTest { store, .. } in every_store().await {
        let (r1, r2) = (room("r1"), room("r2"));
        let since = async |rooms: &[&RoomAddress], now| {
            store.rule_since(rooms.iter().map(|room| (*room).clone()).collect(), now).await.unwrap()
        };
        assert_eq!(since(&[&r1], at(8, 0)).await, [(r1.clone(), at(8, 0))]);
        assert_eq!(since(&[&r2, &r1], at(9, 0)).await, [(r2.clone(), at(9, 0)), (r1.clone(), at(8, 0))]);
        assert_eq!(since(&[&r2], at(10, 0)).await, [(r2.clone(), at(9, 0))]);
        assert_eq!(since(&[&r1], at(11, 0)).await, [(r1.clone(), at(11, 0))], "it was off");
        assert_eq!(since(&[], at(12, 0)).await, []);
    }
}

fn decision(room: &RoomAddress, uid: &str, decided_at: DateTime<Utc>, outcome: DecisionKind) -> Decision {
    let why = format!("{outcome:?}");
    let (start, end) = (at(9, 0), at(10, 0));
    Decision { room: room.clone(), uid: uid.to_owned(), start, end, decided_at, outcome, why }
}

#[tokio::test]
async fn a_later_decision_about_a_meeting_replaces_an_earlier_one() {
    for StoreUnderTest { store, .. } in every_store().await {
        let (r1, r2) = (room("r1"), room("r2"));
        // As long as Exchange's ids may be, without repetitions that a database could compress.
        let long: String = (0..).map(|_| Uuid::new_v4().simple().to_string()).take(64).collect();
        let unknown = decision(&r1, "a", at(9, 5), DecisionKind::Unknown);
        let released = decision(&r1, "a", at(9, 15), DecisionKind::Released);
        let others = DecisionKind::ALL.map(|kind| decision(&r2, &format!("{long}{kind:?}"), at(9, 10), kind));
        let batch = [vec![unknown.clone(), released.clone()], others.to_vec()].concat();
        store.add_decisions(batch, at(9, 20)).await.unwrap();
        let mut stored = store.decisions(at(9, 0)).await.unwrap();
        assert_eq!(stored.pop(), Some(released.clone()), "the later of one batch");
        stored.sort_by_key(|decision| DecisionKind::ALL.iter().position(|kind| *kind == decision.outcome));
        assert_eq!(stored, others);
        assert_eq!(store.decisions(at(9, 15)).await.unwrap(), [released]);

        let later = at(9, 12) + TimeDelta::days(92);
        store.add_decisions(vec![decision(&r1, "b", later, DecisionKind::Attended)], later).await.unwrap();
        assert_eq!(store.decisions(at(0, 0)).await.unwrap().len(), 2, "a quarter is kept");
    }
}

#[tokio::test]
async fn a_series_has_its_last_attendance_and_its_excused_dates() {
    for StoreUnderTest { store, .. } in every_store().await {
        let (r1, a, b) = (room("r1"), Uid::new("a"), Uid::new("b\0b"));
        assert_eq!(store.last_attended(&r1, &a).await.unwrap(), None);
        for (attended, last) in [(at(9, 0), at(9, 0)), (at(8, 0), at(9, 0)), (at(10, 0), at(10, 0))] {
            store.record_attended(&r1, &a, attended).await.unwrap();
            assert_eq!(store.last_attended(&r1, &a).await.unwrap(), Some(last));
        }
        for date in [at(9, 0), at(8, 0), at(9, 0)] {
            store.excuse_date(&r1, &b, date).await.unwrap();
        }
        assert_eq!(store.excused_dates(&r1, &b).await.unwrap(), [at(8, 0), at(9, 0)].into());
        assert_eq!(store.excused_dates(&r1, &a).await.unwrap(), [].into());

        let later = at(8, 30) + TimeDelta::days(800);
        store.record_attended(&room("r2"), &a, later).await.unwrap();
        store.excuse_date(&room("r2"), &a, later).await.unwrap();
        assert_eq!(store.last_attended(&r1, &a).await.unwrap(), Some(at(10, 0)));
        assert_eq!(store.excused_dates(&r1, &b).await.unwrap(), [at(9, 0)].into(), "one is too old");
    }
}

#[tokio::test]
async fn a_run_of_a_schedule_is_begun_by_one_of_two_processes() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        let name = || "hourly".to_owned();
        assert_eq!(store.last_run(name()).await.unwrap(), None);
        let mut last = None;
        for minute in 0..20 {
            let begins = at(9, minute);
            let (one, two) = tokio::join!(
                store.claim_run(name(), last, begins),
                other.claim_run(name(), last, begins + TimeDelta::seconds(1))
            );
            assert!(one.unwrap() != two.unwrap(), "one of them begins it");
            let stored = other.last_run(name()).await.unwrap();
            assert_eq!(stored.map(|stored| stored - begins < TimeDelta::seconds(2)), Some(true));
            last = stored;
        }
        assert!(!store.claim_run(name(), None, at(10, 0)).await.unwrap(), "it has run");
        store.record_run(name(), at(8, 0)).await.unwrap();
        assert_eq!(store.last_run(name()).await.unwrap(), Some(at(8, 0)));
    }
}

fn notice(id: u128, body: &str) -> OutboxNotice {
    OutboxNotice { id: Uuid::from_u128(id), kind: "sweep".to_owned(), at: at(12, 0), body: body.to_owned() }
}

/// Adds notices, which expire a day after noon; returns how many did not fit.
async fn add(store: &ServiceStore, notices: Vec<OutboxNotice>) -> Vec<(String, u64)> {
    let batch = OutboxBatch { webhook: HOOK.to_owned(), missed: 0, notices };
    store.enqueue_notices(vec![batch], at(12, 0) + TimeDelta::days(1)).await.unwrap()
}

fn query(now: DateTime<Utc>, order: SendOrder) -> DueQuery {
    DueQuery { webhook: HOOK.to_owned(), now, pause_max: TimeDelta::minutes(10), order, max: 10 }
}

async fn due(store: &ServiceStore, now: DateTime<Utc>, order: SendOrder) -> Vec<u64> {
    let (_, due) = store.due_notices(query(now, order)).await.unwrap();
    due.iter().map(|entry| entry.number).collect()
}

fn failed(number: u64, next: TimeDelta, pause: Option<TimeDelta>) -> FailedAttempt {
    let (at, result) = (at(12, 0), "HTTP 503".to_owned());
    let paused_until = pause.map(|pause| at + pause);
    FailedAttempt { webhook: HOOK.to_owned(), number, at, next: at + next, paused_until, result }
}

#[tokio::test]
async fn notices_are_due_in_order_and_a_failed_one_later() {
    for StoreUnderTest { store, .. } in every_store().await {
        let (noon, minute) = (at(12, 0), TimeDelta::minutes(1));
        assert_eq!(store.queue_state(HOOK.to_owned()).await.unwrap(), QueueState::default());
        add(&store, vec![notice(1, "{}"), notice(2, "{\"a\":\"ü\"}"), notice(3, "{}")]).await;
        let (_, entries) = store.due_notices(query(noon, SendOrder::Number)).await.unwrap();
        assert_eq!((entries[1].number, entries[1].attempts), (2, 0));
        assert_eq!(entries[1].notice, notice(2, "{\"a\":\"ü\"}"));
        store.record_failed(failed(1, minute, None)).await.unwrap();
        assert_eq!(due(&store, noon, SendOrder::Number).await, [2, 3]);
        assert_eq!(due(&store, noon + minute, SendOrder::Number).await, [1, 2, 3]);
        assert_eq!(due(&store, noon + minute, SendOrder::Attempts).await, [2, 3, 1]);
        store.record_failed(failed(2, minute * 2, Some(minute * 5))).await.unwrap();
        assert_eq!(due(&store, noon + minute * 4, SendOrder::Number).await, [0; 0], "the webhook pauses");
        assert_eq!(due(&store, noon + minute * 5, SendOrder::Number).await, [1, 2, 3]);
        let earlier = noon - TimeDelta::days(1);
        assert_eq!(due(&store, earlier, SendOrder::Number).await, [1, 2, 3], "the clock was set back");
        store.record_accepted(HOOK.to_owned(), 1, noon, "HTTP 204".to_owned()).await.unwrap();
        let state = store.queue_state(HOOK.to_owned()).await.unwrap();
        assert_eq!((state.waiting, state.oldest, state.dropped), (2, Some(noon), 0));
        assert_eq!((state.attempted, state.result.as_deref()), (Some(noon), Some("HTTP 204")));
        assert_eq!(state.paused_until, Some(noon + minute * 5));
        store.resume_queue(HOOK.to_owned()).await.unwrap();
        assert_eq!(due(&store, noon, SendOrder::Number).await, [2, 3]);
    }
}

#[tokio::test]
async fn a_full_queue_leaves_a_gap_and_its_dropped_notices_make_room() {
    for StoreUnderTest { store, .. } in every_store().await {
        let half = "x".repeat(OUTBOX_BYTES_MAX / 2);
        let dropped = add(&store, vec![notice(1, &half), notice(2, &half), notice(3, "{}")]).await;
        assert_eq!(dropped, [(HOOK.to_owned(), 1)]);
        let other = OutboxBatch { webhook: "other".to_owned(), missed: 2, notices: vec![notice(3, "{}")] };
        let late = at(12, 0) + TimeDelta::days(1);
        assert_eq!(store.enqueue_notices(vec![other], late + TimeDelta::days(1)).await.unwrap(), []);
        let of_other = DueQuery { webhook: "other".to_owned(), ..query(at(12, 0), SendOrder::Number) };
        assert_eq!(store.due_notices(of_other).await.unwrap().1[0].number, 3, "two were missed");
        assert_eq!(store.expire_notices(late).await.unwrap(), [(HOOK.to_owned(), 2)]);
        assert_eq!(add(&store, vec![notice(4, "{}")]).await, []);
        assert_eq!(due(&store, late, SendOrder::Number).await, [4]);
        assert_eq!(store.queue_state(HOOK.to_owned()).await.unwrap().dropped, 1, "the oldest went");
    }
}

#[tokio::test]
async fn a_dropped_notice_is_kept_for_a_day_and_can_be_queued_again() {
    for StoreUnderTest { store, .. } in every_store().await {
        add(&store, vec![notice(1, "{}"), notice(2, "{}")]).await;
        store.record_failed(failed(1, TimeDelta::minutes(10), Some(TimeDelta::minutes(10)))).await.unwrap();
        let (name, noon) = (HOOK.to_owned(), at(12, 0));
        let late = noon + TimeDelta::days(1);
        let requeue = async |since| {
            store.requeue_notices(name.clone(), since, late + TimeDelta::days(1)).await.unwrap()
        };
        assert_eq!(requeue(None).await, 1, "the failed one, at once");
        assert_eq!(due(&store, noon, SendOrder::Number).await, [1, 2]);
        assert_eq!(store.expire_notices(late).await.unwrap(), [(name.clone(), 1)], "the other had longer");
        assert_eq!(requeue(Some(noon + TimeDelta::seconds(1))).await, 0, "it is older");
        assert_eq!(requeue(Some(noon)).await, 1);
        assert_eq!(due(&store, late, SendOrder::Number).await, [1, 2]);
        let end = late + TimeDelta::days(1);
        assert_eq!(store.expire_notices(end).await.unwrap(), [(name.clone(), 2)]);
        assert_eq!(store.expire_notices(end + DROPPED_KEPT).await.unwrap(), [], "dropped once only");
        assert_eq!(requeue(None).await, 0, "deleted");
        store.forget_queues(vec![name.clone()]).await.unwrap();
        add(&store, vec![notice(3, "{}")]).await;
        assert_eq!(due(&store, end, SendOrder::Number).await, [3], "numbers go on");
        store.record_accepted(name.clone(), 3, end, "HTTP 200".to_owned()).await.unwrap();
        store.forget_queues(Vec::new()).await.unwrap();
        assert_eq!(store.queue_state(name).await.unwrap(), QueueState::default());
    }
}

/// Two processes number the notices of one webhook: none twice, none left out.
#[tokio::test]
async fn notices_of_two_processes_get_the_next_numbers() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        for id in 0..5 {
            tokio::join!(
                add(&store, vec![notice(2 * id, "{}")]),
                add(&other, vec![notice(2 * id + 1, "{}")])
            );
        }
        assert_eq!(due(&store, at(12, 0), SendOrder::Number).await, (1..=10).collect::<Vec<_>>());
    }
}

/// A state directory has one sender. Of the processes that share a store, one sends a notice, and the other sees that it was sent.
#[tokio::test]
async fn a_notice_is_claimed_by_one_of_two_processes_for_one_attempt() {
    for StoreUnderTest { store, other, .. } in every_store().await {
        add(&store, (0..10).map(|id| notice(id, "{}")).collect()).await;
        let name = || HOOK.to_owned();
        if !store.is_shared() {
            assert!(store.claim_notice(name(), 1, 0).await.unwrap());
            continue;
        }
        for number in 1..=10 {
            let (one, two) =
                tokio::join!(store.claim_notice(name(), number, 0), other.claim_notice(name(), number, 0));
            assert!(one.unwrap() != two.unwrap(), "one of them sends it");
        }
        store.record_failed(failed(1, TimeDelta::zero(), None)).await.unwrap();
        assert!(!other.claim_notice(name(), 1, 0).await.unwrap(), "an attempt has failed since it was read");
        assert!(other.claim_notice(name(), 1, 1).await.unwrap(), "the next attempt is free");
        store.record_accepted(name(), 2, at(12, 0), "HTTP 204".to_owned()).await.unwrap();
        assert!(!other.claim_notice(name(), 2, 0).await.unwrap(), "it was sent");
        let (_, entries) = other.due_notices(query(at(12, 0), SendOrder::Number)).await.unwrap();
        assert!(entries.iter().all(|entry| entry.notice.id.as_u128() + 1 == u128::from(entry.number)));
    }
}
