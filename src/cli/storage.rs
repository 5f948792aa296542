//! Where the journal and the service store are: in files of the state directory, or in PostgreSQL. Opens them for the commands; decides
//! nothing about what they hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::exit::{CommandError, Exit};
use super::exposure;
use crate::config::{Config, DatabaseSource};
use crate::journal::{Journal, MemoryJournal};
#[cfg(feature = "postgres")]
use crate::store::PostgresDatabase;
use crate::store::{self, ServiceStore, SqliteJournal, StoreError, StoreOptions};

/// The state directory, and the place of the journal and the service store.
pub(super) struct Storage {
    directory: PathBuf,
    place: Place,
}

enum Place {
    /// Files of the state directory, which one process at a time owns.
    Files,
    #[cfg(feature = "postgres")]
    Postgres(postgres::Database),
}

impl Storage {
    /// The place that the configuration names.
    pub(super) fn of(config: &mut Config) -> Result<Self, CommandError> {
        let directory = directory(config)?;
        let place = config.journal.database.as_ref().map_or(Ok(Place::Files), Place::of_database)?;
        Ok(Self { directory, place })
    }

    /// The state directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the journal for writing.
    pub(super) async fn journal(&self) -> Result<Arc<dyn Journal>, CommandError> {
        match &self.place {
            Place::Files => Ok(Arc::new(self.sqlite_journal()?)),
            #[cfg(feature = "postgres")]
            Place::Postgres(database) => database.journal().await,
        }
    }

