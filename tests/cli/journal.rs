//! Idempotency, undo and audit from the command line.

use adjourn::action::{ActionKind, Notify};
use adjourn::journal::{ActionEntry, Fact, Journal as _};
use adjourn::sim::{FaultRule, InjectedFault};
use adjourn::store::SqliteJournal;
use adjourn_test::{CommandOutput, action, journal_in, now, numbered_room, room_name};
use serde_json::Value;

use crate::installed::install;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_answer_and_another_wish_is_refused() {
    let office = install(2).await;
    let room = room_name(0);
    let ask = ["--json", "end", &room, "--idempotency-key", "door-1"];
    let first = office.run(&ask).await;
    assert_eq!((first.code, text(&first.json(), "state")), (0, "done"), "{}", first.err);
    let writes = office.sim.requests().iter().filter(|asked| asked.operation == "UpdateItem").count();
    let again = office.run(&ask).await;
    assert_eq!((again.code, &again.json()["repeated"]), (0, &Value::Bool(true)));
    for key in ["id", "state", "event"] {
        assert_eq!(again.json()[key], first.json()[key], "{key}");
    }
    assert_eq!(office.sim.requests().iter().filter(|asked| asked.operation == "UpdateItem").count(), writes);
    let other = office.run(&["--json", "delete", &room, "--idempotency-key", "door-1"]).await;
    assert_eq!((other.code, text(&other.json(), "type")), (1, "urn:adjourn:problem:key-reused"));
    // Without a key, an action that was already done is recognized too.
    let bare = office.run(&["--json", "end", &room]).await;
    assert_eq!((bare.code, text(&bare.json(), "state")), (0, "already-done"), "{}", bare.out);
    assert!(text(&bare.json(), "message").contains(text(&first.json(), "id")), "{}", bare.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_the_same_moment_get_one_effect() {
    let office = install(1).await;
    let room = room_name(0);
    let mut runs: Vec<_> = (0..6)
        .map(|_| office.command(&["--json", "end", &room, "--idempotency-key", "door-1"]).spawn().unwrap())
        .collect();
    let said: Vec<CommandOutput> = runs.drain(..).map(|run| run.wait_with_output().unwrap().into()).collect();
    assert!(said.iter().all(|said| said.code == 0), "{}", said[0].err);
    let fresh = said.iter().filter(|said| said.json()["repeated"] == Value::Bool(false)).count();
    assert_eq!(fresh, 1);
    let updates = office.sim.requests().iter().filter(|asked| asked.operation == "UpdateItem").count();
    assert_eq!(updates, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_end_is_undone_unless_the_room_is_taken() {
    let office = install(1).await;
    let (room, before) = (room_name(0), office.end_of(0));
    let ended = office.run(&["--json", "end", &room]).await.json();
    assert_ne!(office.end_of(0), before);
    let action = text(&ended, "id");
    let rehearsed = office.run(&["--json", "undo", action, "--dry-run"]).await;
    assert_eq!((rehearsed.code, &rehearsed.json()["change"]["dry_run"]), (0, &Value::Bool(true)));
    assert_ne!(office.end_of(0), before);
    let undone = office.run(&["--json", "undo", action]).await;
    assert_eq!((undone.code, text(&undone.json()["change"], "kind")), (0, "end-restored"), "{}", undone.out);
    assert_eq!(office.end_of(0), before);
    let again = office.run(&["--json", "undo", action]).await;
    assert_eq!((again.code, text(&again.json(), "state")), (0, "already-done"));
    let back = office.run(&["undo", text(&undone.json(), "id")]).await;
    assert_eq!(back.code, 1, "{}", back.out);
    assert!(back.out.contains("request the first action again"), "{}", back.out);

    // Ended again; then somebody else books the room.
    let ended = office.run(&["--json", "end", &room]).await.json();
    let taken = adjourn::sim::PlainSpec::new(
        &room,
        now() + chrono::TimeDelta::minutes(5),
        now() + chrono::TimeDelta::minutes(15),
    );
    office.sim.world(|world| drop(world.add_plain(taken)));
    let refused = office.run(&["--json", "undo", text(&ended, "id")]).await;
    assert_eq!(
        (refused.code, text(&refused.json(), "type")),
        (1, "urn:adjourn:problem:collides"),
        "{}",
        refused.out
    );
    let unknown = office.run(&["undo", "00000000-0000-0000-0000-000000000000"]).await;
    assert_eq!(unknown.code, 1, "{}", unknown.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_event_comes_back_from_deleted_items() {
    let office = install(1).await;
    let (room, before) = (room_name(0), office.end_of(0));
    let removed = office.run(&["--json", "delete", &room, "--silent"]).await.json();
    assert_eq!(removed["change"]["undoable"], true, "{removed}");
    assert_eq!(office.end_of(0), None);
    // The reply to the undo is lost after it was carried out.
    office.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("MoveItem"));
    let undone = office.run(&["--json", "undo", text(&removed, "id")]).await;
    assert_eq!((undone.code, text(&undone.json()["change"], "kind")), (0, "moved-back"), "{}", undone.out);
    assert_eq!(office.end_of(0), before);
    assert!(office.sim.outbox().is_empty(), "no message was sent");
    let declined = office.run(&["--json", "delete", &room]).await.json();
    let refused = office.run(&["--json", "undo", text(&declined, "id")]).await;
    assert_eq!(text(&refused.json(), "type"), "urn:adjourn:problem:not-undoable");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_can_be_asked_exported_and_proved() {
    let office = install(3).await;
    // The audit has the organizer's address, as the calendar's list has it.
    office.sim.world(|world| {
        world.show_organizers_as_x500(false);
    });
    let absent = office.run(&["audit"]).await;
    assert_eq!(absent.code, 2, "{}", absent.err);
    office.run(&["end", &room_name(0), "--reason", "@formula"]).await;
    office.run(&["delete", &room_name(1)]).await;
    office.run(&["end", "stranger@elsewhere.example"]).await;
    std::fs::write(office.path("rooms.txt"), format!("{}\n", room_name(2))).unwrap();
    let swept = office.run(&["cleanup", "--apply", "--accept-no-evidence", "--rooms", "rooms.txt"]).await;
    assert_eq!(swept.code, 0, "{}", swept.err);

    let all = office.run(&["audit", "--json"]).await.lines();
    assert_eq!(all.len(), 4);
    let (sweep, refused, delete, end) = (&all[0], &all[1], &all[2], &all[3]);
    assert_eq!((text(sweep, "actor_kind"), text(sweep, "actor")), ("sweep", "no-check-in"));
    assert_eq!((text(refused, "state"), text(end, "state")), ("refused", "done"));
    let informed = &delete["change"]["organizer_informed"];
    assert_eq!((informed, text(delete, "organizer")), (&Value::Bool(true), "ada@example.com"));
    assert_eq!(end["subject"], Value::Null, "subjects are not kept unless that is configured");
    let requests = delete["requests"].as_array().unwrap();
    assert!(!text(&requests[0], "ours").is_empty() && !text(&requests[0], "theirs").is_empty());

    let of = |filter: &'static [&'static str]| {
        let office = &office;
        async move { office.run(&[&["audit", "--json"], filter].concat()).await.lines().len() }
    };
    assert_eq!(of(&["--room", "room1@example.com"]).await, 1);
    assert_eq!(of(&["--rule", "no-check-in"]).await, 1);
    assert_eq!(of(&["--outcome", "done"]).await, 3);
    assert_eq!(of(&["--until", "2020-01-01T00:00:00Z"]).await, 0);
    assert_eq!(of(&["--limit", "2"]).await, 2);
    let csv = office.run(&["audit", "--format", "csv"]).await.out;
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.contains(",\"'@formula\","), "{csv}");
    assert!(office.run(&["audit"]).await.out.contains("4 actions"));

    let verified = office.run(&["audit", "verify", "--json"]).await;
    assert_eq!((verified.code, &verified.json()["actions"]), (0, &Value::from(4)));
    let head = text(&verified.json(), "head").to_owned();
    assert_eq!(office.run(&["audit", "verify", "--head", &head]).await.code, 0);
    assert_eq!(office.run(&["audit", "verify", "--head", "5d4140"]).await.code, 2);
    assert_eq!(office.run(&["audit", "verify", "--head", &"5d".repeat(32)]).await.code, 9);
    let connection = rusqlite::Connection::open(office.state().join("journal.sqlite")).unwrap();
    connection
        .execute("UPDATE entries SET body = replace(body, 'room0@', 'room9@') WHERE number = 1", [])
        .unwrap();
    let changed = office.run(&["audit", "verify"]).await;
    assert_eq!(changed.code, 9);
    assert!(changed.err.contains("entry 1 was changed"), "{}", changed.err);
    connection.execute("DELETE FROM entries WHERE number = (SELECT max(number) FROM entries)", []).unwrap();
    let cut = office.run(&["audit", "verify", "--head", &head]).await;
    assert_eq!(cut.code, 9, "{}", cut.out);
    assert!(cut.err.contains("the journal is truncated"), "{}", cut.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_nothing_is_done() {
    let office = install(1).await;
    let before = office.end_of(0);
    for state in ["/proc/adjourn-cannot-be-here", "/dev/null/state"] {
        let said = office.finish(office.command_in(state.as_ref(), &["end", &room_name(0)])).await;
        assert_eq!(said.code, 8, "{}", said.err);
        assert!(said.err.contains("Adjourn changes nothing without a journal"), "{}", said.err);
    }
    assert_eq!((office.end_of(0), office.sim.requests().len()), (before, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_room_event_right_or_key_is_answered_with_the_known_one() {
    let office = install(2).await;
    for command in ["events", "end"] {
        let said = office.run(&[command, "room0@exampel.com", "--in-scope", &room_name(0)]).await;
        assert!(said.code == 1 && said.err.contains("did you mean room0@example.com?"), "{}", said.err);
    }
    let events = office.run(&["events", &room_name(0), "--json"]).await.json();
    let id = text(&events["events"][0], "id");
    let said = office.run(&["end", &room_name(0), "--event", &id[..id.len() - 2]]).await;
    assert!(
        said.code == 1 && said.err.contains(&format!("did you mean --event {id}")),
        "{} {}",
        said.out,
        said.err
    );
    let said = office.run(&["key", "add", "door", "--rights", "raed"]).await;
    assert!(said.code == 2 && said.err.contains("did you mean read?"), "{}", said.err);
    let key = office.run(&["key", "add", "door", "--json"]).await.json();
    let id = text(&key, "id");
    let said = office.run(&["key", "revoke", &format!("{id}0")]).await;
    assert!(said.code == 1 && said.err.contains(&format!("did you mean {id}?")), "{}", said.err);
}

/// An action that a process accepted before it was killed.
async fn open_action(journal: &SqliteJournal, number: usize) {
    let action = action(numbered_room(number), ActionKind::End(Notify::Attendees));
    let (id, fact) = (action.id, Fact::Accepted { action: Box::new(action) });
    journal.record(ActionEntry { action: id, at: now(), fact }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_about_one_room_recovers_that_room_alone() {
    let office = install(3).await;
    let journal = journal_in(&office.state());
    for number in 0..2 {
        open_action(&journal, number).await;
    }
    drop(journal);
    let ended = office.run(&["--json", "end", &room_name(0)]).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.err.matches("recovered interrupted action").count(), 1, "{}", ended.err);
    let elsewhere = office.run(&["--json", "end", &room_name(2)]).await;
    assert_eq!(elsewhere.code, 0, "{}", elsewhere.err);
    assert!(!elsewhere.err.contains("recovered"), "{}", elsewhere.err);
    let open = office.run(&["audit", "--json", "--outcome", "open"]).await.lines();
    assert_eq!((open.len(), text(&open[0], "room")), (1, room_name(1).as_str()));
}
