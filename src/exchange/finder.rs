//! Finds the EWS URLs of rooms by Autodiscover and caches them. Each domain has a task of its own while rooms of it are searched: one
//! room first; once it is found, its server is asked about the others, many in one request; a room without a result there is searched
//! alone, a few at once. So rooms of other domains do not wait for a domain whose hosts hang, and a search continues after its caller
//! has gone: the next caller finds its result in the cache.
//!
//! The first request of a search that carries credentials waits for the lockout guard (`lockout.rs`), and the search
//! keeps the guard's lock until its rejections are recorded: the next search sends no credentials before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::Shared;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::lockout::LockoutGuard;
use super::resolve_error::ResolveError;
use super::response::proves_authenticated;
use super::server_state::{ServerKey, ServerStates};
use super::settings::{ExchangeLocation, Settings};
use crate::autodiscover::batch::{ADDRESSES_MAX, BatchError};
use crate::autodiscover::cache::{CachedLocation, DiscoveryCache};
use crate::autodiscover::locations::{locations_request, parse_locations};
use crate::autodiscover::{
    self, BODY_BYTES_MAX, Discovery, DiscoveryReport, DiscoveryResponse, Policy, discover,
};
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock};
use crate::engine::ErrorKind;
use crate::http::client::HttpClient;
use crate::http::connection_pool::HttpRequest;
use crate::http::dialer::Dialer;
use crate::http::error::{TransportError, error_chain};
use crate::login::CredentialProvider;

/// Rooms of one domain that are searched alone at once, after one of its rooms was found.
const SEARCHES_AT_ONCE: usize = 4;
/// Rooms that are searched or wait for it, each once. More than any building has.
const SEARCHES_MAX: usize = 20_000;

/// The end of a search, for all callers that ask for the same room.
type Search = Shared<oneshot::Receiver<Result<(), ResolveError>>>;

/// Searches under way.
#[derive(Default)]
struct Searches {
    rooms: HashMap<RoomAddress, Search>,
    /// The rooms that the task of each domain has yet to search.
    domains: HashMap<String, Vec<WaitingRoom>>,
}

struct WaitingRoom {
    room: RoomAddress,
    end: oneshot::Sender<Result<(), ResolveError>>,
}

pub(super) struct Finder {
    pub(super) credentials: CredentialProvider,
    pub(super) dialer: Arc<Dialer>,
    policy: Policy,
    http: HttpClient,
    cache: Mutex<DiscoveryCache>,
    searches: Mutex<Searches>,
    servers: ServerStates,
    lockout: Arc<LockoutGuard>,
}

/// The lockout guard's decision, once a search has asked for it.
#[derive(Default)]
enum SearchAdmission {
    #[default]
    NotRequested,
    Granted {
        _guard: Option<OwnedMutexGuard<()>>,
    },
    /// The account was rejected a moment ago: the search sends no credentials.
    Refused(ErrorKind, String),
}

impl Finder {
    pub(super) fn new(
        settings: &Settings,
        credentials: CredentialProvider,
        dialer: Arc<Dialer>,
        servers: ServerStates,
        lockout: Arc<LockoutGuard>,
    ) -> Self {
        let policy = match &settings.location {
            ExchangeLocation::Discovered(policy) => policy.clone(),
            ExchangeLocation::Url(_) => Policy::new([]),
        };
        Self {
            http: HttpClient::new(dialer.clone(), settings.connect_timeout.saturating_mul(2)),
            credentials,
            dialer,
            policy,
            cache: Mutex::default(),
            searches: Mutex::default(),
            servers,
            lockout,
        }
    }

    /// The room's cached location.
    pub(super) fn cached(&self, room: &RoomAddress) -> Option<CachedLocation> {
        lock(&self.cache).get(room, SystemClock.now()).cloned()
    }

    /// Drops the room's cached URL; returns whether there was one.
    pub(super) fn invalidate(&self, room: &RoomAddress) -> bool {
        let mut known = lock(&self.cache);
        let was_there = matches!(known.get(room, SystemClock.now()), Some(CachedLocation::Url(_)));
        if was_there {
            known.invalidate(room);
        }
        was_there
    }

    /// Searches the room's server; the result is in the cache afterwards.
    pub(super) async fn find(self: &Arc<Self>, room: &RoomAddress) -> Result<(), ResolveError> {
        let search = self.join_search(room)?;
        search.await.unwrap_or_else(|_| Err(unavailable("the search of its server was interrupted")))
    }

    /// The search of this room: the one under way, or a new one.
    fn join_search(self: &Arc<Self>, room: &RoomAddress) -> Result<Search, ResolveError> {
        let mut searches = lock(&self.searches);
        // A search without an end was interrupted, and is begun anew.
        if let Some(search) = searches.rooms.get(room)
            && search.peek().is_none_or(Result::is_ok)
        {
            return Ok(search.clone());
        }
        if searches.rooms.len() >= SEARCHES_MAX {
            return Err(unavailable("too many Autodiscover searches are under way"));
        }
        let (end, ended) = oneshot::channel();
        let search = ended.shared();
        searches.rooms.insert(room.clone(), search.clone());
        let waiting = WaitingRoom { room: room.clone(), end };
        match searches.domains.get_mut(room.domain()) {
            Some(domain) => domain.push(waiting),
            None => {
                let domain = room.domain().to_owned();
                searches.domains.insert(domain.clone(), vec![waiting]);
                tokio::spawn(self.clone().search_domain(domain));
            }
        }
        Ok(search)
    }

