//! `adjourn serve`: the service, from its first look at what a stop left open to its last answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::args::{Connection, LogFormat, ServeArgs};
use super::connect::{self, Journalled, Opened};
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::api::{self, Api, KeyRing, Limits, Provider, Tls};
use crate::config;
use crate::service::{Options, Service, Webhook};
use crate::store::{Desk, StoreError};

/// How long actions under way may take to end when the service is stopped. What is not over then stays open in the
/// journal, and the next process finds out what became of it.
const GOODBYE: Duration = Duration::from_secs(30);
/// How long everything else may take then.
const LAST_GOODBYE: Duration = Duration::from_secs(20);
/// What is logged unless this variable says otherwise, in the words of `tracing`.
const LOG_VARIABLE: &str = "ADJOURN_LOG";

pub(super) async fn run(args: ServeArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    log(args.log);
    let desk = Desk::open(&connect::state_directory(connection)?).map_err(failed)?;
    let opened = connect::open(connection, Journalled::Acts, output).await?;
    let listen = args.listen.unwrap_or(opened.config.api.listen);
    serve(opened, desk, listen, output).await
}

/// Serves until Ctrl-C or SIGTERM.
pub(super) async fn serve(
    opened: Opened,
    desk: Desk,
    listen: SocketAddr,
    output: &Output,
) -> Result<Exit, Failure> {
    let Opened { engine, config } = opened;
    let tls = tls(&config.api, listen)?;
    let options = Options {
        state_age: config.api.state_age,
        warn: config.api.warn,
        ahead: config.ahead,
        rooms_at_once: config.rooms_at_once,
        schedules: config.schedules,
    };
    let service = Service::open(engine, desk.clone(), config.rules, options).await.map_err(failed)?;
    let keys = Arc::new(KeyRing::open(desk).await.map_err(failed)?);
    keys.trust(provider(&config.api)?);
    let shown = api::Options { deadline: config.api.deadline, subjects: config.api.subjects };
    let router = api::router(Api::new(service.clone(), keys.clone(), shown));
    let webhook = config.webhook.as_ref().map(|hook| webhook(hook, &service)).transpose()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::new(Exit::Usage, format!("cannot listen on {listen}")).because(error))?;
    let at = listener.local_addr().unwrap_or(listen);
    let scheme = if tls.is_some() { "https" } else { "http" };
    output.line(&format!("{scheme}://{at}"))?;
    tracing::info!(%at, "serving");

    let (stop, mut parts) = (CancellationToken::new(), JoinSet::new());
    parts.spawn({
        let stop = stop.clone();
        async move { keys.watch(stop).await }
    });
    if let Some(tls) = tls.clone() {
        let stop = stop.clone();
        parts.spawn(async move { tls.watch(stop).await });
    }
    if let (Some(webhook), Some(notices)) = (webhook, service.notices.listen()) {
        parts.spawn(webhook.run(notices));
    }
    parts.spawn(service.clone().watch(stop.clone()));
    parts.spawn(api::serve(listener, tls, router, Limits::default(), stop.clone()));
    // Where there is no systemd, nobody is told.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    told_to_stop().await;
    end(&service, &stop, parts).await;
    Ok(Exit::Done)
}

/// Takes nothing new on, lets what is under way end, and says what did not.
async fn end(service: &Service, stop: &CancellationToken, mut parts: JoinSet<()>) {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping: nothing new is taken on");
    stop.cancel();
    let (finished, swept) = tokio::join!(service.actions.finish(GOODBYE), service.sweeps.finish(GOODBYE));
    service.notices.close();
    let all = async {
        while let Some(part) = parts.join_next().await {
            if let Err(error) = part {
                tracing::error!(%error, "a part of the service broke off");
            }
        }
    };
    if tokio::time::timeout(LAST_GOODBYE, all).await.is_err() {
        tracing::warn!("some parts of the service did not end in time");
    }
    if !swept {
        tracing::warn!("a sweep broke off; run it again");
    }
    if !finished {
        tracing::warn!(open = service.actions.count(), "some actions are open; the next process finds out");
    }
}

/// TLS as it is configured; plain HTTP only where nobody else reads it.
fn tls(config: &config::Api, listen: SocketAddr) -> Result<Option<Arc<Tls>>, Failure> {
    match &config.tls {
        Some(files) => match Tls::open(files.clone()) {
            Ok(tls) => Ok(Some(Arc::new(tls))),
            Err(error) => Err(Failure::from_error(Exit::Usage, error)),
        },
        None if listen.ip().is_loopback() || config.behind_proxy => Ok(None),
        None => Err(readable(listen)),
    }
}

fn readable(listen: SocketAddr) -> Failure {
    Failure::new(
        Exit::Usage,
        format!(
            "serving plain HTTP on {listen} would send API keys readable over the network: set [api.tls], or \
             api.behind_proxy = true if something in front of it speaks TLS"
        ),
    )
}

fn provider(config: &config::Api) -> Result<Option<Arc<Provider>>, Failure> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let provider = Provider::new(oidc.issuer.clone(), oidc.keys_at.clone());
    provider.map(|provider| Some(Arc::new(provider))).map_err(|error| Failure::from_error(Exit::Usage, error))
}

fn webhook(hook: &config::Webhook, service: &Service) -> Result<Webhook, Failure> {
    let secret = connect::secret_in("secret", &hook.secret_file)?;
    Webhook::new(&hook.url, secret, service.engine.clock().clone())
        .map_err(|error| Failure::from_error(Exit::Usage, error))
}

async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Somebody who uses the library may log in another way already.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

fn failed(error: StoreError) -> Failure {
    Failure::from_error(Exit::of_store(&error), error)
}
