//! A PgBouncer in front of a test database: the installed program, on a free loopback port. It ends by its process id when it is
//! dropped.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::postgres::{
    PASSWORD, PostgresServer, PostgresTestDatabase, as_unprivileged, directory, found, free_port,
    give_to_server,
};

/// A running pooler.
pub struct Pooler {
    port: u16,
    server: Arc<PostgresServer>,
    database: String,
    process: Child,
    directory: tempfile::TempDir,
}

impl Pooler {
    /// Starts one with these settings, such as `pool_mode = session`. `None` where it is not installed.
    pub fn start(database: &PostgresTestDatabase, settings: &[&str]) -> Option<Self> {
        let program = found("PgBouncer", installed())?;
        let (directory, port) = (directory(), free_port());
        let server = database.server.clone();
        write_configuration(directory.path(), &database.name, (port, server.port), settings);
        let mut command = as_unprivileged(&program);
        command.arg(directory.path().join("pgbouncer.ini"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let pooler = Self { port, server, database: database.name.clone(), process, directory };
        pooler.wait_until_ready();
        Some(pooler)
    }

    /// The connection text of the database behind it.
    pub fn url(&self) -> String {
        format!("postgres://adjourn:{PASSWORD}@127.0.0.1:{}/{}", self.port, self.database)
    }

    /// Gives it other settings while it runs.
    pub fn reload(&self, settings: &[&str]) {
        write_configuration(self.directory.path(), &self.database, (self.port, self.server.port), settings);
        let reload = Command::new("kill").args(["-HUP", &self.process.id().to_string()]).status();
        assert!(reload.unwrap().success());
    }

    /// Makes it open so many sessions of the server, so that it has a choice afterwards.
    pub fn warm_up(&self, sessions: usize) {
        let url = self.url();
        let start = |_| {
            let mut psql = Command::new(self.server.programs.join("psql"));
            psql.args(["-X", "-q", &url, "-c", "SELECT pg_sleep(0.3)"]).stdout(Stdio::null()).spawn().unwrap()
        };
        let busy: Vec<Child> = (0..sessions).map(start).collect();
        busy.into_iter().for_each(|mut one| assert!(one.wait().unwrap().success()));
    }

    fn wait_until_ready(&self) {
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        panic!("PgBouncer does not accept connections: {log}");
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program: Debian has it in /usr/sbin, which is not in everybody's PATH.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join("pgbouncer")).find(|program| program.exists())
}

fn write_configuration(directory: &Path, database: &str, (port, server): (u16, u16), settings: &[&str]) {
    let file = |name: &str| directory.join(name);
    std::fs::write(file("users"), format!("\"adjourn\" \"{PASSWORD}\"\n")).unwrap();
    let mut text = format!(
        "[databases]\n{database} = host=127.0.0.1 port={server} dbname={database}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\nlogfile = {}\n",
        file("users").display(),
        file("log").display()
    );
    for setting in settings {
        writeln!(text, "{setting}").unwrap();
    }
    std::fs::write(file("pgbouncer.ini"), text).unwrap();
    ["users", "pgbouncer.ini"].iter().for_each(|name| give_to_server(&file(name)));
}
