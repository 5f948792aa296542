//! `adjourn init`: the file that it writes is valid, and the doctor finds nothing wrong with it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use adjourn::sim::SimulatorOptions;
use adjourn_test::{Installation, room_name, simulator};

use crate::installed::{PROGRAM, world_of_formulas};

async fn office() -> Installation {
    Installation::new(PROGRAM, simulator(world_of_formulas(1)).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_flags_is_valid_and_the_doctor_is_content() {
    let office = office().await;
    let (url, room, account) = (office.sim.url(), room_name(0), SimulatorOptions::default().username);
    let flags = [
        "init",
        "--deployment",
        "server",
        "--url",
        &url,
        "--auth",
        "basic",
        "--username",
        &account,
        "--secret",
        "env:ADJOURN_PASSWORD",
        "--room",
        &room,
    ];
    let written = office.run(&flags).await;
    assert_eq!(written.code, 0, "{}", written.err);
    assert!(written.out.starts_with("adjourn.toml is written and valid."), "{}", written.out);
    assert!(written.out.contains("adjourn doctor"), "{}", written.out);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(office.path("adjourn.toml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
    assert_eq!(office.run(&["config", "check"]).await.code, 0);
    let doctor = office.run(&["doctor", "--json"]).await;
    assert_eq!(doctor.code, 0, "{}", doctor.out);
    assert_ne!(doctor.json()["status"], "fail");

    let again = office.run(&flags).await;
    assert_eq!(again.code, 2, "{}", again.out);
    assert!(again.err.contains("adjourn.toml exists") && again.err.contains("--force"), "{}", again.err);
    let forced = office.run(&[&flags[..], &["--force", "--json"]].concat()).await;
    let json = forced.json();
    assert_eq!((forced.code, json["valid"].as_bool()), (0, Some(true)), "{}", forced.err);
    assert!(json["next"][1].as_str().is_some_and(|next| next == "adjourn doctor"), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_a_missing_flag_is_named_and_nothing_is_written() {
    let office = office().await;
    let missing = office.run(&["init", "--deployment", "online", "--tenant", "example.com"]).await;
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("give --client-id"), "{}", missing.err);
    let problem = office.run(&["init", "--json"]).await;
    assert!(problem.json()["detail"].as_str().is_some_and(|detail| detail.contains("--deployment")));
    let wrong = office
        .run(&[
            "init",
            "--deployment",
            "on-premises",
            "--url",
            "http://mail.example.com/EWS/Exchange.asmx",
            "--username",
            "svc",
            "--secret",
            "env:X",
            "--room",
            "room1@example.com",
        ])
        .await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("nothing was written") && wrong.err.contains("use https"), "{}", wrong.err);
    let flags = [
        "init",
        "--deployment",
        "online",
        "--tenant",
        "t",
        "--client-id",
        "c",
        "--secret",
        "hunter2",
        "--json",
    ];
    let secret = office.run(&flags).await;
    assert_eq!(secret.code, 2);
    assert!(secret.err.contains("--secret: write where the secret is"), "{}", secret.err);
    assert!(
        !secret.err.contains("hunter2") && !secret.out.contains("hunter2"),
        "{} {}",
        secret.err,
        secret.out
    );
    assert!(!office.path("adjourn.toml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_there_yet_leaves_the_file_and_ends_with_2() {
    let office = office().await;
    let written = office
        .run(&[
            "init",
            "--deployment",
            "online",
            "--tenant",
            "example.com",
            "--client-id",
            "11111111-2222-4333-8444-555555555555",
            "--secret",
            "file:absent-secret",
            "--domain",
            "rooms.example.com",
            "--protected",
            "ceo@example.com",
        ])
        .await;
    assert_eq!(written.code, 2, "{}", written.out);
    assert!(written.err.contains("absent-secret"), "{}", written.err);
    assert!(written.out.contains("run adjourn config check"), "{}", written.out);
    assert_eq!(office.run(&["config", "check", "--without-secrets"]).await.code, 0);
}

/// `script` gives the program a terminal, and passes the answers on.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_terminal_is_asked() {
    let office = office().await;
    let mut command = Command::new("script");
    let program = format!("{PROGRAM} init --url https://mail.example.com/EWS/Exchange.asmx");
    command.args(["-qec", &program, "/dev/null"]).current_dir(office.directory.path());
    command.env("PW", "x").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = match command.spawn() {
        Ok(running) => running,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => panic!("{error}"),
    };
    let answers = "on-premises\n\nEXAMPLE\\svc\nhunter2\nenv:PW\nroom1@example.com @rooms.example.com\nceo@example.com\n";
    running.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("write where the secret is, not the secret itself"), "{shown}");
    let text = std::fs::read_to_string(office.path("adjourn.toml")).unwrap();
    for part in [
        "auth = \"negotiate\"",
        "username = \"EXAMPLE\\\\svc\"",
        "{ env = \"PW\" }",
        "\"room1@example.com\"",
        "\"rooms.example.com\"",
        "\"ceo@example.com\"",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}
