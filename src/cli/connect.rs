//! Builds an engine from arguments and configuration: opens the journal and prepares the connections. Reports interrupted actions
//! that it recovers.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::args::ConnectionArgs;
use super::exit::{CommandError, Exit};
use super::exposure;
use super::output::Output;
use super::room_time_zones::ConfiguredTimeZones;
use super::secrets::ProcessSecrets;
use super::storage::Storage;
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::clock::WitnessedClock;
use crate::config::{Config, ConnectionSource, GraphSource, Overrides, UnreadSettings};
use crate::connection_metrics::ConnectionMetrics;
use crate::engine::{Calendar, CalendarError, Directory, Engine, Recovered};
use crate::exchange::{Exchange, Settings, SettingsError};
use crate::graph::{Graph, GraphSettings};
use crate::journal::{Journal, JournalError, Query};
use crate::live::Feed;
use crate::router::ConnectionRouter;

/// How a command uses the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JournalAccess {
    /// Writes entries. The state directory is locked for this process.
    ReadWrite,
    /// Reads earlier entries if there is a journal, and adds none.
    ReadOnly,
}

/// An engine with the configuration that it was built from.
pub(super) struct OpenedEngine {
    pub(super) engine: Arc<Engine>,
    /// The source of calendar changes.
    pub(super) feed: Arc<dyn Feed>,
    /// The counters of the connections.
    pub(super) connections: Arc<dyn ConnectionMetrics>,
    /// The machine's clock, checked against other sources of time.
    pub(super) clock: Arc<WitnessedClock>,
    pub(super) config: Config,
}

/// The configuration file that is read by default.
const DEFAULT_FILE: &str = "adjourn.toml";

/// Reads the configuration, prepares the connections, and reads the members of the configured room lists. A command that writes
/// recovers interrupted actions next, with [`recover`] or [`recover_room`].
pub(super) async fn open(
    connection: &ConnectionArgs,
    journalled: JournalAccess,
    output: &Output,
) -> Result<OpenedEngine, CommandError> {
    let mut config = load(connection)?;
    let exchange = router(&config)?;
    let storage = Storage::of(&mut config)?;
    let journal = match journalled {
        JournalAccess::ReadOnly => storage.journal_if_any().await?,
        JournalAccess::ReadWrite => storage.journal().await?,
    };
    exposure::warnings(&config).for_each(|warning| output.warn(warning));
    let known = config.warnings.len();
    let clock = Arc::<WitnessedClock>::default();
    exchange.report_time_to(&clock);
    add_newest_record(&clock, &*journal).await?;
    let opened = match open_with(Arc::new(exchange), config, journal.clone(), clock).await {
        Ok(opened) => opened,
        Err(error) => {
            journal.close().await;
            return Err(error);
        }
    };
    opened.config.warnings.iter().skip(known).for_each(|warning| output.warn(warning));
    Ok(opened)
}

/// Runs `work`, and then closes the journal, whatever the result is.
pub(super) async fn closing<T>(journal: &dyn Journal, work: impl Future<Output = T>) -> T {
    let result = work.await;
    journal.close().await;
    result
}

/// Routes rooms to every connection of the configuration. Reads their secrets; connects to nothing yet.
fn router(config: &Config) -> Result<ConnectionRouter, CommandError> {
    config.require_exchange().map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    let mut router = ConnectionRouter::default();
    for connection in &config.connections {
        let rooms = connection.rooms.clone();
        match &connection.settings {
            ConnectionSource::Ews(settings) => router.add(rooms, open_exchange(settings)?),
            ConnectionSource::Graph(graph) => router.add(rooms, open_graph(graph, config)?),
        }
    }
    match &config.server {
        None => {}
        Some(ConnectionSource::Ews(settings)) => router.set_fallback(open_exchange(settings)?),
        Some(ConnectionSource::Graph(graph)) => router.set_fallback(open_graph(graph, config)?),
    }
    Ok(router)
}

/// Why connections cannot be opened: each with its secret or file. Opens them, and connects to nothing.
pub(super) fn unusable_connections(config: &Config) -> Vec<CommandError> {
    let open = |source: &ConnectionSource| match source {
        ConnectionSource::Ews(settings) => open_exchange(settings).map(|_| ()),
        ConnectionSource::Graph(graph) => open_graph(graph, config).map(|_| ()),
    };
    config.exchanges().filter_map(|source| open(source).err()).collect()
}

fn open_exchange(unread: &UnreadSettings) -> Result<Exchange, CommandError> {
    Exchange::new(&read_secrets(unread)?).map_err(|error| unusable(&unread.name, error))
}

/// Prepares a connection over Graph. Connects to nothing yet.
pub(super) fn open_graph(source: &GraphSource, config: &Config) -> Result<Graph, CommandError> {
    Graph::new(&read_graph_secrets(source, config)?).map_err(|error| unusable(&source.name, error))
}

/// The failure of a connection whose settings cannot be used.
pub(super) fn unusable(name: &str, error: SettingsError) -> CommandError {
    CommandError::new(Exit::Usage, format!("cannot use the connection {name}")).caused_by(error)
}

/// Reads the secrets of a connection over EWS, so that it can be opened.
pub(super) fn read_secrets(settings: &UnreadSettings) -> Result<Settings, CommandError> {
    let read = settings.read_secrets(&ProcessSecrets);
    read.map_err(|error| CommandError::from_error(Exit::Usage, error))
}

/// Reads the secrets of a connection over Graph, so that it can be opened.
pub(super) fn read_graph_secrets(
    source: &GraphSource,
    config: &Config,
) -> Result<GraphSettings, CommandError> {
    let zones = Arc::new(ConfiguredTimeZones(config.service.rules.clone()));
    let read = source.read_secrets(&ProcessSecrets, zones);
    read.map_err(|error| CommandError::from_error(Exit::Usage, error))
}

