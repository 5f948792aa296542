//! Random histories of three services on one database: callers at doors, processes that are killed, stopped and cut off, a database that
//! crashes, an Exchange that is slow. At the end of each: nothing acknowledged is lost, nothing was done twice, no change was sent
//! without a fresh intent, and the journal names each change that arrived late.
//!
//! The seed decides the faults; the exact moments depend on the machine. `ADJOURN_REPLICAS_SEEDS=N` runs N seeds from
//! `ADJOURN_REPLICAS_FIRST` on, `ADJOURN_REPLICAS_SEED=N` only this one.

mod callers;
mod faults;
mod history;
mod replicas;

use std::sync::Arc;
use std::time::Duration;

use adjourn_test::{SeededRandom, Seeds};
use tokio::time::{Instant, sleep};

use self::callers::Record;
use self::faults::PlannedFault;
use self::history::History;
use self::replicas::Replicas;

const SEEDS_DEFAULT: u64 = 1;
const FAULTS: u64 = 6;
/// Requests that are answered between two faults.
const ANSWERED_BETWEEN: usize = 6;
/// A history in which no request is answered for so long has failed.
const PATIENCE: Duration = Duration::from_secs(90);
/// The second look finds a change that arrived late, a minute after its action was closed; here within this time.
const TOLD_WITHIN: Duration = Duration::from_secs(150);

#[derive(Default)]
struct Tally {
    histories: usize,
    faults: u64,
    requests: usize,
    answered: usize,
    longest: Duration,
}

#[test]
fn random_histories_of_three_services_keep_their_promises() {
    let seeds = Seeds::from_environment("ADJOURN_REPLICAS", SEEDS_DEFAULT);
    let mut tally = Tally::default();
    seeds.play("--features postgres --test cli replica_histories", |seed| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(play(seed, &mut tally));
    });
    println!(
        "{} histories of three services: {} faults, {} requests, {} of them answered, at most {:.1} s without an answer",
        tally.histories,
        tally.faults,
        tally.requests,
        tally.answered,
        tally.longest.as_secs_f64()
    );
}

async fn play(seed: u64, tally: &mut Tally) {
    let Some(replicas) = Replicas::start().await else { return };
    let mut dice = SeededRandom::new(seed);
    let mut services = replicas.supervise();
    let record = Arc::new(Record::default());
    let mut callers = callers::start(&replicas, &record, &mut dice);
    answered_again(&record).await;
    for number in 0..FAULTS {
        let fault = PlannedFault::drawn(&mut dice);
        println!("seed {seed}, fault {number}: {fault}");
        let begun = Instant::now();
        fault.happen(&replicas).await;
        answered_again(&record).await;
        tally.longest = tally.longest.max(begun.elapsed());
        while let Some(ended) = services.try_join_next() {
            ended.unwrap();
        }
    }
    record.end();
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    drop(callers);
    let requests = Arc::into_inner(record).unwrap().into_requests();
    no_findings(&replicas, &requests, seed).await;
    tally.histories += 1;
    tally.faults += FAULTS;
    tally.requests += requests.len();
    tally.answered += requests.iter().filter(|request| request.is_answered).count();
    replicas.end();
    while let Some(ended) = services.join_next().await {
        ended.unwrap();
    }
    let verified = replicas.office.run(&["audit", "verify"]).await;
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
}

/// Waits until some more requests are answered.
async fn answered_again(record: &Record) {
    let (begun, before) = (Instant::now(), record.answered());
    while record.answered() < before + ANSWERED_BETWEEN {
        assert!(begun.elapsed() < PATIENCE, "no request is answered");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until nothing contradicts the promises.
async fn no_findings(replicas: &Replicas, requests: &[callers::Request], seed: u64) {
    let begun = Instant::now();
    loop {
        let findings = History::new(replicas, requests).findings();
        if findings.is_empty() {
            return;
        }
        assert!(begun.elapsed() < TOLD_WITHIN, "seed {seed}: {:#?}", &findings[..findings.len().min(20)]);
        sleep(Duration::from_secs(1)).await;
    }
}
