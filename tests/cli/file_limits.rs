//! A process with a low limit of open files or file size: unauthenticated connections lock nobody out, and a journal that cannot
//! grow is an error that does not end the process.

use std::process::Command;
use std::time::Duration;

use adjourn_test::{HttpReply, ServedProcess, read_reply, room_name};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::installed::{configure, install};
use crate::served::{SERVE, key};

/// Timeout of a hanging test.
const PATIENCE: Duration = Duration::from_secs(30);

/// The command under a shell's limit, such as `ulimit -n 160`.
fn under(limit: &str, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            limited.env(name, value);
        }
    }
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    limited
}

/// Connections that send nothing, or half a head, from several addresses of the loopback network.
async fn crowd(at: &str, addresses: u8, each: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for number in 0..addresses {
        for one in 0..each {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(format!("127.0.1.{}:0", number + 1).parse().unwrap()).unwrap();
            let mut stream = socket.connect(at.parse().unwrap()).await.unwrap();
            if one % 2 == 0 {
                // The service may have closed this one already.
                let _ = stream.write_all(b"GET /healthz HTT").await;
            }
            crowd.push(stream);
        }
    }
    crowd
}

/// Sends one request on a connection that stays open.
async fn ask(stream: &mut TcpStream, token: &str, path: &str) -> HttpReply {
    let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    let asked = async {
        stream.write_all(text.as_bytes()).await?;
        read_reply(stream).await
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("no answer to {path}")).unwrap()
}

async fn connect(served: &ServedProcess) -> TcpStream {
    timeout(PATIENCE, TcpStream::connect(&served.at)).await.expect("a connection in time").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_of_connections_without_a_key_shuts_nobody_out() {
    let office = install(2).await;
    let token = key(&office).await;
    let served = office.serve_by(under("ulimit -n 160", &office.command(&SERVE)));
    let mut display = connect(&served).await;
    assert_eq!(ask(&mut display, &token, "/v1/me").await.status, 200);

    // More connections than the process may open files: from one address, then from many.
    let mut crowded = crowd(&served.at, 1, 200).await;
    crowded.extend(crowd(&served.at, 20, 15).await);
    let read_before = office.sim.requests().len();
    let said = ask(&mut display, &token, &format!("/v1/rooms/{}", room_name(0))).await;
    assert_eq!(said.status, 200, "a known connection stays open: {said:?}");
    assert!(office.sim.requests().len() > read_before, "Exchange was asked");
    for path in ["/healthz", "/readyz"] {
        let said = ask(&mut connect(&served).await, "", path).await;
        assert_eq!(said.status, 200, "{path}: {said:?}");
    }
    let said = ask(&mut connect(&served).await, &token, &format!("/v1/rooms/{}", room_name(1))).await;
    assert_eq!(said.status, 200, "a display that comes now is answered: {said:?}");

    let metrics = ask(&mut display, &token, "/metrics").await.body;
    let number = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).trim().parse().unwrap()
    };
    assert!(number("adjourn_http_connections{state=\"authenticated\"}") >= 1);
    assert!(number("adjourn_http_connections{state=\"unauthenticated\"}") < 160);
    assert!(number("adjourn_http_connections_closed_total{reason=\"total\"}") > 100);
    let log = std::fs::read_to_string(office.path("log")).unwrap();
    assert!(
        log.contains("ulimit -n") && log.contains("max_connections"),
        "the lowered limit is named: {log}"
    );
    let full = log.lines().filter(|line| line.contains("too many unauthenticated connections")).count();
    assert!((1..=3).contains(&full), "one line a minute, not one for each connection: {log}");
    drop(crowded);
}

/// From now on the process can open no more files.
fn allow_no_more_files(served: &ServedProcess) {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let id = served.child.id();
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap();
    let open: Vec<u64> =
        files.map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    // The next file would have the lowest number that is free.
    let current = (0..).find(|number| !open.contains(number));
    let limit = Rlimit { current, maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(Pid::from_raw(i32::try_from(id).unwrap()), Resource::Nofile, limit).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_file_is_left_a_connection_without_a_key_gives_its_own() {
    let office = install(1).await;
    let token = key(&office).await;
    let served = office.serve_by(office.command(&SERVE));
    let mut display = connect(&served).await;
    assert_eq!(ask(&mut display, &token, "/v1/me").await.status, 200);
    let mut idle = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(&served).await;
        ask(&mut stream, "", "/healthz").await;
        idle.push(stream);
    }
    allow_no_more_files(&served);
    for _ in 0..30 {
        let mut probe = connect(&served).await;
        assert_eq!(ask(&mut probe, "", "/healthz").await.status, 200);
        idle.push(probe);
    }
    assert_eq!(ask(&mut display, &token, "/v1/me").await.status, 200);
    let log = std::fs::read_to_string(office.path("log")).unwrap();
    let failed = log.lines().filter(|line| line.contains("cannot accept a connection")).count();
    assert_eq!(failed, 1, "files ran out, and the log says so once a minute: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_has_a_listener_of_its_own_where_it_is_wanted() {
    let office = install(1).await;
    // It was free a moment ago on this loopback address.
    let port = std::net::TcpListener::bind("127.0.3.1:0").unwrap().local_addr().unwrap().port();
    let health = format!("127.0.3.1:{port}");
    configure(&office, &format!("[api]\nhealth_listen = \"{health}\"\n"));
    let token = key(&office).await;
    let _served = office.serve_by(office.command(&SERVE));
    for (path, answer) in [("/healthz", 200), ("/readyz", 200), ("/v1/me", 404), ("/metrics", 404)] {
        let mut stream = timeout(PATIENCE, TcpStream::connect(&health)).await.unwrap().unwrap();
        let said = ask(&mut stream, &token, path).await;
        assert_eq!(said.status, answer, "{path}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_size_limit_is_an_unusable_journal_and_not_a_killed_process() {
    let office = install(1).await;
    let before = office.end_of(0);
    // In blocks of 512 bytes: less than the size of an empty journal.
    let end = office.command(&["end", &room_name(0)]);
    let mut limited = under("ulimit -f 8", &end);
    limited.stderr(std::process::Stdio::piped());
    let said = office.finish(limited).await;
    assert_eq!(said.code, 8, "{}{}", said.out, said.err);
    assert!(said.err.contains("journal"), "{}", said.err);
    assert_eq!(office.end_of(0), before, "no journal, no effect");
}
