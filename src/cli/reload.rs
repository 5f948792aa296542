//! What a running service takes over from a changed configuration (SIGHUP), and what only a new start does. All or nothing:
//! a configuration with a mistake in it changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::args::ConnectionArgs;
use super::connect;
use super::exit::{CommandError, Exit};
use super::{connections, secrets};
use crate::api::{self, Api, KeyRing, Provider};
use crate::config::{self, Config, SecretSource};
use crate::service::{JournalMaintenance, Service, ServiceOptions, WebhookSender};

/// What makes the service read its configuration again.
const RELOAD_SIGNAL: &str = "SIGHUP";

/// How long reading it again may take, where Exchange has to be asked for the members of room lists.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A service that runs, and the configuration it goes by.
pub(super) struct RunningService {
    pub(super) service: Arc<Service>,
    pub(super) api: Api,
    pub(super) keys: Arc<KeyRing>,
    /// Where the configuration is read again; `None` where there is none.
    pub(super) connection: Option<ConnectionArgs>,
    pub(super) config: Config,
    /// What the files held that are only named in the configuration: password, issuers, the webhook's secret.
    pub(super) files: FileHashes,
    /// Ends the present webhook once what it has heard is told.
    pub(super) hook: Option<CancellationToken>,
}

impl RunningService {
    /// Reads the configuration again. What only a new start takes over is named in the log.
    pub(super) async fn reload(&mut self, parts: &mut JoinSet<()>) {
        let Some(connection) = self.connection.clone() else { return };
        let late = |_| {
            Err(CommandError::new(
                Exit::Unavailable,
                "Exchange did not name the members of room lists in time",
            ))
        };
        let taken_over = self.apply(connect::load(&connection), parts);
        match tokio::time::timeout(RELOAD_TIMEOUT, taken_over).await.unwrap_or_else(late) {
            Ok(()) => {
                tracing::info!("the configuration was read again");
                self.service.record_reload(connect::configuration_hash(&connection), RELOAD_SIGNAL).await;
            }
            Err(failure) => {
                tracing::error!(
                    error = failure.one_line(),
                    "the configuration cannot be used; everything stays as it was"
                );
            }
        }
    }

    async fn apply(
        &mut self,
        config: Result<Config, CommandError>,
        parts: &mut JoinSet<()>,
    ) -> Result<(), CommandError> {
        let mut config = config?;
        // Everything that can fail, or may take a while, comes first.
        connect::admit_room_lists(&**self.service.engine.calendar(), &mut config).await?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let provider = self.next_provider(&config)?;
        let files = FileHashes::of(&config);
        let hook = webhook(&config, &self.service)?;

        // The rooms of another server are not those of this one.
        if (&config.server, &config.connections) == (&self.config.server, &self.config.connections) {
            self.service.engine.set_scope(config.scope.clone());
        } else {
            tracing::warn!(
                "[server] or [[connections]] has changed, so [scope] is taken over by a restart only, like it"
            );
        }
        self.service.set_options(service_options(&config));
        self.api.set_options(api_options(&config));
        self.keys.set_provider(provider);
        if config.webhook != self.config.webhook || files.webhook != self.files.webhook {
            self.set_webhook(hook, parts);
        }
        for key in self.restart_only_changes(&config, &files) {
            tracing::warn!(key, "has changed; a restart takes it over");
        }
        self.files.webhook = files.webhook;
        // What needs a restart is compared with what is in force, not with what was read last.
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

    /// The provider by this configuration: the one there is, where nothing changed, or with its keys, where the issuer is
    /// the same.
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

    /// What differs from what is in force, and only a new start takes over.
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

    /// Tells this webhook from now on, and no other.
    pub(super) fn set_webhook(&mut self, hook: Option<WebhookSender>, parts: &mut JoinSet<()>) {
        // The new one listens before the old one is stopped: one may hear twice, none hears nothing.
        let old = self.hook.take();
        if let (Some(hook), Some(notices)) = (hook, self.service.notices.subscribe()) {
            let stop = CancellationToken::new();
            parts.spawn(hook.run(notices, stop.clone()));
            self.hook = Some(stop);
        }
        if let Some(stop) = old {
            stop.cancel();
        }
    }
}

/// Hashes of what the named files hold: what is in them may change without the configuration.
#[derive(Default)]
pub(super) struct FileHashes {
    secrets: Vec<[u8; 32]>,
    issuers: Vec<[u8; 32]>,
    webhook: Option<[u8; 32]>,
}

impl FileHashes {
    pub(super) fn of(config: &Config) -> Self {
        let hash = |path: &Path| Some(<[u8; 32]>::from(Sha256::digest(std::fs::read(path).ok()?)));
        let servers = || connections::servers(config).map(|(_, server)| server);
        let secrets = servers().flat_map(|server| server.secrets()).filter_map(|secret| match secret {
            SecretSource::File(path) => hash(path),
            SecretSource::Credential(name) => hash(&secrets::credential(name).ok()?),
            SecretSource::Environment(_) | SecretSource::Command(_) => None,
        });
        Self {
            secrets: secrets.collect(),
            issuers: servers().filter_map(|server| hash(server.ca_file.as_deref()?)).collect(),
            webhook: config.webhook.as_ref().and_then(|hook| hash(&hook.secret_file)),
        }
    }
}

/// How the service behaves by this configuration.
pub(super) fn service_options(config: &Config) -> ServiceOptions {
    ServiceOptions {
        rules: config.rules.clone(),
        max_state_age: config.api.max_state_age,
        release_warning: config.api.release_warning,
        horizon: config.horizon,
        max_concurrent_rooms: config.max_concurrent_rooms,
        schedules: config.schedules.clone(),
    }
}

/// How the service looks after the journal. A change takes a restart.
pub(super) fn journal_care(config: &Config) -> JournalMaintenance {
    let config::JournalConfig { head_interval, erase_personal_after, .. } = config.journal;
    JournalMaintenance { head_interval, erase_personal_after, key_ttl: config.engine.key_ttl }
}

pub(super) fn api_options(config: &Config) -> api::ApiOptions {
    api::ApiOptions { deadline: config.api.deadline, subjects: config.api.subjects }
}

pub(super) fn provider(config: &config::ApiConfig) -> Result<Option<Arc<Provider>>, CommandError> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let provider = Provider::new(oidc.issuer.clone(), oidc.jwks_url.clone());
    let provider = provider.map(|provider| provider.for_console(oidc.console.clone()));
    provider
        .map(|provider| Some(Arc::new(provider)))
        .map_err(|error| CommandError::from_error(Exit::Usage, error))
}

pub(super) fn webhook(config: &Config, service: &Service) -> Result<Option<WebhookSender>, CommandError> {
    let Some(hook) = &config.webhook else { return Ok(None) };
    let secret = secrets::in_file("secret", &hook.secret_file)?;
    let hook = WebhookSender::new(&hook.url, secret, service.engine.clock().clone(), service.outbox.clone());
    hook.map(Some).map_err(|error| CommandError::from_error(Exit::Usage, error))
}
