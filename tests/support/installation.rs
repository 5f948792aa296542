//! The program in a directory of its own, with its configuration, its state and a simulated Exchange. The caller passes the path of the
//! program, because Cargo names it to integration tests and benches only (`env!("CARGO_BIN_EXE_adjourn")`).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use adjourn::sim::{Simulator, SimulatorOptions};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tempfile::TempDir;

use crate::room::room_name;
use crate::served::ServedProcess;
use crate::time::now;

pub struct Installation {
    pub sim: Simulator,
    pub directory: TempDir,
    program: &'static str,
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

impl Installation {
    /// Without a configuration, in a new temporary directory.
    pub fn new(program: &'static str, sim: Simulator) -> Self {
        Self::within(&std::env::temp_dir(), program, sim)
    }

    /// Without a configuration, in a new directory within `place`.
    pub fn within(place: &Path, program: &'static str, sim: Simulator) -> Self {
        let directory = tempfile::tempdir_in(place).unwrap();
        Self { sim, directory, program }
    }

    /// Writes `adjourn.toml`: the simulator's address and account, and then `more`, which begins in the table `[server]`.
    pub fn configure(&self, more: &str) {
        let (url, account) = (self.sim.url(), SimulatorOptions::default().username);
        let text = format!("[server]\nurl = \"{url}\"\nusername = \"{account}\"\n{more}");
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

    /// A command with another state directory.
    pub fn command_in(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.program);
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

    /// Runs a command until it ends, without blocking the runtime that plays the simulator.
    pub async fn finish(&self, mut command: Command) -> CommandOutput {
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap().into()
    }

    /// Adds an API key that may do everything; returns its token.
    pub async fn add_key(&self, name: &str, more: &[&str]) -> String {
        let args = [&["--json", "key", "add", name, "--rights", "all"], more].concat();
        let added = self.run(&args).await;
        assert_eq!(added.code, 0, "{}", added.err);
        added.json()["token"].as_str().unwrap().to_owned()
    }

    /// Starts a service that logs warnings.
    pub fn serve(&self) -> ServedProcess {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("ADJOURN_LOG", "warn");
        self.serve_by(command)
    }

    /// Starts this command, a service, and waits until it serves. Its log is the file `log`.
    pub fn serve_by(&self, command: Command) -> ServedProcess {
        self.serve_logging_to("log", command)
    }

    /// The same with another log file: for one of several services.
    pub fn serve_logging_to(&self, log: &str, command: Command) -> ServedProcess {
        self.try_serve(log, command).unwrap_or_else(|| {
            panic!("not serving: {}", std::fs::read_to_string(self.path(log)).unwrap_or_default())
        })
    }

    /// The same; `None` if the service ends before it serves.
    pub fn try_serve(&self, log: &str, mut command: Command) -> Option<ServedProcess> {
        command.stderr(std::fs::File::create(self.path(log)).unwrap());
        ServedProcess::start(command)
    }

    /// The end of the current event of a numbered room.
    pub fn end_of(&self, number: usize) -> Option<DateTime<Utc>> {
        let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::hours(2));
        let events = self.sim.world(|world| world.events(&room_name(number), from, to));
        events.first().map(|event| event.end)
    }
}
