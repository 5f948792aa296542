//! Journals on disk: the one place where tests and benches open one, and entries for it.

use std::path::Path;

use adjourn::action::{Action, ActionId, Outcome, Refusal};
use adjourn::journal::{ActionEntry, Fact, Journal};
use adjourn::store::{SqliteJournal, StoreOptions};
use chrono::{DateTime, TimeDelta, Utc};

/// The journal in this directory, created if it is missing.
pub fn journal_in(directory: &Path) -> SqliteJournal {
    SqliteJournal::open(directory, StoreOptions::default()).unwrap()
}

/// Records an action at this time, refused a second later.
pub async fn record_refused(journal: &dyn Journal, action: Action, at: DateTime<Utc>) -> ActionId {
    let id = action.id;
    let outcome = Box::new(Outcome::Refused { refusal: Refusal::NoCurrentEvent });
    let accepted = Fact::Accepted { action: Box::new(action) };
    let closed = Fact::Closed { outcome, requests: Vec::new() };
    for (fact, at) in [(accepted, at), (closed, at + TimeDelta::seconds(1))] {
        journal.record(ActionEntry { action: id, at, fact }).await.unwrap();
    }
    id
}
