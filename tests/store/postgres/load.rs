//! Callers that record while something fails, and the comparison afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adjourn::journal::{Journal, JournalError};
use adjourn::store::PostgresJournal;
use adjourn_test::{PostgresTestDatabase, wait_until};

use super::{begin, checked};

/// Records actions from this many tasks until `fault` has ended; returns the numbers of the acknowledged ones, and the number of failures.
pub async fn under_load(
    journal: &Arc<PostgresJournal>,
    callers: u128,
    fault: impl Future<Output = ()>,
) -> (Vec<u128>, usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..callers)
        .map(|task| {
            let (journal, stop) = (journal.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut stored, mut failed) = (Vec::new(), 0);
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let number = task * 1_000_000 + number;
                    match journal.record(begin(number, &format!("r{task}"))).await {
                        Ok(()) => stored.push(number),
                        Err(JournalError::Unusable(why)) => {
                            println!("failed: {why}");
                            failed += 1;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                (stored, failed)
            })
        })
        .collect();
    fault.await;
    stop.store(true, Ordering::Relaxed);
    let (mut stored, mut failed) = (Vec::new(), 0);
    for task in tasks {
        let (numbers, errors) = task.await.unwrap();
        stored.extend(numbers);
        failed += errors;
    }
    (stored, failed)
}

/// Waits until some more entries are stored: the callers go on.
pub async fn more_entries(database: &PostgresTestDatabase) {
    let count = || database.sql("SELECT count(*) FROM entries").parse::<usize>().unwrap();
    let before = count();
    wait_until("the callers go on", || count() > before + 40).await;
}

/// Compares the table with the acknowledged entries, and the chain with what the journal knows.
pub async fn assert_all_there(database: &PostgresTestDatabase, journal: &PostgresJournal, stored: &[u128]) {
    let ids: Vec<String> = stored.iter().map(|number| uuid::Uuid::from_u128(*number).to_string()).collect();
    let there = database.sql("SELECT action FROM entries ORDER BY number");
    let there: Vec<&str> = there.lines().collect();
    let unique: std::collections::HashSet<&str> = there.iter().copied().collect();
    assert_eq!(unique.len(), there.len(), "an entry is there twice");
    let missing = ids.iter().filter(|id| !unique.contains(id.as_str())).count();
    assert_eq!(missing, 0, "{missing} of {} acknowledged entries are missing", ids.len());
    assert_eq!(checked(journal, journal.writer()).await, journal.chain().unwrap());
    assert_eq!(database.sql("SELECT count(*) FROM actions"), there.len().to_string());
}
