//! Three services on one database, each with a connection of its own that can stand still or break. What ends is started again, as
//! systemd does.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adjourn_test::{
    HttpReply, Installation, PostgresServer, PostgresTestDatabase, Relay, ServedProcess, send_and_read,
    simulator, world_of_rooms,
};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

use crate::installed::{PROGRAM, configure};
use crate::served::SERVE;

pub(super) const REPLICAS: usize = 3;
pub(super) const ROOMS: usize = 6;

/// The one exit code with which a service ends by itself: another process has taken over from it.
const TAKEN_OVER: i32 = 8;
/// A caller gives up a request to a service that does not answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);

pub(super) struct Replicas {
    pub(super) office: Installation,
    pub(super) server: Arc<PostgresServer>,
    pub(super) database: PostgresTestDatabase,
    token: String,
    replicas: [Replica; REPLICAS],
    is_over: AtomicBool,
}

/// One service, also while its process is gone.
struct Replica {
    relay: Relay,
    process: Mutex<Option<ServedProcess>>,
    starts: AtomicUsize,
}

impl Replica {
    fn process(&self) -> MutexGuard<'_, Option<ServedProcess>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replicas {
    /// Starts everything; `None` where PostgreSQL is not installed.
    pub(super) async fn start() -> Option<Arc<Self>> {
        let server = PostgresServer::start()?;
        let database = server.database();
        let office = Installation::new(PROGRAM, simulator(world_of_rooms(ROOMS, |_, _, _| {})).await);
        let url = |name: &str| format!("{{ file = \"{}\" }}", office.path(name).display());
        configure(&office, &format!("[journal]\nurl = {}\n", url("database-url")));
        office.write_secret("database-url", database.url());
        let token = office.add_key("display", &["--per-minute", "100000"]).await;
        let configuration = std::fs::read_to_string(office.path("adjourn.toml")).unwrap();
        let configuration =
            configuration.replace("[engine]\n", "[engine]\nbooking_subjects_allowed = true\n");
        let mut replicas = Vec::new();
        for number in 0..REPLICAS {
            let relay = Relay::start(server.port).await;
            let name = format!("database-url-{number}");
            office.write_secret(&name, database.url_at(relay.port));
            let text = configuration.replace(&url("database-url"), &url(&name));
            std::fs::write(office.path(&format!("adjourn-{number}.toml")), text).unwrap();
            replicas.push(Replica { relay, process: Mutex::default(), starts: AtomicUsize::new(0) });
        }
        let replicas = replicas.try_into().ok().unwrap();
        let is_over = AtomicBool::new(false);
        Some(Arc::new(Self { office, server, database, token, replicas, is_over }))
    }

    /// Starts the services, and again what ends.
    pub(super) fn supervise(self: &Arc<Self>) -> JoinSet<()> {
        (0..REPLICAS).map(|number| self.clone().supervise_one(number)).collect()
    }

    async fn supervise_one(self: Arc<Self>, number: usize) {
        while !self.is_over() {
            block_in_place(|| self.start_one(number));
            while self.is_running(number) && !self.is_over() {
                sleep(Duration::from_millis(50)).await;
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Starts a service. It may end at once: the database may be away.
    fn start_one(&self, number: usize) {
        let replica = &self.replicas[number];
        let start = replica.starts.fetch_add(1, Ordering::Relaxed);
        let served = self.office.try_serve(&format!("log-{number}-{start}"), self.command(number));
        *replica.process() = served;
    }

    fn command(&self, number: usize) -> Command {
        let state: PathBuf = self.office.path(&format!("state-{number}"));
        let mut command = self.office.command_in(&state, &SERVE);
        command.arg("--config").arg(self.office.path(&format!("adjourn-{number}.toml")));
        command
    }

    fn is_running(&self, number: usize) -> bool {
        let mut process = self.replicas[number].process();
        let Some(served) = process.as_mut() else { return false };
        let Some(status) = served.child.try_wait().unwrap() else { return true };
        let by_itself = status.code();
        *process = None;
        assert!(
            matches!(by_itself, None | Some(TAKEN_OVER)) || self.is_over(),
            "service {number} ended with {by_itself:?}: {}",
            self.log(number)
        );
        false
    }

    fn log(&self, number: usize) -> String {
        let start = self.replicas[number].starts.load(Ordering::Relaxed) - 1;
        std::fs::read_to_string(self.office.path(&format!("log-{number}-{start}"))).unwrap_or_default()
    }

    /// The connection between a service and the database.
    pub(super) fn relay(&self, number: usize) -> &Relay {
        &self.replicas[number].relay
    }

    /// Sends a signal to a service, if it runs.
    pub(super) fn signal(&self, number: usize, signal: &str) {
        if let Some(served) = self.replicas[number].process().as_ref() {
            served.signal(signal);
        }
    }

    /// The number of the active service; `None` while none answers.
    pub(super) async fn active(&self) -> Option<usize> {
        for number in 0..REPLICAS {
            let at = self.address(number);
            let request = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            let Some(at) = at else { continue };
            let reply = timeout(Duration::from_secs(1), send_and_read(at, request)).await;
            if matches!(reply, Ok(Ok(text)) if text.starts_with("HTTP/1.1 200")) {
                return Some(number);
            }
        }
        None
    }

    fn address(&self, number: usize) -> Option<String> {
        self.replicas[number].process().as_ref().map(|served| served.at.clone())
    }

    /// Sends a request with a JSON body to a service.
    pub(super) async fn send(&self, number: usize, path: &str, key: &str, body: &str) -> Option<HttpReply> {
        let at = self.address(number)?;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nConnection: close\r\nIdempotency-Key: {key}\r\n\
             Prefer: wait=2\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len(),
        );
        let reply = timeout(ANSWERED_WITHIN, send_and_read(at, &request)).await;
        HttpReply::parse(&reply.ok()?.ok()?)
    }

    /// Lets every connection to the database go on.
    pub(super) fn release_all(&self) {
        self.replicas.iter().for_each(|replica| replica.relay.release());
    }

    /// Ends every session of the database.
    pub(super) fn end_sessions(&self) {
        self.database
            .sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'adjourn'");
    }

    /// Ends the supervision and the services.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        for replica in &self.replicas {
            replica.relay.release();
            *replica.process() = None;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}
