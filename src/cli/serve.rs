//! `adjourn serve`: starts the service, handles signals, and shuts down in order.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::{ConnectionArgs, LogFormat, ServeArgs};
use super::connect::{self, JournalAccess, OpenedEngine};
use super::doctor::ConfigDoctor;
use super::exit::{CommandError, Exit};
use super::log_filter::{self, LOG_VARIABLE};
use super::log_lines::LogLines;
use super::logos;
use super::output::Output;
use super::ports::{self, Ports};
use super::reload::{self, FileHashes, RunningService};
use super::signals::{ServiceSignal, Signals};
use super::standby::{self, StandbyAnswers};
use super::storage::Storage;
use super::webhook;
use crate::api::{self, Api, ApiOptions, Connections, Doctor, KeyRing, ListenerLimits};
use crate::config::Config;
use crate::console;
use crate::journal::{Journal, JournalError};
use crate::live::Feed;
use crate::service::Service;
use crate::store::{SOCKET_FILE, ServiceStore};
use crate::telemetry;

/// How long actions in progress may take at shutdown. Unfinished ones stay open in the journal, and the next process recovers
/// them.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
/// How long the other tasks may take after that.
const TASKS_GRACE: Duration = Duration::from_secs(20);
/// How often the service checks whether it can still write to the journal.
const JOURNAL_CHECKED_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(
    args: ServeArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let exported = init_logging(args.log)?;
    let storage = connect::storage(connection)?;
    let store = storage.service_store().await?;
    let opened = connect::open(connection, JournalAccess::ReadWrite, output).await?;
    let journal = opened.engine.journal().clone();
    let served = stand_by_and_serve(args, connection, (storage, store, opened), output);
    let ended = connect::closing(&*journal, served).await;
    // Sends the spans that are still buffered.
    let _ = tokio::task::spawn_blocking(move || exported.map(telemetry::Export::end)).await;
    ended
}

/// Serves as soon as no other process with the same journal does.
async fn stand_by_and_serve(
    args: ServeArgs,
    connection: &ConnectionArgs,
    (storage, store, opened): (Storage, ServiceStore, OpenedEngine),
    output: &Output,
) -> Result<Exit, CommandError> {
    let listen = args.listen.unwrap_or(opened.config.api.listen);
    let mut signals = Signals::listen()?;
    let active = tokio::select! {
        active = standby::until_active(&opened, listen, output) => active?,
        () = signals.stop() => return Ok(Exit::Done),
    };
    opened.config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let context = ServeContext {
        connection: Some(connection.clone()),
        doctor: Arc::new(ConfigDoctor(connection.clone())),
        background: None,
        console_fragment: "",
        public_url: PublicUrl::Configured,
        socket: Some(storage.directory().join(SOCKET_FILE)),
        standby: active.standby,
    };
    let ended = serve(opened, store, (active.ports, signals), context, output).await;
    // Nobody else is active before everything here has ended.
    drop(active.lock);
    ended
}

/// What differs between the service and the demo.
pub(super) struct ServeContext {
    /// Arguments from which SIGHUP reloads the configuration.
    pub(super) connection: Option<ConnectionArgs>,
    /// The doctor behind `/v1/doctor`.
    pub(super) doctor: Arc<dyn Doctor>,
    /// A task that runs beside the service until its stop.
    pub(super) background: Option<BackgroundTask>,
    /// URL fragment that signs in to the console: the demo's key, never a real one.
    pub(super) console_fragment: &'static str,
    /// The address in check-in links.
    pub(super) public_url: PublicUrl,
    /// Where commands of this machine reach the service. The demo has none.
    pub(super) socket: Option<PathBuf>,
    /// What answers on the ports up to now: this process has taken over from another one.
    pub(super) standby: Option<StandbyAnswers>,
}

/// The address in check-in links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PublicUrl {
    /// As configured.
    Configured,
    /// The listener's own: for a demo on one machine.
    Listener,
}

