//! Tests against a real PostgreSQL server. Where none is installed they are skipped, unless `ADJOURN_REQUIRE_POSTGRES=1` is set.

mod anchors;
mod archive;
mod chains;
mod connection;
mod damage;
mod erasure;
mod failover;
mod faults;
mod load;
mod locks;
mod moves;
mod pooler;
mod processes;
mod reading;
mod service;
mod tables;
mod verify;
mod webhooks;

use adjourn::action::{ActionKind, Notify};
use adjourn::journal::{ActionEntry, Chain, Journal};
use adjourn::prelude::Secret;
use adjourn::store::{PostgresJournal, PostgresSettings, StoreError};
use adjourn_test::PostgresTestDatabase;

use crate::sample_entries::{accepted, action};

/// Settings for this connection text.
fn settings(url: &str) -> PostgresSettings {
    let url = Secret::new(url.to_owned());
    PostgresSettings { url, name: "test".to_owned(), ca_file: None, accept_loss: false }
}

/// Opens the journal as one more writer.
pub async fn journal(database: &PostgresTestDatabase) -> PostgresJournal {
    PostgresJournal::open(&settings(&database.url())).await.unwrap()
}

/// The error of opening the journal.
async fn refused(database: &PostgresTestDatabase) -> StoreError {
    match PostgresJournal::open(&settings(&database.url())).await {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

/// The first entry of an action in a room.
fn begin(number: u128, room: &str) -> ActionEntry {
    accepted(action(number, room, ActionKind::End(Notify::Attendees)), 0)
}

/// Records all entries, which must succeed.
async fn write(journal: &PostgresJournal, entries: Vec<ActionEntry>) {
    for entry in entries {
        journal.record(entry).await.unwrap();
    }
}

/// Checks the hashes of a chain; returns its end.
async fn checked(journal: &PostgresJournal, writer: i32) -> Chain {
    let mut chain = Chain::default();
    loop {
        let entries = journal.entries_of(writer, chain.length + 1, 500).await.unwrap();
        if entries.is_empty() {
            return chain;
        }
        entries.iter().for_each(|entry| chain.check(entry).unwrap());
    }
}