    /// The task of a domain: searches its rooms until none waits.
    async fn search_domain(self: Arc<Self>, domain: String) {
        let mut task = DomainTask { finder: &self, domain: &domain, is_done: false };
        while let Some(rooms) = self.take_waiting(&domain) {
            if rooms.len() > 1 {
                self.search_together(&domain, &rooms).await;
            }
            let alone = rooms.into_iter().map(|WaitingRoom { room, end }| {
                let finder = &self;
                async move {
                    let result = finder.search(&room).await;
                    lock(&finder.searches).rooms.remove(&room);
                    let _ = end.send(result); // its callers may have gone
                }
            });
            stream::iter(alone).buffer_unordered(SEARCHES_AT_ONCE).collect::<()>().await;
        }
        task.is_done = true;
    }

    /// The next rooms of a domain: one until a room of the domain was found, then as many as one request takes.
    fn take_waiting(&self, domain: &str) -> Option<Vec<WaitingRoom>> {
        let is_known = lock(&self.cache).server_in_domain(domain, SystemClock.now()).is_some();
        let mut searches = lock(&self.searches);
        let waiting = searches.domains.get_mut(domain)?;
        if waiting.is_empty() {
            searches.domains.remove(domain);
            return None;
        }
        let count = if is_known { waiting.len().min(ADDRESSES_MAX) } else { 1 };
        Some(waiting.drain(..count).collect())
    }

    /// Asks the server of a room of the domain about these rooms, and caches the results that it has.
    async fn search_together(&self, domain: &str, waiting: &[WaitingRoom]) {
        let now = SystemClock.now();
        let Some(server) = lock(&self.cache).server_in_domain(domain, now).cloned() else { return };
        let key = ServerKey::Url(server.as_str().into());
        if self.servers.lock().get(&key).is_some_and(|server| server.lacks_batches) {
            return;
        }
        let rooms: Vec<RoomAddress> = waiting.iter().map(|waiting| waiting.room.clone()).collect();
        let Some(request) = locations_request(&server, &rooms, &self.policy) else { return };
        let admission = tokio::sync::Mutex::new(SearchAdmission::default());
        let answer = self.send_guarded(request, &admission).await;
        match parse_locations(&answer, rooms.len(), &self.policy) {
            Ok(urls) => {
                let mut cache = lock(&self.cache);
                for (room, url) in rooms.iter().zip(urls) {
                    if let Some(url) = url {
                        cache.record_found(room, url, SystemClock.now());
                    }
                }
            }
            Err(BatchError::Transient(why)) => {
                tracing::info!(domain, why, "Autodiscover did not answer for many rooms at once");
            }
            Err(BatchError::Permanent(why)) => {
                tracing::info!(domain, why, "this server does not answer for many rooms at once");
                self.record_batch_failure(&answer, &key);
            }
        }
    }

    /// A rejection of the account counts like that of any other search, and says nothing about the server. After any other failure
    /// it is asked about single rooms from now on.
    fn record_batch_failure(&self, answer: &DiscoveryResponse, server: &ServerKey) {
        match answer {
            DiscoveryResponse::SignInFailed(_) => return,
            DiscoveryResponse::Http { status: status @ (401 | 403 | 456), .. } => {
                let refusal =
                    format!("Autodiscover rejects the service account's credentials (HTTP {status})");
                self.lockout.record_host_failures(
                    &ServerKey::Autodiscover,
                    ErrorKind::Credentials,
                    &refusal,
                    1,
                );
                return;
            }
            _ => {}
        }
        self.servers.lock().server(server).lacks_batches = true;
    }

    async fn search(&self, room: &RoomAddress) -> Result<(), ResolveError> {
        if lock(&self.cache).fails_like_its_domain(room, SystemClock.now()) {
            return Ok(());
        }
        let admission = tokio::sync::Mutex::new(SearchAdmission::default());
        let found =
            discover(Discovery::new(room, &self.policy), |request| self.send_guarded(request, &admission))
                .await;
        match (found, &*admission.lock().await) {
            (Ok(found), _) => lock(&self.cache).record_found(room, found.url, SystemClock.now()),
            (Err(_), SearchAdmission::Refused(kind, code)) => {
                return Err(ResolveError::Refused(*kind, code.clone()));
            }
            (Err(report), _) => self.record_failure(room, &report),
        }
        Ok(())
    }

    fn record_failure(&self, room: &RoomAddress, report: &DiscoveryReport) {
        tracing::warn!(room = room.as_str(), cause = ?report.cause(), "{}", report.headline());
        lock(&self.cache).record_failed(room, report, SystemClock.now());
        if let hosts @ 1.. = report.rejected_by() {
            // The report names one of several causes; the lockout guard counts the rejection anyway.
            let refusal = match report.cause() {
                autodiscover::Cause::Credentials => report.headline(),
                _ => "Autodiscover rejects the service account's credentials".to_owned(),
            };
            self.lockout.record_host_failures(
                &ServerKey::Autodiscover,
                ErrorKind::Credentials,
                &refusal,
                hosts,
            );
        }
    }

