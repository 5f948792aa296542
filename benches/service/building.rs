//! The set-up of the bench: rooms with a meeting in each, a simulated Exchange, and the service as a process of its own.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use adjourn::clock::{Clock as _, SystemClock};
use adjourn::sim::{MeetingSpec, Person, RoomSpec, Simulator, SimulatorOptions, World};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::Value;
use tempfile::TempDir;

/// Meetings of one person.
const ROOMS_EACH: usize = 10;

pub struct Building {
    pub sim: Simulator,
    /// The service account.
    pub account: (String, String),
    pub token: String,
    /// Where the service listens.
    pub at: String,
    ended_after: DateTime<Utc>,
    directory: TempDir,
    service: Child,
}

pub fn now() -> DateTime<Utc> {
    SystemClock.now().trunc_subsecs(0)
}

pub fn address(number: usize) -> String {
    format!("room-{number:05}@example.com")
}

impl Building {
    /// Starts the simulator with a meeting in every room, from twenty minutes ago to four hours from now, and the service.
    pub async fn open(rooms: usize) -> Self {
        let options = SimulatorOptions::default();
        let account = (options.username.clone(), options.password.clone());
        let sim = Simulator::start(world(rooms), options).await.expect("a simulator");
        let place = std::env::var_os("ADJOURN_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
        let directory = tempfile::tempdir_in(place).expect("a directory");
        let text = format!(
            "[server]\nurl = \"{}\"\nusername = \"{}\"\nmax_concurrent_requests = 64\n[scope]\ndomains = [\"example.com\"]\n\
             [api]\nmax_state_age_s = 3600\n",
            sim.url(),
            account.0
        );
        std::fs::write(directory.path().join("adjourn.toml"), text).expect("a configuration");
        let made = command(
            &directory,
            &account.1,
            &["--json", "key", "add", "bench", "--rights", "all", "--per-minute", "4000000000"],
        );
        let made: Value = serde_json::from_slice(&output(made)).expect("a key");
        let token = made["token"].as_str().expect("a token").to_owned();
        let (service, at) = serve(&directory, &account.1);
        Self { sim, account, token, at, ended_after: now() - TimeDelta::minutes(1), directory, service }
    }

    /// Checks that exactly the answered actions are recorded as done, and that the calendars show them.
    pub async fn check(&self, first: usize, ends: usize, actions: &BTreeSet<String>) {
        let record = command(&self.directory, &self.account.1, &["audit", "--json", "--limit", "4000000000"]);
        let record = tokio::task::spawn_blocking(move || output(record)).await.expect("an audit");
        let record = String::from_utf8(record).expect("text");
        let done: BTreeSet<String> = record
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter(|life| life["state"] == "done")
            .map(|life| life["id"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!(actions.len(), ends, "one action each");
        assert!(actions.is_subset(&done), "{} answers are not on record", actions.difference(&done).count());
        self.sim.world(|world| {
            for number in first..first + ends {
                let events =
                    world.events(&address(number), now() - TimeDelta::hours(1), now() + TimeDelta::hours(1));
                let end = events.first().expect("the meeting").end;
                assert!(self.ended_after <= end && end <= now(), "{}: {end}", address(number));
            }
        });
    }
}

/// Ends the service's process when the bench ends, also after a panic.
impl Drop for Building {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn world(rooms: usize) -> World {
    let mut world = World::new();
    world.set_now(now());
    for number in 0..rooms {
        // Each organizer has a few meetings.
        let person = number / ROOMS_EACH;
        let organizer = Person::new(format!("Person {person}"), format!("person-{person}@example.com"));
        if number % ROOMS_EACH == 0 {
            world.add_user(&organizer);
        }
        world.add_room(RoomSpec::new(format!("Room {number}"), address(number)));
        let (start, end) = (now() - TimeDelta::minutes(20), now() + TimeDelta::hours(4));
        let mut meeting = MeetingSpec::new(organizer, start, end);
        meeting.rooms = vec![address(number)];
        world.add_meeting(meeting);
    }
    world
}

fn command(directory: &TempDir, password: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adjourn"));
    command.args(args).current_dir(directory.path());
    command
        .env("ADJOURN_PASSWORD", password)
        .env("ADJOURN_LOG", "warn")
        .env("ADJOURN_STATE_DIR", directory.path().join("state"));
    command
}

fn output(mut command: Command) -> Vec<u8> {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn serve(directory: &TempDir, password: &str) -> (Child, String) {
    let mut command = command(directory, password, &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its address");
    let at = line.trim().strip_prefix("http://").expect("an address").to_owned();
    (child, at)
}
