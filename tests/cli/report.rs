//! The report over a journal of real actions: figures, formats, exit codes.

use adjourn_test::{Installation, room_name};
use serde_json::Value;

use crate::installed::{configure, install};

/// Ends a meeting, removes one and takes that back, extends one, releases one by the check-in rule, and is refused once.
async fn act(office: &Installation) {
    let room = |number| room_name(number);
    office.run(&["end", &room(0)]).await;
    let removed = office.run(&["--json", "delete", &room(1), "--silent"]).await.json();
    let undone = office.run(&["undo", removed["id"].as_str().unwrap()]).await;
    assert_eq!(undone.code, 0, "{}", undone.err);
    office.run(&["extend", &room(2), "--minutes", "15"]).await;
    std::fs::write(office.path("rooms.txt"), format!("{}\n", room(3))).unwrap();
    let swept = office.run(&["cleanup", "--apply", "--accept-no-evidence", "--rooms", "rooms.txt"]).await;
    assert_eq!(swept.code, 0, "{}", swept.err);
    // The meeting is over.
    office.run(&["extend", &room(0), "--minutes", "15"]).await;
}

fn row<'a>(report: &'a Value, room: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    let found = rows.iter().find(|row| row["key"] == room);
    &found.unwrap_or_else(|| panic!("no row of {room}: {report}"))["figures"]
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_those_of_the_actions() {
    let office = install(4).await;
    let absent = office.run(&["report"]).await;
    assert_eq!(absent.code, 2, "{}", absent.err);
    act(&office).await;

    let all = office.run(&["report", "--json"]).await;
    assert_eq!(all.code, 0, "{}", all.err);
    let report = all.json();
    let totals = &report["totals"];
    // The meetings had forty minutes left; a minute may have begun since.
    let forty = |minutes: &Value| (38..=41).contains(&minutes.as_i64().unwrap());
    assert_eq!((&totals["actions"], &totals["refused"]), (&6.into(), &1.into()), "{report}");
    assert_eq!((&totals["ended_early"]["count"], &totals["no_shows"]["count"]), (&1.into(), &1.into()));
    assert!(forty(&totals["ended_early"]["minutes"]) && forty(&totals["no_shows"]["minutes"]), "{totals}");
    assert_eq!((&totals["extended"]["count"], &totals["extended"]["minutes"]), (&1.into(), &15.into()));
    assert_eq!((&totals["removed"]["count"], &totals["undone"]["count"]), (&1.into(), &1.into()));
    let back = row(&report, &room_name(1));
    assert_eq!(back["removed"]["minutes"], back["undone"]["released_minutes"], "{back}");
    assert_eq!(back["released_minutes"], 0);
    assert!(forty(&row(&report, &room_name(3))["released_minutes"]), "{report}");
    assert_eq!(report["rows"].as_array().unwrap().len(), 4);
    assert_eq!(report["not_known"][0]["id"], "hours-used");

    let some = office.run(&["report", "--json", "--rooms", &room_name(0)]).await.json();
    assert_eq!((&some["totals"]["actions"], some["rows"].as_array().unwrap().len()), (&2.into(), 1));
    let earlier = office.run(&["report", "--json", "--until", "2020-01-01T00:00:00Z"]).await.json();
    assert_eq!(earlier["totals"]["actions"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_spreadsheets_read_the_same_figures() {
    let office = install(4).await;
    act(&office).await;
    let table = office.run(&["report"]).await.out;
    for text in
        ["NO-SHOWS", "TOTAL", "Refused: 1 ", "Not known:", "Hours in which rooms were used", "1 extend done"]
    {
        assert!(table.contains(text), "{text}: {table}");
    }
    let csv = office.run(&["report", "--csv"]).await;
    let lines: Vec<_> = csv.out.lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
    assert_eq!(lines.len(), 5, "{}", csv.out);
    let column = |name: &str| {
        let quoted = format!("\"{name}\"");
        lines[0].iter().position(|one| *one == quoted).unwrap_or_else(|| panic!("{name}: {}", csv.out))
    };
    let report = office.run(&["report", "--json"]).await.json();
    for line in &lines[1..] {
        assert_eq!(line.len(), lines[0].len(), "{line:?}");
        let figures = row(&report, line[column("key")].trim_matches('"'));
        for (name, value) in [
            ("released_minutes", &figures["released_minutes"]),
            ("no_shows_minutes", &figures["no_shows"]["minutes"]),
            ("undone_released_minutes", &figures["undone"]["released_minutes"]),
            ("open", &figures["open"]),
        ] {
            assert_eq!(line[column(name)], value.to_string(), "{name} in {line:?}");
        }
    }
    assert!(csv.err.contains("adjourn: not known: Hours in which rooms were used"), "{}", csv.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_reported_is_refused() {
    let office = install(4).await;
    act(&office).await;
    let named = office.run(&["report", "--by", "organizer"]).await;
    assert_eq!(named.code, 1, "{}", named.out);
    assert!(named.err.contains("report.organizers"), "{}", named.err);
    for period in
        [["--since", "2999-01-01T00:00:00Z"], ["--since", "2020-01-01T00:00:00Z"], ["--by", "colour"]]
    {
        let refused = office.run(&[&["report"][..], &period[..]].concat()).await;
        assert_eq!(refused.code, 2, "{period:?}: {}", refused.out);
    }
    office.sim.world(|world| {
        world.show_organizers_as_x500(false);
    });
    configure(&office, "[report]\norganizers = true\n");
    office.run(&["delete", &room_name(1)]).await;
    let named = office.run(&["report", "--by", "organizer", "--json"]).await;
    assert!(named.code == 0 && named.out.contains("ada@example.com"), "{} {}", named.out, named.err);
}
