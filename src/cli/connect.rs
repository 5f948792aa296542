//! From flags and files to an engine that talks to an Exchange.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::args::ConnectionArgs;
use super::connections;
use super::exit::{CommandError, Exit};
use super::exposure;
use super::output::Output;
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::clock::{Clock, WitnessedClock};
use crate::config::{Config, Overrides};
use crate::engine::{Calendar, CalendarError, Engine};
use crate::journal::{Journal, MemoryJournal, Query};
use crate::live::Feed;
use crate::store::{self, SqliteJournal, StoreError, StoreOptions};

/// What a command needs of the journal on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JournalAccess {
    /// It acts: everything is kept, and the state directory is this process's own.
    ReadWrite,
    /// It looks or rehearses: what was done before is known, if there is a journal; nothing is added to it.
    ReadOnly,
}

/// An engine with the configuration it was made from.
pub(super) struct OpenedEngine {
    pub(super) engine: Arc<Engine>,
    /// By what calendars can be followed.
    pub(super) feed: Arc<dyn Feed>,
    /// The machine's clock, with its witnesses.
    pub(super) clock: Arc<WitnessedClock>,
    pub(super) config: Config,
}

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "adjourn.toml";

/// Reads the configuration, prepares the connection, and learns the members of the configured room lists.
/// With a journal it also finds out, before anything else is done, what became of actions that a stop interrupted.
pub(super) async fn open(
    connection: &ConnectionArgs,
    journalled: JournalAccess,
    output: &Output,
) -> Result<OpenedEngine, CommandError> {
    let mut config = load(connection)?;
    let exchange = connections::router(&config)?;
    let directory = directory(&mut config)?;
    let journal: Arc<dyn Journal> = match journalled {
        JournalAccess::ReadOnly => open_journal_read_only(&directory)?,
        JournalAccess::ReadWrite => Arc::new(open_journal(&directory)?),
    };
    exposure::warnings(&config).for_each(|warning| output.warn(warning));
    let known = config.warnings.len();
    let clock = Arc::<WitnessedClock>::default();
    exchange.report_time_to(&clock);
    add_newest_record(&clock, &*journal).await?;
    let opened = open_with(Arc::new(exchange), config, journal, clock).await?;
    opened.config.warnings.iter().skip(known).for_each(|warning| output.warn(warning));
    if journalled == JournalAccess::ReadWrite {
        recover(&opened.engine, output).await?;
    }
    Ok(opened)
}

/// What was written last shows a clock that was set back since.
async fn add_newest_record(clock: &WitnessedClock, journal: &dyn Journal) -> Result<(), CommandError> {
    let newest = journal.find(&Query { limit: Some(1), ..Query::default() }).await;
    let newest = newest.map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    newest.iter().for_each(|life| clock.add_record(life.last_at));
    Ok(())
}

/// Where the journal is: what the flag says, then the configuration, then the default.
pub(super) fn state_directory(connection: &ConnectionArgs) -> Result<PathBuf, CommandError> {
    directory(&mut load(connection)?)
}

pub(super) fn directory(config: &mut Config) -> Result<PathBuf, CommandError> {
    let directory = config.journal.directory.clone().or_else(store::default_directory).ok_or_else(|| {
        CommandError::new(Exit::Usage, "no home directory to keep the journal in: name one with --state-dir")
    })?;
    exposure::check_state_directory(&directory, config)?;
    Ok(directory)
}

/// The journal, opened to be written by this process alone.
pub(super) fn open_journal(directory: &Path) -> Result<SqliteJournal, CommandError> {
    SqliteJournal::open(directory, StoreOptions::default())
        .map_err(|error| CommandError::from_error(Exit::of_opening(&error), error))
}

fn open_journal_read_only(directory: &Path) -> Result<Arc<dyn Journal>, CommandError> {
    match SqliteJournal::read(directory) {
        Ok(journal) => Ok(Arc::new(journal)),
        Err(StoreError::Absent { .. }) => Ok(Arc::new(MemoryJournal::default())),
        Err(error) => Err(CommandError::from_error(Exit::of_opening(&error), error)),
    }
}