    async fn send_guarded(
        &self,
        request: autodiscover::DiscoveryRequest,
        admission: &tokio::sync::Mutex<SearchAdmission>,
    ) -> DiscoveryResponse {
        if request.credentials {
            let mut admission = admission.lock().await;
            if matches!(*admission, SearchAdmission::NotRequested) {
                *admission = match self.lockout.admit(&ServerKey::Autodiscover).await {
                    Ok(guard) => SearchAdmission::Granted { _guard: guard },
                    Err((kind, code)) => SearchAdmission::Refused(kind, code),
                };
            }
            if let SearchAdmission::Refused(_, code) = &*admission {
                return DiscoveryResponse::SignInFailed(code.clone());
            }
        }
        self.send(request).await
    }

    /// Sends a request to an Autodiscover service.
    pub(super) async fn send(&self, request: autodiscover::DiscoveryRequest) -> DiscoveryResponse {
        let Some(http_request) = http_request(&request) else {
            return DiscoveryResponse::Incomplete("the request has an invalid header".to_owned());
        };
        let sent = if request.credentials {
            let credential = match self.credentials.for_url(&request.url) {
                Ok(credential) => credential,
                Err(error) => return DiscoveryResponse::Incomplete(error_chain(&error)),
            };
            self.http.send_authenticated(&request.url, credential, proves_authenticated, &http_request).await
        } else {
            self.http.send_anonymous(&request.url, &http_request).await
        };
        match sent {
            Ok(response) => DiscoveryResponse::Http {
                status: response.status,
                location: location(&response.headers),
                body: response.body[..response.body.len().min(BODY_BYTES_MAX)].to_vec(),
            },
            // A host that accepts the connection and does not respond is not asked again either.
            Err(
                failure @ (TransportError::Resolve(_)
                | TransportError::Connect(_)
                | TransportError::Tls(..)
                | TransportError::FirstByteTimeout(_)
                | TransportError::ResponseTimeout(_)
                | TransportError::ConnectTimeout(_)),
            ) => DiscoveryResponse::Unreachable(failure.describe("Exchange")),
            Err(TransportError::SignIn { is_permanent: true, reason: why, .. }) => {
                DiscoveryResponse::SignInFailed(why)
            }
            Err(failure) => DiscoveryResponse::Incomplete(failure.describe("Exchange")),
        }
    }
}

/// The task of a domain. If it ends before its rooms were searched, the next caller begins another.
struct DomainTask<'a> {
    finder: &'a Finder,
    domain: &'a str,
    is_done: bool,
}

impl Drop for DomainTask<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            lock(&self.finder.searches).domains.remove(self.domain);
        }
    }
}

fn unavailable(why: &str) -> ResolveError {
    ResolveError::Unavailable(TransportError::ServerNotFound(why.to_owned()))
}

/// The request that Autodiscover wants sent; `None` if one of its headers is not valid in HTTP.
fn http_request(request: &autodiscover::DiscoveryRequest) -> Option<HttpRequest> {
    let headers = request.headers.iter().map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    Some(HttpRequest {
        method: request.method.clone(),
        headers: headers.collect::<Option<_>>()?,
        body: request.body.clone().into(),
    })
}

/// The `Location` header.
fn location(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::LOCATION)?.to_str().ok()?.to_owned())
}

/// No code panics while holding one of these locks; the maps would be valid all the same.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::SignInMethod;
    use crate::secret::Secret;

    fn finder() -> Arc<Finder> {
        let sign_in =
            SignInMethod::Basic { username: "svc".to_owned(), password: Secret::new("x".to_owned()) };
        let location = ExchangeLocation::Discovered(Policy::new([]));
        let settings = Settings::signing_in(location, sign_in);
        let dialer = Arc::new(Dialer::new(&settings.dialer()).unwrap());
        let credentials =
            CredentialProvider::new(&settings.sign_in, &dialer, settings.connect_timeout).unwrap();
        let servers = ServerStates::default();
        let lockout = Arc::new(LockoutGuard::new(servers.clone()));
        Arc::new(Finder::new(&settings, credentials, dialer, servers, lockout))
    }

    #[tokio::test]
    async fn a_search_whose_task_ended_early_is_begun_anew() {
        let (finder, room) = (finder(), "r@example.invalid".parse::<RoomAddress>().unwrap());
        let (end, ended) = oneshot::channel();
        let interrupted = ended.shared();
        lock(&finder.searches).rooms.insert(room.clone(), interrupted.clone());
        lock(&finder.searches).domains.insert(room.domain().to_owned(), Vec::new());
        drop((end, DomainTask { finder: &finder, domain: room.domain(), is_done: false }));
        assert!(interrupted.await.is_err());
        let search = finder.join_search(&room).ok().unwrap();
        assert!(search.peek().is_none() && lock(&finder.searches).domains.contains_key(room.domain()));
    }
}
