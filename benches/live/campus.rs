//! The set-up of the bench: empty rooms in a simulated Exchange, the service that tracks them as a process of its own, and a
//! client of its event stream.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adjourn::clock::{Clock as _, SystemClock};
use adjourn::sim::{PlainSpec, RoomSpec, Simulator, SimulatorOptions, World};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Time limit until all rooms are tracked, and until a change is received.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Campus {
    pub sim: Simulator,
    token: String,
    at: String,
    service: Child,
    _directory: TempDir,
}

pub fn now() -> DateTime<Utc> {
    SystemClock.now().trunc_subsecs(0)
}

pub fn address(number: usize) -> String {
    format!("room-{number:05}@example.com")
}

impl Campus {
    /// Starts the simulator with these rooms, each with three events later in the day, and the service.
    pub async fn open(rooms: usize) -> Self {
        let options = SimulatorOptions::default();
        let (username, password) = (options.username.clone(), options.password.clone());
        let sim = Simulator::start(world(rooms), options).await.expect("a simulator");
        let directory = tempfile::tempdir().expect("a directory");
        let all: Vec<_> = (0..rooms).map(|number| format!("\"{}\"", address(number))).collect();
        let text = format!(
            "[server]\nurl = \"{}\"\nusername = \"{username}\"\n[scope]\nrooms = [{}]\n",
            sim.url(),
            all.join(",")
        );
        std::fs::write(directory.path().join("adjourn.toml"), text).expect("a configuration");
        let add = ["--json", "key", "add", "bench", "--rights", "all", "--per-minute", "4000000000"];
        let made = command(&directory, &password, &add).output().expect("it runs");
        let made: Value = serde_json::from_slice(&made.stdout).expect("a key");
        let token = made["token"].as_str().expect("a token").to_owned();
        let serve = ["serve", "--listen", "127.0.0.1:0"];
        let mut service =
            command(&directory, &password, &serve).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut line = String::new();
        let mut output = BufReader::new(service.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("its address");
        let at = line.trim().strip_prefix("http://").expect("an address").to_owned();
        Self { sim, token, at, service, _directory: directory }
    }

    /// Waits until this many rooms are tracked by streaming, and were read.
    pub async fn until_followed(&self, rooms: usize) {
        let begun = Instant::now();
        let wanted = format!("adjourn_rooms{{mode=\"streaming\"}} {rooms}\n");
        loop {
            let (numbers, read) = (self.get("/metrics").await, self.sim.streams());
            if numbers.contains(&wanted) && read == rooms.div_ceil(200) && self.is_read(&numbers, rooms) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{numbers}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn is_read(&self, numbers: &str, rooms: usize) -> bool {
        let read = numbers.lines().find_map(|line| line.strip_prefix("adjourn_calendar_reads_total "));
        read.and_then(|read| read.parse::<usize>().ok()).is_some_and(|read| read >= rooms)
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = self.ask(path, "Connection: close\r\n").await;
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("an answer");
        said
    }

    async fn ask(&self, path: &str, more: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.at).await.expect("the service listens");
        let token = &self.token;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: adjourn\r\nAuthorization: Bearer {token}\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        stream
    }

    /// The service's resident memory in KiB (`VmRSS`).
    pub fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.service.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
    }

    /// The service's CPU time.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", self.service.id())).ok();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.service.id())).expect("its threads");
        let of_task = |path: std::path::PathBuf| -> u64 {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            stat.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
        };
        let threads: u64 = tasks.filter_map(Result::ok).map(|task| of_task(task.path())).sum();
        assert!(stat.is_some(), "the kernel says how long it ran");
        Duration::from_nanos(threads)
    }
}

/// Ends the service's process when the bench ends, also after a panic.
impl Drop for Campus {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// A client of the service's event stream.
pub struct Listener(tokio::io::Lines<tokio::io::BufReader<TcpStream>>);

impl Listener {
    pub async fn open(campus: &Campus) -> Self {
        let stream = campus.ask("/v1/events", "Accept: text/event-stream\r\n").await;
        let mut lines = tokio::io::BufReader::new(stream).lines();
        while !lines.next_line().await.expect("an answer").expect("a head").is_empty() {}
        Self(lines)
    }

    /// Receives events until this many rooms appeared: when each appeared first, and its next event.
    pub async fn rooms(&mut self, count: usize) -> HashMap<String, (Instant, Option<String>)> {
        let mut heard = HashMap::new();
        while heard.len() < count {
            let line = tokio::time::timeout(PATIENCE, self.0.next_line()).await.expect("it is heard of");
            let line = line.expect("a stream").expect("it goes on");
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let Ok(room) = serde_json::from_str::<Value>(data) else { continue };
            let (Some(name), next) = (room["id"].as_str(), room["next"]["start"].as_str()) else {
                continue;
            };
            heard.entry(name.to_owned()).or_insert((Instant::now(), next.map(str::to_owned)));
        }
        heard
    }
}

fn world(rooms: usize) -> World {
    let mut world = World::new();
    world.set_now(now());
    for number in 0..rooms {
        world.add_room(RoomSpec::new(format!("Room {number}"), address(number)));
        for hours in [4, 5, 6] {
            let start = now() + TimeDelta::hours(hours);
            world.add_plain(PlainSpec::new(address(number), start, start + TimeDelta::minutes(30)));
        }
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
