//! `adjourn migrate` between simulated EWS and simulated Graph: of one world, and of two worlds that differ.

use adjourn::action::{ActionKind, Notify};
use adjourn::journal::{ActionEntry, Fact, Journal as _};
use adjourn::sim::{
    FaultRule, GraphOptions, InjectedFault, MeetingSpec, Person, PlainSpec, RecurrenceRange, RoomSpec,
    Series, Simulator, SimulatorOptions, World,
};
use adjourn_test::{
    CommandOutput, Installation, action, ada, bo, journal_in, now, numbered_room, people, room_name,
    simulator, simulator_with,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::dialect::check_dialect;
use crate::installed::PROGRAM;

const ROOMS: usize = 2;

/// In every room: a current meeting, a private one, a cancelled one, a series, one that the room organized, and a plain event. Two
/// worlds of one instant are equal, with the UIDs of their events.
fn world_of(at: DateTime<Utc>) -> World {
    let mut world = people();
    for number in 0..ROOMS {
        let address = room_name(number);
        world.add_room(RoomSpec::new(format!("Room {number}"), &address));
        furnish(&mut world, &address, at);
    }
    world
}

fn world() -> World {
    world_of(now())
}

/// Ada's meeting in this room, so many days after this instant.
fn meeting_on(room: &str, at: DateTime<Utc>, days: i64) -> MeetingSpec {
    let day = at + TimeDelta::days(days);
    let meeting = MeetingSpec::new(ada(), day - TimeDelta::minutes(20), day + TimeDelta::minutes(40));
    MeetingSpec { rooms: vec![room.to_owned()], ..meeting }
}

fn furnish(world: &mut World, room: &str, at: DateTime<Utc>) {
    let on_day = |days: i64| meeting_on(room, at, days);
    world.add_meeting(on_day(0));
    world.add_meeting(MeetingSpec { private: true, attendees: vec![bo()], ..on_day(1) });
    world.add_meeting(MeetingSpec { cancelled: true, ..on_day(2) });
    let weekly = on_day(3);
    let series = Series::weekly_on(weekly.start, RecurrenceRange::Count(10));
    world.add_meeting(MeetingSpec { series: Some(series), ..weekly });
    let own = Person::new("Room", room);
    world.add_meeting(MeetingSpec { organizer: own, rooms: Vec::new(), attendees: vec![bo()], ..on_day(4) });
    let plain = on_day(5);
    world.add_plain(PlainSpec::new(room, plain.start, plain.end));
}

async fn over_graph(world: World, graph: GraphOptions) -> Simulator {
    simulator_with(world, SimulatorOptions { graph, ..SimulatorOptions::default() }).await
}

/// A program whose rooms are on EWS, and a connection over Graph to this simulator, which has these rooms already.
fn configure(office: &Installation, graph: &Simulator, moved: &[String], more: &str) {
    office.write_secret("token", graph.graph_token());
    let scope: Vec<_> = (0..ROOMS).map(room_name).collect();
    office.configure(&format!(
        "[[connections]]\nname = \"cloud\"\nprotocol = \"graph\"\nurl = \"{}\"\ntoken = {{ file = \"token\" }}\n\
         rooms = {moved:?}\noperation_timeout_s = 5\n[scope]\nrooms = {scope:?}\n[engine]\nverify_delay_ms = 10\n{more}",
        graph.graph_root()
    ));
}

/// One world behind both protocols.
async fn one_world(world: World) -> Installation {
    let office = Installation::new(PROGRAM, over_graph(world, GraphOptions::default()).await);
    configure(&office, &office.sim, &[], "");
    office
}

fn room(report: &Value, number: usize) -> &Value {
    let rooms = report["rooms"].as_array().unwrap();
    rooms.iter().find(|room| room["room"] == json!(room_name(number))).unwrap()
}

async fn rehearsed(office: &Installation, args: &[&str]) -> CommandOutput {
    office.run(&[&["migrate", "--to", "cloud"], args].concat()).await
}

/// Every event of the rooms, with its version.
fn calendars(sim: &Simulator) -> Vec<(String, String, DateTime<Utc>)> {
    let (from, to) = (now() - TimeDelta::days(2), now() + TimeDelta::days(60));
    let rooms = (0..ROOMS).map(room_name);
    let events = rooms.flat_map(|room| sim.world(|world| world.events(&room, from, to)));
    events.map(|event| (event.id, event.change_key, event.end)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_world_is_the_same_over_both_protocols_and_nothing_is_changed() {
    let office = one_world(world()).await;
    let before = calendars(&office.sim);
    let all = rehearsed(&office, &["--all", "--json"]).await;
    assert_eq!(all.code, 0, "{}\n{}", all.out, all.err);
    let report = all.json();
    for number in 0..ROOMS {
        let room = room(&report, number);
        assert_eq!((&room["verdict"], &room["source"]), (&json!("ready"), &json!("default")), "{room}");
        let events = &room["events"];
        assert_eq!(events["source"], events["same"], "{room}");
        assert!(events["same"].as_u64().unwrap() >= 9 && events["different"] == 0, "{room}");
    }
    let changes = report["servers"][0]["changes"].to_string();
    assert!(
        changes.contains("refuses to end it silently (`--silent`)") && changes.contains("Deleted Items"),
        "{changes}"
    );
    assert_eq!(calendars(&office.sim), before);
    assert!(office.sim.outbox().is_empty());
    assert!(!office.state().exists(), "no journal is made");

    let text = rehearsed(&office, &[&room_name(0)]).await;
    assert_eq!(text.code, 0, "{}", text.err);
    assert!(text.out.starts_with(&format!("{} (default to cloud): ready; ", room_name(0))), "{}", text.out);
    assert!(text.out.contains("1 rooms: 1 ready, 0 ready with differences"), "{}", text.out);
    // The only connection over Graph needs no name.
    assert_eq!(office.run(&["migrate", "--all", "--to", "graph"]).await.code, 0);
    let longer = rehearsed(&office, &["--all", "--days", "90", "--json"]).await.json();
    assert!(room(&longer, 0)["events"]["same"].as_u64() > room(&report, 0)["events"]["same"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_date_of_a_series_is_the_same_over_both_protocols() {
    let mut world = people();
    for number in 0..ROOMS {
        world.add_room(RoomSpec::new("Room", room_name(number)));
    }
    let weekly = meeting_on(&room_name(0), now(), 0);
    let series = Series::weekly_on(weekly.start, RecurrenceRange::Count(4));
    world.add_meeting(MeetingSpec { series: Some(series), ..weekly });
    let office = one_world(world).await;
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    let said = rehearsed(&office, &[&room_name(0), "--json"]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert_eq!(room(&said.json(), 0)["events"]["same"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_between_two_worlds_is_named() {
    let at = now();
    let (mut here, mut there) = (world_of(at), world_of(at));
    let late = |minutes: i64| {
        let meeting = meeting_on(&room_name(1), at, 6);
        let end = meeting.end + TimeDelta::minutes(minutes);
        MeetingSpec { end, private: minutes > 0, ..meeting }
    };
    here.add_meeting(late(0));
    there.add_meeting(late(15));
    here.add_meeting(meeting_on(&room_name(1), at, 9));
    let graph = over_graph(there, GraphOptions::default()).await;
    let office = Installation::new(PROGRAM, simulator(here).await);
    configure(&office, &graph, &[], "");
    let said = rehearsed(&office, &["--all", "--json"]).await;
    assert_eq!(said.code, 3, "{}\n{}", said.out, said.err);
    let report = said.json();
    check_dialect(&report);
    assert_eq!(room(&report, 0)["verdict"], "ready");
    let different = room(&report, 1);
    assert_eq!(different["verdict"], "ready-with-differences", "{different}");
    assert_eq!(
        (&different["events"]["changed"], &different["events"]["missing_on_target"]),
        (&json!(1), &json!(1)),
        "{different}"
    );
    let changed = &different["differences"][0]["properties"];
    assert_eq!((&changed[0]["property"], &changed[1]["property"]), (&json!("times"), &json!("private")));
    let text = rehearsed(&office, &[&room_name(1)]).await;
    assert_eq!(text.code, 3);
    assert!(text.out.contains("private no over default, yes over cloud"), "{}", text.out);
    assert!(text.out.contains("missing over cloud"), "{}", text.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_all_day_event_differs_until_the_rooms_time_zone_is_configured() {
    let mut world = world();
    let midnight = (now() + TimeDelta::days(7)).date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let note = PlainSpec::new(room_name(0), midnight, midnight + TimeDelta::days(1));
    world.add_plain(PlainSpec { all_day: true, ..note });
    let office = one_world(world).await;
    let without = rehearsed(&office, &[&room_name(0), "--json"]).await;
    assert_eq!(without.code, 3, "{}", without.out);
    let report = without.json();
    let properties = &room(&report, 0)["differences"][0]["properties"];
    let copy = json!({"property": "copy", "source": "plain", "target": "unknown"});
    assert!(properties.as_array().unwrap().contains(&copy), "{properties}");
    let zone = "[[room_groups]]\nname = \"all\"\nrooms = [\"*\"]\ntime_zone = \"Etc/UTC\"\n";
    configure(&office, &office.sim, &[], zone);
    let with = rehearsed(&office, &[&room_name(0)]).await;
    assert_eq!(with.code, 0, "{}\n{}", with.out, with.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_graph_does_not_open_is_not_ready_and_the_other_is() {
    let at = now();
    let mut elsewhere = world_of(at);
    elsewhere.remove_mailbox(&room_name(0));
    let office = Installation::new(PROGRAM, simulator(world_of(at)).await);
    let graph = over_graph(elsewhere, GraphOptions::default()).await;
    configure(&office, &graph, &[], "");
    let unknown = rehearsed(&office, &["--all", "--json"]).await;
    assert_eq!(unknown.code, 1, "{}", unknown.out);
    let report = unknown.json();
    let obstacle = &room(&report, 0)["obstacle"];
    assert_eq!(
        (&obstacle["kind"], &obstacle["over"]),
        (&json!("calendar-unread"), &json!("target")),
        "{report}"
    );
    assert_eq!(obstacle["fault"], "caller", "{report}");
    assert_eq!(room(&report, 1)["verdict"], "ready", "{report}");

    let options = GraphOptions::default().place_on_premises(&room_name(1));
    let graph = over_graph(world_of(at), options).await;
    configure(&office, &graph, &[], "");
    let said = rehearsed(&office, &["--all"]).await;
    assert_eq!(said.code, 5, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("not ready: the calendar cannot be read over cloud"), "{}", said.out);
    assert!(said.out.contains("(MailboxNotEnabledForRESTAPI: "), "{}", said.out);
    assert!(said.out.contains("); an administrator has to act\n"), "{}", said.out);
    assert!(said.out.contains("2 rooms: 1 ready, 0 ready with differences, 1 not ready"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_is_not_finished_or_can_be_undone_is_named() {
    let office = one_world(world()).await;
    let removed = office.run(&["--json", "delete", &room_name(0), "--silent"]).await.json();
    assert_eq!(removed["state"], "done", "{removed}");
    let lost = rehearsed(&office, &[&room_name(0)]).await;
    assert_eq!(lost.code, 3, "{}", lost.out);
    let line = format!("action {} (delete of ", removed["id"].as_str().unwrap());
    assert!(lost.out.contains(&line) && lost.out.contains("before the move only"), "{}", lost.out);
    let ended = office.run(&["--json", "end", &room_name(1)]).await.json();
    assert_eq!(ended["state"], "done", "{ended}");
    let kept = rehearsed(&office, &[&room_name(1), "--json"]).await;
    assert_eq!(kept.code, 0, "{}", kept.out);
    let report = kept.json();
    let held = &room(&report, 1)["actions"][0];
    assert_eq!((&held["state"], &held["id"]), (&json!("undoable"), &ended["id"]));

    let journal = journal_in(&office.state());
    let open = action(numbered_room(1), ActionKind::End(Notify::Attendees));
    let (id, fact) = (open.id, Fact::Accepted { action: Box::new(open) });
    journal.record(ActionEntry { action: id, at: now(), fact }).await.unwrap();
    drop(journal);
    let open = rehearsed(&office, &["--all", "--json"]).await;
    assert_eq!(open.code, 4, "{}", open.out);
    let report = open.json();
    let obstacle = &room(&report, 1)["obstacle"];
    assert_eq!((&obstacle["kind"], &obstacle["action_id"]), (&json!("action-unfinished"), &json!(id)));
    check_dialect(&report);
    // The rehearsal does not recover it.
    assert_eq!(office.run(&["audit", "--json", "--outcome", "open"]).await.lines().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_between_the_two_reads_is_no_difference() {
    let office = one_world(world()).await;
    let booked = |world: &mut World| {
        let start = now() + TimeDelta::days(8);
        drop(world.add_plain(PlainSpec::new(room_name(0), start, start + TimeDelta::hours(1))));
    };
    // EWS is read first; the calendar changes before Graph is read.
    let change = InjectedFault::ConcurrentChange(std::sync::Arc::new(booked));
    office.sim.inject_fault(FaultRule::new(change).on("CalendarView").for_mailbox(&room_name(0)));
    let said = rehearsed(&office, &[&room_name(0)]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_moved_is_not_compared_and_other_names_are_refused() {
    let office = one_world(world()).await;
    configure(&office, &office.sim, &[room_name(0)], "");
    let said = rehearsed(&office, &["--all", "--json"]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    let report = said.json();
    assert_eq!(
        (&room(&report, 0)["verdict"], &room(&report, 1)["verdict"]),
        (&json!("moved"), &json!("ready"))
    );
    for (args, code, says) in [
        (&["--all", "--to", "default"][..], 2, "over EWS"),
        (&["--all", "--to", "clouds"], 2, "did you mean cloud?"),
        (&["--to", "cloud"], 2, "required"),
        (&["--to", "cloud", "--all", "room0@example.com"], 2, "cannot be used with"),
        (&["--to", "cloud", "room00@example.com"], 1, "did you mean room0@example.com?"),
        (&["--to", "cloud", "--all", "--days", "366"], 2, "--days"),
    ] {
        let refused = office.run(&[&["migrate"], args].concat()).await;
        assert_eq!(refused.code, code, "{args:?}: {}{}", refused.out, refused.err);
        assert!(refused.err.contains(says), "{args:?}: {}", refused.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_rehearsal_shows_its_progress() {
    let mut world = people();
    let rooms: Vec<_> = (0..12).map(room_name).collect();
    for room in &rooms {
        world.add_room(RoomSpec::new("Room", room));
    }
    let office = one_world(world).await;
    let scope = rooms.join(",");
    let said = rehearsed(&office, &["--all", "--in-scope", &scope]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.err.contains("comparing rooms: 12 of 12"), "{}", said.err);
}
