//! Writers in processes of their own, which are stopped and killed: the test program starts itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use adjourn::journal::{Journal, JournalError, LockName};
use adjourn_test::{PostgresServer, PostgresTestDatabase, room};
use tokio::time::Instant;

use super::{checked, journal, settings};
use crate::sample_entries::admin_events;

const URL: &str = "ADJOURN_TEST_POSTGRES_URL";

/// A process that locks a room and appends until it is refused. It is killed when dropped.
struct WriterProcess {
    process: Child,
    lines: Receiver<String>,
}

impl WriterProcess {
    fn start(database: &PostgresTestDatabase) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "postgres::processes::a_writer_process"]);
        let mut process = command.env(URL, database.url()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { process, lines }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// The rest of the next line that begins with `word`, and what stood in the lines before.
    fn wait_for(&self, word: &str) -> (String, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let line =
                self.lines.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("no {word}"));
            match line.strip_prefix(word) {
                Some(rest) => return (rest.trim().to_owned(), before),
                None => before.push(line),
            }
        }
    }
}

impl Drop for WriterProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
#[ignore = "the process that other tests start"]
async fn a_writer_process() {
    let Ok(url) = std::env::var(URL) else { return };
    let journal = adjourn::store::PostgresJournal::open(&settings(&url)).await.unwrap();
    let _lock = journal.lock(&LockName::Room(room("r1"))).await.unwrap();
    println!("writer {}", journal.writer());
    for number in 1.. {
        match journal.record_admin(admin_events()[0].clone()).await {
            Ok(()) => println!("stored {number}"),
            Err(error) => {
                assert_eq!(journal.record_admin(admin_events()[0].clone()).await, Err(error.clone()));
                println!("refused {error:?}");
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until this process's renewals have lasted for as long as one is valid: before, it judges nobody.
async fn until_trusted() {
    tokio::time::sleep(Duration::from_millis(10_500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_writer_is_sealed_and_what_it_does_afterwards_is_refused() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    let process = WriterProcess::start(&database);
    let writer: i32 = process.wait_for("writer").0.parse().unwrap();
    until_trusted().await;
    process.wait_for("stored");
    process.signal("STOP");
    let begun = Instant::now();
    // The kernel answers for the stopped process: its session lives, and only its renewal expires.
    let lock = tokio::time::timeout(Duration::from_secs(40), journal.lock(&LockName::Room(room("r1")))).await;
    let _lock = lock.unwrap().unwrap();
    let elapsed = begun.elapsed();
    assert!(elapsed > Duration::from_secs(5), "the renewal had not expired: {elapsed:?}");
    let sealed = journal.chains().await.unwrap().into_iter().find(|chain| chain.writer == writer).unwrap();
    assert_eq!(sealed.sealed_by, Some(journal.writer()));
    process.signal("CONT");
    let (error, _) = process.wait_for("refused");
    assert_eq!(error, format!("{:?}", JournalError::Fenced));
    assert_eq!(checked(&journal, writer).await, sealed.chain, "nothing was stored after the seal");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_a_killed_writer_is_free_before_its_renewal_expires() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    let process = WriterProcess::start(&database);
    let writer: i32 = process.wait_for("writer").0.parse().unwrap();
    until_trusted().await;
    assert!(journal.try_lock(&LockName::Room(room("r1"))).await.unwrap().is_none());
    process.signal("KILL");
    let begun = Instant::now();
    let _lock = journal.lock(&LockName::Room(room("r1"))).await.unwrap();
    let elapsed = begun.elapsed();
    println!("the lock was free after {elapsed:?}");
    assert!(elapsed < Duration::from_secs(8), "a renewal expires after ten seconds: {elapsed:?}");
    // Each acknowledged entry is in the sealed chain; the last one may lack its acknowledgement.
    let stored = process.lines.try_iter().filter(|line| line.starts_with("stored")).count() as u64;
    let chain = checked(&journal, writer).await;
    assert!(chain.length >= stored && chain.length <= stored + 1, "{} of {stored}", chain.length);
}

/// After the database was away everybody looks dead, and nobody is sealed for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sealed_because_the_database_was_away() {
    let Some(server) = PostgresServer::start() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    until_trusted().await;
    let restarted = server.clone();
    tokio::task::spawn_blocking(move || restarted.crash_and_restart_after(Duration::from_secs(11)))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    for journal in [&first, &second] {
        journal.record_admin(admin_events()[0].clone()).await.unwrap();
    }
    assert_eq!(database.sql("SELECT count(*) FROM writers WHERE sealed_at IS NOT NULL"), "0");
}
