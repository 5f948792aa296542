//! Text of other people in a terminal: subjects, organizers and reasons are printed without controlling the terminal.

use std::io::{BufRead as _, BufReader};

use adjourn::sim::{MeetingSpec, Person, RoomSpec};
use adjourn_test::{Installation, meeting_in, people, room_name, simulator};

use crate::installed::{PROGRAM, configure};

/// The organizer's name, which Exchange makes the subject of the room's copy.
const SUBJECT: &str = "=1+1;@x\u{202e}gpj.exe\u{9d}0;owned\u{9c}\u{2028}end";

async fn office() -> Installation {
    let mut world = people();
    let eve = Person::new(SUBJECT, "eve@example.com");
    world.add_user(&eve);
    world.add_room(RoomSpec::new("Room 0", room_name(0)));
    world.add_meeting(MeetingSpec { organizer: eve, ..meeting_in(&room_name(0)) });
    let sim = simulator(world).await;
    let office = Installation::new(PROGRAM, sim);
    configure(&office, "[journal]\nrecord_subjects = true\n");
    office
}

fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_other_people_controls_no_terminal() {
    let office = office().await;
    let events = office.run(&["events", &room_name(0)]).await.out;
    assert!(events.contains("@x\\u{202e}gpj.exe\\u{9d}0;owned\\u{9c}\\u{2028}end"), "{events}");
    let json = office.run(&["events", &room_name(0), "--json"]).await.json();
    let meant = serde_json::to_string(SUBJECT).unwrap();
    assert!(json.to_string().contains(&meant), "JSON spells it otherwise and means the same: {json}");
    let reason = "=2+2;+3\u{202e}\u{1b}]0;x\u{7}\nadjourn: warning: forged";
    for args in [
        &["events", &room_name(0)][..],
        &["events", &room_name(0), "--json"],
        &["end", &room_name(0), "--reason", reason],
        &["end", "not\u{202e}an\u{1b}[2Jaddress"],
        &["audit"],
        &["audit", "--json"],
        &["audit", "--format", "csv"],
        &["doctor"],
    ] {
        let said = office.run(args).await;
        assert!(is_clean(&said.out), "{args:?}: {:?}", said.out);
        assert!(is_clean(&said.err), "{args:?}: {:?}", said.err);
        assert!(!format!("\n{}\n{}", said.out, said.err).contains("\nadjourn: warning: forged"), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_holds_no_formula_with_any_separator() {
    let office = office().await;
    assert_eq!(office.run(&["end", &room_name(0), "--reason", "\t=2+2;+3"]).await.code, 0);
    let csv = office.run(&["audit", "--format", "csv"]).await.out;
    let row = csv.lines().nth(1).unwrap();
    for separator in [',', ';', '\t', '|'] {
        for cell in row.split(separator) {
            let start = cell.trim_start_matches(['"', ' ']);
            assert!(!start.starts_with(['=', '+', '-', '@']), "{separator:?}: {cell} in {row}");
        }
    }
    assert!(row.contains("'=1+1;'@x"), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_is_one_line_that_controls_nothing() {
    let office = office().await;
    // The room group's name is in a warning, which the service logs at its start.
    configure(&office, "[[room_groups]]\nname = \"a\\u202eb\\u009bc\\nforged\"\nrooms = [\"nowhere\"]\n");
    for (format, shown) in [("text", "a\\u{202e}b\\u{9b}c\\nforged"), ("json", "a\\u202eb\\u009bc\\nforged")]
    {
        let mut command = office.command(&["serve", "--listen", "127.0.0.1:0", "--log", format]);
        let log = office.path("log");
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        // The address is printed after the warnings.
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let log = std::fs::read_to_string(log).unwrap();
        assert!(address.starts_with("http"), "{log}");
        assert!(log.contains(shown), "{log:?}");
        assert!(is_clean(&log), "{log:?}");
        assert!(!log.lines().any(|line| line.starts_with("forged")), "{log}");
    }
}
