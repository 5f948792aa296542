//! Where the journal and the service store are: in files of the state directory. Opens them for the commands; decides nothing about
//! what they hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::ConnectionArgs;
use super::connect;
use super::exit::{CommandError, Exit};
use crate::config::Config;
use crate::journal::{Journal, MemoryJournal};
use crate::store::{ServiceStore, SqliteJournal, StoreError, StoreOptions};

/// The place of the journal and the service store.
pub(super) struct Storage {
    directory: PathBuf,
}

impl Storage {
    /// The place that the configuration names.
    pub(super) fn of(config: &mut Config) -> Result<Self, CommandError> {
        if config.journal.database.is_some() {
            let message =
                "journal.url: this program was built without PostgreSQL (the cargo feature `postgres`)";
            return Err(CommandError::new(Exit::Usage, message));
        }
        Ok(Self { directory: connect::directory(config)? })
    }

    /// The same, for a command that needs nothing else of the configuration.
    pub(super) fn of_connection(connection: &ConnectionArgs) -> Result<Self, CommandError> {
        Self::of(&mut connect::load(connection)?)
    }

    /// The state directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the journal for writing.
    pub(super) async fn journal(&self) -> Result<Arc<dyn Journal>, CommandError> {
        Ok(Arc::new(self.sqlite_journal()?))
    }

    /// Opens the journal for writing if no other process owns it.
    pub(super) async fn journal_if_free(&self) -> Result<Option<Arc<dyn Journal>>, StoreError> {
        let at_once = StoreOptions { lock_patience: Duration::ZERO, ..StoreOptions::default() };
        match SqliteJournal::open(&self.directory, at_once) {
            Ok(journal) => Ok(Some(Arc::new(journal))),
            Err(StoreError::InUse { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the journal for reading; it must exist.
    pub(super) async fn journal_to_read(&self) -> Result<Arc<dyn Journal>, CommandError> {
        Ok(Arc::new(self.sqlite_journal_to_read()?))
    }

    /// Opens the journal for reading; an empty one in memory if there is none.
    pub(super) async fn journal_if_any(&self) -> Result<Arc<dyn Journal>, CommandError> {
        match SqliteJournal::read(&self.directory) {
            Ok(journal) => Ok(Arc::new(journal)),
            Err(StoreError::Absent { .. }) => Ok(Arc::new(MemoryJournal::default())),
            Err(error) => Err(CommandError::from_error(Exit::of_opening(&error), error)),
        }
    }

    /// Opens the journal file for writing by this process alone.
    pub(super) fn sqlite_journal(&self) -> Result<SqliteJournal, CommandError> {
        SqliteJournal::open(&self.directory, StoreOptions::default()).map_err(|error| {
            let message = format!("cannot open the journal in {}", self.directory.display());
            CommandError::new(Exit::of_opening(&error), message).caused_by(error)
        })
    }

    /// Opens the journal file for reading.
    pub(super) fn sqlite_journal_to_read(&self) -> Result<SqliteJournal, CommandError> {
        Ok(SqliteJournal::read(&self.directory)?)
    }

    /// Opens the service store. Creates it if there is none.
    pub(super) async fn service_store(&self) -> Result<ServiceStore, CommandError> {
        Ok(ServiceStore::open(&self.directory)?)
    }

    /// Opens the service store if there is one: a command that finds nothing must not create it.
    pub(super) async fn service_store_if_any(&self) -> Result<Option<ServiceStore>, CommandError> {
        match ServiceStore::exists_in(&self.directory) {
            true => self.service_store().await.map(Some),
            false => Ok(None),
        }
    }
}
