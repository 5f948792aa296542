//! A PostgreSQL server of its own for tests: the installed program, in a temporary directory, on a free loopback port, with fsync on.
//! It ends by its process id when it is dropped.

use std::fs::Permissions;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

pub(crate) const PASSWORD: &str = "open-sesame";

/// A running server. Its administrator is `postgres`; tests connect as `adjourn`, a user without special rights.
pub struct PostgresServer {
    pub port: u16,
    pub(crate) programs: PathBuf,
    data: PathBuf,
    process: Mutex<Child>,
    databases: AtomicU32,
    _directory: tempfile::TempDir,
}

/// A database of a server, and the way to it.
pub struct PostgresTestDatabase {
    pub server: Arc<PostgresServer>,
    pub name: String,
}

static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());

impl PostgresServer {
    /// The server that tests of one program share while any of them uses it; `None` where PostgreSQL is not installed. There,
    /// `ADJOURN_REQUIRE_POSTGRES=1` makes the test fail.
    pub fn shared() -> Option<Arc<Self>> {
        let programs = installed()?;
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let server = shared.upgrade().unwrap_or_else(|| Arc::new(Self::start_with(programs)));
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server for one test, which may restart it.
    pub fn start() -> Option<Arc<Self>> {
        installed().map(|programs| Arc::new(Self::start_with(programs)))
    }

    fn start_with(programs: PathBuf) -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        let password = directory.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        give_to_server(&password);
        let mut initdb = as_unprivileged(&programs.join("initdb"));
        initdb.args(["--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--no-sync").arg(format!("--pwfile={}", password.display()));
        expect(&initdb.arg("-D").arg(&data).output().unwrap(), "initdb");
        let server = Self::run(programs, data, directory);
        server.sql("postgres", &format!("CREATE ROLE adjourn LOGIN PASSWORD '{PASSWORD}'"));
        server
    }

    /// A standby that streams from this server.
    pub(crate) fn standby(&self) -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        let mut copy = as_unprivileged(&self.programs.join("pg_basebackup"));
        copy.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-X", "stream"]);
        copy.args(["-c", "fast", "-R", "--no-sync", "-D"]).arg(&data).env("PGPASSWORD", PASSWORD);
        expect(&copy.output().unwrap(), "pg_basebackup");
        Self::run(self.programs.clone(), data, directory)
    }

    fn run(programs: PathBuf, data: PathBuf, directory: tempfile::TempDir) -> Self {
        let port = free_port();
        let process = Mutex::new(start_process(&programs, &data, port, &["fsync=on"]));
        let databases = AtomicU32::new(0);
        let server = Self { port, programs, data, process, databases, _directory: directory };
        server.wait_until_ready();
        server
    }

    /// Kills the server as a power cut does, for good.
    pub fn kill(&self) {
        let mut process = self.process();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server accepts connections.
    pub fn wait_until_ready(&self) {
        for _ in 0..300 {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            if ready.status().unwrap().success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not accept connections");
    }

    /// Ends the server without a shutdown (as `pg_ctl stop -m immediate` does), and starts it again: it recovers from its log.
    pub fn crash_and_restart(&self) {
        self.crash_and_restart_after(Duration::ZERO);
    }

    /// The same, with a time between in which no server is there.
    pub fn crash_and_restart_after(&self, pause: Duration) {
        self.restart(pause, &["fsync=on"]);
    }

    /// Starts the server again with a setting that may lose what it acknowledged.
    pub fn restart_without_fsync(&self) {
        self.restart(Duration::ZERO, &["fsync=off"]);
    }

    /// Starts the server again with TLS, with this certificate and key in PEM.
    pub fn restart_with_tls(&self, certificate: &str, key: &str) {
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data.join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            give_to_server(&path);
        }
        self.restart(Duration::ZERO, &["fsync=on", "ssl=on"]);
    }

    fn restart(&self, pause: Duration, settings: &[&str]) {
        let mut process = self.process();
        end(&mut process);
        std::thread::sleep(pause);
        *process = start_process(&self.programs, &self.data, self.port, settings);
        drop(process);
        self.wait_until_ready();
    }

    /// A new, empty database, which the user `adjourn` owns.
    pub fn database(self: &Arc<Self>) -> PostgresTestDatabase {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER adjourn"));
        PostgresTestDatabase { server: self.clone(), name }
    }

    /// Runs SQL as the administrator, by `psql`; returns the rows without decoration.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        expect(&output, sql);
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"]);
        psql.args(["-p", &self.port.to_string(), "-d", database, "-c", sql]);
        psql.env("PGPASSWORD", PASSWORD).output().unwrap()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        end(&mut self.process());
    }
}

impl PostgresTestDatabase {
    /// The connection text of this database.
    pub fn url(&self) -> String {
        self.url_at(self.server.port)
    }

    /// The connection text by another port, which leads to the server.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://adjourn:{PASSWORD}@127.0.0.1:{port}/{}", self.name)
    }

    /// Runs SQL in it as the administrator, with the tables of Adjourn in reach.
    pub fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, &format!("SET search_path = adjourn; {sql}"))
    }
}

/// The directory of the newest installed version's programs.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin"))).filter(|(_, path)| path.join("initdb").exists())
    });
    found("PostgreSQL", numbered.max().map(|(_, path)| path))
}

/// The program, if it is installed. A test that needs it is skipped, or fails with `ADJOURN_REQUIRE_POSTGRES=1`.
pub(crate) fn found(program: &str, path: Option<PathBuf>) -> Option<PathBuf> {
    if path.is_none() {
        let is_required = std::env::var_os("ADJOURN_REQUIRE_POSTGRES").is_some_and(|value| value == "1");
        assert!(!is_required, "{program} is not installed, and ADJOURN_REQUIRE_POSTGRES=1");
        println!("skipped: {program} is not installed");
    }
    path
}

/// A temporary directory of the server's user.
pub(crate) fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    give_to_server(directory.path());
    directory
}

/// Makes the server's user the owner.
pub(crate) fn give_to_server(path: &Path) {
    if let Some((user, group)) = unprivileged() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The user and group `postgres`, if the tests run as root: the server refuses to.
fn unprivileged() -> Option<(u32, u32)> {
    let number = |flag| {
        let output = Command::new("id").arg(flag).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    (number("-u") == 0).then(|| {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("postgres:")).unwrap();
        let fields: Vec<&str> = line.split(':').collect();
        (fields[2].parse().unwrap(), fields[3].parse().unwrap())
    })
}

pub(crate) fn as_unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    command
}

fn start_process(programs: &Path, data: &Path, port: u16, settings: &[&str]) -> Child {
    let mut server = as_unprivileged(&programs.join("postgres"));
    server.arg("-D").arg(data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    let always = ["unix_socket_directories=", "max_connections=200", "wal_retrieve_retry_interval=100ms"];
    for setting in [&always, settings].concat() {
        server.args(["-c", setting]);
    }
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = server.spawn().unwrap();
    // Somebody has to read the log, or the server waits.
    let mut log = process.stderr.take().unwrap();
    std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
    process
}

/// Ends the server without a shutdown, unless it has ended: its id may be another process's by then.
fn end(process: &mut Child) {
    if process.try_wait().is_ok_and(|ended| ended.is_none()) {
        let _ = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
        let _ = process.wait();
    }
}

fn expect(output: &Output, what: &str) {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}