/// The storage that the configuration names.
pub(super) fn storage(connection: &ConnectionArgs) -> Result<Storage, CommandError> {
    Storage::of(&mut load(connection)?)
}

/// The last entry of the journal reveals a clock that was set back since.
pub(super) async fn add_newest_record(
    clock: &WitnessedClock,
    journal: &dyn Journal,
) -> Result<(), CommandError> {
    let newest = journal.find(&Query { limit: Some(1), ..Query::default() }).await;
    let newest = newest.map_err(|error| CommandError::from_error(Exit::Journal, error))?;
    newest.iter().for_each(|life| clock.add_record(life.last_at));
    Ok(())
}

/// Recovers interrupted actions in all rooms.
pub(super) async fn recover(engine: &Arc<Engine>, output: &Output) -> Result<(), CommandError> {
    report_recovered(engine.recover().await, output)
}

/// Recovers interrupted actions in one room: a command about one room waits for no other mailbox.
pub(super) async fn recover_room(
    engine: &Arc<Engine>,
    room: &RoomAddress,
    output: &Output,
) -> Result<(), CommandError> {
    report_recovered(engine.recover_room(room).await, output)
}

/// Reports the outcomes of recovered actions on stderr; stdout is for the command's own result.
fn report_recovered(recovered: Result<Recovered, JournalError>, output: &Output) -> Result<(), CommandError> {
    let recovered = recovered?;
    for life in recovered.closed {
        let ended = life.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
        output.note(&format!(
            "adjourn: {}: recovered interrupted action {}: {ended}",
            life.action.room, life.action.id
        ));
    }
    for life in recovered.still_open {
        let (room, id) = (life.action.room, life.action.id);
        output.note(&format!(
            "adjourn: {room}: interrupted action {id} is still in doubt: Exchange is unavailable"
        ));
    }
    Ok(())
}

/// Builds the engine for a given Exchange connection.
pub(super) async fn open_with(
    exchange: Arc<impl Calendar + Feed + ConnectionMetrics + 'static>,
    mut config: Config,
    journal: Arc<dyn Journal>,
    clock: Arc<WitnessedClock>,
) -> Result<OpenedEngine, CommandError> {
    admit_room_lists(&*exchange, &mut config).await?;
    let engine = Engine::builder(exchange.clone(), journal)
        .clock(clock.clone())
        .scope(config.scope.clone())
        .options(config.engine.clone())
        .build();
    Ok(OpenedEngine {
        engine: Arc::new(engine),
        feed: exchange.clone(),
        connections: exchange,
        clock,
        config,
    })
}

pub(super) fn load(connection: &ConnectionArgs) -> Result<Config, CommandError> {
    let path = config_file(connection);
    let mut config = Config::load(path, overrides(connection))
        .map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    path.map_or(Ok(()), |path| exposure::check_configuration(path, connection, &mut config))?;
    exposure::check_secret_files(&mut config)?;
    Ok(config)
}

/// What flags and environment variables say instead of the file.
pub(super) fn overrides(connection: &ConnectionArgs) -> Overrides {
    Overrides {
        url: connection.url.clone(),
        username: connection.username.clone(),
        ca_file: connection.ca_file.clone(),
        rooms: connection.in_scope.clone(),
        state_dir: connection.state_dir.clone(),
        allow_insecure_permissions: connection.allow_insecure_permissions,
    }
}

/// The configuration file: the named one, else the default one if it exists.
pub(super) fn config_file(connection: &ConnectionArgs) -> Option<&Path> {
    let default = Path::new(DEFAULT_FILE);
    connection.config.as_deref().or_else(|| default.exists().then_some(default))
}

/// SHA-256 of the configuration file, as `sha256sum` prints it; without a file, the hash of empty input.
pub(super) fn configuration_hash(connection: &ConnectionArgs) -> String {
    let text = config_file(connection).and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the members of each room list, impersonating a configured room: the service account needs no mailbox of its own.
pub(super) async fn admit_room_lists(
    exchange: &dyn Directory,
    config: &mut Config,
) -> Result<(), CommandError> {
    if config.room_lists.is_empty() {
        return Ok(());
    }
    let asking = config.scope.rooms().next().cloned().ok_or_else(|| {
        CommandError::new(
            Exit::Usage,
            "scope.room_lists needs at least one room in scope.rooms: its mailbox is used to read the lists",
        )
    })?;
    for list in &config.room_lists {
        match exchange.room_list_members(list, &asking).await {
            Ok(rooms) => config.scope.add_rooms(rooms),
            // A missing list does not affect other rooms; its own rooms stay out of scope.
            Err(trouble) if trouble.responsible == ResponsibleParty::Caller => {
                config.warnings.push(format!("scope.room_lists: `{list}` is skipped: {trouble}"));
            }
            Err(trouble) => return Err(calendar_failure(trouble)),
        }
    }
    Ok(())
}

/// Parses the address that an argument or flag gives.
pub(super) fn parse_address(flag: &str, text: &str) -> Result<RoomAddress, CommandError> {
    text.parse().map_err(|error| {
        CommandError::new(Exit::Usage, format!("{flag} is not an SMTP address")).caused_by(error)
    })
}

/// Converts an error of Exchange into the command's error.
pub(super) fn calendar_failure(trouble: CalendarError) -> CommandError {
    // Without its source: the sentence ends with the code, which is the text of the transport's error.
    CommandError::new(Exit::of_fault(trouble.responsible), trouble.to_string())
}
