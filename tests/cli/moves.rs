//! The journal moves into PostgreSQL from the command line: keys still open the API afterwards, and a killed command is completed by the
//! same one.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{ActionKind, Notify};
use adjourn_test::{
    Installation, PostgresServer, PostgresTestDatabase, action, journal_in, now, numbered_room,
    record_refused, room_name,
};

use crate::installed::{configure, install};

const MOVE: [&str; 5] = ["--json", "journal", "move", "--to", "database"];

/// From now on the configuration names the database.
fn name_database(office: &Installation, database: &PostgresTestDatabase) {
    office.write_secret("database-url", database.url());
    let url = office.path("database-url");
    configure(office, &format!("[journal]\nurl = {{ file = \"{}\" }}\n", url.display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_goes_on_with_the_database() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, office) = (server.database(), install(1).await);
    let ended = office.run(&["end", &room_name(0)]).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let journal = journal_in(&office.state());
    for _ in 0..10 {
        record_refused(&journal, action(numbered_room(0), ActionKind::End(Notify::Nobody)), now()).await;
    }
    drop(journal);
    let token = office.add_key("door", &[]).await;
    let head = office.run(&["--json", "audit", "verify"]).await.json()["head"].as_str().unwrap().to_owned();
    let lacking = office.run(&MOVE).await;
    assert_eq!(lacking.code, 2, "{}", lacking.err);
    assert!(lacking.err.contains("journal.url"), "{}", lacking.err);

    name_database(&office, &database);
    let running = journal_in(&office.state());
    let in_use = office.run(&MOVE).await;
    assert_eq!(in_use.code, 8, "{}", in_use.err);
    assert!(in_use.err.contains(&format!("process {} is using", std::process::id())), "{}", in_use.err);
    drop(running);
    let moved = office.run(&MOVE).await;
    assert_eq!(moved.code, 0, "{}", moved.err);
    let report = moved.json();
    assert_eq!((&report["actions"], &report["head"]), (&11.into(), &head.as_str().into()));
    let entries = &report["entries"];
    assert!(moved.err.contains(&format!("copying entries: {entries} of {entries}\n")), "{}", moved.err);
    assert!(!moved.out.contains("open-sesame"), "the password is shown: {}", moved.out);
    let verified = office.run(&["--json", "audit", "verify", "--head", &head]).await;
    assert_eq!((verified.code, &verified.json()["anchors"]), (0, &1.into()), "{}", verified.err);
    assert_eq!(office.run(&["audit", "--json"]).await.lines().len(), 11);
    let again = office.run(&["journal", "move", "--to", "database"]).await;
    assert!(again.code == 0 && again.out.contains("nothing was left to do"), "{} {}", again.out, again.err);

    let service = office.serve();
    let answer = service.send(&token, &format!("GET /v1/rooms/{}", room_name(0)), "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(service);

    // Without the database the directory refuses, and is still readable.
    configure(&office, "");
    let refused = office.run(&["end", &room_name(0)]).await;
    assert_eq!(refused.code, 8, "{}", refused.err);
    assert!(refused.err.contains("has moved to the PostgreSQL database"), "{}", refused.err);
    let refused = office.run(&["key", "add", "late"]).await;
    assert!(refused.code != 0 && refused.err.contains("has moved"), "{}", refused.err);
    let old = office.run(&["audit", "verify", "--head", &head]).await;
    assert_eq!(old.code, 0, "{}", old.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_returns_to_a_directory() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, office) = (server.database(), install(2).await);
    name_database(&office, &database);
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    let token = office.add_key("door", &[]).await;
    let to_directory = ["--json", "journal", "move", "--to", "directory"];
    let back = office.finish(office.command_in(&office.path("back"), &to_directory)).await;
    assert_eq!(back.code, 0, "{}", back.err);
    let anchor = back.json()["anchor_head"].as_str().unwrap().to_owned();
    let refused = office.run(&["end", &room_name(0)]).await;
    assert_eq!(refused.code, 8, "{}", refused.err);
    assert!(refused.err.contains("has moved to the directory"), "{}", refused.err);
    assert_eq!(office.run(&["audit", "--json"]).await.lines().len(), 1, "the database stays readable");
    let doctor = office.run(&["--json", "doctor"]).await;
    assert!(doctor.out.contains("has moved to the directory"), "{}", doctor.out);

    configure(&office, "");
    let here = |args: &[&str]| office.finish(office.command_in(&office.path("back"), args));
    let ended = here(&["--json", "end", &room_name(1)]).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let verified = here(&["--json", "audit", "verify", "--head", &anchor]).await;
    assert_eq!((verified.code, &verified.json()["actions"]), (0, &2.into()), "{}", verified.err);
    let service =
        office.serve_by(office.command_in(&office.path("back"), &["serve", "--listen", "127.0.0.1:0"]));
    let answer = service.send(&token, &format!("GET /v1/rooms/{}", room_name(0)), "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Wherever the command is killed, the same command completes it, and nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_killed_is_completed() {
    let Some(server) = PostgresServer::shared() else { return };
    let (database, office) = (server.database(), install(1).await);
    let journal = Arc::new(journal_in(&office.state()));
    let tasks: Vec<_> = (0..2_000)
        .map(|_| {
            let journal = journal.clone();
            let end = action(numbered_room(0), ActionKind::End(Notify::Nobody));
            tokio::spawn(async move { record_refused(&*journal, end, now()).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(journal);
    name_database(&office, &database);
    for milliseconds in [50, 150, 300, 450, 700, 1_000] {
        let mut child = office.command(&MOVE).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        // It may have ended by now.
        let _ = child.kill();
        child.wait().unwrap();
    }
    let moved = office.run(&MOVE).await;
    assert_eq!(moved.code, 0, "{}", moved.err);
    assert_eq!((&moved.json()["entries"], &moved.json()["actions"]), (&4_000.into(), &2_000.into()));
    let verified = office.run(&["--json", "audit", "verify"]).await;
    assert_eq!((verified.code, &verified.json()["entries"]), (0, &4_000.into()), "{}", verified.err);
}
