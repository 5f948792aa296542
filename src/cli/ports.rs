//! Where the service listens: its sockets, its certificate, and the URL that it prints. Serves what its caller gives it, and answers nothing
//! itself.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::exit::{CommandError, Exit};
use super::output::Output;
use super::process_limits;
use crate::api::{self, ConnectionLimits, Connections, ListenerLimits, ServerTls};
use crate::config::{self, Config};

/// Connections of the health listener: a few short probes.
const HEALTH_CONNECTIONS: ConnectionLimits =
    ConnectionLimits { total: 32, unauthenticated: 32, per_address: Some(16) };

/// The open sockets of the service.
pub(super) struct Ports {
    /// For all requests.
    api: Arc<TcpListener>,
    /// For probes alone, without TLS.
    health: Option<Arc<TcpListener>>,
    /// Certificate and key of the first.
    tls: Option<Arc<ServerTls>>,
    at: SocketAddr,
    is_announced: bool,
}

impl Ports {
    /// Opens the configured sockets; `listen` is the address of the first.
    pub(super) async fn open(config: &config::ApiConfig, listen: SocketAddr) -> Result<Self, CommandError> {
        let tls = tls(config, listen)?;
        let api = bind(listen).await?;
        let health = match config.health_listen {
            Some(listen) => Some(Arc::new(bind(listen).await?)),
            None => None,
        };
        let at = api.local_addr().unwrap_or(listen);
        Ok(Self { api: Arc::new(api), health, tls, at, is_announced: false })
    }

    /// The URL of the service, with the port that was free.
    pub(super) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.at)
    }

    /// Serves `router` within `limits`, and `probes` on the health listener, until `stop`. Keeps the certificate current meanwhile.
    pub(super) fn serve(
        &self,
        (router, limits): (Router, ListenerLimits),
        probes: Router,
        stop: &CancellationToken,
        parts: &mut JoinSet<()>,
    ) {
        if let Some(tls) = self.tls.clone() {
            let stop = stop.clone();
            parts.spawn(async move { tls.reload_until(stop).await });
        }
        let shutdown_grace = limits.shutdown_grace;
        parts.spawn(api::serve(self.api.clone(), self.tls.clone(), router, limits, stop.clone()));
        if let Some(health) = self.health.clone() {
            let connections = Connections::new(HEALTH_CONNECTIONS);
            let limits = ListenerLimits { shutdown_grace, ..ListenerLimits::with(connections) };
            parts.spawn(api::serve(health, None, probes, limits, stop.clone()));
        }
    }

    /// Prints the URL, once: from now on the service answers.
    pub(super) fn announce(&mut self, output: &Output) -> Result<(), CommandError> {
        if !std::mem::replace(&mut self.is_announced, true) {
            output.line(&self.url())?;
        }
        Ok(())
    }
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, CommandError> {
    let listener = TcpListener::bind(listen).await;
    listener.map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot listen on {listen}")).caused_by(error)
    })
}

/// The connection table, with limits for which this process can open enough files.
pub(super) fn connections(config: &Config) -> Arc<Connections> {
    let files = process_limits::raise_open_files();
    let (limits, needed) = process_limits::fit_connections(config.api.connections, files, config);
    if let (Some(needed), Some(files)) = (needed, files) {
        tracing::warn!(
            files,
            needed,
            max_connections = limits.total,
            max_unauthenticated_connections = limits.unauthenticated,
            "too few open files allowed for api.max_connections, so that limit is lowered; set LimitNOFILE={needed} in the \
             systemd unit, or run `ulimit -n {needed}` before the start"
        );
    }
    Connections::new(limits)
}

/// Certificate and key of the service; none where it may speak plain HTTP: on loopback, or behind a proxy.
pub(super) fn tls(
    config: &config::ApiConfig,
    listen: SocketAddr,
) -> Result<Option<Arc<ServerTls>>, CommandError> {
    match &config.tls {
        Some(files) => match ServerTls::open(files.clone()) {
            Ok(tls) => Ok(Some(Arc::new(tls))),
            Err(error) => Err(CommandError::from_error(Exit::Usage, error)),
        },
        None if listen.ip().is_loopback() || config.behind_proxy => Ok(None),
        None => Err(plain_http_refused(listen)),
    }
}

fn plain_http_refused(listen: SocketAddr) -> CommandError {
    CommandError::new(
        Exit::Usage,
        format!(
            "refusing to serve plain HTTP on {listen}: API keys would be readable on the network; set [api.tls], or \
             api.behind_proxy = true if a proxy terminates TLS"
        ),
    )
}
