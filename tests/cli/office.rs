//! The fixture of the CLI tests: a simulated Exchange, a state directory, and the program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use adjourn::clock::{Clock, SystemClock};
use adjourn::sim::{MeetingSpec, Person, RoomSpec, Simulator, SimulatorOptions, World};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::Value;

pub struct Office {
    pub sim: Simulator,
    pub directory: tempfile::TempDir,
}

/// Output and exit code of a run.
pub struct CommandOutput {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for CommandOutput {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

pub fn now() -> DateTime<Utc> {
    SystemClock.now().trunc_subsecs(0)
}

pub fn room(number: usize) -> String {
    format!("room{number}@example.com")
}

/// In every room a meeting started twenty minutes ago and lasts forty more.
pub fn world(rooms: usize) -> World {
    let mut world = World::new();
    world.set_now(now());
    let ada = Person::new("Ada Albers", "ada@example.com");
    world.add_user(&ada);
    for number in 0..rooms {
        world.add_room(RoomSpec::new(format!("Room {number}"), room(number)));
        let mut meeting =
            MeetingSpec::new(ada.clone(), now() - TimeDelta::minutes(20), now() + TimeDelta::minutes(40));
        meeting.rooms = vec![room(number)];
        meeting.subject = format!("=cmd|' /C calc'!A{number}");
        world.add_meeting(meeting);
    }
    world
}

impl Office {
    pub async fn open(rooms: usize) -> Self {
        let sim = Simulator::start(world(rooms), SimulatorOptions::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let office = Self { sim, directory };
        office.configure("");
        office
    }

    pub fn configure(&self, more: &str) {
        let options = SimulatorOptions::default();
        let text = format!(
            "[server]\nurl = \"{}\"\nusername = \"{}\"\nmax_concurrent_requests = 64\n[scope]\ndomains = [\"example.com\"]\n\
             [engine]\nverify_delay_ms = 10\n[cleanup]\nmax_concurrent_rooms = 64\n[cleanup.no_check_in]\ngrace_minutes = 5\n\
             [cleanup.limits]\nmax_actions = 10000\nmax_fraction = 1.0\n{more}",
            self.sim.url(),
            options.username,
        );
        std::fs::write(self.path("adjourn.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file that only its owner can read, as secrets must be.
    pub fn write_secret(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path(name)).unwrap().write_all(content.as_ref()).unwrap();
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.command_in(&self.state(), args)
    }

    pub fn command_in(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adjourn"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env("ADJOURN_PASSWORD", SimulatorOptions::default().password)
            .env("ADJOURN_STATE_DIR", state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program until it ends.
    pub async fn run(&self, args: &[&str]) -> CommandOutput {
        self.finish(self.command(args)).await
    }

    pub async fn finish(&self, mut command: Command) -> CommandOutput {
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap().into()
    }

    pub fn end_of(&self, number: usize) -> Option<DateTime<Utc>> {
        let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::hours(2));
        let events = self.sim.world(|world| world.events(&room(number), from, to));
        events.first().map(|event| event.end)
    }
}
