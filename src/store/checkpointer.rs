//! A thread that copies the write-ahead log (WAL) into the database file, beside the writer. SQLite would otherwise checkpoint
//! inside the commit that makes the log too long, and an action at a door waits for that commit.
//!
//! Never decides what is durable: a commit is safe in the log, and a late checkpoint only makes the log longer.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::StoreError;
use super::connection;

/// The thread and its request channel. Both are `None` only while the value is dropped.
pub(super) struct Checkpointer {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let connection = connection::open_to_write(path)?;
        // One waiting request is enough: a checkpoint copies everything that is in the log by then.
        let (due, calls) = sync_channel(1);
        let run = move || checkpoint_on_request(&connection, &calls);
        let thread = std::thread::Builder::new().name("adjourn-wal".to_owned()).spawn(run);
        Ok(Self { due: Some(due), thread: Some(thread.map_err(StoreError::Thread)?) })
    }

    /// Requests a checkpoint. Does not wait for it.
    pub(super) fn request_checkpoint(&self) {
        if let Some(due) = &self.due {
            let _ = due.try_send(());
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.due = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn checkpoint_on_request(connection: &Connection, calls: &Receiver<()>) {
    // A killed process may have left a log behind.
    checkpoint(connection);
    while calls.recv().is_ok() {
        checkpoint(connection);
    }
}

/// Copies all available pages. Pages that a reader or a full disk holds back are copied by the next checkpoint.
fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}

/// Copies the whole log, waiting for readers, so that the log is written from its beginning again; returns whether it succeeded.
pub(super) fn restart_wal(connection: &Connection) -> bool {
    let busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
    busy.is_ok_and(|busy| busy == 0)
}
