//! Works the file's log (WAL) into the file, beside the writer, so that nobody who waits for a commit waits for that too:
//! SQLite itself would do it in the commit that makes the log too long, and somebody may stand at a door.
//!
//! Nothing is lost when it does not get to it: the log is as good as the file, only longer.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::StoreError;
use super::directory;
use super::sqlite::prepare_to_write;

/// The thread, and the way to it. Both are `None` only while it is dropped.
pub(super) struct Checkpointer {
    due: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, StoreError> {
        let connection = directory::open_database(path)?;
        prepare_to_write(&connection)?;
        // One call that waits is enough: it is about everything that is there by then.
        let (due, calls) = sync_channel(1);
        let run = move || checkpoint_on_request(&connection, &calls);
        let thread = std::thread::Builder::new().name("adjourn-keeper".to_owned()).spawn(run);
        Ok(Self { due: Some(due), thread: Some(thread.map_err(StoreError::Thread)?) })
    }

    /// There is something in the log.
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
    // What a process left that was killed.
    checkpoint(connection);
    while calls.recv().is_ok() {
        checkpoint(connection);
    }
}

/// What cannot be worked in now, because somebody reads or the disk is full, is the next time.
fn checkpoint(connection: &Connection) {
    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}

/// Works everything in, waiting for whoever reads, so that the log begins anew; whether it does.
pub(super) fn restart_wal(connection: &Connection) -> bool {
    let busy = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
    busy.is_ok_and(|busy| busy == 0)
}