/// A task that runs while the service runs.
pub(super) type BackgroundTask =
    Box<dyn FnOnce(Arc<Service>, CancellationToken) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Runs the service until Ctrl-C or SIGTERM.
pub(super) async fn serve(
    opened: OpenedEngine,
    store: ServiceStore,
    (mut ports, signals): (Ports, Signals),
    context: ServeContext,
    output: &Output,
) -> Result<Exit, CommandError> {
    let OpenedEngine { engine, feed, connections: counters, clock, mut config } = opened;
    let logos = Arc::new(console::Logos::default());
    logos.replace(logos::read(&mut config)?);
    let uptimes = store.uptimes().await?;
    uptimes.iter().for_each(|up| clock.add_record(up.to));
    let options = config.service.clone();
    let service = match &context.standby {
        None => Service::open(engine, counters, store.clone(), options).await?,
        Some(_) => Service::open_at_takeover(engine, counters, store.clone(), options).await?,
    };
    let keys = Arc::new(KeyRing::open(store).await?);
    keys.set_provider(reload::provider(&config.api)?);
    let connections = ports::connections(&config);
    let api = Api::new(service.clone(), keys.clone(), config.api.options.clone())
        .with_doctor(context.doctor)
        .with_connections(connections.clone());
    let webhooks = webhook::open_all(&config, service.engine.clock().clone()).await?;
    let url = ports.url();
    if context.public_url == PublicUrl::Listener {
        let public_url = url.parse().ok();
        api.set_options(ApiOptions { public_url, ..config.api.options.clone() });
    }
    // Before the tasks that publish notices.
    service.webhooks.replace(webhooks);
    let (files, connection) = (FileHashes::of(&config), context.connection);
    let mut running = RunningService { service, api, keys, logos, connection, config, files };
    if let Some(standby) = context.standby {
        running.reload_at_takeover().await;
        standby.end().await;
    }
    let (stop, mut parts) = (CancellationToken::new(), JoinSet::new());
    serve_locally(context.socket.as_deref(), &running.api, &stop, &mut parts).await;
    ports.announce(output)?;
    output.note(&format!("console: {url}/{}", context.console_fragment));
    tracing::info!(%url, "serving");
    spawn_service(&running.service, &running.config, feed, &stop, &mut parts);
    if let Some(background) = context.background {
        parts.spawn(background(running.service.clone(), stop.clone()));
    }
    spawn_listeners(&running, ports, connections, &stop, &mut parts);
    // Without systemd this does nothing.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let journal = running.service.engine.journal().clone();
    let ended = tokio::select! {
        () = reload_until_stopped(&mut running, signals) => None,
        why = journal_ended(&*journal) => Some(why),
    };
    shut_down(&running.service, &stop, parts).await;
    // The supervisor starts another process, which can write.
    ended.map_or(Ok(Exit::Done), |why| Err(why.into()))
}

/// Waits until this process can never write to the journal again.
async fn journal_ended(journal: &dyn Journal) -> JournalError {
    loop {
        if let Some(why) = journal.ended() {
            return why;
        }
        tokio::time::sleep(JOURNAL_CHECKED_EVERY).await;
    }
}

/// Opens the socket for commands of this machine. Without it the service serves all the same.
#[cfg(unix)]
async fn serve_locally(path: Option<&Path>, api: &Api, stop: &CancellationToken, parts: &mut JoinSet<()>) {
    let Some(path) = path else { return };
    // With the journal in a database nothing else has created the state directory.
    let bound = match path.parent().map_or(Ok(()), crate::store::create_directory) {
        Ok(()) => api::LocalSocket::bind(path).await,
        Err(error) => Err(error),
    };
    match bound {
        Ok(socket) => drop(parts.spawn(socket.serve(api::router(api.clone()), stop.clone()))),
        Err(error) => tracing::warn!(
            path = %path.display(),
            %error,
            "cannot open the local socket: commands that act need --server and an API key while the service runs"
        ),
    }
}