    /// Opens the journal for writing unless another process owns it.
    pub(super) async fn journal_if_free(&self) -> Result<Option<Arc<dyn Journal>>, CommandError> {
        match &self.place {
            Place::Files => {
                let at_once = StoreOptions { lock_patience: Duration::ZERO, ..StoreOptions::default() };
                match SqliteJournal::open(&self.directory, at_once) {
                    Ok(journal) => Ok(Some(Arc::new(journal))),
                    Err(StoreError::InUse { .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(database) => database.journal().await.map(Some),
        }
    }

    /// Opens the journal for reading; it must exist.
    pub(super) async fn journal_to_read(&self) -> Result<Arc<dyn Journal>, CommandError> {
        match &self.place {
            Place::Files => Ok(Arc::new(SqliteJournal::read(&self.directory)?)),
            #[cfg(feature = "postgres")]
            Place::Postgres(database) => Ok(Arc::new(database.journal_to_read().await?)),
        }
    }

    /// Opens the journal for reading; an empty one in memory if there is none.
    pub(super) async fn journal_if_any(&self) -> Result<Arc<dyn Journal>, CommandError> {
        match &self.place {
            Place::Files => match SqliteJournal::read(&self.directory) {
                Ok(journal) => Ok(Arc::new(journal)),
                Err(StoreError::Absent { .. }) => Ok(Arc::new(MemoryJournal::default())),
                Err(error) => Err(CommandError::from_error(Exit::of_opening(&error), error)),
            },
            #[cfg(feature = "postgres")]
            Place::Postgres(database) => database.journal_if_any().await,
        }
    }

    /// Opens the journal file for writing by this process alone.
    pub(super) fn sqlite_journal(&self) -> Result<SqliteJournal, CommandError> {
        self.require_files()?;
        SqliteJournal::open(&self.directory, StoreOptions::default()).map_err(|error| {
            let message = format!("cannot open the journal in {}", self.directory.display());
            CommandError::new(Exit::of_opening(&error), message).caused_by(error)
        })
    }

    /// Opens the journal file for reading.
    pub(super) fn sqlite_journal_to_read(&self) -> Result<SqliteJournal, CommandError> {
        self.require_files()?;
        Ok(SqliteJournal::read(&self.directory)?)
    }

    /// Opens the journal in PostgreSQL for reading, if the configuration names one.
    #[cfg(feature = "postgres")]
    pub(super) async fn postgres_journal_to_read(
        &self,
    ) -> Result<Option<crate::store::PostgresJournal>, CommandError> {
        match &self.place {
            Place::Files => Ok(None),
            Place::Postgres(database) => database.journal_to_read().await.map(Some),
        }
    }

    /// Opens the journal in PostgreSQL for writing, if the configuration names one.
    #[cfg(feature = "postgres")]
    pub(super) async fn postgres_journal(
        &self,
    ) -> Result<Option<crate::store::PostgresJournal>, CommandError> {
        match &self.place {
            Place::Files => Ok(None),
            Place::Postgres(database) => database.postgres_journal().await.map(Some),
        }
    }

    /// The database of `journal.url`.
    #[cfg(feature = "postgres")]
    pub(super) fn database_settings(&self) -> Option<&crate::store::PostgresSettings> {
        match &self.place {
            Place::Files => None,
            Place::Postgres(database) => Some(database.settings()),
        }
    }

    /// Refuses what only files can do.
    fn require_files(&self) -> Result<(), CommandError> {
        match &self.place {
            Place::Files => Ok(()),
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => Err(CommandError::new(
                Exit::Usage,
                "this command works on a journal in the state directory, and journal.url names a database",
            )),
        }
    }

    /// Opens the service store. Creates it if there is none.
    pub(super) async fn service_store(&self) -> Result<ServiceStore, CommandError> {
        match &self.place {
            Place::Files => Ok(ServiceStore::open(&self.directory)?),
            #[cfg(feature = "postgres")]
            Place::Postgres(database) => database.service_store().await,
        }
    }

    /// Opens the service store if there is one: a command that finds nothing must not create it.
    pub(super) async fn service_store_if_any(&self) -> Result<Option<ServiceStore>, CommandError> {
        match &self.place {
            Place::Files if !ServiceStore::exists_in(&self.directory) => Ok(None),
            _ => self.service_store().await.map(Some),
        }
    }
}

/// The state directory: the flag, else the configuration, else the default.
pub(super) fn directory(config: &mut Config) -> Result<PathBuf, CommandError> {
    let directory = config.journal.directory.clone().or_else(store::default_directory).ok_or_else(|| {
        CommandError::new(
            Exit::Usage,
            "no directory for the journal: there is no home directory; give --state-dir DIR",
        )
    })?;
    exposure::check_state_directory(&directory, config)?;
    Ok(directory)
}

impl Place {
    #[cfg(feature = "postgres")]
    fn of_database(source: &DatabaseSource) -> Result<Self, CommandError> {
        postgres::Database::of(source).map(Self::Postgres)
    }

    #[cfg(not(feature = "postgres"))]
    fn of_database(_: &DatabaseSource) -> Result<Self, CommandError> {
        let message = "journal.url: this program was built without PostgreSQL (the cargo feature `postgres`)";
        Err(CommandError::new(Exit::Usage, message))
    }
}

/// The database that the configuration names. Reads its URL, and connects to nothing yet.
#[cfg(feature = "postgres")]
pub(super) fn database(source: &DatabaseSource) -> Result<PostgresDatabase, CommandError> {
    postgres::Database::of(source)?.database()
}

/// The journal and the service store in PostgreSQL.
#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;

    use super::{CommandError, DatabaseSource, Exit, Journal, MemoryJournal, ServiceStore, StoreError};
    use crate::cli::secrets::ProcessSecrets;
    use crate::config::SecretResolver as _;
    use crate::store::{PostgresDatabase, PostgresError, PostgresJournal, PostgresSettings};

    /// The database of `journal.url`.
    pub(super) struct Database(PostgresSettings);

    impl Database {
        /// Reads the URL. Connects to nothing yet.
        pub(super) fn of(source: &DatabaseSource) -> Result<Self, CommandError> {
            let url = ProcessSecrets.read("database URL", &source.url);
            let url = url.map_err(|error| CommandError::from_error(Exit::Usage, error))?;
            let DatabaseSource { ca_file, accept_loss, .. } = source.clone();
            Ok(Self(PostgresSettings { url, name: process_name(), ca_file, accept_loss }))
        }

        pub(super) fn settings(&self) -> &PostgresSettings {
            &self.0
        }

        /// Opens the journal, as one more process that writes to it.
        pub(super) async fn journal(&self) -> Result<Arc<dyn Journal>, CommandError> {
            Ok(Arc::new(self.postgres_journal().await?))
        }

        /// The same, with what only this journal has.
        pub(super) async fn postgres_journal(&self) -> Result<PostgresJournal, CommandError> {
            PostgresJournal::open(&self.0).await.map_err(unusable)
        }

        /// Opens the journal for reading; it must exist.
        pub(super) async fn journal_to_read(&self) -> Result<PostgresJournal, CommandError> {
            PostgresJournal::read(&self.0).await.map_err(|error| {
                let exit = if is_absent(&error) { Exit::Usage } else { Exit::of_opening(&error) };
                CommandError::new(exit, UNUSABLE).caused_by(error)
            })
        }

        /// Opens the journal for reading; an empty one in memory if there is none.
        pub(super) async fn journal_if_any(&self) -> Result<Arc<dyn Journal>, CommandError> {
            match PostgresJournal::read(&self.0).await {
                Ok(journal) => Ok(Arc::new(journal)),
                Err(error) if is_absent(&error) => Ok(Arc::new(MemoryJournal::default())),
                Err(error) => Err(unusable(error)),
            }
        }

        pub(super) async fn service_store(&self) -> Result<ServiceStore, CommandError> {
            ServiceStore::open_postgres(self.database()?).await.map_err(unusable)
        }

        pub(super) fn database(&self) -> Result<PostgresDatabase, CommandError> {
            PostgresDatabase::new(&self.0).map_err(|error| unusable(error.into()))
        }
    }

    const UNUSABLE: &str = "cannot use the database of journal.url";

    fn unusable(error: StoreError) -> CommandError {
        CommandError::new(Exit::of_opening(&error), UNUSABLE).caused_by(error)
    }

    fn is_absent(error: &StoreError) -> bool {
        matches!(error, StoreError::Postgres(PostgresError::Absent))
    }

    /// The name of this process for people, in the table of writers: host and process id.
    fn process_name() -> String {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("{host} {}", std::process::id())
    }
}
