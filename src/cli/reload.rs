//! Reloads the configuration of a running service (SIGHUP), all or nothing: an invalid configuration changes nothing. Names in
//! the log what only a restart applies.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::args::ConnectionArgs;
use super::connect;
use super::exit::{CommandError, Exit};
use super::logos;
use super::secrets::ProcessSecrets;
use super::webhook;
use crate::api::{Api, KeyRing, Provider};
use crate::config::{self, Config, ConnectionSource, SecretResolver as _, SecretSource};
use crate::console::Logos;
use crate::service::Service;

/// The signal that reloads the configuration, as the audit records it.
const RELOAD_SIGNAL: &str = "SIGHUP";
/// The takeover that reloads it, likewise.
const TAKEOVER: &str = "takeover";

/// Timeout of a reload: Exchange may have to return the members of room lists, and a command to print the secret of a webhook.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// The same at a takeover.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(3);

/// A running service and the configuration in force.
pub(super) struct RunningService {
    pub(super) service: Arc<Service>,
    pub(super) api: Api,
    pub(super) keys: Arc<KeyRing>,
    pub(super) logos: Arc<Logos>,
    /// Arguments from which the configuration is read again; `None`: no reload.
    pub(super) connection: Option<ConnectionArgs>,
    pub(super) config: Config,
    /// Hashes of the files that the configuration names: passwords, CA certificates.
    pub(super) files: FileHashes,
}

impl RunningService {
    /// Reloads the configuration, which may have changed while this process stood by. Doors do not wait for it long.
    pub(super) async fn reload_at_takeover(&mut self) {
        if tokio::time::timeout(TAKEOVER_TIMEOUT, self.reload_for(TAKEOVER)).await.is_err() {
            tracing::warn!(
                "cannot reload the configuration in time for the takeover: that of this process's start stays in force; send SIGHUP"
            );
        }
    }

    /// Reloads the configuration, and logs what only a restart applies.
    pub(super) async fn reload(&mut self) {
        self.reload_for(RELOAD_SIGNAL).await;
    }

    /// `cause` is why, in the audit.
    async fn reload_for(&mut self, cause: &'static str) {
        let Some(connection) = self.connection.clone() else { return };
        let late = |_| {
            Err(CommandError::new(
                Exit::Unavailable,
                "Exchange did not return the members of the room lists, or a command did not print the secret of a webhook, in time",
            ))
        };
        let taken_over = self.apply(connect::load(&connection));
        match tokio::time::timeout(RELOAD_TIMEOUT, taken_over).await.unwrap_or_else(late) {
            Ok(()) => {
                tracing::info!("configuration reloaded");
                self.service.record_reload(connect::configuration_hash(&connection), cause).await;
            }
            Err(failure) => {
                tracing::error!(
                    error = failure.one_line(),
                    "cannot reload the configuration; the old one stays in force"
                );
            }
        }
    }

    async fn apply(&mut self, config: Result<Config, CommandError>) -> Result<(), CommandError> {
        let mut config = config?;
        let logos = logos::read(&mut config)?;
        // Everything that can fail or take long comes first.
        connect::admit_room_lists(&**self.service.engine.calendar(), &mut config).await?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let provider = self.next_provider(&config)?;
        let files = FileHashes::of(&config);
        let webhooks = webhook::open_all(&config, self.service.engine.clock().clone()).await?;

        // Rooms of another server must not be sent to this one.
        if (&config.server, &config.connections) == (&self.config.server, &self.config.connections) {
            self.service.engine.set_scope(config.scope.clone());
        } else {
            tracing::warn!(
                "[server] or [[connections]] has changed, so the new [scope] also needs a restart"
            );
        }
        self.logos.replace(logos);
        self.service.set_options(config.service.clone());
        self.api.set_options(config.api.options.clone());
        self.keys.set_provider(provider);
        self.service.webhooks.replace(webhooks);
        for key in self.restart_only_changes(&config, &files) {
            tracing::warn!(key, "changed setting needs a restart");
        }
        // What needs a restart is compared with the configuration in force, not with the one read last.
        let now = &self.config;
        let (server, connections) = (now.server.clone(), now.connections.clone());
        let (journal, engine) = (now.journal.clone(), now.engine.clone());
        let (listen, tls, behind_proxy) = (now.api.listen, now.api.tls.clone(), now.api.behind_proxy);
        let (health_listen, limits) = (now.api.health_listen, now.api.connections);
        let api =
            config::ApiConfig { listen, health_listen, connections: limits, tls, behind_proxy, ..config.api };
        let live = now.live.clone();
        self.config = Config { server, connections, journal, engine, live, api, ..config };
        Ok(())
    }

