//! The program with a connection over Microsoft Graph: the same commands and the same API as over EWS.

use adjourn_test::http::HttpReply;
use adjourn_test::{Installation, room_name, simulator, wait_until};
use chrono::TimeDelta;

use crate::installed::{PROGRAM, world_of_formulas};

/// The program with this many rooms, all of them over Graph; a token signs in.
async fn install(rooms: usize) -> Installation {
    let office = Installation::new(PROGRAM, simulator(world_of_formulas(rooms)).await);
    office.write_secret("graph-token", office.sim.graph_token());
    let root = office.sim.graph_root();
    let text = format!(
        "[server]\nprotocol = \"graph\"\nurl = \"{root}\"\ntoken = {{ file = \"graph-token\" }}\npoll_interval_busy_s = 5\n\
         [scope]\ndomains = [\"example.com\"]\n[engine]\nverify_delay_ms = 10\n[live]\nrooms = \"all\"\n"
    );
    std::fs::write(office.path("adjourn.toml"), text).unwrap();
    office
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_ended_and_the_end_is_undone() {
    let office = install(1).await;
    let room = room_name(0);
    let before = office.end_of(0).unwrap();
    let ended = office.run(&["--json", "end", &room]).await;
    assert_eq!(ended.code, 0, "{} {}", ended.out, ended.err);
    let answer = ended.json();
    assert_eq!((answer["outcome"].as_str(), answer["notified"].as_str()), (Some("done"), Some("nobody")));
    assert!(office.end_of(0).is_none_or(|end| end < before));

    let undone = office.run(&["--json", "undo", answer["id"].as_str().unwrap()]).await;
    assert_eq!((undone.code, office.end_of(0)), (0, Some(before)), "{} {}", undone.out, undone.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_removal_says_who_notices_it_and_cannot_be_undone() {
    let office = install(1).await;
    let removed = office.run(&["--json", "delete", "--silent", &room_name(0)]).await;
    assert_eq!(removed.code, 0, "{} {}", removed.out, removed.err);
    let answer = removed.json();
    assert_eq!(answer["notified"].as_str(), Some("organizer-sees-decline"), "{answer}");
    let undone = office.run(&["undo", answer["id"].as_str().unwrap()]).await;
    assert_ne!(undone.code, 0, "Graph moves nothing back: {}", undone.out);
    assert_eq!(office.end_of(0), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_follows_a_room_by_polling_and_books_it() {
    let office = install(1).await;
    let token = office.add_key("panel", &[]).await;
    let served = office.serve();
    let room = room_name(0);
    let state = async |expected: &str| {
        let text = served.send(&token, &format!("GET /v1/rooms/{room}"), "").await;
        HttpReply::parse(&text).is_some_and(|reply| reply.json()["state"].as_str() == Some(expected))
    };
    assert!(state("busy").await);
    // A person ends the meeting in Outlook, that is, by another program over EWS.
    office.sim.world(|world| {
        let now = world.now();
        let id = world.events(&room, now - TimeDelta::hours(1), now + TimeDelta::hours(1))[0].id.clone();
        world.set_end(&id, now - TimeDelta::minutes(1));
    });
    for _ in 0..300 {
        if state("free").await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(state("free").await);
    let booked = served.send(&token, &format!("POST /v1/rooms/{room}/book?minutes=30"), "").await;
    assert!(booked.starts_with("HTTP/1.1 200"), "{booked}");
    wait_until("the booking is in the calendar", || office.end_of(0).is_some()).await;
}
