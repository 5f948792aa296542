//! The program with a connection over Microsoft Graph: the same commands and the same API as over EWS.

use std::time::Duration;

use adjourn::sim::{PlainSpec, World};
use adjourn_test::{
    HttpReply, Installation, meeting_in, now, room_name, simulator, wait_until, world_of_rooms,
};
use chrono::TimeDelta;

use crate::installed::{PROGRAM, world_of_formulas};

/// The program with the rooms of this world, all of them over Graph; a token signs in.
async fn install(world: World) -> Installation {
    let office = Installation::new(PROGRAM, simulator(world).await);
    office.write_secret("graph-token", office.sim.graph_token());
    let root = office.sim.graph_root();
    let text = format!(
        "[server]\nprotocol = \"graph\"\nurl = \"{root}\"\ntoken = {{ file = \"graph-token\" }}\npoll_interval_busy_s = 5\n\
         [scope]\nrooms = [\"{}\"]\n[engine]\nverify_delay_ms = 10\n",
        room_name(0)
    );
    std::fs::write(office.path("adjourn.toml"), text).unwrap();
    office
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_ended_and_the_end_is_undone() {
    let office = install(world_of_formulas(1)).await;
    let room = room_name(0);
    let before = office.end_of(0).unwrap();
    let ended = office.run(&["--json", "end", &room]).await;
    assert_eq!(ended.code, 0, "{} {}", ended.out, ended.err);
    let answer = ended.json();
    assert_eq!((&answer["state"], &answer["change"]["notification"]), (&"done".into(), &"none".into()));
    assert!(office.end_of(0).is_none_or(|end| end < before));

    let undone = office.run(&["--json", "undo", answer["id"].as_str().unwrap()]).await;
    assert_eq!((undone.code, office.end_of(0)), (0, Some(before)), "{} {}", undone.out, undone.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_removal_says_who_notices_it_and_cannot_be_undone() {
    let office = install(world_of_formulas(1)).await;
    let removed = office.run(&["--json", "delete", "--silent", &room_name(0)]).await;
    assert_eq!(removed.code, 0, "{} {}", removed.out, removed.err);
    let answer = removed.json();
    assert_eq!(answer["change"]["notification"], "shown-as-declined", "{answer}");
    let restore = format!("Restore-RecoverableItems -Identity {}", room_name(0));
    assert!(removed.err.contains(&restore), "{}", removed.err);
    let undone = office.run(&["undo", answer["id"].as_str().unwrap()]).await;
    assert_ne!(undone.code, 0, "Graph moves nothing back: {}", undone.out);
    assert_eq!(office.end_of(0), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_plain_event_is_booked_again_by_the_undo() {
    let (start, end) = (now() - TimeDelta::minutes(10), now() + TimeDelta::minutes(50));
    let office = install(world_of_rooms(1, |world, _, room| {
        world.add_plain(PlainSpec::new(room, start, end));
    }))
    .await;
    let removed = office.run(&["--json", "delete", "--silent", &room_name(0)]).await;
    assert_eq!(removed.code, 0, "{} {}", removed.out, removed.err);
    assert_eq!(office.end_of(0), None);
    let undone = office.run(&["--json", "undo", removed.json()["id"].as_str().unwrap()]).await;
    assert_eq!(undone.code, 0, "{} {}", undone.out, undone.err);
    assert_eq!(undone.json()["change"]["kind"].as_str(), Some("booked"), "{}", undone.out);
    assert_eq!(office.end_of(0), Some(end));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_follows_a_room_by_polling_and_books_it() {
    let office = install(world_of_rooms(1, |_, _, _| {})).await;
    let token = office.add_key("panel", &[]).await;
    let served = office.serve();
    let room = room_name(0);
    let is_busy = async || {
        let text = served.send(&token, &format!("GET /v1/rooms/{room}"), "").await;
        HttpReply::parse(&text).unwrap_or_else(|| panic!("{text}")).json()["busy"].as_bool().unwrap()
    };
    assert!(!is_busy().await);
    // A person books the room in Outlook, that is, by another program.
    office.sim.world(|world| {
        world.add_meeting(meeting_in(&room));
    });
    let mut tries = 0;
    while !is_busy().await {
        tries += 1;
        assert!(tries < 300, "the change was never seen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ended = served.send(&token, &format!("POST /v1/rooms/{room}/end"), "").await;
    assert!(ended.starts_with("HTTP/1.1 200"), "{ended}");
    wait_until("the meeting has ended", || office.end_of(0).is_none_or(|end| end <= now())).await;
}
