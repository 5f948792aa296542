//! The set-up of the bench: empty rooms in a simulated Exchange, the service that tracks them as a process of its own, and a
//! client of its event stream.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use adjourn::sim::{PlainSpec, World};
use adjourn_test::{Installation, ServedProcess, now, read_head, room_name, simulator, world_of_rooms};
use chrono::TimeDelta;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Time limit until all rooms are tracked, and until a change is received.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Campus {
    // Dropped before the directory of its state.
    served: ServedProcess,
    pub installation: Installation,
    token: String,
}

impl Campus {
    /// Starts the simulator with these rooms, each with three events later in the day, and the service.
    pub async fn open(rooms: usize) -> Self {
        let sim = simulator(world_of_later_events(rooms)).await;
        let installation = Installation::new(env!("CARGO_BIN_EXE_adjourn"), sim);
        let all: Vec<_> = (0..rooms).map(room_name).collect();
        installation.configure(&format!("[scope]\nrooms = {all:?}\n"));
        let token = installation.add_key("bench", &["--per-minute", "4000000000"]).await;
        let served = installation.serve();
        Self { served, installation, token }
    }

    /// Waits until this many rooms are tracked by streaming, and were read.
    pub async fn until_followed(&self, rooms: usize) {
        let begun = Instant::now();
        let wanted = format!("adjourn_rooms{{mode=\"streaming\"}} {rooms}\n");
        loop {
            let (numbers, read) = (self.get("/metrics").await, self.installation.sim.streams());
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
        self.served.send(&self.token, &format!("GET {path}"), "").await
    }

    /// The service's resident memory in KiB (`VmRSS`).
    pub fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.served.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
    }

    /// The service's CPU time.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", self.served.child.id())).ok();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.served.child.id())).expect("its threads");
        let of_task = |path: std::path::PathBuf| -> u64 {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            stat.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
        };
        let threads: u64 = tasks.filter_map(Result::ok).map(|task| of_task(task.path())).sum();
        assert!(stat.is_some(), "the kernel says how long it ran");
        Duration::from_nanos(threads)
    }
}

/// A client of the service's event stream.
pub struct Listener(tokio::io::Lines<tokio::io::BufReader<TcpStream>>);

impl Listener {
    pub async fn open(campus: &Campus) -> Self {
        let mut stream = TcpStream::connect(&campus.served.at).await.expect("the service listens");
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nHost: adjourn\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n\r\n",
            campus.token
        );
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        read_head(&mut stream).await.expect("a head");
        let mut lines = tokio::io::BufReader::new(stream).lines();
        // The states that a stream begins with end with an id; what follows are changes.
        while !lines.next_line().await.expect("a stream").expect("it goes on").starts_with("id: ") {}
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

fn world_of_later_events(rooms: usize) -> World {
    world_of_rooms(rooms, |world, _, room| {
        for hours in [4, 5, 6] {
            let start = now() + TimeDelta::hours(hours);
            world.add_plain(PlainSpec::new(room, start, start + TimeDelta::minutes(30)));
        }
    })
}
