//! How the command line meets people and scripts: colour, width, `--quiet`, `--verbose`, times as people write them, and errors in the
//! command line itself.

use std::process::{Command, Stdio};

use adjourn::sim::SimulatorOptions;
use adjourn_test::{Installation, room_name};

use crate::installed::{PROGRAM, configure, install};

const BOLD: &str = "\u{1b}[1m";

async fn colored(office: &Installation, args: &[&str], variables: &[(&str, &str)]) -> (bool, bool) {
    let mut command = office.command(args);
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"] {
        command.env_remove(name);
    }
    let output = office.finish({
        command.envs(variables.iter().copied());
        command
    });
    let output = output.await;
    (output.out.contains('\u{1b}'), output.err.contains('\u{1b}'))
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_demanded_by_flag_or_variable_and_forbidden_likewise() {
    let office = install(1).await;
    for (args, variables, shown) in [
        (&["limits"][..], &[][..], (false, false)),
        (&["limits", "--color", "always"], &[], (true, false)),
        (&["limits"], &[("CLICOLOR_FORCE", "1")], (true, false)),
        (&["limits"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], (false, false)),
        (&["doctor", "--color=always"], &[], (true, false)),
        (&["limits", "--color=never"], &[("CLICOLOR_FORCE", "1")], (false, false)),
        (&["limits", "--json", "--color=always"], &[], (false, false)),
        (&["--help"], &[], (false, false)),
        (&["--help", "--color=always"], &[], (true, false)),
        (&["end", "--color=always"], &[], (false, true)),
        (&["end", "no-address", "--color=always"], &[], (false, true)),
        (&["end", "no-address"], &[], (false, false)),
    ] {
        assert_eq!(colored(&office, args, variables).await, shown, "{args:?} {variables:?}");
    }
    let limits = office.run(&["limits", "--color=always"]).await.out;
    assert!(limits.starts_with(BOLD) && limits.matches('\u{1b}').count() == 2, "{limits}");
}