/// Says on stderr what became of interrupted actions; the answer to the command itself is data, and stays apart.
async fn recover(engine: &Arc<Engine>, output: &Output) -> Result<(), CommandError> {
    let recovered = engine.recover().await;
    let recovered = recovered.map_err(|error| CommandError::from_error(Exit::of_journal(&error), error))?;
    for life in recovered.closed {
        let ended = life.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
        output
            .note(&format!("adjourn: {}: interrupted action {}: {ended}", life.action.room, life.action.id));
    }
    for life in recovered.still_open {
        let (room, id) = (life.action.room, life.action.id);
        output.note(&format!(
            "adjourn: {room}: interrupted action {id}: Exchange cannot be asked yet what became of it"
        ));
    }
    Ok(())
}

/// The same, for an Exchange that is known already.
pub(super) async fn open_with(
    exchange: Arc<impl Calendar + Feed + 'static>,
    mut config: Config,
    journal: Arc<dyn Journal>,
    clock: Arc<WitnessedClock>,
) -> Result<OpenedEngine, CommandError> {
    admit_room_lists(&*exchange, &mut config).await?;
    let engine = Engine::new(
        exchange.clone(),
        journal,
        clock.clone() as Arc<dyn Clock>,
        config.scope.clone(),
        config.engine.clone(),
    );
    Ok(OpenedEngine { engine: Arc::new(engine), feed: exchange, clock, config })
}

pub(super) fn load(connection: &ConnectionArgs) -> Result<Config, CommandError> {
    let path = config_file(connection);
    let overrides = Overrides {
        url: connection.url.clone(),
        username: connection.username.clone(),
        ca_file: connection.ca_file.clone(),
        rooms: connection.in_scope.clone(),
        state_dir: connection.state_dir.clone(),
        allow_insecure_permissions: connection.allow_insecure_permissions,
    };
    let mut config =
        Config::load(path, overrides).map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    path.map_or(Ok(()), |path| exposure::check_configuration(path, connection, &mut config))?;
    exposure::check_secret_files(&mut config)?;
    Ok(config)
}

fn config_file(connection: &ConnectionArgs) -> Option<&Path> {
    let default = Path::new(DEFAULT_FILE);
    connection.config.as_deref().or_else(|| default.exists().then_some(default))
}

/// SHA-256 of the configuration file, as `sha256sum` prints it; of no file, that of nothing.
pub(super) fn configuration_hash(connection: &ConnectionArgs) -> String {
    let text = config_file(connection).and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asks Exchange for the members of each room list, in the name of a configured room: the service account needs no
/// mailbox of its own.
pub(super) async fn admit_room_lists(
    exchange: &dyn Calendar,
    config: &mut Config,
) -> Result<(), CommandError> {
    if config.room_lists.is_empty() {
        return Ok(());
    }
    let asking = config.scope.rooms().next().cloned().ok_or_else(|| {
        CommandError::new(
            Exit::Usage,
            "scope.room_lists needs at least one room in scope.rooms, in whose name to ask for them",
        )
    })?;
    for list in &config.room_lists {
        match exchange.room_list_members(list, &asking).await {
            Ok(rooms) => config.scope.add_rooms(rooms),
            // A list that is not there takes no other room out of scope; what it held is out of reach.
            Err(trouble) if trouble.responsible == ResponsibleParty::Caller => {
                config.warnings.push(format!("scope.room_lists: `{list}` is left out: {trouble}"));
            }
            Err(trouble) => return Err(calendar_failure(trouble)),
        }
    }
    Ok(())
}

/// The address that a flag names.
pub(super) fn parse_address(flag: &str, text: &str) -> Result<RoomAddress, CommandError> {
    text.parse()
        .map_err(|error| CommandError::new(Exit::Usage, format!("{flag} is no address")).caused_by(error))
}

/// Trouble with Exchange as the end of a command.
pub(super) fn calendar_failure(trouble: CalendarError) -> CommandError {
    CommandError::from_error(Exit::of_fault(trouble.responsible), trouble)
}
