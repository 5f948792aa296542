//! Resolves the EWS server of each room: one configured URL, or the server that Autodiscover finds (`finder.rs`). Keeps
//! one transport per URL; sends no EWS request.

use std::sync::Arc;

use super::finder::Finder;
use super::lockout::LockoutGuard;
use super::resolve_error::ResolveError;
use super::response::proves_authenticated;
use super::server_state::{ServerKey, ServerStates};
use super::settings::{ExchangeLocation, Settings};
use crate::autodiscover::cache::CachedLocation;
use crate::autodiscover::{self, DiscoveryResponse};
use crate::calendar::RoomAddress;
use crate::engine::ErrorKind;
use crate::http::answer_budget::AnswerBudget;
use crate::http::connection_pool::{ConnectionPool, PoolOptions};
use crate::http::dialer::{ClientIdentity, Dialer};
use crate::http::error::{TransportError, error_chain};
use crate::http::settings::SettingsError;
use crate::http::url::ConnectTarget;
use crate::login::CredentialProvider;

/// Resolves rooms to the servers of one connection.
pub(super) struct EndpointResolver {
    settings: Settings,
    finder: Arc<Finder>,
    answer_budget: AnswerBudget,
    servers: ServerStates,
    endpoints: Endpoints,
}

enum Endpoints {
    Fixed(ServerKey, Arc<ConnectionPool>),
    /// The servers that Autodiscover finds.
    Discovered,
}

impl EndpointResolver {
    pub(super) fn new(
        settings: &Settings,
        answers: AnswerBudget,
        servers: ServerStates,
        lockout: Arc<LockoutGuard>,
    ) -> Result<Self, SettingsError> {
        let dialer = Arc::new(Dialer::new(&settings.dialer())?);
        let credentials =
            CredentialProvider::new(&settings.sign_in, &dialer, settings.connect_timeout.saturating_mul(2))?;
        let endpoints = match &settings.location {
            ExchangeLocation::Url(url) => {
                let key = ServerKey::Url(url.as_str().into());
                Endpoints::Fixed(key, transport(settings, url, &credentials, &dialer, &answers)?)
            }
            ExchangeLocation::Discovered(_) => Endpoints::Discovered,
        };
        let settings = settings.clone();
        let finder = Arc::new(Finder::new(&settings, credentials, dialer, servers.clone(), lockout));
        Ok(Self { settings, finder, answer_budget: answers, servers, endpoints })
    }

    /// The transport to the room's server, running Autodiscover on a cache miss.
    pub(super) async fn resolve(&self, room: &RoomAddress) -> Result<Arc<ConnectionPool>, ResolveError> {
        if let Endpoints::Fixed(_, transport) = &self.endpoints {
            return Ok(transport.clone());
        }
        if self.finder.cached(room).is_none() {
            self.finder.find(room).await?;
        }
        match self.finder.cached(room) {
            Some(location) => self.transport_to(location),
            None => Err(ResolveError::Unavailable(TransportError::ServerNotFound(
                "the server that Autodiscover found is no longer cached".to_owned(),
            ))),
        }
    }

    /// Drops the cached server of a room, after that server reported that the mailbox has moved. Returns whether
    /// resolving it anew is worth while.
    pub(super) fn invalidate(&self, room: &RoomAddress) -> bool {
        match &self.endpoints {
            Endpoints::Discovered => self.finder.invalidate(room),
            Endpoints::Fixed(..) => false,
        }
    }

    /// The server that the room's next request goes to.
    pub(super) fn server_key(&self, room: &RoomAddress) -> ServerKey {
        match &self.endpoints {
            Endpoints::Fixed(key, _) => key.clone(),
            Endpoints::Discovered => match self.finder.cached(room) {
                Some(CachedLocation::Url(url)) => ServerKey::Url(url.as_str().into()),
                Some(CachedLocation::NotFound { .. }) | None => ServerKey::Autodiscover,
            },
        }
    }

    fn transport_to(&self, location: CachedLocation) -> Result<Arc<ConnectionPool>, ResolveError> {
        match location {
            CachedLocation::Url(url) => self.transport(url.as_str()),
            CachedLocation::NotFound { cause, headline } => Err(ResolveError::of_discovery(cause, headline)),
        }
    }

    fn transport(&self, url: &str) -> Result<Arc<ConnectionPool>, ResolveError> {
        let mut servers = self.servers.lock();
        let server = servers.server(&ServerKey::Url(url.into()));
        if let Some(transport) = &server.connections {
            return Ok(transport.clone());
        }
        let Finder { credentials, dialer, .. } = &*self.finder;
        let new = transport(&self.settings, url, credentials, dialer, &self.answer_budget);
        let new =
            new.map_err(|error| ResolveError::Refused(ErrorKind::ServerNotFound, error_chain(&error)))?;
        server.connections = Some(new.clone());
        Ok(new)
    }

    /// Sends a request to an Autodiscover service.
    pub(super) async fn send_discovery(&self, request: autodiscover::DiscoveryRequest) -> DiscoveryResponse {
        self.finder.send(request).await
    }
}

fn transport(
    settings: &Settings,
    url: &str,
    credentials: &CredentialProvider,
    dialer: &Arc<Dialer>,
    answers: &AnswerBudget,
) -> Result<Arc<ConnectionPool>, SettingsError> {
    let credential = credentials.for_url(url)?;
    let options = PoolOptions {
        identity: ClientIdentity::Account,
        first_byte_timeout: settings.first_byte_timeout,
        response_timeout: settings.response_timeout,
        answer_budget: answers.clone(),
        inflate: true,
        proves_authenticated,
    };
    Ok(Arc::new(ConnectionPool::new(ConnectTarget::parse(url)?, dialer.clone(), credential, options)))
}