/// The lines that a terminal of this many columns shows.
#[cfg(target_os = "linux")]
fn on_a_terminal(columns: u16, args: &str) -> Option<Vec<String>> {
    let shell = format!("stty cols {columns}; {PROGRAM} {args}");
    let mut command = Command::new("script");
    command
        .args(["-qec", &shell, "/dev/null"])
        .env_remove("COLUMNS")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let output = command.output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim_end().to_owned()).collect())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn tables_and_help_fit_the_terminal_and_no_line_of_a_pipe_is_broken() {
    let office = install(1).await;
    let Some(lines) = on_a_terminal(90, "limits") else { return };
    assert!(lines.len() > 50, "{lines:?}");
    let widest = |lines: &[String]| lines.iter().map(|line| line.chars().count()).max().unwrap();
    assert!(widest(&lines) <= 90, "{}", widest(&lines));
    let help = on_a_terminal(70, "end --help").unwrap();
    // An example is one line, and clap does not break a word.
    let prose: Vec<String> =
        help.into_iter().filter(|line| !line.contains("https://") && line.contains(' ')).collect();
    assert!(widest(&prose) <= 70, "{prose:#?}");
    let piped: Vec<String> = office.run(&["limits"]).await.out.lines().map(str::to_owned).collect();
    assert!(widest(&piped) > 200, "{}", widest(&piped));
    let help: Vec<String> = office.run(&["end", "--help"]).await.out.lines().map(str::to_owned).collect();
    assert!(widest(&help) > 120, "{}", widest(&help));
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_prints_what_was_asked_for_and_errors() {
    let office = install(2).await;
    let ended = office.run(&["end", &room_name(0), "--quiet"]).await;
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "", ""));
    let listed = office.run(&["events", &room_name(1), "-q"]).await;
    assert!(
        listed.out.trim_start().starts_with("START") && listed.err.is_empty(),
        "{} {}",
        listed.out,
        listed.err
    );
    let json = office.run(&["end", &room_name(1), "--quiet", "--json"]).await.json();
    assert_eq!(json["state"], "done");
    let refused = office.run(&["end", "room@elsewhere.example", "--quiet"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("scope"), "{} {}", refused.out, refused.err);
    let wrong = office.run(&["end", "no-address", "-q"]).await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.starts_with("adjourn: "), "{}", wrong.err);
    assert_eq!(office.run(&["limits", "-q", "-v"]).await.code, 2, "they exclude each other");
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_logs_the_requests_without_secrets_or_subjects() {
    let office = install(1).await;
    let silent = office.run(&["events", &room_name(0), "--subjects"]).await;
    assert_eq!(silent.err, "");
    let listed = office.run(&["events", &room_name(0), "--subjects", "-v"]).await;
    assert_eq!(listed.code, 0, "{}", listed.err);
    assert_eq!(listed.out, silent.out);
    let requests = listed.err.lines().filter(|line| line.contains("exchange{operation=")).count();
    assert!(requests > 0 && listed.err.contains("time.busy="), "{}", listed.err);
    let options = SimulatorOptions::default();
    for secret in [options.password.as_str(), "calc", "Authorization"] {
        assert!(!listed.err.contains(secret), "{secret}: {}", listed.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_meant_in_the_zone_of_the_room() {
    let office = install(1).await;
    let room = room_name(0);
    configure(
        &office,
        &format!("[[room_groups]]\nname = \"g\"\nrooms = [\"{room}\"]\ntime_zone = \"Asia/Tokyo\"\n"),
    );
    let listed = office.run(&["events", &room, "--from", "2026-07-01 9:00", "--json"]).await;
    assert_eq!(listed.json()["from"], "2026-07-01T00:00:00Z", "{}", listed.err);
    let note =
        format!("adjourn: --from is 2026-07-01T09:00:00+09:00 (Asia/Tokyo, the time zone of {room})\n");
    assert_eq!(listed.err, note);
    let day = office.run(&["events", &room, "--from", "2026-07-01", "--json", "-q"]).await;
    assert_eq!(day.json()["from"], "2026-06-30T15:00:00Z");
    assert_eq!(day.err, "");
    // No time zone is needed, so none is printed.
    let instant = office.run(&["events", &room, "--from", "2026-07-01T09:00:00+02:00", "--json"]).await;
    assert_eq!((instant.json()["from"].as_str(), instant.err.as_str()), (Some("2026-07-01T07:00:00Z"), ""));
    let ago = office.run(&["audit", "--since", "2h ago"]).await;
    assert_eq!(ago.code, 2, "there is no journal yet: {}", ago.err);
    assert!(!ago.err.contains("invalid value"), "{}", ago.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_meant_in_the_zone_of_this_machine_where_no_room_has_one() {
    let office = install(1).await;
    let mut command = office.command(&["events", &room_name(0), "--from", "2026-07-01 9:00", "--json"]);
    command.env("TZ", "America/New_York");
    let listed = office.finish(command).await;
    assert_eq!(listed.json()["from"], "2026-07-01T13:00:00Z", "{}", listed.err);
    assert!(
        listed.err.contains("2026-07-01T09:00:00-04:00 (the time zone of this machine)"),
        "{}",
        listed.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_none_or_two_is_refused_with_the_remedy() {
    let office = install(1).await;
    let room = room_name(0);
    configure(
        &office,
        &format!("[[room_groups]]\nname = \"g\"\nrooms = [\"{room}\"]\ntime_zone = \"Europe/Berlin\"\n"),
    );
    for (time, part) in [
        ("2026-03-29 02:30", "does not exist in Europe/Berlin"),
        ("2026-10-25 02:30", "write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"),
        ("monday", "write `last monday` or `next monday`"),
        ("soon", "`2h ago`"),
    ] {
        let refused = office.run(&["book", &room, "--start", time, "--minutes", "30", "--json"]).await;
        assert_eq!(refused.code, 2, "{time}: {}", refused.out);
        assert!(refused.err.contains(part), "{time}: {}", refused.err);
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("--start") && detail.contains(part), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_the_command_line_is_one_json_object_that_names_what_was_meant() {
    let office = install(1).await;
    for (args, part) in [
        (&["evnts", "--json"][..], "events"),
        (&["end", "r@example.com", "--dry-rn", "--json"], "--dry-run"),
        (&["--json", "audit", "--outcome", "dnoe"], "done"),
        (&["--json", "book", "r@example.com"], "--minutes"),
        (&["--json"], "subcommands: end, delete"),
        (&["--json", "config"], "subcommand"),
    ] {
        let refused = office.run(args).await;
        assert_eq!(refused.code, 2, "{args:?}");
        let problem = refused.json();
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains(part)),
            "{args:?}: {problem}"
        );
        assert!(!refused.err.is_empty(), "{args:?}");
    }
}
