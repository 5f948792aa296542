//! What a running service takes over from a changed configuration (SIGHUP), and what only a new start does. All or nothing:
//! a configuration with a mistake in it changes nothing.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::args::Connection;
use super::connect;
use super::exit::{Exit, Failure};
use crate::api::{self, Api, KeyRing, Provider};
use crate::config::{self, Config};
use crate::service::{Options, Service, Webhook};

/// A service that runs, and the configuration it goes by.
pub(super) struct Running {
    pub(super) service: Arc<Service>,
    pub(super) api: Api,
    pub(super) keys: Arc<KeyRing>,
    /// Where the configuration is read again; `None` where there is none.
    pub(super) connection: Option<Connection>,
    pub(super) config: Config,
    /// Ends the present webhook once what it has heard is told.
    pub(super) hook: Option<CancellationToken>,
}

impl Running {
    /// Reads the configuration again. What only a new start takes over is named in the log.
    pub(super) async fn reload(&mut self, parts: &mut JoinSet<()>) {
        let Some(connection) = &self.connection else { return };
        match self.take_over(connect::load(connection), parts).await {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(failure) => {
                tracing::error!(error = %failure.in_one_line(), "the configuration cannot be used; everything stays as it was");
            }
        }
    }

    async fn take_over(
        &mut self,
        config: Result<Config, Failure>,
        parts: &mut JoinSet<()>,
    ) -> Result<(), Failure> {
        let mut config = config?;
        // Everything that can fail comes first.
        connect::admit_room_lists(&**self.service.engine.calendar(), &mut config).await?;
        let provider =
            if config.api.oidc == self.config.api.oidc { None } else { Some(provider(&config.api)?) };
        let hook = webhook(&config, &self.service)?;

        self.service.engine.set_scope(config.scope.clone());
        self.service.set_options(options(&config));
        self.api.set_options(shown(&config));
        if let Some(provider) = provider {
            self.keys.trust(provider);
        }
        self.tell(hook, parts);
        for key in only_at_start(&self.config, &config) {
            tracing::warn!(key, "has changed; a restart takes it over");
        }
        // What needs a restart is compared with what is in force, not with what was read last.
        let (server, journal, engine) =
            (self.config.server.clone(), self.config.journal.clone(), self.config.engine.clone());
        let (listen, tls, behind_proxy) =
            (self.config.api.listen, self.config.api.tls.clone(), self.config.api.behind_proxy);
        let api = config::Api { listen, tls, behind_proxy, ..config.api };
        self.config = Config { server, journal, engine, api, ..config };
        Ok(())
    }

    /// Tells this webhook from now on, and no other.
    pub(super) fn tell(&mut self, hook: Option<Webhook>, parts: &mut JoinSet<()>) {
        if let Some(stop) = self.hook.take() {
            stop.cancel();
        }
        if let (Some(hook), Some(notices)) = (hook, self.service.notices.listen()) {
            let stop = CancellationToken::new();
            parts.spawn(hook.run(notices, stop.clone()));
            self.hook = Some(stop);
        }
    }
}

/// How the service behaves by this configuration.
pub(super) fn options(config: &Config) -> Options {
    Options {
        rules: config.rules.clone(),
        state_age: config.api.state_age,
        warn: config.api.warn,
        ahead: config.ahead,
        rooms_at_once: config.rooms_at_once,
        schedules: config.schedules.clone(),
    }
}

pub(super) fn shown(config: &Config) -> api::Options {
    api::Options { deadline: config.api.deadline, subjects: config.api.subjects }
}

pub(super) fn provider(config: &config::Api) -> Result<Option<Arc<Provider>>, Failure> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let provider = Provider::new(oidc.issuer.clone(), oidc.keys_at.clone());
    provider.map(|provider| Some(Arc::new(provider))).map_err(|error| Failure::from_error(Exit::Usage, error))
}

pub(super) fn webhook(config: &Config, service: &Service) -> Result<Option<Webhook>, Failure> {
    let Some(hook) = &config.webhook else { return Ok(None) };
    let secret = connect::secret_in("secret", &hook.secret_file)?;
    let hook = Webhook::new(&hook.url, secret, service.engine.clock().clone());
    hook.map(Some).map_err(|error| Failure::from_error(Exit::Usage, error))
}

/// Keys that differ and that only a new start takes over.
fn only_at_start(old: &Config, new: &Config) -> Vec<&'static str> {
    let differ = [
        ("[server]", old.server != new.server),
        ("[journal] or [engine]", old.journal != new.journal || old.engine != new.engine),
        ("api.listen", old.api.listen != new.api.listen),
        (
            "[api.tls] or api.behind_proxy",
            (&old.api.tls, old.api.behind_proxy) != (&new.api.tls, new.api.behind_proxy),
        ),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