#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "there are systems with Unix sockets")]
async fn serve_locally(_: Option<&Path>, _: &Api, _: &CancellationToken, _: &mut JoinSet<()>) {}

/// Starts the listeners, and the task that keeps their keys current.
fn spawn_listeners(
    running: &RunningService,
    ports: Ports,
    connections: Arc<Connections>,
    stop: &CancellationToken,
    parts: &mut JoinSet<()>,
) {
    let RunningService { api, keys, logos, .. } = running;
    parts.spawn({
        let (keys, stop) = (keys.clone(), stop.clone());
        async move { keys.refresh_until(stop).await }
    });
    let router = api::router(api.clone()).merge(console::router(keys.clone()));
    let router = router.merge(console::logo_router(logos.clone()));
    let probes = api::health_router(api.clone());
    // The sockets close when their listeners end: nothing else holds them from here on.
    ports.serve((router, ListenerLimits::with(connections)), probes, stop, parts);
}

/// Starts the service's own tasks.
fn spawn_service(
    service: &Arc<Service>,
    config: &Config,
    feed: Arc<dyn Feed>,
    stop: &CancellationToken,
    parts: &mut JoinSet<()>,
) {
    if let Some(notices) = service.notices.subscribe() {
        parts.spawn(service.webhooks.clone().run(notices));
    }
    parts.spawn(service.clone().run_background(stop.clone()));
    parts.spawn(service.clone().recheck_in_doubt(stop.clone()));
    parts.spawn(service.clone().take_second_looks(stop.clone()));
    parts.spawn(service.clone().keep_admin_events(stop.clone()));
    parts.spawn(service.clone().maintain_journal(config.journal.maintenance, stop.clone()));
    parts.spawn(service.clone().track_calendars(feed, config.live.clone(), stop.clone()));
}

/// Waits for signals: reloads the configuration, until one stops the service.
async fn reload_until_stopped(running: &mut RunningService, mut signals: Signals) {
    while signals.next().await == ServiceSignal::Reload {
        tokio::select! {
            () = running.reload() => {}
            () = signals.stop() => break,
        }
    }
}

/// Stops accepting work, waits for actions in progress, and logs unfinished work.
async fn shut_down(service: &Service, stop: &CancellationToken, mut parts: JoinSet<()>) {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("shutting down");
    stop.cancel();
    let (finished, swept) =
        tokio::join!(service.actions.finish(SHUTDOWN_GRACE), service.sweeps.finish(SHUTDOWN_GRACE));
    service.announce_journal_head().await;
    service.notices.close();
    let all = async {
        while let Some(part) = parts.join_next().await {
            if let Err(error) = part {
                tracing::error!(%error, "a task of the service failed");
            }
        }
    };
    if tokio::time::timeout(TASKS_GRACE, all).await.is_err() {
        tracing::warn!("some tasks of the service did not end in time");
    }
    if !swept {
        tracing::warn!("a sweep was interrupted; run it again");
    }
    if !finished {
        tracing::warn!(
            open = service.actions.running_count(),
            "some actions are still in progress; the next start recovers them"
        );
    }
}

/// Sets up logging to stderr, and span export to a collector if configured. The export lasts as long as the returned value.
fn init_logging(format: LogFormat) -> Result<Option<telemetry::Export>, CommandError> {
    let filter = log_filter::from_environment().map_err(|error| {
        CommandError::new(Exit::Usage, format!("invalid {LOG_VARIABLE}")).caused_by(error)
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(LogLines(format));
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let export = telemetry::Export::begin().map_err(|error| {
        CommandError::new(Exit::Usage, "cannot export spans (OTEL_EXPORTER_OTLP_ENDPOINT)").caused_by(error)
    })?;
    let spans = export.as_ref().map(telemetry::Export::layer);
    let no_secrets = filter_fn(log_filter::may_write);
    // A user of the library may have set up logging already.
    let _ = tracing_subscriber::registry().with(no_secrets).with(filter).with(lines).with(spans).try_init();
    Ok(export)
}