    /// The provider for this configuration: the current one if nothing changed, or one with the fetched keys if the issuer is the
    /// same.
    fn next_provider(&self, config: &Config) -> Result<Option<Arc<Provider>>, CommandError> {
        match (self.keys.provider(), &self.config.api.oidc, &config.api.oidc) {
            (known, old, new) if old == new => Ok(known),
            (Some(known), Some(old), Some(new))
                if (&old.issuer.issuer, &old.jwks_url) == (&new.issuer.issuer, &new.jwks_url) =>
            {
                let provider = known.with_issuer(new.issuer.clone()).for_console(new.console.clone());
                Ok(Some(Arc::new(provider)))
            }
            _ => provider(&config.api),
        }
    }

    /// The changes that only a restart applies.
    fn restart_only_changes(
        &self,
        new: &Config,
        files: &FileHashes,
    ) -> impl Iterator<Item = &'static str> + use<> {
        let old = &self.config;
        let differ = [
            (
                "[server] or [[connections]]",
                (&old.server, &old.connections) != (&new.server, &new.connections),
            ),
            ("[journal] or [engine]", old.journal != new.journal || old.engine != new.engine),
            ("[live]", old.live != new.live),
            (
                "api.listen or api.health_listen",
                (old.api.listen, old.api.health_listen) != (new.api.listen, new.api.health_listen),
            ),
            (
                "api.max_connections or another limit of connections",
                old.api.connections != new.api.connections,
            ),
            (
                "[api.tls] or api.behind_proxy",
                (&old.api.tls, old.api.behind_proxy) != (&new.api.tls, new.api.behind_proxy),
            ),
            ("the content of a file with a secret for Exchange", self.files.secrets != files.secrets),
            ("the content of a ca_file", self.files.issuers != files.issuers),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key)
    }
}

/// Hashes of files that the configuration names: their content can change without the configuration.
#[derive(Default)]
pub(super) struct FileHashes {
    secrets: Vec<[u8; 32]>,
    issuers: Vec<[u8; 32]>,
}

impl FileHashes {
    pub(super) fn of(config: &Config) -> Self {
        let hash = |path: &Path| Some(<[u8; 32]>::from(Sha256::digest(std::fs::read(path).ok()?)));
        let secrets =
            config.exchanges().flat_map(ConnectionSource::secrets).filter_map(|secret| match secret {
                SecretSource::File(path) => hash(path),
                SecretSource::Credential(name) => hash(&ProcessSecrets.credential_file(name).ok()?),
                SecretSource::Environment(_) | SecretSource::Command(_) => None,
            });
        Self {
            secrets: secrets.collect(),
            issuers: config.exchanges().filter_map(|one| hash(one.ca_file()?)).collect(),
        }
    }
}

pub(super) fn provider(config: &config::ApiConfig) -> Result<Option<Arc<Provider>>, CommandError> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let provider = Provider::new(oidc.issuer.clone(), oidc.jwks_url.clone());
    let provider = provider.map(|provider| provider.for_console(oidc.console.clone()));
    provider
        .map(|provider| Some(Arc::new(provider)))
        .map_err(|error| CommandError::from_error(Exit::Usage, error))
}
